"""From reading to reading: when a rule fires, tells, waits and is resolved."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.core.alerting.machine import Event, Memory, Reading, State, Step, Verdict, judge, step
from service.core.alerting.rule import AlertRule

T0 = datetime(2026, 11, 1, tzinfo=UTC)
BAD, GOOD, NONE, LOW = Verdict.BAD, Verdict.GOOD, Verdict.NO_DATA, Verdict.LOW_COVERAGE


def rule(**changes: Any) -> AlertRule:
    least = {"name": "worse", "metric": "flagged_rate", "above": 0.05, "for": "2m", "keep_firing_for": "3m"}
    return AlertRule.model_validate(least | changes)


def run(told: AlertRule, verdicts: Sequence[Verdict], every: timedelta = timedelta(minutes=1)) -> list[Step]:
    memory, steps = Memory(since=T0), []
    for n, verdict in enumerate(verdicts):
        done = step(told, memory, verdict, T0 + n * every)
        memory = done.memory
        steps.append(done)
    return steps


def states(told: AlertRule, verdicts: Sequence[Verdict]) -> list[str]:
    return [each.memory.state.value for each in run(told, verdicts)]


def events(told: AlertRule, verdicts: Sequence[Verdict]) -> dict[int, str]:
    return {n: each.event.value for n, each in enumerate(run(told, verdicts)) if each.event}


def test_it_fires_after_its_time_and_is_resolved_after_its_time() -> None:
    """Bad for 2 minutes before anybody is told, good for 3 before it is over; each is told once."""
    verdicts = [GOOD, BAD, BAD, BAD, BAD, GOOD, GOOD, GOOD, GOOD]
    assert states(rule(), verdicts) == ["ok", "pending", "pending", *["firing"] * 4, "resolved", "resolved"]
    assert events(rule(), verdicts) == {3: "firing", 7: "resolved"}


def test_a_short_rush_wakes_nobody() -> None:
    """One good reading begins the wait anew."""
    verdicts = [BAD, BAD, GOOD, BAD, BAD, GOOD]
    assert events(rule(), verdicts) == {}
    assert states(rule(), verdicts)[-1] == "ok"


def test_without_for_the_first_bad_reading_fires() -> None:
    """As asked."""
    assert events(rule(**{"for": "0s"}), [BAD]) == {0: "firing"}


def test_a_flapping_rate_is_one_incident() -> None:
    """Good for less than `keep_firing_for` resolves nothing."""
    assert events(rule(), [BAD] * 3 + [GOOD, GOOD, BAD] * 5 + [GOOD] * 3) == {2: "firing", 20: "resolved"}


def test_it_is_told_again_while_it_goes_on() -> None:
    """Every `renotify`, not at every reading."""
    found = events(rule(renotify="4m"), [BAD] * 12)
    assert found == {2: "firing", 6: "still_firing", 10: "still_firing"}


class TestNoData:
    def test_somebody_is_told(self) -> None:
        """After the same wait; what comes back good closes it."""
        verdicts = [GOOD, NONE, NONE, NONE, NONE, GOOD]
        assert states(rule(), verdicts) == ["ok", *["no_data"] * 4, "resolved"]
        assert events(rule(), verdicts) == {3: "no_data", 5: "resolved"}

    def test_nothing_is_no_end(self) -> None:
        """An alert whose data stops coming goes on firing: unknown is not good."""
        assert states(rule(), [BAD] * 3 + [NONE] * 9)[-1] == "firing"
        assert events(rule(), [BAD] * 3 + [NONE] * 9) == {2: "firing"}

    def test_what_comes_back_bad_is_the_same_incident(self) -> None:
        """It is told that it is worse, and resolved once."""
        found = run(rule(), [NONE] * 3 + [BAD] * 3 + [GOOD] * 3)
        assert [each.event for each in found if each.event] == [Event.NO_DATA, Event.FIRING, Event.RESOLVED]
        assert found[5].memory.opened == T0 + timedelta(minutes=2)

    def test_where_it_is_to_be_expected(self) -> None:
        """`ok` says nothing and ends what was; `keep` leaves what was."""
        assert events(rule(no_data="ok"), [BAD] * 3 + [NONE] * 4) == {2: "firing", 5: "resolved"}
        assert states(rule(no_data="keep"), [GOOD] + [NONE] * 9) == ["ok"] * 10


class TestLowCoverage:
    def test_it_wakes_nobody_and_is_seen(self) -> None:
        """Too little to say anything is a state of its own."""
        assert states(rule(), [GOOD, LOW, GOOD]) == ["ok", "low_coverage", "ok"]
        assert events(rule(), [BAD, BAD, LOW, BAD, BAD]) == {}

    def test_it_ends_that_there_was_nothing(self) -> None:
        """Somebody was told that nothing comes; now something does, if too little to judge."""
        verdicts = [NONE] * 3 + [LOW] * 3
        assert events(rule(), verdicts) == {2: "no_data", 3: "resolved"}
        assert states(rule(), verdicts)[-1] == "low_coverage"

    def test_it_ends_nothing(self) -> None:
        """A firing alert goes on."""
        assert events(rule(), [BAD] * 3 + [LOW] * 9) == {2: "firing"}


@pytest.mark.parametrize(
    ("changes", "reading", "verdict"),
    [
        ({}, Reading(), NONE),
        ({}, Reading(effective_n=0.0), LOW),
        ({}, Reading(value=0.2, low=0.06, high=0.4, effective_n=50, coverage=0.9), BAD),
        ({}, Reading(value=0.2, low=0.04, high=0.4, effective_n=50, coverage=0.9), GOOD),
        ({"on": "point"}, Reading(value=0.2, low=0.04, high=0.4, effective_n=50, coverage=0.9), BAD),
        ({}, Reading(value=0.05, low=0.05, high=0.05, effective_n=50, coverage=0.9), GOOD),
        ({}, Reading(value=0.2, low=0.06, high=0.4, effective_n=29, coverage=0.9), LOW),
        ({}, Reading(value=0.2, low=0.06, high=0.4, effective_n=50, coverage=0.4), LOW),
        ({}, Reading(value=0.2, low=0.06, high=0.4, effective_n=50), LOW),
        ({}, Reading(value=0.2, effective_n=50, coverage=0.9), LOW),
        ({"above": None, "below": 0.3}, Reading(value=0.1, low=0.0, high=0.29, effective_n=50, coverage=1.0), BAD),
        ({"above": None, "below": 0.3}, Reading(value=0.1, low=0.0, high=0.31, effective_n=50, coverage=1.0), GOOD),
        ({"metric": "queue_age_s", "above": 60}, Reading(value=61.0), BAD),
        ({"metric": "queue_age_s", "above": 60}, Reading(value=59.0), GOOD),
    ],
)
def test_a_reading_is_bad_only_where_it_can_be_said(
    changes: dict[str, Any], reading: Reading, verdict: Verdict
) -> None:
    """The interval's nearer end is beyond the threshold, over enough samples and enough of the traffic."""
    assert judge(rule(**changes), reading) is verdict


def test_the_state_says_since_when() -> None:
    """It changes with the state alone."""
    found = run(rule(), [GOOD, GOOD, BAD, BAD, BAD, BAD])
    assert [each.memory.since for each in found] == [T0] * 2 + [T0 + timedelta(minutes=2)] * 2 + [
        T0 + timedelta(minutes=4)
    ] * 2
    assert found[-1].memory.state is State.FIRING
