"""Submissions in, decisions and samples out."""

import asyncio
import contextlib
import time
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from service import examples
from service.core.db import Database
from service.core.errors import AssayError, PayloadInvalidError, QueryInvalidError, SampleUnknownError
from service.core.schemas import (
    BatchAnswer,
    BatchItemAnswer,
    DecisionAnswer,
    ProblemAnswer,
    SampleAnswer,
    Submission,
)
from service.core.store.samples import read_sample, read_state
from service.core.tables import State
from service.intake import Received
from service.payload import parse_batch, parse_submission
from service.routes.problem import problem, problem_response
from service.routes.sample_view import view
from service.state import BodyDep, IngestDep, ReadDep, Sidecar, SidecarDep

router = APIRouter(tags=["scoring"])

MAX_WAIT_S = 30.0
POLL_S = 0.05
LARGE_BODY_BYTES = 256 * 1024
PROBLEM: dict[str, Any] = {"model": ProblemAnswer, "content": {"application/problem+json": {}}}
FAILURES: dict[int | str, dict[str, Any]] = {
    401: PROBLEM | {"description": "The API key is missing or unknown."},
    403: PROBLEM | {"description": "The API key lacks the scope, or the Host header is foreign."},
    413: PROBLEM | {"description": "The body is too large."},
    422: PROBLEM | {"description": "The body is not valid; `field` names where."},
    503: PROBLEM | {"description": "The database did not answer. Retry with the same id."},
}
READ_FAILURES: dict[int | str, dict[str, Any]] = {k: v for k, v in FAILURES.items() if k in {401, 403, 503}}
SUBMISSION = {"$ref": "#/components/schemas/Submission"}  # put there by service.openapi
ONE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": SUBMISSION, "example": examples.SUBMISSION}},
    }
}
MANY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "array", "items": SUBMISSION},
                "example": [examples.SUBMISSION],
            },
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
        409: PROBLEM | {"description": "This id was accepted before with another body."},
        429: PROBLEM | {"description": "With `wait`: too many samples are waiting."},
    },
    openapi_extra=ONE,
)
async def score(
    sidecar: SidecarDep,
    caller: IngestDep,
    body: BodyDep,
    wait: Annotated[str | None, Query(description="Seconds to wait for the score, up to 30.")] = None,
) -> Response:
    """Submits one response. It is sampled by the policy; a 202 for a sample means that it is stored."""
    seconds = None if wait is None else _seconds(wait)
    if len(body) > LARGE_BODY_BYTES:
        submission = await run_in_threadpool(parse_submission, body, sidecar.settings)
    else:
        submission = parse_submission(body, sidecar.settings)
    receive = partial(sidecar.intake.receive, submission, caller.tenant, forced=seconds is not None)
    # Redaction reads the whole text: of a large body it takes long enough to keep others waiting.
    received = await run_in_threadpool(receive) if len(body) > LARGE_BODY_BYTES else receive()
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
    return JSONResponse(decision.model_dump(), 202)


def _seconds(wait: str) -> float:
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
            return await run_in_threadpool(_read, database, tenant, sample_id)
    return None


def _state(database: Database, tenant: str, sample_id: str) -> str | None:
    with database.read() as connection:
        return read_state(connection, tenant, sample_id)


def _read(database: Database, tenant: str, sample_id: str) -> SampleAnswer | None:
    with database.read() as connection:
        stored = read_sample(connection, tenant, sample_id)
    return view(stored) if stored else None


@router.post(
    "/score/batch",
    response_model=BatchAnswer,
    responses=FAILURES | {200: {"description": "One result per item, in order."} | examples.shown(examples.BATCH)},
    openapi_extra=MANY,
)
async def score_batch(request: Request, sidecar: SidecarDep, caller: IngestDep, body: BodyDep) -> Response:
    """Submits up to 1,000 responses as a JSON array or NDJSON; one result per item, in order."""
    media_type = request.headers.get("content-type", "").lower()
    lines = "ndjson" in media_type or "jsonl" in media_type
    if len(body) > LARGE_BODY_BYTES:  # reading it takes long enough to keep others waiting
        items = await run_in_threadpool(parse_batch, body, sidecar.settings, lines=lines)
    else:
        items = parse_batch(body, sidecar.settings, lines=lines)
    receive = partial(_receive_all, sidecar, caller.tenant, items)
    handed = await run_in_threadpool(receive) if len(body) > LARGE_BODY_BYTES else receive()
    results = await asyncio.gather(*(_result(sidecar, item) for item in handed))
    return JSONResponse({"results": [result.model_dump() for result in results]})


def _receive_all(
    sidecar: Sidecar, tenant: str, items: list[Submission | PayloadInvalidError]
) -> list[Received | PayloadInvalidError]:
    return [item if isinstance(item, PayloadInvalidError) else sidecar.intake.receive(item, tenant) for item in items]


async def _result(sidecar: Sidecar, item: Received | PayloadInvalidError) -> BatchItemAnswer:
    if isinstance(item, PayloadInvalidError):
        answer = problem(item)
        return BatchItemAnswer(status=answer.status, problem=answer)
    try:
        return BatchItemAnswer(status=202, decision=await sidecar.intake.settle(item))
    except AssayError as error:
        answer = problem(error, item.id)
        return BatchItemAnswer(status=answer.status, problem=answer)


@router.get(
    "/score/{sample_id:path}",
    responses=READ_FAILURES
    | {
        200: {"description": "The sample."} | examples.shown(examples.SAMPLE),
        404: PROBLEM | {"description": "No sample has this id."},
    },
)
def read_score(sidecar: SidecarDep, caller: ReadDep, sample_id: str) -> SampleAnswer:
    """A sample: its state, and its score, claims and evidence once it is scored."""
    if "\0" in sample_id:  # PostgreSQL takes no such text, not even to look for it
        raise SampleUnknownError
    sample = _read(sidecar.database, caller.tenant, sample_id)
    if sample is None:
        raise SampleUnknownError
    return sample
