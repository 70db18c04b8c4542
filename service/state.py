"""What one sidecar process holds while it runs, and how a request gets at it."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from service.access import Access, Caller
from service.core.config import Settings
from service.core.db import Database
from service.core.errors import BodyTooLargeError
from service.core.keys import Scope
from service.core.metrics import SidecarMetrics
from service.core.queue import Doorbell
from service.intake import Intake


@dataclass(frozen=True, kw_only=True, slots=True)
class Sidecar:
    """The parts that routes use."""

    settings: Settings
    database: Database
    intake: Intake
    access: Access
    metrics: SidecarMetrics
    doorbell: Doorbell


def _sidecar(request: Request) -> Sidecar:
    return cast("Sidecar", request.app.state.sidecar)


SidecarDep = Annotated[Sidecar, Depends(_sidecar)]


async def _caller(request: Request, sidecar: SidecarDep) -> Caller:
    authorization = request.headers.get("authorization")
    if sidecar.access.must_read(authorization):
        await run_in_threadpool(sidecar.access.read_again)
    return sidecar.access.caller(authorization)


CallerDep = Annotated[Caller, Depends(_caller)]


async def _ingest(caller: CallerDep) -> Caller:
    caller.require(Scope.INGEST)
    return caller


async def _read(caller: CallerDep) -> Caller:
    caller.require(Scope.READ)
    return caller


async def _admin(caller: CallerDep) -> Caller:
    caller.require(Scope.ADMIN)
    return caller


IngestDep = Annotated[Caller, Depends(_ingest)]
ReadDep = Annotated[Caller, Depends(_read)]
AdminDep = Annotated[Caller, Depends(_admin)]


async def _body(request: Request, sidecar: SidecarDep) -> bytes:
    limit = sidecar.settings.max_body_bytes
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise BodyTooLargeError(f"The body is over {limit} bytes.")
        parts.append(part)
    return b"".join(parts)


BodyDep = Annotated[bytes, Depends(_body)]
