"""What one sidecar process holds while it runs, and how a request gets at it."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from starlette.applications import Starlette

from service.access import Access, Caller
from service.core.config import Settings
from service.core.db import Database
from service.core.errors import BodyTooLargeError, EncodingUnknownError, QueryInvalidError
from service.core.keys import Scope
from service.core.metrics import SidecarMetrics
from service.core.queue import Doorbell
from service.intake import Intake
from service.key_limit import KeyLimit
from service.scrape import Scrape


@dataclass(frozen=True, kw_only=True, slots=True)
class Sidecar:
    """The parts that routes use."""

    settings: Settings
    database: Database
    intake: Intake
    access: Access
    metrics: SidecarMetrics
    scrape: Scrape
    doorbell: Doorbell
    client_keys: KeyLimit  # kinds of counts from clients


def held_by(app: Starlette) -> Sidecar:
    """The parts that a running application holds."""
    return cast("Sidecar", app.state.sidecar)


def sidecar_of(request: Request) -> Sidecar:
    """The parts that this request's application holds."""
    return held_by(request.app)


async def authorize(request: Request, scope: Scope) -> Caller:
    """Who asks, by the Authorization header. Raises KeyMissingError, KeyUnknownError or ScopeMissingError."""
    access = sidecar_of(request).access
    authorization = request.headers.get("authorization")
    if access.must_read(authorization):
        await run_in_threadpool(access.read_again)
    caller = access.caller(authorization)
    caller.require(scope)
    return caller


async def read_body(request: Request) -> bytes:
    """The whole body. Raises EncodingUnknownError, or BodyTooLargeError as soon as it is over the limit."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise EncodingUnknownError
    limit = sidecar_of(request).settings.max_body_bytes
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise BodyTooLargeError(f"The body is over {limit} bytes.")
        parts.append(part)
    return b"".join(parts)


def refuse_unknown(request: Request, known: AbstractSet[str]) -> None:
    """A mistyped parameter must not change what is asked. Raises QueryInvalidError, which names it."""
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        used = f"use {', '.join(sorted(known))}" if known else "there are none here"
        raise QueryInvalidError(f"Unknown parameter {unknown[0][:50]!r}; {used}.", field=unknown[0][:50])


async def _sidecar(request: Request) -> Sidecar:  # a plain function would be run in a thread
    return sidecar_of(request)


async def _reader(request: Request) -> Caller:
    return await authorize(request, Scope.READ)


async def _labeller(request: Request) -> Caller:
    return await authorize(request, Scope.LABEL)


async def _admin(request: Request) -> Caller:
    return await authorize(request, Scope.ADMIN)


SidecarDep = Annotated[Sidecar, Depends(_sidecar)]
ReadDep = Annotated[Caller, Depends(_reader)]
LabelDep = Annotated[Caller, Depends(_labeller)]
AdminDep = Annotated[Caller, Depends(_admin)]
