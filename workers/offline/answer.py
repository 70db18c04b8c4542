"""The row that comes out: the shape of `GET /score/{id}`.

What a file cannot know is null: when the sample was received and finished, its decision, and when it was scored. No
time is written at all, so that the same rows and the same scorer give the same bytes, whoever interrupts.
"""

from dataclasses import asdict
from typing import Literal

from pydantic import BaseModel

from models.types import Assessed, ClaimResult, Scored
from service.core.errors import PayloadInvalidError
from service.core.evidence_schemas import EvidenceAnswer
from service.core.problem import problem_answer
from service.core.sample_schemas import ClaimAnswer, ProbabilityAnswer, TimelessScoreAnswer
from service.core.schemas import ProblemAnswer
from service.core.store.scores import ScoredBy
from service.core.store.taking import final_state
from workers.offline.compared import RowReview, row_review
from workers.offline.shape import Row

INVALID = 422  # the status that `POST /score/batch` gives such an item
NEXT_STEP = "Correct the field in that row, or name another one; `assay score --help` lists the options."


class RowScore(TimelessScoreAnswer):
    """As ScoreAnswer, but for the time."""

    created_at: None = None


class RowAnswer(BaseModel):
    """As SampleAnswer, but for what a file cannot know. `id` is null where the row has none."""

    id: str | None
    status: str
    reason: str | None
    score: float | None = None
    flagged: bool | None = None
    threshold: float | None = None
    score_by: str | None = None
    direction: Literal["higher_is_worse"] = "higher_is_worse"
    received_at: None = None
    finished_at: None = None
    decision: None = None
    text: None = None  # nothing is stored
    claims: list[ClaimAnswer] = []
    scores: list[RowScore] = []
    judge_probability: None = None  # nobody judges here
    reviews: list[RowReview] = []
    combined: None = None
    combined_reason: None = None


class ErrorAnswer(BaseModel):
    """A row that is no submission."""

    id: str | None
    line: int
    problem: ProblemAnswer


def error_answer(row: Row, error: PayloadInvalidError) -> ErrorAnswer:
    """The row out for a row that is no submission."""
    problem = problem_answer(error, INVALID).model_copy(update={"next_step": NEXT_STEP})
    return ErrorAnswer(id=row.id, line=row.line, problem=problem)


def row_answer(row: Row, assessed: Assessed, by: ScoredBy, compared_by: str) -> RowAnswer:
    """The row out for a row that was scored, or for which there was nothing to score.

    `compared_by`: the fingerprint of self-consistency.
    """
    found, outcome = assessed.consistency, assessed.outcome
    reviews = [] if found is None else [row_review(found, compared_by, by.attributes)]
    state, reason = final_state(outcome)
    if not isinstance(outcome, Scored):
        return RowAnswer(id=row.id, status=state.value, reason=reason, reviews=reviews)
    score = RowScore(
        scorer=by.scorer,
        fingerprint=by.fingerprint,
        attributes=by.attributes,
        score=outcome.score,
        flagged=outcome.flagged,
        threshold=outcome.threshold,
        claims_checked=outcome.claims_checked,
        claims_flagged=outcome.claims_flagged,
        pairs=outcome.pairs,
    )
    return RowAnswer(
        id=row.id,
        status=state.value,
        reason=None,
        score=outcome.score,
        flagged=outcome.flagged,
        threshold=outcome.threshold,
        score_by=by.scorer,
        claims=[claim_answer(claim) for claim in outcome.claims],
        scores=[score],
        reviews=reviews,
    )


def claim_answer(claim: ClaimResult) -> ClaimAnswer:
    """A claim as it is shown."""
    probability, evidence = claim.probability, claim.evidence
    shown = None
    if evidence is not None:
        shown = EvidenceAnswer(
            context_id=evidence.context_id, start=evidence.start, end=evidence.end, text=evidence.text
        )
    return ClaimAnswer(
        start=claim.start,
        end=claim.end,
        text=claim.text,
        verdict=claim.verdict.value,
        score=claim.score,
        probability=ProbabilityAnswer(**asdict(probability)) if probability else None,
        evidence=shown,
    )
