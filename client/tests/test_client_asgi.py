"""The middleware: what passes through it is not changed, and finished JSON answers are submitted."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from assay_client import AssayClient, AssayMiddleware, Fields
from fake_assay import FakeAssay

Make = Callable[..., AssayClient]
HEADERS = [(b"Content-Type", b"application/json; charset=utf-8")]


def extract(request: Any, response: Any) -> Fields | None:
    return {"question": request["q"], "response": response["a"]}


class App:
    """An application that answers in chunks, and notes what it saw."""

    def __init__(self, status: int = 200, headers: Any = HEADERS, chunks: tuple[bytes, ...] = (b'{"a": ', b'"r"}')):
        self.status, self.headers, self.chunks = status, headers, chunks
        self.seen: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            self.seen.append(message)
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        for number, chunk in enumerate(self.chunks):
            await send({"type": "http.response.body", "body": chunk, "more_body": number < len(self.chunks) - 1})


def exchange(app: Any, body: bytes = b'{"q": "x"}', path: str = "/answer", method: str = "POST") -> list[Any]:
    """Sends one request in two parts; the messages that came out."""
    half = len(body) // 2
    parts = [
        {"type": "http.request", "body": body[:half], "more_body": True},
        {"type": "http.request", "body": body[half:], "more_body": False},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return parts.pop(0) if parts else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app({"type": "http", "path": path, "method": method}, receive, send))
    return sent


def wrapped(app: Any, client: AssayClient, endpoint: Any = extract, **options: Any) -> AssayMiddleware:
    return AssayMiddleware(app, client=client, endpoints={"/answer": endpoint}, **options)


def test_an_answer_is_submitted(assay: FakeAssay, make: Make) -> None:
    """Request and response are read after they were handed on, message by message and unchanged."""
    client, app = make(assay.url), App()
    sent = exchange(wrapped(app, client))
    assert (sent, app.seen) == (exchange(App()), exchange_seen())
    assert client.flush()
    (stored,) = assay.stored.values()
    assert (stored["question"], stored["response"], stored["latency_ms"] > 0) == ("x", "r", True)


def exchange_seen() -> list[Any]:
    app = App()
    exchange(app)
    return app.seen


@pytest.mark.parametrize(
    ("app", "request_"),
    [
        (App(status=500), {}),
        (App(headers=[(b"content-type", b"text/html")]), {}),
        (App(headers=[*HEADERS, (b"content-encoding", b"gzip")]), {}),
        (App(headers=[]), {}),
        (App(), {"path": "/other"}),
        (App(), {"method": "GET"}),
    ],
)
def test_other_exchanges_are_left_alone(assay: FakeAssay, make: Make, app: App, request_: dict[str, str]) -> None:
    """Failures, other content, other paths and methods pass through and are not submitted."""
    client = make(assay.url)
    assert len(exchange(wrapped(app, client), **request_)) == 3
    assert client.stats().submitted == 0


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [(lambda request, response: 1 / 0, b"{}"), (extract, b"no json"), (lambda request, response: 7, b"{}")],
)
def test_extraction_never_hurts(assay: FakeAssay, make: Make, endpoint: Any, body: bytes) -> None:
    """What the extractor raises, or cannot read, is counted; the response has long been sent."""
    client = make(assay.url)
    assert len(exchange(wrapped(App(), client, endpoint), body)) == 3
    assert client.stats().dropped == {"extraction_failed": 1}


def test_an_extractor_may_decline(assay: FakeAssay, make: Make) -> None:
    """None from the extractor submits nothing."""
    client = make(assay.url)
    exchange(wrapped(App(), client, lambda request, response: None))
    assert client.stats().submitted == 0


def test_large_bodies_are_not_kept(assay: FakeAssay, make: Make) -> None:
    """A body over the bound is handed on whole; it is counted, not copied."""
    client = make(assay.url)
    chunks = (b'{"a": "', *(b"x" * 1_000 for _ in range(100)), b'"}')
    sent = exchange(wrapped(App(chunks=chunks), client, max_body_bytes=10_000))
    assert b"".join(m.get("body", b"") for m in sent) == b"".join(chunks)
    assert client.stats().dropped == {"too_large": 1}


def test_chunks_are_not_held_back(assay: FakeAssay, make: Make) -> None:
    """Each chunk is out before the application makes the next."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        for number in range(3):
            await send({"type": "http.response.body", "body": b"1", "more_body": True})
            assert len(sent) == number + 2
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    middleware = wrapped(app, make(assay.url))
    asyncio.run(middleware({"type": "http", "path": "/answer", "method": "POST"}, receive, send))
    assert len(sent) == 5


@pytest.mark.parametrize("fails_at", [1, 2, 3])
def test_disconnect_is_the_servers_business(assay: FakeAssay, make: Make, fails_at: int) -> None:
    """Where the client is gone, the server's own exception passes, and an unfinished answer is not submitted."""
    client, sent = make(assay.url), []

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == fails_at:
            raise OSError("the client is gone")

    async def receive() -> Any:
        return {"type": "http.request", "body": json.dumps({"q": "x"}).encode()}

    with pytest.raises(OSError, match="gone"):
        asyncio.run(wrapped(App(), client)({"type": "http", "path": "/answer", "method": "POST"}, receive, send))
    assert client.stats().submitted == 0


@pytest.mark.parametrize(("finished", "submitted"), [(True, 1), (False, 0)])
def test_an_application_that_fails_after_its_answer(
    assay: FakeAssay, make: Make, *, finished: bool, submitted: int
) -> None:
    """The exception passes. An answer whose last byte was out is submitted; one that broke off is not."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": b'{"a": "r"}', "more_body": not finished})
        raise LookupError("in a background task")

    client = make(assay.url)
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b'{"q": "x"}'}

    with pytest.raises(LookupError, match="background"):
        asyncio.run(wrapped(app, client)({"type": "http", "path": "/answer", "method": "POST"}, receive, send))
    assert (len(messages), client.stats().submitted, client.stats().dropped) == (2, submitted, {})


def test_other_connections_pass(assay: FakeAssay, make: Make) -> None:
    """Lifespan and websocket connections are handed on as they are."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    async def nothing(*_: Any) -> None:
        return None

    for kind in ("lifespan", "websocket"):
        scope = {"type": kind, "path": "/answer"}
        asyncio.run(wrapped(app, make(assay.url))(scope, nothing, nothing))
        assert seen[-1] == (scope, nothing, nothing)
