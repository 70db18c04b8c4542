"""Evidence as it is shown: a stored span, resolved to the stored text."""

from typing import Any

from sqlalchemy import Row

from service.core.evidence_schemas import EvidenceAnswer


def evidence_answer(sample: Row[Any], claim: Row[Any]) -> EvidenceAnswer | None:
    """What decided a claim, the first scorer's or a reviewer's; None where nothing did."""
    if claim.evidence_context is None:
        return None
    context = sample.contexts[claim.evidence_context]
    return EvidenceAnswer(
        context_id=context["id"],
        start=claim.evidence_start,
        end=claim.evidence_end,
        text=part(context["text"], claim.evidence_start, claim.evidence_end),
    )


def part(text: str | None, start: int, end: int) -> str | None:
    """The span of a text; None where the text is not stored any more."""
    return None if text is None else text[start:end]
