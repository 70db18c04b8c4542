"""The row out of self-consistency, for a row that came with alternative responses: as a review in `GET /score/{id}`."""

from typing import Any

from models.types import ClaimResult, Consistent, NotApplicable, Unscored
from service.core.review_schemas import ReviewClaimAnswer, TimelessReviewAnswer
from service.core.review_tables import Reviewer, Why
from service.core.tables import State


class RowReview(TimelessReviewAnswer):
    """As ReviewAnswer, but for the times."""

    created_at: None = None
    finished_at: None = None


def row_review(found: Consistent | NotApplicable | Unscored, fingerprint: str, attributes: dict[str, str]) -> RowReview:
    """What was made of the alternative responses."""
    common: dict[str, Any] = {
        "reviewer": Reviewer.CONSISTENCY.value,
        "why": Why.SENT.value,
        "probability": 1.0,
        "variance": None,
        "calls": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "cost": 0.0,
        "transcript": None,
        "fingerprint": fingerprint,
        "attributes": attributes,
    }
    if not isinstance(found, Consistent):
        state = State.NOT_APPLICABLE if isinstance(found, NotApplicable) else State.UNSCORED
        nothing: dict[str, Any] = dict.fromkeys(("score", "flagged", "threshold", "entropy", "votes"))
        return RowReview(**common, **nothing, status=state.value, reason=found.reason.value, claims=[])
    return RowReview(
        **common,
        status=State.SCORED.value,
        reason=None,
        score=found.scored.score,
        flagged=found.scored.flagged,
        threshold=found.scored.threshold,
        entropy=found.entropy,
        votes=found.samples,
        claims=[_claim(claim) for claim in found.scored.claims],
    )


def _claim(claim: ClaimResult) -> ReviewClaimAnswer:
    return ReviewClaimAnswer(
        start=claim.start,
        end=claim.end,
        text=claim.text,
        verdict=claim.verdict.value,
        score=claim.score,
        evidence=None,
    )
