"""Reviews as they are shown: offsets resolved to the stored texts, money in the policy's currency."""

from typing import Any

from sqlalchemy import Row

from service.core.evidence_schemas import EvidenceAnswer
from service.core.review_schemas import ReviewAnswer, ReviewClaimAnswer
from service.core.reviewing.judge import PICO
from service.core.store.review_rows import StoredReview

_PLAIN = (
    "reviewer",
    "why",
    "probability",
    "score",
    "flagged",
    "threshold",
    "fingerprint",
    "entropy",
    "votes",
    "variance",
    "calls",
    "input_tokens",
    "output_tokens",
    "transcript",
    "created_at",
    "finished_at",
)


def review_answer(sample: Row[Any], stored: StoredReview) -> ReviewAnswer:
    """One review of a sample."""
    review = stored.review
    return ReviewAnswer(
        **{name: getattr(review, name) for name in _PLAIN},
        status=review.state,
        reason=review.state_reason,
        claims=[_claim(sample, row) for row in stored.claims],
        cost=review.cost_pico / PICO,
        attributes=review.attributes or {},
    )


def _claim(sample: Row[Any], row: Row[Any]) -> ReviewClaimAnswer:
    evidence = None
    if row.evidence_context is not None:
        context = sample.contexts[row.evidence_context]
        evidence = EvidenceAnswer(
            context_id=context["id"],
            start=row.evidence_start,
            end=row.evidence_end,
            text=part(context["text"], row.evidence_start, row.evidence_end),
        )
    return ReviewClaimAnswer(
        start=row.start,
        end=row.end,
        text=part(sample.response, row.start, row.end),
        verdict=row.verdict,
        score=row.score,
        evidence=evidence,
    )


def part(text: str | None, start: int, end: int) -> str | None:
    """The span of a text; None where the text is not stored any more."""
    return None if text is None else text[start:end]
