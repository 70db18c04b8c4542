"""A stored sample as it is shown: offsets resolved to the caller's own text."""

from typing import Any, Literal
from urllib.parse import quote

from sqlalchemy import Row

from service.core.evidence_schemas import EvidenceAnswer
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
from service.core.tables import Kept
from service.routes.review_view import part, review_answer

_STORED: dict[str, Literal["full", "hash", "none"]] = {Kept.TEXT: "full", Kept.DIGEST: "hash", Kept.ROW: "none"}


def view(stored: StoredSample) -> SampleAnswer:
    """The answer for a sample; its newest score speaks for it."""
    sample = stored.sample
    newest = stored.scores[-1] if stored.scores else None
    return SampleAnswer(
        id=sample.id,
        status=sample.state,
        reason=sample.state_reason,
        score=newest.score if newest else None,
        flagged=newest.flagged if newest else None,
        threshold=newest.threshold if newest else None,
        score_by=newest.scorer if newest else None,
        received_at=sample.received_at,
        finished_at=sample.finished_at,
        decision=_decision(sample),
        text=_text(sample),
        claims=[_claim(sample, row) for row in stored.claims],
        scores=[_score(row) for row in stored.scores],
        judge_probability=sample.judge_probability,
        reviews=[review_answer(sample, each) for each in stored.reviews],
        combined=None,
        combined_reason=None,
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
    evidence = None
    if row.evidence_context is not None:
        context = sample.contexts[row.evidence_context]
        evidence = EvidenceAnswer(
            context_id=context["id"],
            start=row.evidence_start,
            end=row.evidence_end,
            text=part(context["text"], row.evidence_start, row.evidence_end),
        )
    return ClaimAnswer(
        start=row.start,
        end=row.end,
        text=part(sample.response, row.start, row.end),
        verdict=row.verdict,
        score=row.score,
        probability=probability,
        evidence=evidence,
    )
