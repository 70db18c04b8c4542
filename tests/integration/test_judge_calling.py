"""Calling a model: whatever becomes of a call, it is booked before it is sent and settled once after."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from models.judge.prompt import Message
from service.core.judge_metrics import JudgeMetrics
from service.core.review_tables import CallState
from service.core.reviewing.judge import Judge
from service.core.store.spending import Call, Settlement
from workers.judge.calling import Caller, OnBehalf, SpendLimitError, most_input_tokens
from workers.judge.chat import ChatFailedError, ChatReply, ChatRequest, FailureKind
from workers.judge.circuit import IN_A_ROW, Circuit, CircuitOpenError

MODEL = Judge.model_validate(
    {"url": "https://judge.example/v1", "model": "m", "tenants": ("default",), "attempts": 3}
    | {"input_price": 1, "output_price": 2}
)
REQUEST = ChatRequest(messages=(Message(role="user", content="hello"),), max_output_tokens=50, temperature=0.0)
REPLY = ChatReply(text="well", input_tokens=10, output_tokens=5)
BEHALF = OnBehalf(review_seq=1, tenant="default", rule="default")


class Chat:
    """Says what it was given, then that all is well."""

    def __init__(self, *says: ChatReply | ChatFailedError) -> None:
        self.says = list(says)
        self.asked: list[float] = []
        self.was_asked = asyncio.Event()

    async def complete(self, request: ChatRequest) -> ChatReply:
        del request
        self.asked.append(time.monotonic())
        self.was_asked.set()
        said = self.says.pop(0) if self.says else REPLY
        if isinstance(said, ChatFailedError):
            raise said
        return said

    async def close(self) -> None:
        """Has nothing to let go."""


class Book:
    """A ledger in memory, which may be made to wait."""

    def __init__(self) -> None:
        self.opens = threading.Event()  # while it is not set, nothing is
        self.opens.set()
        self.settles = threading.Event()
        self.settles.set()
        self.was_called = threading.Event()
        self.opened: list[Call] = []
        self.settled: dict[int, tuple[CallState, str | None, int | None]] = {}

    def open(self, call: Call) -> int:
        self.was_called.set()
        assert self.opens.wait(5)
        self.opened.append(call)
        return len(self.opened)

    def settle(self, number: int, settled: Settlement) -> None:
        assert self.settles.wait(5)
        assert number not in self.settled
        self.settled[number] = (settled.state, settled.reason, settled.cost_pico)


class Calling:
    """A caller of the chat, with what it books."""

    def __init__(self, *says: ChatReply | ChatFailedError) -> None:
        self.chat, self.book, self.circuit = Chat(*says), Book(), Circuit(chance=lambda: 0.5)
        self.caller = Caller("judge", self.chat, self.circuit, self.book, MODEL, JudgeMetrics(), chance=lambda: 0.0)

    async def call(self, until_s: float = 5.0, *, begun: bool = False) -> ChatReply:
        until = asyncio.get_running_loop().time() + until_s
        return await self.caller.call(REQUEST, purpose="judge", on_behalf=BEHALF, until=until, begun=begun)

    def open_circuit(self) -> None:
        for _ in range(IN_A_ROW):
            self.circuit.begin()
            self.circuit.failed(FailureKind.UNREACHABLE)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 10))


@pytest.mark.parametrize("kind", list(FailureKind))
def test_each_failure_is_booked_tried_and_settled_as_what_it_is(kind: FailureKind) -> None:
    """What may pass is tried to the last attempt; what may have cost something stays booked, all else costs nothing."""
    calling = Calling(*[ChatFailedError(kind)] * 9)
    with pytest.raises(ChatFailedError) as caught:
        run(calling.call())
    assert caught.value.kind is kind
    assert len(calling.book.opened) == (MODEL.attempts if kind.passes else 1)
    end = (CallState.UNKNOWN, kind.value, None) if kind.may_cost else (CallState.FAILED, kind.value, 0)
    assert calling.book.settled == dict.fromkeys(range(1, len(calling.book.opened) + 1), end)


def test_what_fails_in_passing_is_answered_at_another_attempt() -> None:
    """Each attempt has its own booking, at the same most."""
    calling = Calling(ChatFailedError(FailureKind.SERVER_ERROR))
    assert run(calling.call()) == REPLY
    assert [state for state, _, _ in calling.book.settled.values()] == [CallState.FAILED, CallState.ANSWERED]
    assert calling.book.opened[0] == calling.book.opened[1]


@pytest.mark.parametrize(
    ("told", "reason"),
    [((None, 5), "no_usage"), ((10, None), "no_usage"), ((10, 51_000), "usage_implausible")],
)
def test_usage_that_cannot_be_believed_is_unknown(told: tuple[int | None, int | None], reason: str) -> None:
    """The reply counts; its cost stays the most that was booked, and no word of an endpoint passes the limit."""
    calling = Calling(ChatReply(text="well", input_tokens=told[0], output_tokens=told[1]))
    assert run(calling.call()).text == "well"
    assert calling.book.settled == {1: (CallState.UNKNOWN, reason, None)}


def test_the_next_attempt_waits_as_long_as_the_endpoint_asks() -> None:
    """Retry-After is a lower bound, whatever the backoff."""
    calling = Calling(ChatFailedError(FailureKind.RATE_LIMITED, retry_after_s=0.2))
    run(calling.call())
    first, second = calling.chat.asked
    assert second - first >= 0.2


@pytest.mark.timed
def test_a_rest_that_ends_after_the_deadline_is_not_begun() -> None:
    """The call fails for what it was, at once."""
    calling = Calling(ChatFailedError(FailureKind.RATE_LIMITED, retry_after_s=30.0))
    began = time.monotonic()
    with pytest.raises(ChatFailedError):
        run(calling.call(until_s=2.0))
    assert time.monotonic() - began < 1.0
    assert len(calling.book.opened) == 1


@pytest.mark.timed
def test_others_wait_for_an_endpoint_that_asked_for_rest() -> None:
    """Within their deadline; past it they are not begun, and nothing is booked for them."""
    calling = Calling()
    calling.circuit.begin()
    calling.circuit.failed(FailureKind.RATE_LIMITED, retry_after_s=0.3)
    began = time.monotonic()
    with pytest.raises(CircuitOpenError):
        run(calling.call(until_s=0.1))
    assert not calling.book.opened
    run(calling.call())
    assert calling.chat.asked[0] - began >= 0.25


def test_an_open_circuit_books_nothing() -> None:
    """And nothing is sent."""
    calling = Calling()
    calling.open_circuit()
    with pytest.raises(CircuitOpenError):
        run(calling.call())
    assert (calling.book.opened, calling.chat.asked) == ([], [])
    assert calling.caller.circuit_state.reason == "unreachable"


def test_a_review_that_was_begun_fails_at_an_open_circuit() -> None:
    """Given back, the calls that it has paid for would be paid again: it ends, and says why."""
    calling = Calling()
    calling.open_circuit()
    with pytest.raises(ChatFailedError) as caught:
        run(calling.call(begun=True))
    assert caught.value.kind is FailureKind.CIRCUIT_OPEN
    assert calling.book.opened == []


def test_a_limit_that_is_reached_leaves_the_try_to_another() -> None:
    """A call that was never made says nothing of the endpoint."""

    class Spent(Book):
        def open(self, call: Call) -> int:
            raise SpendLimitError(call.tenant)

    calling = Calling()
    calling.circuit.begin()
    caller = Caller("judge", calling.chat, calling.circuit, Spent(), MODEL, JudgeMetrics())

    async def call() -> None:
        await caller.call(REQUEST, purpose="judge", on_behalf=BEHALF, until=asyncio.get_running_loop().time() + 5)

    with pytest.raises(SpendLimitError):
        run(call())
    assert not calling.chat.asked
    assert calling.circuit.room > 0


class TestToldToStop:
    def test_while_it_is_booked_it_costs_nothing(self) -> None:
        """What was booked for a call that is never sent is given back."""
        calling = Calling()
        calling.book.opens.clear()

        async def stop() -> None:
            task = asyncio.create_task(calling.call())
            assert await asyncio.to_thread(calling.book.was_called.wait, 5)
            task.cancel()
            await asyncio.sleep(0.02)
            calling.book.opens.set()
            with pytest.raises(asyncio.CancelledError):
                await task

        run(stop())
        assert not calling.chat.asked
        assert calling.book.settled == {1: (CallState.FAILED, "broken_off", 0)}

    def test_what_was_answered_is_settled_at_what_it_cost(self) -> None:
        """Also where settling waits for a thread, and where the stop is told more than once."""
        callings = [Calling() for _ in range(4)]
        for each in callings:
            each.book.settles.clear()

        async def stop() -> None:
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
            tasks = [asyncio.create_task(each.call()) for each in callings]
            for each in callings:  # all are booked before the first one's settling keeps the only thread
                await each.chat.was_asked.wait()
            for _ in range(2):
                await asyncio.sleep(0.02)
                for task in tasks:
                    task.cancel()
            for each in callings:
                each.book.settles.set()
            await asyncio.gather(*tasks, return_exceptions=True)

        run(stop())
        cost = MODEL.cost_pico(10, 5)
        assert [each.book.settled for each in callings] == [{1: (CallState.ANSWERED, None, cost)}] * 4


def test_what_is_booked_is_no_less_than_the_bytes_that_are_sent() -> None:
    """No tokeniser makes more tokens than bytes, of messages and schema alike."""
    for text in ("hello", "zażółć gęślą jaźń" * 40, "漢字" * 400, "\U0001f600" * 400, '"\\\n' * 200):
        message = Message(role="user", content=text)
        bare = ChatRequest(messages=(message, message), max_output_tokens=50, temperature=0.0)
        with_schema = replace(bare, schema={"const": text})
        assert most_input_tokens(bare) >= 2 * len(text.encode())
        assert most_input_tokens(with_schema) >= 3 * len(text.encode())
