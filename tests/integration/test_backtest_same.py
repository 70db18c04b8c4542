"""A backtest over the database says what looks at the same moments read, by the minute and by the hour."""

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from service.core import backtest_answer
from service.core.alert_reading import read_rule
from service.core.alerting.change import Held, changes
from service.core.alerting.machine import Event
from service.core.alerting.rule import AlertRule
from service.core.backtest_answer import Trial, answer_backtest
from service.core.db import Database
from service.core.store.rollups import HOUR_S, MINUTE_S
from tests.integration.support import NOW
from tests.integration.traffic import Minute, add_traffic

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
END = NOW + 25 * MINUTE
KEPT = 3 * HOUR  # instead of two days, so that there are few enough minutes to look at each


@pytest.fixture
def database(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Fourteen hours of traffic of three routes, good and bad by turns, one of which goes away for hours."""
    monkeypatch.setattr(backtest_answer, "MINUTES_KEPT", KEPT)
    add_traffic(database, _traffic())
    return database


def _traffic() -> Iterator[Minute]:
    chance = random.Random(8)
    rate = dict.fromkeys("abc", 0.1)
    for number in range(14 * 60):
        at = END - (number + 1) * MINUTE
        for route in rate:
            if chance.random() < 0.02:
                rate[route] = chance.choice([0.05, 0.1, 0.6])
            if (route == "c" and 120 < number < 420) or chance.random() < 0.3:
                continue
            scored = chance.randint(0, 8)
            flagged = sum(chance.random() < rate[route] for _ in range(scored))
            yield Minute(at=at, scored=scored, flagged=flagged, unscored=chance.randint(0, 2), route=route)


@pytest.mark.parametrize(
    "changed",
    [
        {"window": "1h", "group_by": ["route"]},
        {"window": "2h", "short_window": "1h", "for": "20m"},
        {"window": "20m", "short_window": "5m", "group_by": ["route"], "metric": "claim_rate"},
        {"window": "5h", "metric": "unscored_share", "above": 0.15},
    ],
)
def test_incidents_are_those_of_looks(database: Database, changed: dict[str, object]) -> None:
    """The same, from the first moment that is covered to the last, whatever lies in sums by minute or by hour."""
    rule = AlertRule.model_validate(
        {"name": "r", "metric": "flagged_rate", "above": 0.25, "for": "0s", "confidence": 0.9, "min_effective_n": 5}
        | changed
    )
    found = answer_backtest(database, Trial(rule=rule, changed=[], tenant="default", length=10 * HOUR), END)
    held: list[Held] = []
    opened: dict[tuple[str, ...], tuple[str, object]] = {}
    expected, looks = [], 0
    with database.read() as connection:
        for segment in found.segments:
            now = segment.start + timedelta(seconds=segment.every_s)
            while now <= segment.end:
                read = read_rule(connection, rule, "default", now)
                changes_now = changes([rule], {"r": read}, held, lambda _rule, _group: False, now)
                looks += 1
                for change in changes_now:
                    match change.told and change.told.event:
                        case Event.FIRING | Event.NO_DATA as event:
                            opened.setdefault(change.group, (event, now))
                        case Event.RESOLVED:
                            expected.append((*opened.pop(change.group), now))
                        case _:
                            pass
                held = [
                    Held(rule="r", group=change.group, rule_digest=rule.digest, memory=change.memory)
                    for change in changes_now
                    if change.memory
                ]
                now += timedelta(seconds=segment.every_s)
    expected += [(*each, None) for each in opened.values()]
    told = [(each.event, each.start, each.end) for each in found.incidents]
    assert sorted(told, key=str) == sorted(expected, key=str)
    assert found.looks == looks >= 10
    assert found.firings > 0


def test_what_lies_where(database: Database) -> None:
    """Hours up to where a full window of minutes lies behind each minute; then minutes, up to now."""
    rule = AlertRule.model_validate({"name": "r", "metric": "flagged_rate", "above": 0.25, "window": "1h"})
    found = answer_backtest(database, Trial(rule=rule, changed=[], tenant="default", length=10 * HOUR), END)
    told = [(each.start, each.end, each.every_s) for each in found.segments]
    assert told == [(NOW - 10 * HOUR, NOW - HOUR, HOUR_S), (NOW - HOUR, END, MINUTE_S)]
    assert found.looks == 9 + 85
    assert found.not_covered is not None
    assert "before 2026-11-01 11:00 UTC the rule was looked at once an hour" in found.not_covered


def test_a_window_longer_than_minutes_are_kept(database: Database) -> None:
    """It is looked at by the hour alone, up to the last whole one; where it is no whole hours, not at all."""
    rule = AlertRule.model_validate({"name": "r", "metric": "flagged_rate", "above": 0.25, "window": "5h"})
    found = answer_backtest(database, Trial(rule=rule, changed=[], tenant="default", length=10 * HOUR), END)
    assert [(each.start, each.end, each.every_s) for each in found.segments] == [(NOW - 10 * HOUR, NOW, HOUR_S)]
    odd = rule.model_copy(update={"window": 5 * HOUR + MINUTE})
    found = answer_backtest(database, Trial(rule=odd, changed=[], tenant="default", length=10 * HOUR), END)
    assert (found.segments, found.looks, found.firings_per_30_days) == ([], 0, None)
    assert found.not_covered is not None
    assert "nothing before 2026-11-01 12:25 UTC is tested" in found.not_covered
