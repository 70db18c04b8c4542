"""The circuit breaker: an endpoint that fails is left alone for a while, then tried with one call. Pure but for chance."""

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic

from workers.judge.chat import FailureKind

# Failures in a row that open it. Calls that hang end in bursts, so fewer would tell nothing of the endpoint.
IN_A_ROW = 16
WINDOW, LEAST_SEEN, SHARE = 50, 25, 0.6  # or such a share of the last calls
FIRST_REST_S, LONGEST_REST_S = 5.0, 300.0
MOST_HELD_S = 60.0  # that an endpoint may ask to be left alone for, without counting as failed


class State(StrEnum):
    """Whether calls are made."""

    CLOSED = "closed"  # they are
    OPEN = "open"  # none, until the rest is over
    HALF_OPEN = "half_open"  # one at a time, to see whether it answers again


class CircuitOpenError(Exception):
    """The endpoint is left alone for now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitState:
    """What others are told of it."""

    state: State
    reason: str | None  # the kind of failure that opened it
    since: float  # by the clock that the circuit was given


class Circuit:
    """That of one endpoint in one process; its methods are called from one thread."""

    def __init__(self, clock: Callable[[], float] = monotonic, chance: Callable[[], float] = random.random) -> None:
        """Closed. `chance`: in [0, 1), spreads the rests of many workers."""
        self._clock = clock
        self._chance = chance
        self._state = State.CLOSED
        self._since = clock()
        self._reason: str | None = None
        self._rest_s = FIRST_REST_S
        self._rest_until = float("-inf")
        self._hold_until = float("-inf")
        self._trying = False
        self._last: deque[FailureKind | None] = deque(maxlen=WINDOW)

    @property
    def shown(self) -> CircuitState:
        """How it is."""
        self._wake()
        return CircuitState(state=self._state, reason=self._reason, since=self._since)

    @property
    def room(self) -> int:
        """How many more calls it would let begin; many, where it is closed."""
        self._wake()
        if self._clock() < self._hold_until or self._state is State.OPEN:
            return 0
        return WINDOW * 100 if self._state is State.CLOSED else int(not self._trying)

    @property
    def held_s(self) -> float:
        """Seconds for which the endpoint has asked to be left alone."""
        return max(0.0, self._hold_until - self._clock())

    def begin(self) -> None:
        """Lets a call begin. Raises CircuitOpenError."""
        self._wake()
        if self._state is State.OPEN or (self._state is State.HALF_OPEN and self._trying):
            raise CircuitOpenError
        self._trying = self._state is State.HALF_OPEN

    def succeeded(self) -> None:
        """A reply came, whatever is in it."""
        self._trying = False
        self._last.append(None)
        if self._state is not State.CLOSED:
            self._turn(State.CLOSED, None)
            self._rest_s = FIRST_REST_S
            self._last.clear()

    def failed(self, kind: FailureKind, retry_after_s: float | None = None) -> None:
        """No reply came. What is of the request alone says nothing of the endpoint."""
        trying, self._trying = self._trying, False
        if retry_after_s is not None:
            self._hold_until = max(self._hold_until, self._clock() + min(retry_after_s, MOST_HELD_S))
        if kind.is_of_request:
            return
        self._last.append(kind)
        # What began before it opened and fails late says nothing new: the rest goes on as it is.
        if trying or (self._state is State.CLOSED and self._is_enough()):
            self._open()

    def abandoned(self) -> None:
        """A call was broken off from here: nothing is known of the endpoint."""
        self._trying = False

    def _is_enough(self) -> bool:
        seen = list(self._last)
        failures = [kind for kind in seen if kind is not None]
        in_a_row = len(seen) >= IN_A_ROW and all(kind is not None for kind in seen[-IN_A_ROW:])
        return in_a_row or (len(seen) >= LEAST_SEEN and len(failures) >= SHARE * len(seen))

    def _open(self) -> None:
        kinds = Counter(kind for kind in self._last if kind is not None)
        reopened = self._state is State.HALF_OPEN
        self._rest_s = min(2 * self._rest_s, LONGEST_REST_S) if reopened else FIRST_REST_S
        self._rest_until = self._clock() + self._rest_s * (0.75 + 0.5 * self._chance())
        if self._state is State.CLOSED:
            self._since = self._clock()
        self._state, self._reason = State.OPEN, kinds.most_common(1)[0][0].value

    def _wake(self) -> None:
        if self._state is State.OPEN and self._clock() >= self._rest_until:
            self._state = State.HALF_OPEN

    def _turn(self, state: State, reason: str | None) -> None:
        self._state, self._reason, self._since = state, reason, self._clock()
