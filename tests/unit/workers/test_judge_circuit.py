"""The circuit breaker, by a clock of the test."""

import pytest

from workers.judge.chat import FailureKind
from workers.judge.circuit import (
    FIRST_REST_S,
    IN_A_ROW,
    LONGEST_REST_S,
    MOST_HELD_S,
    Circuit,
    CircuitOpenError,
    State,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit(clock=clock, chance=lambda: 0.5)


def fail(circuit: Circuit, times: int = 1, kind: FailureKind = FailureKind.TIMED_OUT) -> None:
    for _ in range(times):
        circuit.begin()
        circuit.failed(kind)


def test_failures_in_a_row_open_it(circuit: Circuit, clock: Clock) -> None:
    """Then no call begins, and what failed most is the reason."""
    fail(circuit, IN_A_ROW - 1)
    assert circuit.shown.state is State.CLOSED
    fail(circuit, 1, FailureKind.SERVER_ERROR)
    assert (circuit.shown.state, circuit.shown.reason, circuit.shown.since) == (State.OPEN, "timed_out", clock.now)
    assert circuit.room == 0
    with pytest.raises(CircuitOpenError):
        circuit.begin()


def test_one_in_five_does_not(circuit: Circuit) -> None:
    """An endpoint that fails now and then is called on."""
    for n in range(500):
        circuit.begin()
        if n % 5 == 0:
            circuit.failed(FailureKind.SERVER_ERROR)
        else:
            circuit.succeeded()
    assert circuit.shown.state is State.CLOSED


def test_most_of_the_last_calls_do(circuit: Circuit) -> None:
    """Two failures of three are enough, though never many in a row."""
    for n in range(90):
        if circuit.room == 0:
            break
        circuit.begin()
        if n % 3:
            circuit.failed(FailureKind.UNREACHABLE)
        else:
            circuit.succeeded()
    assert (circuit.shown.state, circuit.shown.reason) == (State.OPEN, "unreachable")


def test_after_its_rest_one_call_tries(circuit: Circuit, clock: Clock) -> None:
    """One at a time; its success closes the circuit, and the next rest is short again."""
    fail(circuit, IN_A_ROW)
    clock.now += FIRST_REST_S
    assert (circuit.shown.state, circuit.room) == (State.HALF_OPEN, 1)
    circuit.begin()
    assert circuit.room == 0
    with pytest.raises(CircuitOpenError):
        circuit.begin()
    circuit.succeeded()
    assert circuit.shown.state is State.CLOSED
    assert circuit.shown.reason is None


def test_rests_double_up_to_a_bound(circuit: Circuit, clock: Clock) -> None:
    """Each try that fails makes the rest twice as long."""
    fail(circuit, IN_A_ROW)
    rests = []
    for _ in range(9):
        before = clock.now
        while circuit.shown.state is State.OPEN:
            clock.now += 0.5
        rests.append(clock.now - before)
        fail(circuit)
    assert rests[:3] == [FIRST_REST_S, 2 * FIRST_REST_S, 4 * FIRST_REST_S]
    assert rests[-1] == LONGEST_REST_S


def test_a_try_that_is_broken_off_leaves_room_for_another(circuit: Circuit, clock: Clock) -> None:
    """It says nothing of the endpoint."""
    fail(circuit, IN_A_ROW)
    clock.now += FIRST_REST_S
    circuit.begin()
    circuit.abandoned()
    assert circuit.room == 1


def test_what_is_of_the_request_counts_for_nothing(circuit: Circuit) -> None:
    """Requests that no endpoint could answer do not open it."""
    fail(circuit, 5 * IN_A_ROW, FailureKind.BAD_REQUEST)
    assert circuit.shown.state is State.CLOSED


def test_an_endpoint_that_asks_for_rest_gets_it(circuit: Circuit, clock: Clock) -> None:
    """Retry-After holds all calls back, for a minute at most, without opening the circuit."""
    circuit.begin()
    circuit.failed(FailureKind.RATE_LIMITED, retry_after_s=3.0)
    assert (circuit.shown.state, circuit.room, circuit.held_s) == (State.CLOSED, 0, 3.0)
    clock.now += 3.0
    assert circuit.room > 0
    circuit.begin()
    circuit.failed(FailureKind.RATE_LIMITED, retry_after_s=9_999.0)
    assert circuit.held_s == MOST_HELD_S
