"""The circuit breaker under calls that end late, and in any order: what holds whatever happens."""

from hypothesis import given
from hypothesis import strategies as st

from workers.judge.chat import FailureKind
from workers.judge.circuit import FIRST_REST_S, IN_A_ROW, LONGEST_REST_S, Circuit, CircuitOpenError, State

EVENTS = st.lists(
    st.one_of(
        st.sampled_from(["begin", "succeeded", "abandoned"]),
        st.sampled_from(list(FailureKind)),
        st.floats(min_value=0.1, max_value=400.0),
    ),
    max_size=120,
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(late: int) -> tuple[Circuit, Clock]:
    """One that has opened, with so many calls still under way."""
    clock = Clock()
    circuit = Circuit(clock=clock, chance=lambda: 0.5)
    for _ in range(IN_A_ROW + late):
        circuit.begin()
    for _ in range(IN_A_ROW):
        circuit.failed(FailureKind.TIMED_OUT)
    assert circuit.shown.state is State.OPEN
    return circuit, clock


def test_what_fails_late_does_not_put_off_the_try() -> None:
    """Calls that began before it opened end while it rests: the rest is no longer for them."""
    circuit, clock = opened(late=8)
    for _ in range(8):
        clock.now += 0.5
        circuit.failed(FailureKind.TIMED_OUT)
    clock.now = FIRST_REST_S
    assert circuit.shown.state is State.HALF_OPEN


def test_what_fails_late_does_not_shorten_a_longer_rest() -> None:
    """After a try that failed the rest is twice as long, also where an older call fails after it."""
    circuit, clock = opened(late=1)
    clock.now = FIRST_REST_S
    circuit.begin()
    circuit.failed(FailureKind.TIMED_OUT)
    clock.now += FIRST_REST_S / 2
    circuit.failed(FailureKind.TIMED_OUT)
    clock.now = 3 * FIRST_REST_S - 0.1
    assert circuit.shown.state is State.OPEN
    clock.now = 3 * FIRST_REST_S
    circuit.begin()
    circuit.failed(FailureKind.TIMED_OUT)
    clock.now += 4 * FIRST_REST_S - 0.1
    assert circuit.shown.state is State.OPEN


@given(EVENTS, st.floats(min_value=0, max_value=1, exclude_max=True))
def test_it_never_closes_for_good_and_says_why_it_is_open(events: list[object], chance: float) -> None:
    """No order of events keeps it from a try within the longest rest, and what is not closed has its reason."""
    clock = Clock()
    circuit = Circuit(clock=clock, chance=lambda: chance)
    for event in events:
        match event:
            case "begin":
                try:
                    circuit.begin()
                except CircuitOpenError:
                    assert circuit.shown.state is not State.CLOSED
            case "succeeded":
                circuit.succeeded()
            case "abandoned":
                circuit.abandoned()
            case FailureKind():
                circuit.failed(event)
            case float():
                clock.now += event
        shown = circuit.shown
        assert (shown.reason is None) is (shown.state is State.CLOSED)
        assert (circuit.room == 0) or shown.state is not State.OPEN
        assert shown.since <= clock.now
    circuit.abandoned()
    clock.now += 1.25 * LONGEST_REST_S
    assert circuit.room > 0
