"""Laws of alerts: whatever is read, incidents open and close in turn, and nobody is told too early."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.core.alerting.machine import Event, Memory, State, Verdict, step
from service.core.alerting.rule import AlertRule, NoData

T0 = datetime(2026, 11, 1, tzinfo=UTC)
MINUTES = st.integers(0, 6).map(lambda n: timedelta(minutes=n))
RULES = st.builds(
    lambda wait, keep, again, missing: AlertRule.model_validate(
        {
            "name": "r",
            "metric": "flagged_rate",
            "above": 0.1,
            "for": wait,
            "keep_firing_for": keep,
            "renotify": again or None,
            "no_data": missing,
        }
    ),
    MINUTES,
    MINUTES,
    MINUTES,
    st.sampled_from(NoData),
)
READINGS = st.lists(st.tuples(st.sampled_from(Verdict), st.integers(1, 3)), max_size=60)


@given(RULES, READINGS)
def test_incidents_open_and_close_in_turn(rule: AlertRule, readings: list[tuple[Verdict, int]]) -> None:
    """One is open if and only if sinks were told of it and not of its end; the state agrees."""
    memory, now, opened = Memory(since=T0), T0, False
    for verdict, minutes in readings:
        now += timedelta(minutes=minutes)
        done = step(rule, memory, verdict, now)
        memory = done.memory
        match done.event:
            case Event.FIRING | Event.NO_DATA:
                opened = True
            case Event.STILL_FIRING:
                assert opened
            case Event.RESOLVED:
                assert opened
                opened = False
            case None:
                pass
        assert (memory.opened is not None) is opened
        if memory.state is State.FIRING:
            assert opened
        if memory.state in {State.OK, State.RESOLVED, State.PENDING}:
            assert not opened


@given(RULES, READINGS)
def test_nobody_is_told_before_the_time(rule: AlertRule, readings: list[tuple[Verdict, int]]) -> None:
    """It fires after an unbroken row of bad readings as long as `for`, and ends with a good one after `keep_firing_for`."""
    memory, now = Memory(since=T0), T0
    bad_since: datetime | None = None
    last_bad: datetime | None = None
    for verdict, minutes in readings:
        now += timedelta(minutes=minutes)
        bad_since = (bad_since or now) if verdict is Verdict.BAD else None
        last_bad = now if verdict is Verdict.BAD else last_bad
        before, done = memory, step(rule, memory, verdict, now)
        memory = done.memory
        if done.event is Event.FIRING:
            assert bad_since is not None
            assert now - bad_since >= rule.for_
        # What was told of missing data is over as soon as there is some, though too little to say more.
        some_again = before.state is State.NO_DATA and verdict is Verdict.LOW_COVERAGE
        if done.event is Event.RESOLVED and not some_again:
            assert verdict is Verdict.GOOD or (verdict is Verdict.NO_DATA and rule.no_data is NoData.OK)
            assert last_bad is None or now - last_bad >= rule.keep_firing_for


@given(RULES, READINGS)
def test_the_same_reading_twice_tells_nothing_new(rule: AlertRule, readings: list[tuple[Verdict, int]]) -> None:
    """Whoever was killed between writing and going on, and reads again at the same moment, opens and closes nothing."""
    memory, now = Memory(since=T0), T0
    for verdict, minutes in readings:
        now += timedelta(minutes=minutes)
        memory = step(rule, memory, verdict, now).memory
        again = step(rule, memory, verdict, now)
        assert again.event is None
        assert again.memory == memory
