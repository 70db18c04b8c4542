"""Submissions in, decisions out."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from service import examples
from service.core.db import Database
from service.core.errors import AssayError, PayloadInvalidError, QueryInvalidError
from service.core.keys import Scope
from service.core.payload import parse_batch, parse_submission
from service.core.sample_schemas import SampleAnswer
from service.core.schemas import BatchAnswer, BatchItemAnswer, DecisionAnswer
from service.core.store.samples import read_state
from service.core.submitted import characters
from service.core.tables import State
from service.intake import Received
from service.routes.problem import FAILURES, PROBLEM, problem, problem_response
from service.routes.score import read_answer
from service.state import Sidecar, authorize, read_body, sidecar_of

router = APIRouter(tags=["scoring"])  # its endpoints take the request alone: service.front calls them directly

MAX_WAIT_S = 30.0
POLL_S = 0.05
SLICE_S = 0.002  # of a batch, before other requests get their turn
T = TypeVar("T")
LARGE_BODY_BYTES = 256 * 1024  # reading more, and redacting it, takes long enough to keep other requests waiting
JSON = "application/json"
SUBMISSION = {"$ref": "#/components/schemas/Submission"}  # put there by service.openapi
WAIT = {
    "name": "wait",
    "in": "query",
    "required": False,
    "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_WAIT_S},
    "description": "Seconds to wait for the score, up to 30.",
}
ONE: dict[str, Any] = {
    "parameters": [WAIT],
    "requestBody": {"required": True, "content": {JSON: {"schema": SUBMISSION, "example": examples.SUBMISSION}}},
}
MANY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"type": "array", "items": SUBMISSION}, "example": [examples.SUBMISSION]},
            "application/x-ndjson": {"schema": {"type": "string", "description": "One submission a line."}},
        },
    }
}


@router.post(
    "/score",
    status_code=202,
    response_model=DecisionAnswer,
    responses=FAILURES
    | {
        200: {"model": SampleAnswer, "description": "With `wait`: scored in time."} | examples.shown(examples.SAMPLE),
        202: {"description": "Decided; for a sample, stored."} | examples.shown(examples.DECISION),
        400: PROBLEM | {"description": "`wait` is no number of seconds."},
        409: PROBLEM | {"description": "This id was accepted before with another body."},
        429: PROBLEM | {"description": "With `wait`: too many samples are waiting."},
    },
    openapi_extra=ONE,
)
async def score(request: Request) -> Response:
    """Submits one response. It is sampled by the policy; a 202 for a sample means that it is stored."""
    sidecar = sidecar_of(request)
    caller = await authorize(request, Scope.INGEST)
    seconds = _seconds(request)
    body = await read_body(request)
    received = await _unless_small(
        body, partial(_receive_one, sidecar, caller.tenant, body, forced=seconds is not None)
    )
    (decision,) = await sidecar.intake.settle([received])
    if isinstance(decision, AssayError):
        return problem_response(decision, received.id)
    if seconds is not None and decision.status_url:
        # The sample is stored: whatever fails from here on, the answer is that it was accepted.
        with contextlib.suppress(AssayError):
            sample = await _wait_for(sidecar, caller.tenant, received.id, seconds)
            if sample:
                return JSONResponse(sample.model_dump(mode="json"), 200)
    return Response(decision.model_dump_json(), 202, media_type=JSON)


async def _unless_small(body: bytes, work: Callable[[], T]) -> T:
    """The result of the work; in a thread where the body is large, since reading it would keep others waiting."""
    return await run_in_threadpool(work) if len(body) > LARGE_BODY_BYTES else work()


def _receive_one(sidecar: Sidecar, tenant: str, body: bytes, *, forced: bool) -> Received:
    return sidecar.intake.receive(parse_submission(body, sidecar.settings), tenant, forced=forced)


def _seconds(request: Request) -> float | None:
    wait = request.query_params.get("wait") if request.scope["query_string"] else None
    if wait is None:
        return None
    try:
        seconds = float(wait)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= MAX_WAIT_S:
        raise QueryInvalidError(f"wait must be a number of seconds above 0 and up to {MAX_WAIT_S:g}.", field="wait")
    return seconds


async def _wait_for(sidecar: Sidecar, tenant: str, sample_id: str, seconds: float) -> SampleAnswer | None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await asyncio.sleep(POLL_S)
        if await run_in_threadpool(_state, sidecar.database, tenant, sample_id) not in {None, State.PENDING}:
            return await run_in_threadpool(read_answer, sidecar, tenant, sample_id)
    return None


def _state(database: Database, tenant: str, sample_id: str) -> str | None:
    with database.read() as connection:
        return read_state(connection, tenant, sample_id)


@router.post(
    "/score/batch",
    response_model=BatchAnswer,
    responses=FAILURES | {200: {"description": "One result per item, in order."} | examples.shown(examples.BATCH)},
    openapi_extra=MANY,
)
async def score_batch(request: Request) -> Response:
    """Submits up to 1,000 responses as a JSON array or NDJSON; one result per item, in order."""
    sidecar = sidecar_of(request)
    caller = await authorize(request, Scope.INGEST)
    media_type = request.headers.get("content-type", "").lower()
    lines = "ndjson" in media_type or "jsonl" in media_type
    body = await read_body(request)
    handed = await _receive_many(sidecar, caller.tenant, body, lines=lines)
    settled = iter(await sidecar.intake.settle([item for item in handed if isinstance(item, Received)]))
    results = [
        _result(next(settled), item.id) if isinstance(item, Received) else _result(item, None) for item in handed
    ]
    return Response(BatchAnswer(results=results).model_dump_json(), media_type=JSON)


async def _receive_many(
    sidecar: Sidecar, tenant: str, body: bytes, *, lines: bool
) -> list[Received | PayloadInvalidError]:
    """Receives a slice of items at a time, so that others get their turn in between.

    A thread for the whole would cost more: every submission would wait for the interpreter's lock.
    """
    handed: list[Received | PayloadInvalidError] = []
    pause_at = time.monotonic() + SLICE_S
    for item in await _unless_small(body, partial(parse_batch, body, sidecar.settings, lines=lines)):
        if isinstance(item, PayloadInvalidError):
            handed.append(item)
        elif len(body) > LARGE_BODY_BYTES and characters(item) > LARGE_BODY_BYTES:
            handed.append(await run_in_threadpool(sidecar.intake.receive, item, tenant))
        else:
            handed.append(sidecar.intake.receive(item, tenant))
        if time.monotonic() > pause_at:
            await asyncio.sleep(0)
            pause_at = time.monotonic() + SLICE_S
    return handed


def _result(settled: DecisionAnswer | AssayError, sample_id: str | None) -> BatchItemAnswer:
    if isinstance(settled, DecisionAnswer):
        return BatchItemAnswer(status=202, decision=settled)
    answer = problem(settled, sample_id)
    return BatchItemAnswer(status=answer.status, problem=answer)
