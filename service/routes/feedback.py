"""Feedback of end users: a signal for review and sampling, never taken for truth."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from service.core.clock import utc_now
from service.core.keys import Scope
from service.core.label_schemas import FeedbackAnswer
from service.core.payload import parse_feedback
from service.core.store.feedback import NewFeedback, is_sampled, upsert_feedback
from service.routes.problem import FAILURES
from service.state import Sidecar, authorize, read_body, sidecar_of

router = APIRouter(tags=["feedback"])

FEEDBACK: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/FeedbackSent"},  # put there by service.openapi
                "example": {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "rating": "down"},
            }
        },
    }
}


@router.post("/feedback", responses=FAILURES, openapi_extra=FEEDBACK)
async def post_feedback(request: Request) -> FeedbackAnswer:
    """Stores what an end user signalled, of an answer that was sampled or not. The same target again replaces it."""
    caller = await authorize(request, Scope.INGEST)
    sent = parse_feedback(await read_body(request))
    new = NewFeedback(
        tenant=caller.tenant,
        sample_id=sent.id or "",
        trace_id=sent.trace_id or "",
        rating=sent.rating,
        identifier=sent.identifier or "",
        comment=sent.comment,
    )
    return await run_in_threadpool(_write, sidecar_of(request), new)


def _write(sidecar: Sidecar, new: NewFeedback) -> FeedbackAnswer:
    with sidecar.database.write() as connection:
        replaced = upsert_feedback(connection, new, utc_now())
        return FeedbackAnswer(replaced=replaced, sampled=is_sampled(connection, new))
