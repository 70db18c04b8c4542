"""The decorator: an application's functions behave as before, and their answers are submitted."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from assay_client import AssayClient, Call
from fake_assay import FakeAssay

Make = Callable[..., AssayClient]


@pytest.fixture
def client(assay: FakeAssay, make: Make) -> AssayClient:
    return make(assay.url)


def only(assay: FakeAssay, client: AssayClient) -> dict[str, Any]:
    assert client.flush()
    (stored,) = assay.stored.values()
    return {name: value for name, value in stored.items() if name not in {"id", "sampling"}}


def test_arguments_and_result_by_name(assay: FakeAssay, client: AssayClient) -> None:
    """Sources name arguments, defaults too, and keys or attributes of the result; constants and callables add more."""

    @client.observe(
        question="query", contexts="passages", response="return.answer.text", model="m", tags=lambda call: {"n": "1"}
    )
    def answer(query: str, passages: tuple[str, ...] = ("c",)) -> dict[str, Any]:
        return {"answer": type("Answer", (), {"text": f"to {query}"})()}

    assert answer("q")["answer"].text == "to q"
    stored = only(assay, client)
    assert stored.pop("latency_ms") >= 0
    assert stored == {"question": "q", "contexts": ["c"], "response": "to q", "model": "m", "tags": {"n": "1"}}


def test_callables_see_the_call(assay: FakeAssay, client: AssayClient) -> None:
    """A callable source gets the arguments, the result and the time."""

    @client.observe(question=lambda call: call.arguments["self_"].upper(), response=lambda call: call.result[0])
    def answer(self_: str) -> list[str]:
        return [self_]

    assert answer("q") == ["q"]
    assert {**only(assay, client), "latency_ms": 0} == {"question": "Q", "response": "q", "latency_ms": 0}


def test_coroutine(assay: FakeAssay, client: AssayClient) -> None:
    """A coroutine function stays one."""

    @client.observe()
    async def answer() -> str:
        await asyncio.sleep(0.02)
        return "r"

    assert asyncio.iscoroutinefunction(answer)
    assert asyncio.run(answer()) == "r"
    assert only(assay, client)["latency_ms"] >= 19


def test_exceptions_of_the_function_pass(assay: FakeAssay, client: AssayClient) -> None:
    """What the function raises is raised, unchanged, and nothing is submitted."""
    error = KeyError("of the application")

    @client.observe()
    def answer() -> str:
        raise error

    with pytest.raises(KeyError) as raised:
        answer()
    assert raised.value is error
    assert client.stats().submitted == 0


@pytest.mark.parametrize(
    "sources",
    [
        {"response": "return.nothing"},
        {"response": "nothing"},
        {"response": lambda call: 1 / 0},
        {"question": "nothing"},
        {"tags": lambda call: call.nothing},
    ],
)
def test_extraction_never_hurts(assay: FakeAssay, client: AssayClient, sources: dict[str, Any]) -> None:
    """What a source raises is counted, and the function's result comes back."""

    @client.observe(**sources)
    def answer() -> str:
        return "r"

    assert answer() == "r"
    assert client.stats().dropped == {"extraction_failed": 1}


def test_stream_is_collected_on_its_way(assay: FakeAssay, client: AssayClient) -> None:
    """Chunks come as they are made; at the end the text is submitted with the time of its first chunk."""
    made = []

    @client.observe(question="query")
    def answer(query: str) -> Iterator[str]:
        for chunk in ("one ", "two ", "three"):
            made.append(chunk)
            yield chunk

    stream = answer("q")
    assert (next(stream), made, client.stats().submitted) == ("one ", ["one "], 0)
    assert list(stream) == ["two ", "three"]
    stored = only(assay, client)
    assert (stored["question"], stored["response"]) == ("q", "one two three")
    assert 0 <= stored["ttft_ms"] <= stored["latency_ms"]


def test_async_stream(assay: FakeAssay, client: AssayClient) -> None:
    """An asynchronous stream is handed on and collected in the same way."""

    @client.observe()
    async def answer() -> AsyncIterator[str]:
        yield "one "
        yield "two"

    async def read() -> list[str]:
        return [chunk async for chunk in answer()]

    assert asyncio.run(read()) == ["one ", "two"]
    assert only(assay, client)["response"] == "one two"


def test_generator_protocol_is_kept(client: AssayClient) -> None:
    """send, throw, close and the generator's own result work as without the decorator."""
    seen: list[Any] = []

    def plain() -> Any:
        try:
            seen.append((yield "a"))
            yield "b"
        except ValueError:
            seen.append("thrown")
            yield "c"
        finally:
            seen.append("closed")
        return "result"

    def drive(function: Callable[[], Any]) -> list[Any]:
        seen.clear()
        stream = function()
        steps = [next(stream), stream.send("sent"), stream.throw(ValueError("x"))]
        with pytest.raises(StopIteration) as stop:
            next(stream)
        early = function()
        next(early)
        early.close()
        return [*steps, stop.value.value, *seen]

    assert drive(client.observe()(plain)) == drive(plain)


@pytest.mark.parametrize("leave", ["close", "forget", "raise"])
def test_stream_that_ends_early_is_not_submitted(client: AssayClient, leave: str) -> None:
    """Half a sentence is no claim: nothing is submitted, and it is counted as unfinished."""

    @client.observe()
    def answer() -> Iterator[str]:
        yield "half a"
        if leave == "raise":
            raise ConnectionError
        yield " sentence"

    stream = answer()
    next(stream)
    if leave == "close":
        stream.close()  # type: ignore[attr-defined]
    elif leave == "raise":
        with pytest.raises(ConnectionError):
            next(stream)
    del stream
    assert (client.stats().submitted, client.stats().unfinished) == (0, 1)


def test_async_stream_that_is_left_is_closed(client: AssayClient) -> None:
    """A reader that stops early ends the function's own generator, and nothing is submitted."""
    closed = []

    @client.observe()
    async def answer() -> AsyncIterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            closed.append(True)

    async def read() -> None:
        stream = answer()
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(read())
    assert (closed, client.stats().submitted, client.stats().unfinished) == ([True], 0, 1)


def test_endless_stream_keeps_no_endless_copy(client: AssayClient) -> None:
    """Beyond a bound the copy is let go; the stream itself goes on to its end."""

    @client.observe()
    def answer() -> Iterator[str]:
        for _ in range(30):
            yield "x" * 50_000

    assert sum(map(len, answer())) == 1_500_000
    assert (client.stats().submitted, client.stats().unfinished) == (0, 1)


def test_the_function_is_still_itself(client: AssayClient) -> None:
    """Name, docstring and signature stay; methods can be decorated."""

    class Bot:
        @client.observe(question="query")
        def answer(self, query: str) -> str:
            """Answers."""
            return f"{type(self).__name__}: {query}"

    assert (Bot.answer.__name__, Bot.answer.__doc__, Bot().answer("q")) == ("answer", "Answers.", "Bot: q")
    assert functools.partial(client.observe, model="m")()(len)([1]) == 1
    assert Call(arguments={}, result="r", latency_ms=1.0).ttft_ms is None
