"""Alerts when things go wrong: rules too many for one transaction, a tenant that fails, clocks set back, groupings changed."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from service.core.alert_tables import Delivery
from service.core.alerting.machine import State
from service.core.db import Database
from service.core.store.alerts import incident_of
from service.core.store.outbox import end_delivery, take_due
from service.core.store.silences import Silence, add_silence
from tests.integration.alerting import HOOK, RULE, Watched, watched
from tests.integration.support import statements
from workers.alerts import evaluator

BY_ROUTE = RULE.replace('for = "0s"', 'for = "0s"\ngroup_by = ["route"]')
PAGER = HOOK.replace('"hook"', '"pager"')
MANY = "".join(RULE.replace('"made-up"', f'"rule-{number}"') for number in range(5))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "alerts.toml"


def silence(watch: Watched, minutes: float) -> None:
    now = watch.clock.now
    made = Silence(
        rule=None,
        group={},
        reason="works",
        created_by="mira",
        created_at=now,
        ends_at=now + timedelta(minutes=minutes),
    )
    with watch.database.write() as connection:
        add_silence(connection, "default", made)


class TestManyRules:
    def test_a_few_at_a_time(self, database: Database, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """However they are divided: each fires, is resolved, and is forgotten when it is removed."""
        monkeypatch.setattr(evaluator, "SETTLED_AT_ONCE", 2)
        watch = watched(database, file, MANY + HOOK)
        watch.add(100, 60)
        watch.look()
        assert set(watch.states().values()) == {State.FIRING}
        assert len(watch.states()) == 5
        watch.policy(MANY.replace("0.1", "0.9").replace('"rule-4"', '"another"') + HOOK)
        watch.look(minutes=1)
        watch.look(minutes=5)
        ended = {each.notice.rule: each.notice.reason for each in watch.events() if each.notice.event == "resolved"}
        assert ended == {**{f"rule-{number}": None for number in range(4)}, "rule-4": "rule_removed"}
        assert set(watch.states()) == {*((f"rule-{number}",) for number in range(4)), ("another",)}

    def test_groups_are_written_together(self, database: Database, file: Path) -> None:
        """Of many groups no more statements are made than of few: writers wait meanwhile."""
        watch = watched(database, file, BY_ROUTE)
        counts = []
        for size in (2, 30):
            for route in range(size):
                watch.add(5, 0, route=f"r{route}")
            with statements(database) as seen:
                watch.look()
            counts.append(len(seen))
        assert len(watch.states()) == 30
        assert counts[1] <= counts[0] + 2


class TestFailures:
    def test_a_tenant_that_fails_holds_up_no_other(
        self, database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A bug that one tenant's states cause must not keep the rest from being told."""
        watch = watched(database, file, RULE + HOOK)
        for tenant in ("a", "b"):
            watch.add(100, 60, tenant=tenant)
        read_silences = evaluator.read_silences

        def fail(connection: Any, tenant: str, now: Any) -> Any:
            if tenant == "a":
                raise ValueError("a bug")
            return read_silences(connection, tenant, now)

        monkeypatch.setattr(evaluator, "read_silences", fail)
        watch.look()
        assert watch.events("a") == []
        assert [each.notice.event for each in watch.events("b")] == ["firing"]

    def test_without_evidence_it_is_told_all_the_same(
        self, database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The rate is what matters; examples are beside the point."""
        monkeypatch.setattr(evaluator, "read_examples", lambda *_: 1 / 0)
        watch = watched(database, file, RULE + HOOK)
        watch.add(100, 60)
        watch.look()
        assert watch.told() == [("firing", ["hook"])]
        assert watch.last.examples == ()


class TestClocks:
    def test_set_back_after_an_incident(self, database: Database, file: Path) -> None:
        """The next one's end goes to whom it was told, not to whoever was told of one that lies ahead now."""
        watch = watched(database, file, RULE + 'sinks = ["hook"]\n' + HOOK + PAGER)
        watch.add(100, 60)
        watch.look()
        watch.policy(RULE.replace("0.1", "0.9") + 'sinks = ["hook"]\n' + HOOK + PAGER)
        watch.look(minutes=1)
        watch.look(minutes=5)
        watch.clock.move(minutes=-30)
        watch.add(100, 90)
        watch.policy(RULE + 'sinks = ["pager"]\n' + HOOK + PAGER)
        watch.look(seconds=1)
        watch.policy(HOOK + PAGER)
        watch.look(minutes=1)
        in_order = sorted(watch.events(), key=lambda each: each.notice.seq)
        told = [(each.notice.event.value, [row.sink for row in each.deliveries]) for each in in_order]
        assert told == [
            ("firing", ["hook"]),
            ("resolved", ["hook"]),
            ("firing", ["pager"]),
            ("resolved", ["pager"]),
        ]

    def test_a_rule_whose_grouping_changes(self, database: Database, file: Path) -> None:
        """The end is told of the group that fired, by the name that it was told by."""
        watch = watched(database, file, BY_ROUTE + HOOK)
        watch.add(100, 60, route="a", model="m")
        watch.look()
        watch.policy(BY_ROUTE.replace('"route"', '"model"') + HOOK)
        watch.look(minutes=1)
        watch.look(minutes=6)
        ended = [each.notice for each in watch.events() if each.notice.event == "resolved"]
        assert [(notice.group, notice.incident) for notice in ended] == [
            ({"route": "a"}, incident_of("default", "made-up", ("a",)))
        ]


class TestSilences:
    def test_what_goes_on_is_not_written_at_each_look(self, database: Database, file: Path) -> None:
        """A silence of months over what should be told again must not fill the history; after it, it is told."""
        watch = watched(database, file, RULE + 'renotify = "2m"\n' + HOOK)
        watch.add(100, 60)
        watch.look()
        silence(watch, 20)
        for _ in range(9):
            watch.look(minutes=2)
        assert watch.told() == [("firing", ["hook"])]
        watch.look(minutes=3)
        assert watch.told() == [("firing", ["hook"]), ("still_firing", ["hook"])]

    def test_what_becomes_worse_in_one_is_told_after_it(self, database: Database, file: Path) -> None:
        """That there was no data was told; that it fires since is news."""
        watch = watched(database, file, RULE + HOOK)
        watch.add(1, 0)
        watch.look()
        watch.look(hours=2)
        assert watch.told() == [("no_data", ["hook"])]
        silence(watch, 10)
        watch.add(100, 60)
        watch.look(minutes=1)
        watch.look(minutes=10)
        assert watch.told() == [("no_data", ["hook"]), ("firing", []), ("firing", ["hook"])]


class TestOutbox:
    def test_of_one_incident_in_order(self, database: Database, file: Path) -> None:
        """An end is not told before the beginning, whoever tells it."""
        watch = watched(database, file, RULE + HOOK)
        watch.add(100, 60)
        watch.look()
        watch.policy(HOOK)
        watch.look(minutes=1)
        now = watch.clock.now
        with database.write() as connection:
            (first,) = take_due(connection, now, 60, 10)
        with database.write() as connection:
            assert take_due(connection, now, 60, 10) == []
            assert end_delivery(connection, first, Delivery.DELIVERED, now)
        with database.write() as connection:
            (second,) = take_due(connection, now, 60, 10)
        assert [each.notice.event for each in (first, second)] == ["firing", "resolved"]
