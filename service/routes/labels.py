"""Labels: what people say of samples, what they are to look at next, and how far they agree."""

import re
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from service.core.agreement import agreement
from service.core.clock import EPOCH, utc_now
from service.core.duration import parse_duration
from service.core.errors import LabelTargetUnknownError, QueryInvalidError
from service.core.keys import Scope
from service.core.label_schemas import (
    ANNOTATOR,
    AgreementAnswer,
    LabelClaimAnswer,
    LabelContextAnswer,
    LabelNextAnswer,
    LabelsAnswer,
    LabelSent,
    LabelTaskAnswer,
)
from service.core.payload import parse_labels
from service.core.rate_query import read_confidence
from service.core.store.drawing import draw_tasks
from service.core.store.labels import HELD, Asked, NewLabel, UnknownTarget, hand_out, upsert_labels
from service.core.store.samples import StoredSample, read_sample_of
from service.core.store.votes import read_votes
from service.routes.problem import FAILURES, PROBLEM, READ_FAILURES
from service.state import LabelDep, ReadDep, Sidecar, SidecarDep, authorize, read_body, refuse_unknown, sidecar_of

router = APIRouter(tags=["labels"])

DRAWN_AT_ONCE = 20  # tasks that a request adds when nothing is left to hand out
KAPPA = "fleiss-kappa, jackknife over items"
LABELS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/LabelsSent"},  # put there by service.openapi
                "example": {"labels": [{"sample_id": "req-17", "annotator": "mira", "verdict": "hallucinated"}]},
            }
        },
    }
}
BAD_QUERY: dict[int | str, dict[str, Any]] = {
    400: PROBLEM | {"description": "A query parameter is missing or has no valid value."}
}


@router.post(
    "/labels",
    responses=FAILURES | {404: PROBLEM | {"description": "A label is of a sample or claim that is not there."}},
    openapi_extra=LABELS,
)
async def post_labels(request: Request) -> LabelsAnswer:
    """Writes labels, all or none. One of the same target, annotator, kind and identifier is replaced."""
    caller = await authorize(request, Scope.LABEL)
    sent = parse_labels(await read_body(request))
    wanted = [_new_label(label) for label in sent.labels]
    return await run_in_threadpool(_write, sidecar_of(request), caller.tenant, wanted)


def _new_label(sent: LabelSent) -> NewLabel:
    return NewLabel(
        sample_id=sent.sample_id,
        claim=sent.claim,
        annotator=sent.annotator,
        kind=sent.kind,
        identifier=sent.identifier or "",
        verdict=sent.verdict,
        comment=sent.comment,
    )


def _write(sidecar: Sidecar, tenant: str, wanted: list[NewLabel]) -> LabelsAnswer:
    with sidecar.database.write() as connection:
        done = upsert_labels(connection, tenant, wanted, utc_now())
    if isinstance(done, UnknownTarget):
        name = "claim" if done.claim else "sample_id"
        raise LabelTargetUnknownError(
            "The newest score of this sample has no such claim." if done.claim else "There is no such sample.",
            field=f"labels.{done.position}.{name}",
        )
    return LabelsAnswer(created=done.created, replaced=done.replaced)


@router.get("/labels/next", responses=READ_FAILURES | BAD_QUERY)
def next_label(
    request: Request,
    sidecar: SidecarDep,
    caller: LabelDep,
    annotator: Annotated[str | None, Query(description="Who is going to label; nobody gets a sample twice.")] = None,
    window: Annotated[str, Query(description="Of samples received no longer ago: 24h, 7d.")] = "7d",
) -> LabelNextAnswer:
    """What to label next: drawn with a known probability, more often where a label changes more.

    A share of the tasks goes to two people, neither of whom sees what the other or the scorer said. A sample can be drawn
    once all that came before it has been scored, half a minute after its receipt at the earliest.
    """
    refuse_unknown(request, {"annotator", "window"})
    if annotator is None or re.fullmatch(ANNOTATOR, annotator) is None:
        raise QueryInvalidError(
            "Say who is going to label: 1 to 100 letters, digits and . _ @ + - in ASCII.", field="annotator"
        )
    now = utc_now()
    start = now - parse_duration(window, "window")
    asked = Asked(
        tenant=caller.tenant, annotator=annotator, first_day=(start - EPOCH).days, last_day=(now - EPOCH).days
    )
    if asked.last_day - asked.first_day > 92:  # noqa: PLR2004 - stated in the message
        raise QueryInvalidError("Must be at most 92 days.", field="window")
    twice = sidecar.intake.policy.policy.labels.twice
    stored = _hand_out(sidecar, asked, now)
    if stored is None:
        draw_tasks(sidecar.database, asked, DRAWN_AT_ONCE, now, twice)
        stored = _hand_out(sidecar, asked, now)
    return LabelNextAnswer(task=None if stored is None else _task(stored, now))


def _hand_out(sidecar: Sidecar, asked: Asked, now: datetime) -> StoredSample | None:
    with sidecar.database.write() as connection:
        seq = hand_out(connection, asked, now)
        return None if seq is None else read_sample_of(connection, seq)


def _task(stored: StoredSample, now: datetime) -> LabelTaskAnswer:
    sample = stored.sample
    return LabelTaskAnswer(
        sample_id=sample.id,
        question=sample.question,
        contexts=[LabelContextAnswer(id=context["id"], text=context["text"]) for context in sample.contexts],
        response=sample.response,
        claims=[
            LabelClaimAnswer(
                claim=claim.position, start=claim.start, end=claim.end, text=sample.response[claim.start : claim.end]
            )
            for claim in stored.claims
            if claim.score is not None
        ],
        held_until=now + HELD,
    )


@router.get("/labels/agreement", responses=READ_FAILURES | BAD_QUERY)
def label_agreement(
    request: Request,
    sidecar: SidecarDep,
    caller: ReadDep,
    window: Annotated[str, Query(description="Of samples received no longer ago: 24h, 30d.")] = "30d",
    confidence: Annotated[str, Query(description="Of the intervals, between 0.5 and 0.9999.")] = "0.95",
) -> AgreementAnswer:
    """How far people agree who labelled the same responses or claims: the ceiling of what any scorer can reach."""
    refuse_unknown(request, {"window", "confidence"})
    now, level = utc_now(), read_confidence(confidence)
    start = now - parse_duration(window, "window")
    with sidecar.database.read() as connection:
        found = agreement(read_votes(connection, caller.tenant, start, now), level)
    return AgreementAnswer(
        items=found.items,
        agreement=found.agreeing,
        agreement_ci_low=found.agreeing_low,
        agreement_ci_high=found.agreeing_high,
        kappa=found.kappa,
        kappa_ci_low=found.kappa_low,
        kappa_ci_high=found.kappa_high,
        method=KAPPA,
        confidence=level,
    )
