"""Feedback of end users: a signal for review and sampling, never taken for truth."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from service.core.clock import utc_now
from service.core.keys import Scope
from service.core.label_schemas import FeedbackAnswer, FeedbackBucketAnswer, FeedbackCountsAnswer, FeedbackSent
from service.core.label_tables import Rating
from service.core.payload import parse_sent
from service.core.rate_query import RateQuery, read_stretch
from service.core.store.feedback import NewFeedback, count_feedback, is_sampled, upsert_feedback
from service.routes.problem import FAILURES, PROBLEM, READ_FAILURES
from service.state import ReadDep, Sidecar, SidecarDep, authorize, read_body, refuse_unknown, sidecar_of

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
    sent = parse_sent(await read_body(request), FeedbackSent)
    new = NewFeedback(
        tenant=caller.tenant,
        sample_id=sent.id or "",
        trace_id=sent.trace_id or "",
        rating=sent.rating,
        identifier=sent.identifier or "",
        comment=sent.comment,
    )
    return await run_in_threadpool(_write, sidecar_of(request), new)


@router.get(
    "/feedback/counts",
    responses=READ_FAILURES | {400: PROBLEM | {"description": "A query parameter is not valid; `field` names it."}},
)
def feedback_counts(  # noqa: PLR0913, PLR0917 - one argument a query parameter
    request: Request,
    sidecar: SidecarDep,
    caller: ReadDep,
    start: Annotated[str | None, Query(alias="from", description="ISO 8601 with zone; inclusive.")] = None,
    to: Annotated[str | None, Query(description="ISO 8601 with zone; exclusive; now if absent.")] = None,
    window: Annotated[str | None, Query(description="Instead of `from`: 24h, 7d. 24h if both absent.")] = None,
    granularity: Annotated[str | None, Query(description="Width of a bucket: 1h, 1d; all in one if absent.")] = None,
) -> FeedbackCountsAnswer:
    """How much of which feedback came, by time; empty buckets are left out."""
    refuse_unknown(request, {"from", "to", "window", "granularity"})
    query = RateQuery(tenant=caller.tenant, start=start, to=to, window=window, granularity=granularity)
    stretch = read_stretch(query, utc_now())
    with sidecar.database.read() as connection:
        found = count_feedback(connection, stretch)
    width = timedelta(seconds=stretch.width_s)
    return FeedbackCountsAnswer(
        start=stretch.start,
        end=stretch.end,
        granularity_s=stretch.width_s,
        buckets=[
            FeedbackBucketAnswer(
                start=stretch.start + at * width,
                end=min(stretch.end, stretch.start + (at + 1) * width),
                up=counts[Rating.UP],
                down=counts[Rating.DOWN],
            )
            for at, counts in sorted(found.items())
        ],
    )


def _write(sidecar: Sidecar, new: NewFeedback) -> FeedbackAnswer:
    with sidecar.database.write() as connection:
        replaced = upsert_feedback(connection, new, utc_now())
        return FeedbackAnswer(replaced=replaced, sampled=is_sampled(connection, new))
