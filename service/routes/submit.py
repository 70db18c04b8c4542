"""Submissions in, decisions out."""

import asyncio
import contextlib
import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from service import examples
from service.core.db import Database
from service.core.errors import AssayError, PayloadInvalidError, QueryInvalidError
from service.core.keys import Scope
from service.core.payload import parse_batch, parse_submission
from service.core.schemas import BatchAnswer, BatchItemAnswer, DecisionAnswer, SampleAnswer, Submission
from service.core.store.samples import read_state
from service.core.tables import State
from service.intake import Received
from service.routes.problem import FAILURES, PROBLEM, problem, problem_response
from service.routes.score import read_answer
from service.state import Sidecar, authorize, read_body, sidecar_of

router = APIRouter(tags=["scoring"])  # its endpoints take the request alone: service.front calls them directly

MAX_WAIT_S = 30.0
POLL_S = 0.05
LARGE_BODY_BYTES = 256 * 1024  # reading more takes long enough to keep other requests waiting
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
    submission = await _parse(await read_body(request), sidecar)
    received = sidecar.intake.receive(submission, caller.tenant, forced=seconds is not None)
    try:
        decision = await sidecar.intake.settle(received)
    except AssayError as error:
        return problem_response(error, received.id)
    if seconds is not None and decision.status_url:
        # The sample is stored: whatever fails from here on, the answer is that it was accepted.
        with contextlib.suppress(AssayError):
            sample = await _wait_for(sidecar.database, caller.tenant, received.id, seconds)
            if sample:
                return JSONResponse(sample.model_dump(mode="json"), 200)
    return Response(decision.model_dump_json(), 202, media_type=JSON)


async def _parse(body: bytes, sidecar: Sidecar) -> Submission:
    if len(body) > LARGE_BODY_BYTES:
        return await run_in_threadpool(parse_submission, body, sidecar.settings)
    return parse_submission(body, sidecar.settings)


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


async def _wait_for(database: Database, tenant: str, sample_id: str, seconds: float) -> SampleAnswer | None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await asyncio.sleep(POLL_S)
        if await run_in_threadpool(_state, database, tenant, sample_id) not in {None, State.PENDING}:
            return await run_in_threadpool(read_answer, database, tenant, sample_id)
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
    if len(body) > LARGE_BODY_BYTES:
        items = await run_in_threadpool(parse_batch, body, sidecar.settings, lines=lines)
    else:
        items = parse_batch(body, sidecar.settings, lines=lines)
    handed = [
        item if isinstance(item, PayloadInvalidError) else sidecar.intake.receive(item, caller.tenant) for item in items
    ]
    # Only what has a row is waited for, all at once: a task for each of the others would cost more than the rest.
    rows = [item for item in handed if isinstance(item, Received) and item.row is not None]
    stored = iter(await asyncio.gather(*(_stored(sidecar, item) for item in rows)))
    results = [
        _refused(item)
        if isinstance(item, PayloadInvalidError)
        else BatchItemAnswer(status=202, decision=sidecar.intake.left_out(item))
        if item.row is None
        else next(stored)
        for item in handed
    ]
    return Response(BatchAnswer(results=results).model_dump_json(), media_type=JSON)


async def _stored(sidecar: Sidecar, item: Received) -> BatchItemAnswer:
    try:
        return BatchItemAnswer(status=202, decision=await sidecar.intake.settle(item))
    except AssayError as error:
        return _refused(error, item.id)


def _refused(error: AssayError, sample_id: str | None = None) -> BatchItemAnswer:
    answer = problem(error, sample_id)
    return BatchItemAnswer(status=answer.status, problem=answer)
