"""Reviews as they are shown: offsets resolved to the stored texts, money in the policy's currency."""

from typing import Any

from sqlalchemy import Row

from service.core.review_schemas import ReviewAnswer, ReviewClaimAnswer
from service.core.reviewing.judge import PICO
from service.core.store.review_rows import StoredReview
from service.routes.evidence_view import evidence_answer, part

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
    return ReviewClaimAnswer(
        start=row.start,
        end=row.end,
        text=part(sample.response, row.start, row.end),
        verdict=row.verdict,
        score=row.score,
        evidence=evidence_answer(sample, row),
    )
