"""A stored sample as it is shown: offsets resolved to the caller's own text."""

from typing import Any, Literal
from urllib.parse import quote

from sqlalchemy import Row

from service.core.combination import Combination, Combined, Parts
from service.core.config import Threshold
from service.core.review_schemas import CombinedAnswer
from service.core.review_tables import Reviewer
from service.core.sample_schemas import (
    ClaimAnswer,
    DigestsAnswer,
    ProbabilityAnswer,
    SampleAnswer,
    ScoreAnswer,
    TextAnswer,
)
from service.core.schemas import DecisionAnswer
from service.core.store.samples import StoredSample
from service.core.tables import Kept, State
from service.routes.evidence_view import evidence_answer, part
from service.routes.review_view import review_answer

COMBINED = "combined"  # `score_by` of what was fitted
NOT_FITTED, PENDING = "not_fitted", "pending"  # further reasons why there is no combined score
_STORED: dict[str, Literal["full", "hash", "none"]] = {Kept.TEXT: "full", Kept.DIGEST: "hash", Kept.ROW: "none"}


def view(stored: StoredSample, combination: Combination | None, chosen: Threshold = "strict") -> SampleAnswer:
    """The answer for a sample; what was fitted to labels speaks for it, or else its newest score.

    `chosen`: which of the combination's thresholds counts.
    """
    sample = stored.sample
    newest = stored.scores[-1] if stored.scores else None
    combined = combine(stored, combination, chosen)
    speaks = combined if isinstance(combined, Combined) else newest
    return SampleAnswer(
        id=sample.id,
        status=sample.state,
        reason=sample.state_reason,
        score=speaks.score if speaks else None,
        flagged=speaks.flagged if speaks else None,
        threshold=speaks.threshold if speaks else None,
        score_by=COMBINED if isinstance(combined, Combined) else newest.scorer if newest else None,
        received_at=sample.received_at,
        finished_at=sample.finished_at,
        decision=_decision(sample),
        text=_text(sample),
        claims=[_claim(sample, row) for row in stored.claims],
        scores=[_score(row) for row in stored.scores],
        judge_probability=sample.judge_probability,
        reviews=[review_answer(sample, each) for each in stored.reviews],
        combined=_combined(combined) if isinstance(combined, Combined) else None,
        combined_reason=None if isinstance(combined, Combined) else combined,
    )


def combine(stored: StoredSample, combination: Combination | None, chosen: Threshold) -> Combined | str:
    """The combined score of a sample as it is stored now, or why there is none."""
    if combination is None:
        return NOT_FITTED
    if stored.sample.state == State.PENDING:
        return PENDING
    found = combination.combine(_parts(stored, combination), chosen)
    return found if isinstance(found, Combined) else found.value


def _parts(stored: StoredSample, combination: Combination) -> Parts:
    """What the scorers say: the first one by the score that the fit was made for, or else by its newest."""
    wanted = {scorer.fingerprint for scorer in combination.scorers if scorer.name == "nli"}
    rows = [row for row in stored.scores if row.fingerprint in wanted] or stored.scores
    score = rows[-1] if rows else None
    reviews = {each.review.reviewer: each.review for each in stored.reviews if each.review.state == State.SCORED}
    judge, compared = reviews.get(Reviewer.JUDGE), reviews.get(Reviewer.CONSISTENCY)
    return Parts(
        nli=score.score if score else None,
        nli_fingerprint=score.fingerprint if score else None,
        judge=judge.score if judge else None,
        judge_fingerprint=judge.fingerprint if judge else None,
        selfcheck=compared.score if compared else None,
        entropy=compared.entropy if compared else None,
        consistency_fingerprint=compared.fingerprint if compared else None,
    )


def _combined(found: Combined) -> CombinedAnswer:
    return CombinedAnswer(
        score=found.score, flagged=found.flagged, threshold=found.threshold, used=list(found.used), fit=found.fit
    )


def _decision(sample: Row[Any]) -> DecisionAnswer:
    return DecisionAnswer(
        id=sample.id,
        decision=sample.decision,
        reason=sample.reason,
        stratum=sample.stratum,
        inclusion_probability=sample.inclusion_probability,
        policy_version=sample.policy_version,
        status_url=f"/score/{quote(sample.id, safe='')}",
    )


def _text(sample: Row[Any]) -> TextAnswer:
    return TextAnswer(
        stored=_STORED[sample.kept],
        removed_by=sample.text_removed_by,
        removed_at=sample.text_removed_at,
        redacted=sample.redacted,
        digests=DigestsAnswer(**sample.text_digests) if sample.kept == Kept.DIGEST else None,
    )


def _score(row: Row[Any]) -> ScoreAnswer:
    return ScoreAnswer(**{name: getattr(row, name) for name in ScoreAnswer.model_fields})


def _claim(sample: Row[Any], row: Row[Any]) -> ClaimAnswer:
    probability = None
    if row.entailment is not None:
        probability = ProbabilityAnswer(entailment=row.entailment, neutral=row.neutral, contradiction=row.contradiction)
    return ClaimAnswer(
        start=row.start,
        end=row.end,
        text=part(sample.response, row.start, row.end),
        verdict=row.verdict,
        score=row.score,
        probability=probability,
        evidence=evidence_answer(sample, row),
    )
