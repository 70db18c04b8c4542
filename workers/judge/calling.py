"""Calling: each attempt is booked before it begins and settled after; what fails in passing is tried again.

The loop is written out, as no library books attempts, asks a circuit and honours Retry-After and a deadline at once.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from service.core.judge_metrics import JudgeMetrics
from service.core.log import log
from service.core.review_tables import CallState
from service.core.reviewing.judge import PICO, Generator, Judge
from service.core.store.spending import Call, Settlement
from workers.judge.chat import Chat, ChatFailedError, ChatReply, ChatRequest, FailureKind
from workers.judge.circuit import Circuit, CircuitOpenError, CircuitState

FIRST_REST_S, LONGEST_REST_S = 0.5, 10.0
# Tokens of a message beside its text, and of a reply's frame: no more than so many.
MESSAGE_TOKENS, FRAME_TOKENS = 16, 64


class NotWantedError(Exception):
    """The review is not this worker's any more, or the policy does not want it sent; nothing was booked."""

    def __init__(self, *, turned_off: bool) -> None:
        """`turned_off`: the tenant's text may not be sent to the model any more."""
        super().__init__()
        self.turned_off = turned_off


class SpendLimitError(Exception):
    """What is left of the tenant's money of the day is less than the call may cost; nothing was booked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnBehalf:
    """For whom a call is made."""

    review_seq: int | None
    tenant: str
    rule: str
    attempt: int = 0  # of the review: who has it in hand


class Ledger(Protocol):
    """Books calls. Its methods may block, and are called in threads."""

    def open(self, call: Call) -> int:
        """Books a call; its number. Raises SpendLimitError or NotWantedError, and then nothing was booked."""

    def settle(self, number: int, settled: Settlement) -> None:
        """Settles it; a second time changes nothing."""


class Caller:
    """Calls one model for whoever asks, several at a time."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts that it is put together from
        self,
        name: str,
        chat: Chat,
        circuit: Circuit,
        ledger: Ledger,
        model: Judge | Generator,
        metrics: JudgeMetrics,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Calls nothing yet. `name`: what people are told of the endpoint, without a path or a secret."""
        self.name = name
        self._chat = chat
        self._circuit = circuit
        self._ledger = ledger
        self._model = model
        self._metrics = metrics
        self._chance = chance

    @property
    def circuit_state(self) -> CircuitState:
        """Whether the endpoint is called."""
        return self._circuit.shown

    @property
    def room(self) -> int:
        """How many calls may begin now, as far as the circuit goes."""
        return self._circuit.room

    async def close(self) -> None:
        """Lets the model go."""
        await self._chat.close()

    async def call(
        self, request: ChatRequest, *, purpose: str, on_behalf: OnBehalf, until: float, begun: bool = False
    ) -> ChatReply:
        """The reply.

        Args:
            request: what is asked.
            purpose: what is booked beside it: judge, repair, draw, probe.
            on_behalf: for whom.
            until: when it must be over, by the clock of the event loop.
            begun: calls for the same were answered, and paid: to give it back now would pay them again.

        Raises:
            ChatFailedError: no reply came at any attempt, or none would.
            CircuitOpenError: the endpoint is left alone for now, and this call was not begun.
            SpendLimitError: the tenant's money of the day is spent.
            NotWantedError: the text may not be sent any more.
        """
        attempt = 0
        failed = ChatFailedError(FailureKind.CIRCUIT_OPEN) if begun else None
        while True:
            attempt += 1
            try:
                return await self._attempt(request, purpose, on_behalf, until)
            except CircuitOpenError:
                if failed is None:
                    raise
                # Given back, it would be the first to be tried when the circuit closes, and might open it again.
                raise failed from None
            except ChatFailedError as error:
                failed = error
                rest_s = self._rest(attempt, error.retry_after_s)
                left_s = until - asyncio.get_running_loop().time()
                if not error.kind.passes or attempt >= self._model.attempts or rest_s >= left_s:
                    raise
            await asyncio.sleep(rest_s)

    def _rest(self, attempt: int, retry_after_s: float | None) -> float:
        """Exponential with full jitter (Brooker 2015, AWS Architecture Blog); no less than the endpoint asks for."""
        longest = min(LONGEST_REST_S, FIRST_REST_S * 2.0 ** (attempt - 1))
        return max(retry_after_s or 0.0, longest * self._chance())

    async def _attempt(self, request: ChatRequest, purpose: str, on_behalf: OnBehalf, until: float) -> ChatReply:
        while (held_s := self._circuit.held_s) > 0:  # another call may have been asked for a longer rest meanwhile
            if held_s >= until - asyncio.get_running_loop().time():
                raise CircuitOpenError
            await asyncio.sleep(held_s)
        self._circuit.begin()
        try:
            booked = self._booked(request, purpose, on_behalf)
            number = await self._open(booked)
        except BaseException:
            self._circuit.abandoned()
            raise
        started = time.monotonic()
        try:
            reply = await self._chat.complete(request)
        except ChatFailedError as error:
            self._circuit.failed(error.kind, error.retry_after_s)
            state = CallState.UNKNOWN if error.kind.may_cost else CallState.FAILED
            await self._settle(number, purpose, started, state, error.kind.value, None)
            raise
        except BaseException:  # told to stop, or a fault of ours: it may have been sent
            self._circuit.abandoned()
            await self._settle(number, purpose, started, CallState.UNKNOWN, "broken_off", None)
            raise
        self._circuit.succeeded()
        state, reason = self._answered(reply, booked)
        await self._settle(number, purpose, started, state, reason, reply)
        return reply

    async def _open(self, booked: Call) -> int:
        """Books it. Told to stop meanwhile, it gives back what was booked for a call that is never sent."""
        numbers: list[int] = []
        started = time.monotonic()
        try:
            await _whole(lambda: numbers.append(self._ledger.open(booked)))
        except asyncio.CancelledError:
            for number in numbers:
                await self._settle(number, booked.purpose, started, CallState.FAILED, "broken_off", None)
            raise
        return numbers[0]

    def _answered(self, reply: ChatReply, booked: Call) -> tuple[CallState, str | None]:
        """No call costs more than was booked for it, or a wrong word of the endpoint would pass the limit."""
        if reply.input_tokens is None or reply.output_tokens is None:
            return CallState.UNKNOWN, "no_usage"
        if self._model.cost_pico(reply.input_tokens, reply.output_tokens) > booked.most_pico:
            return CallState.UNKNOWN, "usage_implausible"
        return CallState.ANSWERED, None

    def _booked(self, request: ChatRequest, purpose: str, on_behalf: OnBehalf) -> Call:
        return Call(
            review_seq=on_behalf.review_seq,
            tenant=on_behalf.tenant,
            rule=on_behalf.rule,
            purpose=purpose,
            model=self._model.model or self.name,
            attempt=on_behalf.attempt,
            most_pico=self._model.cost_pico(most_input_tokens(request), request.max_output_tokens),
        )

    async def _settle(
        self,
        number: int,
        purpose: str,
        started: float,
        state: CallState,
        reason: str | None,
        reply: ChatReply | None,
    ) -> None:
        tokens_in = reply.input_tokens if reply else None
        tokens_out = reply.output_tokens if reply else None
        cost: int | None = None
        if state is CallState.FAILED:
            cost = 0
        elif state is CallState.ANSWERED:
            cost = self._model.cost_pico(tokens_in or 0, tokens_out or 0)
        self._metrics.called(purpose, state, reason, time.monotonic() - started)
        self._metrics.tokens.labels("input").inc(tokens_in or 0)
        self._metrics.tokens.labels("output").inc(tokens_out or 0)
        self._metrics.cost.inc((cost or 0) / PICO)
        if state is CallState.UNKNOWN:
            log.info("call_cost_unknown", purpose=purpose, reason=reason)
        settled = Settlement(
            state=state, reason=reason, input_tokens=tokens_in, output_tokens=tokens_out, cost_pico=cost
        )
        await _whole(lambda: self._ledger.settle(number, settled))


async def _whole(work: Callable[[], None]) -> None:
    """Runs it in a thread to its end: who is told to stop meanwhile stops after it.

    `to_thread` alone drops work that still waits for a thread, and what an endpoint said it used would be lost.
    """
    working = asyncio.ensure_future(asyncio.to_thread(work))
    stop: asyncio.CancelledError | None = None
    while not working.done():
        try:
            await asyncio.wait([working])
        except asyncio.CancelledError as error:
            stop = error
    if stop is not None:
        raise stop from working.exception()
    working.result()


def most_input_tokens(request: ChatRequest) -> int:
    """Tokens that a request has at most: a token is at least one byte of UTF-8."""
    said = sum(len(message.content.encode()) + MESSAGE_TOKENS for message in request.messages)
    schema = len(json.dumps(request.schema)) if request.schema is not None else 0
    return said + schema + FRAME_TOKENS
