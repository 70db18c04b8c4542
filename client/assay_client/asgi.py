"""ASGI middleware: the JSON request and response of an endpoint become a submission.

Every message is handed on at once and unchanged; a bounded copy is kept on the side. The submission is made after the
last byte was handed on. Nothing is submitted for an answer that is not a finished 2xx with uncompressed JSON. A body
over `max_body_bytes` is handed on whole and counted as `too_large`.
"""

import json
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from assay_client.client import AssayClient, AsyncAssayClient
from assay_client.engine import Engine
from assay_client.submission import Fields

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Extract = Callable[[Any, Any], Fields | None]

MAX_BODY_BYTES = 256 * 1024  # reading two of these takes a few milliseconds of the event loop


class AssayMiddleware:
    """Watches the endpoints it was given."""

    def __init__(
        self,
        app: App,
        *,
        client: AssayClient | AsyncAssayClient,
        endpoints: Mapping[str, Extract],
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        """Wraps an application.

        Args:
            app: the application.
            client: takes the submissions.
            endpoints: for each exact path of POST requests, what makes a submission of (request JSON, response JSON);
                None from it submits nothing. What it raises is counted as `extraction_failed`.
            max_body_bytes: most of a request's and of a response's body that is copied.
        """
        self._app = app
        self._engine = client.engine
        self._endpoints = endpoints
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one connection."""
        extract = self._endpoints.get(scope.get("path", "")) if scope["type"] == "http" else None
        if extract is None or scope.get("method") != "POST":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, self._max_body_bytes)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:  # a background task that fails after the last byte does not unsay the answer
            exchange.submit(self._engine, extract)


class _Body:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        self._size += len(part)
        if self.too_large:
            self._parts.clear()
        else:
            self._parts.append(part)

    @property
    def too_large(self) -> bool:
        return self._size > self._limit

    def document(self) -> Any:
        return json.loads(b"".join(self._parts))


class _Exchange:
    """One request and its response."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive, self._send = receive, send
        self._request, self._response = _Body(limit), _Body(limit)
        self._started = time.perf_counter()
        self._ended: float | None = None
        self._watched = False  # the response is one to read

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._request.add(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self._watched = _is_plain_json(message)
        elif message["type"] == "http.response.body" and self._watched:
            self._response.add(message.get("body", b""))
            if not message.get("more_body", False):
                self._ended = time.perf_counter()

    def submit(self, engine: Engine, extract: Extract) -> None:
        if self._ended is None:
            return
        if self._request.too_large or self._response.too_large:
            engine.shared.lose("too_large")
            return
        try:
            fields = extract(self._request.document(), self._response.document())
            if fields is None:
                return
            timed: dict[str, Any] = {"latency_ms": (self._ended - self._started) * 1000, **fields}
        except Exception:  # noqa: BLE001 - of the extractor; the application's answer goes first
            engine.shared.lose("extraction_failed")
            return
        engine.submit(timed)


def _is_plain_json(start: Message) -> bool:
    headers = {bytes(name).lower(): bytes(value).lower() for name, value in start.get("headers", ())}
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip()
    is_json = kind == b"application/json" or kind.endswith(b"+json")
    return start["status"] // 100 == 2 and is_json and b"content-encoding" not in headers  # noqa: PLR2004 - 2xx
