"""`slow_share`: of the answers that say how long they took, those that took too long."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from service.core.alert_reading import read_rule
from service.core.alerting.machine import Reading, State
from service.core.alerting.reading import WHOLE
from service.core.alerting.rule import AlertRule
from service.core.db import Database
from service.core.estimate import estimate
from service.core.policy import parse_policy
from service.core.slo_answer import answer_slos
from service.core.store.latencies import read_latencies
from service.core.store.rates import Stretch
from tests.integration.alerting import watched
from tests.integration.support import NOW, new_sample, store

RULE = '[[alerts]]\nname = "slow"\nmetric = "slow_share"\nslow_ms = 500\nabove = 0.1\nfor = "0s"\n'
SLO = '[[slos]]\nname = "fast"\nmetric = "slow_share"\nslow_ms = 500\nobjective = 0.99\n'
SOON = NOW + timedelta(seconds=5)


def fill(database: Database, prefix: str, latencies: list[float | None], **changes: Any) -> None:
    """One sample a latency; None: it says nothing of it."""
    store(
        database,
        *[
            new_sample(f"{prefix}{number}", details={} if latency is None else {"latency_ms": latency}, **changes)
            for number, latency in enumerate(latencies)
        ],
    )


def read(database: Database, **changes: Any) -> dict[tuple[str, ...], Reading]:
    rule = AlertRule.model_validate(
        {"name": "slow", "metric": "slow_share", "slow_ms": 500, "above": 0.1, "confidence": 0.95} | changes
    )
    with database.read() as connection:
        return dict(read_rule(connection, rule, "default", SOON))


def test_a_share_by_weight(database: Database) -> None:
    """Each for what it stands for; 500 ms is not over 500 ms; what says nothing is in coverage alone."""
    fill(database, "a", [500.0, 501, 20, 30], inclusion_probability=1.0)
    fill(database, "b", [900.5, 10], inclusion_probability=0.25)
    fill(database, "c", [None] * 2)
    fill(database, "left-out", [9_000.0], in_rate=False)
    (found,) = read(database).values()
    assert found.value == pytest.approx((1 + 4) / (4 + 8))
    assert found.coverage == pytest.approx(6 / 8)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 5 / 12 < found.high


def test_groups_and_parts(database: Database) -> None:
    """By dimension, and of some values only."""
    fill(database, "a", [600.0, 10], route="search", release="r1")
    fill(database, "b", [10.0, 10], route="faq", release="r1")
    fill(database, "c", [600.0], route="faq", release="r2")
    found = read(database, group_by=["route"], match={"release": "r1"})
    assert {group: each.value for group, each in found.items()} == {("search",): 0.5, ("faq",): 0.0}


def test_without_any_latency_nothing_is_known(database: Database) -> None:
    """Null, not 0; and nothing at all where nothing came."""
    assert read(database) == {WHOLE: Reading()}
    fill(database, "a", [None] * 40)
    (found,) = read(database).values()
    assert (found.value, found.effective_n, found.coverage) == (None, 0.0, 0.0)


def test_sessions_count_as_one(database: Database) -> None:
    """Ten answers of a slow session are not ten witnesses."""
    fill(database, "a", [600.0 if n < 20 else 10 for n in range(200)])
    (alone,) = read(database).values()
    for session in range(20):
        slow = 600.0 if session < 2 else 10.0
        fill(database, f"s{session}-", [slow] * 10, route="s", session_id=f"s{session}")
    (together,) = read(database, match={"route": "s"}).values()
    assert together.value == alone.value == pytest.approx(0.1)
    assert together.high is not None
    assert alone.high is not None
    assert together.high > alone.high + 0.05


def test_of_very_many_some_are_read(database: Database) -> None:
    """A third here, each for three, whatever pattern is in the traffic: the share stays what it is, and says less."""
    fill(database, "a", [600.0 if n % 3 == 0 else 10 for n in range(900)])
    stretch = Stretch(tenant="default", start=NOW, end=NOW + timedelta(hours=1), width_s=3_600, group_by=())
    with database.read() as connection:
        (every,) = read_latencies(connection, stretch, 500, 900).values()
        (some,) = read_latencies(connection, stretch, 500, 300).values()
    assert (every.samples, some.samples) == (900, pytest.approx(300, abs=3))
    whole, part = (estimate(each.cells, 0.95, each.clusters) for each in (every, some))
    assert part.rate == pytest.approx(whole.rate, abs=0.02)
    assert part.effective_n == pytest.approx((whole.effective_n or 0) / 3, rel=0.05)


def test_a_rule_fires_and_names_the_route(database: Database, tmp_path: Path) -> None:
    """With what is slow in the notice."""
    watch = watched(database, tmp_path / "alerts.toml", RULE)
    fill(database, "a", [900.0] * 60, route="search")
    fill(database, "b", [9.0] * 60, route="faq")
    watch.look(seconds=5)
    assert watch.states() == {("slow",): State.FIRING}
    assert watch.last.slow_ms == 500
    assert (watch.last.worst[0].dimension, watch.last.worst[0].value) == ("route", "search")
    assert watch.last.examples == ()


def test_99_percent_of_answers_under_500_ms(database: Database) -> None:
    """An objective has a budget, and rules that burn."""
    policy = parse_policy(SLO)
    assert {rule.slow_ms for rule in policy.alert_rules} == {500}
    fill(database, "a", [600.0] + [10.0] * 199)
    answer = answer_slos(database, policy, "default", SOON)
    (slo,) = answer.slos
    assert slo.rate == pytest.approx(0.005)
    assert slo.budget_left == pytest.approx(0.5)
    assert [burn.burn_long for burn in slo.burn] == pytest.approx([0.5] * 3)
    assert slo.burn[0].warning is not None  # 200 in a day are none in 5 minutes


@pytest.mark.parametrize("text", [RULE.replace("slow_ms = 500\n", ""), SLO.replace("slow_ms = 500\n", "")])
def test_what_is_slow_must_be_said(text: str) -> None:
    """There is no default that would fit anybody."""
    with pytest.raises(Exception, match="`slow_share` and `slow_ms` go together"):
        parse_policy(text)
