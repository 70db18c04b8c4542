"""The connection: what a client may take up with one, so that slow, greedy and silent clients keep nobody else waiting.

uvicorn's own protocol waits for ever for a request to be complete and for an answer to be read, and takes headers of
any size. This one ends such a connection.
"""

import asyncio
import json
import resource
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.core.config import Settings
from service.core.errors import (
    AssayError,
    BodyTooSlowError,
    HeadersTooLargeError,
    OverloadedError,
    RequestInvalidError,
    RequestTooSlowError,
)
from service.routes.problem import MEDIA_TYPE, STATUS, headers_of, problem

OVERHEAD_BYTES = 64 * 1024  # of a request beside its body: request line, headers, trailers
OVERHEAD_PER_BODY_BYTE = 8  # one byte a chunk is wasteful, and allowed
HEADER_S = 10.0
UNREAD_S = 10.0
SMALL_BODY_BYTES = 64 * 1024  # never refused for what others send
OWN_FILES = 128  # beside connections: database, Redis, logs
LATER = "Retry later, with fewer requests at once."
BODIES_AT_ONCE = 8  # of the largest size that is accepted: what all bodies together may hold in memory


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionLimits:
    """How long and how much."""

    header_s: float  # from the connection, or the first byte of a request, to the end of its headers
    body_s: float  # from there to the end of its body
    unread_s: float  # for which an answer may lie unread
    connections: int  # at once
    body_bytes: int  # of all requests that are being answered, together


@dataclass(slots=True)
class _Held:
    """Bytes of bodies in memory."""

    size: int = 0


class _Phase(Enum):
    WAITING = "waiting"  # nothing of a request yet, after an answer: uvicorn's own timeout runs
    HEADERS = "headers"
    BODY = "body"


class Connection(HttpToolsProtocol):
    """uvicorn's connection with limits; `limited` makes the class that has them."""

    limits: ConnectionLimits
    held_by_all: _Held

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As uvicorn makes it."""
        super().__init__(*args, **kwargs)
        self._phase = _Phase.HEADERS
        self._messages = 0  # begun
        self._body = 0  # bytes of the body of the message that is being read
        self._overhead = 0  # its other bytes
        self._held = 0  # bytes of bodies that are held for this connection
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None

    # --- what uvicorn tells

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts waiting for a request."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(OverloadedError("Too many connections are open.", next_step=LATER))
        else:
            self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets what was held."""
        self._stop_reading_timer()
        self.resume_writing()
        self._let_go()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads on, and looks whether the request takes too much."""
        phase, messages, body = self._phase, self._messages, self._body
        super().data_received(data)
        if self.transport.is_closing():
            return
        if messages == self._messages:
            self._overhead += len(data) - (self._body - body)
        if self._overhead > OVERHEAD_BYTES + OVERHEAD_PER_BODY_BYTE * self._body:
            self._refuse(HeadersTooLargeError())
        elif self._held > SMALL_BODY_BYTES and self.held_by_all.size > self.limits.body_bytes:
            self._refuse(OverloadedError("Too much is being received at once.", next_step=LATER))
        elif self._phase is _Phase.WAITING and messages == self._messages and phase is _Phase.WAITING:
            self._phase = _Phase.HEADERS  # line ends before a request: uvicorn's timeout no longer runs
            self._await_headers()
        elif self._phase is not phase or messages != self._messages:
            self._watch_phase()

    def send_400_response(self, msg: str) -> None:
        """Refuses what is no HTTP, in the form of every other problem."""
        del msg
        self._refuse(RequestInvalidError())

    def on_message_begin(self) -> None:
        """A request begins."""
        self._phase, self._body, self._overhead = _Phase.HEADERS, 0, 0
        self._messages += 1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its body follows."""
        self._phase = _Phase.BODY
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Counts what is held; what comes after the answer is dropped."""
        self._body += len(body)
        if not self.cycle.response_complete:
            self._held += len(body)
            self.held_by_all.size += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It is complete."""
        self._phase = _Phase.WAITING
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Its answer is written, though perhaps not read."""
        self._let_go()
        super().on_response_complete()
        if self.transport.is_closing():
            self._end_unread()

    def timeout_keep_alive_handler(self) -> None:
        """Closes an idle connection, whether its last answer is read or not."""
        super().timeout_keep_alive_handler()
        self._end_unread()

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        self._end_unread()

    def resume_writing(self) -> None:
        """It reads."""
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    # --- limits

    def _watch_phase(self) -> None:
        self._stop_reading_timer()
        if self._phase is _Phase.HEADERS:
            self._await_headers()
        elif self._phase is _Phase.BODY:
            self._reading = self.loop.call_later(self.limits.body_s, self._refuse, BodyTooSlowError())

    def _await_headers(self) -> None:
        self._stop_reading_timer()
        self._reading = self.loop.call_later(self.limits.header_s, self._headers_late)

    def _headers_late(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._await_headers()  # sent ahead, while the request before it is being answered
        else:
            self._refuse(RequestTooSlowError())

    def _stop_reading_timer(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _end_unread(self) -> None:
        if self._writing is None and self.transport.get_write_buffer_size():
            self._writing = self.loop.call_later(self.limits.unread_s, self.transport.abort)

    def _let_go(self) -> None:
        self.held_by_all.size -= self._held
        self._held = 0

    def _refuse(self, error: AssayError) -> None:
        """Says why where no other answer is under way, and ends the connection."""
        if self.transport.is_closing():
            return
        between = self.cycle is None or (self.cycle.response_complete and self._phase is _Phase.HEADERS)
        if between or not self.cycle.response_started:
            self.transport.write(_answer(error))
        self.transport.close()
        self._end_unread()


def connection_limits(settings: Settings) -> ConnectionLimits:
    """The limits that a sidecar sets; raises this process's limit of open files as far as they need it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.max_connections + OWN_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return ConnectionLimits(
        header_s=min(HEADER_S, settings.body_timeout_s),
        body_s=settings.body_timeout_s,
        unread_s=min(UNREAD_S, settings.body_timeout_s),
        connections=max(1, min(settings.max_connections, soft - OWN_FILES)),
        body_bytes=BODIES_AT_ONCE * settings.max_body_bytes,
    )


def limited(limits: ConnectionLimits) -> type[Connection]:
    """The protocol class for uvicorn, with these limits and a count of its own."""
    return type("LimitedConnection", (Connection,), {"limits": limits, "held_by_all": _Held()})


def _answer(error: AssayError) -> bytes:
    status = STATUS[type(error)]
    body = json.dumps(problem(error).model_dump()).encode()
    headers = {
        "content-type": MEDIA_TYPE,
        "content-length": str(len(body)),
        "connection": "close",
        **headers_of(status),
    }
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
