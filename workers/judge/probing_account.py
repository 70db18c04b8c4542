"""The account of a probe: what its calls took, and the most that they may cost in all."""

import itertools
import threading
from collections import Counter

from pydantic import BaseModel, ConfigDict

from service.core.review_tables import CallState
from service.core.store.spending import Call, Settlement
from workers.judge.calling import Ledger, SpendLimitError


class MoneyHeldError(SpendLimitError):
    """What is left is too little for now: calls under way are booked at their most, and may give some of it back."""


class Taken(BaseModel):
    """What the calls of a probe took."""

    model_config = ConfigDict(frozen=True)

    calls: dict[CallState, int]  # by what became of them
    input_tokens: int  # that the endpoint told of
    output_tokens: int
    cost_pico: int  # at most; in 1e-12 of the currency


class Account:
    """A ledger of one probe, which books in another one too, if there is one. Its methods may block."""

    def __init__(self, most_pico: int | None, ledger: Ledger | None) -> None:
        """`most_pico`: the most that the calls may cost in all; None: only the other ledger limits them."""
        self._most_pico = most_pico
        self._ledger = ledger
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._open: dict[int, int] = {}  # what is booked for each call under way
        self._under_way = 0  # of them, and those that are just being booked
        self._booked = 0  # for all calls
        self._calls: Counter[CallState] = Counter()
        self._input_tokens = self._output_tokens = 0

    @property
    def taken(self) -> Taken:
        """Up to now; calls under way at the most that they can cost."""
        with self._lock:
            return Taken(
                calls={state: self._calls[state] for state in CallState if self._calls[state]},
                input_tokens=self._input_tokens,
                output_tokens=self._output_tokens,
                cost_pico=self._booked,
            )

    def open(self, call: Call) -> int:
        """Books a call; its number. Where it could cost too much nothing was booked.

        Raises:
            MoneyHeldError: it may fit in when a call under way has ended.
            SpendLimitError: it will not.
        """
        with self._lock:
            if self._most_pico is not None and self._booked + call.most_pico > self._most_pico:
                raise MoneyHeldError if self._under_way else SpendLimitError
            ended = self._calls.total()
            self._under_way += 1
            self._booked += call.most_pico
        try:
            number = next(self._numbers) if self._ledger is None else self._ledger.open(call)
        except SpendLimitError:
            # Of calls that are refused together the last one must see that nothing is left to wait for.
            held = self._forget(call) or self._calls.total() > ended
            raise MoneyHeldError if held else SpendLimitError from None
        except BaseException:
            self._forget(call)
            raise
        with self._lock:
            self._open[number] = call.most_pico
        return number

    def _forget(self, call: Call) -> bool:
        """Of a call that was not booked; whether others are under way."""
        with self._lock:
            self._under_way -= 1
            self._booked -= call.most_pico
            return self._under_way > 0

    def settle(self, number: int, settled: Settlement) -> None:
        """Settles an open call; a second time changes nothing."""
        if self._ledger is not None:
            self._ledger.settle(number, settled)
        with self._lock:
            booked = self._open.pop(number, None)
            if booked is None:
                return
            self._under_way -= 1
            self._booked += 0 if settled.cost_pico is None else settled.cost_pico - booked
            self._calls[settled.state] += 1
            self._input_tokens += settled.input_tokens or 0
            self._output_tokens += settled.output_tokens or 0
