"""Backtests: what may be tried, which moments are looked at, and how incidents add up."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.core.alerting.backtest import Incident, Segment, replay
from service.core.alerting.machine import Event, Reading
from service.core.alerting.rule import AlertRule
from service.core.backtest_answer import _covered_s, _in_hours, changed_rule
from service.core.errors import PayloadInvalidError
from service.core.store.rates import Counted, ScoreRow, StateRow, Stretch
from service.core.store.rollups import Sums
from service.core.tables import State

T0 = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def rule(**changes: Any) -> AlertRule:
    told = {
        "name": "r",
        "metric": "flagged_rate",
        "above": 0.2,
        "window": "3m",
        "for": "0s",
        "keep_firing_for": "0s",
        "group_by": ["route"],
    }
    return AlertRule.model_validate(told | changes)


def past(tried: AlertRule, *rows: tuple[int, str, int, int]) -> Segment:
    """Ten minutes after a full window; rows are bucket, route, scored, flagged."""
    first = tried.window // MINUTE - 1
    stretch = Stretch(
        tenant="t",
        start=T0 - first * MINUTE,
        end=T0 + 10 * MINUTE,
        width_s=60,
        group_by=tried.group_by,
        match=tried.matching,
    )
    states, scores = [], []
    for minute, route, scored, flagged in rows:
        place: dict[str, Any] = {"bucket": first + minute, "group": (route,), "inclusion_probability": 1.0}
        states.append(StateRow(outcome=State.SCORED, submissions=scored, **place))
        sums = Sums(number=scored, flagged=flagged, some_flagged=flagged, some_clean=scored - flagged)
        scores.append(ScoreRow(fingerprint="f1", sums=sums, **place))
    return Segment(stretch=stretch, counted=Counted(states=states, scores=scores), first=first)


class TestReplay:
    def test_one_incident_from_the_minute_after_to_the_end_of_its_window(self) -> None:
        """What is bad in a minute is seen when that is over, and is over when good traffic outweighs it."""
        tried = rule()
        rows = [(minute, "a", 100, 90 if minute == 2 else 0) for minute in range(-2, 10)]
        (incident,) = replay(tried, [past(tried, *rows)]).incidents
        assert (incident.event, incident.group) == (Event.FIRING, ("a",))
        assert (incident.start, incident.end) == (T0 + 3 * MINUTE, T0 + 6 * MINUTE)
        assert incident.reading.value == pytest.approx(0.3)

    def test_the_first_look_has_a_full_window(self) -> None:
        """What lies before the time that is asked for is in windows, and nothing is looked at before."""
        tried = rule()
        found = replay(tried, [past(tried, (-2, "a", 100, 90), *((n, "a", 1, 0) for n in range(10)))])
        assert found.looks == 10
        assert found.incidents[0].start == T0 + MINUTE

    def test_a_group_that_vanishes(self) -> None:
        """Its incident ends when nothing of it is left in the window, while others go on."""
        tried = rule()
        rows = [(0, "canary", 100, 90), *((minute, "a", 100, 0) for minute in range(-2, 10))]
        (incident,) = replay(tried, [past(tried, *rows)]).incidents
        assert incident.group == ("canary",)
        assert (incident.start, incident.end) == (T0 + MINUTE, T0 + 4 * MINUTE)

    def test_where_all_vanishes_nothing_ends(self) -> None:
        """Silence of everything says nothing of the one that fires; of the rule as a whole, that there is no data."""
        tried = rule(short_window="1m")
        found = replay(tried, [past(tried, (0, "a", 100, 90))])
        told = [(each.event, each.group, each.start, each.end) for each in found.incidents]
        assert told == [
            (Event.FIRING, ("a",), T0 + MINUTE, None),
            (Event.NO_DATA, (), T0 + 4 * MINUTE, None),
        ]

    def test_one_that_never_ends_is_open(self) -> None:
        """Its end is not known."""
        tried = rule()
        rows = [(minute, "a", 100, 90) for minute in range(-2, 10)]
        (incident,) = replay(tried, [past(tried, *rows)]).incidents
        assert (incident.start, incident.end) == (T0 + MINUTE, None)

    def test_what_goes_on_in_the_next_segment_is_one(self) -> None:
        """An incident does not end where hours end and minutes begin."""
        tried = rule(window="1m")
        before = past(tried, *((minute, "a", 100, 90) for minute in range(10)))
        stretch = Stretch(
            tenant="t",
            start=T0 + 10 * MINUTE,
            end=T0 + 20 * MINUTE,
            width_s=60,
            group_by=("route",),
        )
        after = Segment(stretch=stretch, counted=before.counted, first=0)
        assert len(replay(tried, [before, after]).incidents) == 1


class TestWhatIsTried:
    def test_other_values(self) -> None:
        """Those that are given; the rest is the policy's, and the policy's rule stays as it is."""
        policys = rule()
        tried, changed = changed_rule(policys, {"for": "30m", "above": 0.5})
        assert (tried.for_, tried.above, tried.window) == (timedelta(minutes=30), 0.5, policys.window)
        assert changed == ["above", "for"]
        assert policys.above == 0.2
        assert changed_rule(policys, {}) == (policys, [])

    def test_the_other_side(self) -> None:
        """`below` takes the place of `above`, and back."""
        tried, _ = changed_rule(rule(), {"below": 0.1})
        assert (tried.above, tried.below) == (None, 0.1)
        again, _ = changed_rule(tried, {"above": 0.3})
        assert (again.above, again.below) == (0.3, None)

    @pytest.mark.parametrize("name", ["name", "tenants", "sinks"])
    def test_whose_it_is_cannot_be_tried(self, name: str) -> None:
        """A trial tells nobody, and is of the caller's own traffic."""
        with pytest.raises(PayloadInvalidError) as caught:
            changed_rule(rule(), {name: "x"})
        assert caught.value.field == name

    @pytest.mark.parametrize(
        ("window", "short", "whole"),
        [("1h", None, True), ("2h", "1h", True), ("90m", None, False), ("2h", "5m", False)],
    )
    def test_whole_hours(self, window: str, short: str | None, whole: bool) -> None:  # noqa: FBT001
        """Both windows must be, where only sums by hour are left."""
        assert _in_hours(rule(window=window, short_window=short)) is whole


class TestTimeCovered:
    @pytest.mark.parametrize(
        ("spans", "seconds"),
        [
            ([], 0),
            ([(0, 10)], 600),
            ([(0, 10), (5, 7)], 600),
            ([(0, 10), (5, 20)], 1_200),
            ([(0, 10), (20, 30)], 1_200),
            ([(0, None)], 3_600),
            ([(0, None), (10, 20)], 3_600),
            ([(0, 5), (0, 50), (55, None)], 3_300),
        ],
    )
    def test_overlaps_count_once(self, spans: list[tuple[int, int | None]], seconds: float) -> None:
        """In an hour no more than an hour can have had an incident, however many groups had one."""
        incidents = [
            Incident(
                event=Event.FIRING,
                group=(),
                start=T0 + start * MINUTE,
                end=None if end is None else T0 + end * MINUTE,
                reading=Reading(),
            )
            for start, end in spans
        ]
        assert _covered_s(incidents, T0 + 60 * MINUTE) == seconds
