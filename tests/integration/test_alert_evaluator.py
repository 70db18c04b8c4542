"""Rules against the database: a team is told once, soon, with the reason, and of the end; whatever happens to rules."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from service.core.alerting.machine import State
from service.core.db import Database
from service.core.store.leases import acquire
from service.core.store.silences import Silence, add_silence, end_silence
from service.core.tables import leases
from tests.integration.alerting import HOOK, RULE, Watched, watched
from tests.integration.support import new_sample, store
from workers.alerts.evaluator import LEASE_NAME

BY_ROUTE = RULE.replace('for = "0s"', 'for = "0s"\ngroup_by = ["route"]')
PAGER = HOOK.replace('"hook"', '"pager"')


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "alerts.toml"


class TestFiring:
    def test_once_and_of_the_end(self, database: Database, file: Path) -> None:
        """It fires at the first look that can say so, is silent while it goes on, and is resolved when it is over."""
        watch = watched(database, file, RULE + HOOK)
        watch.add(100, 40)
        for _ in range(3):
            watch.look(minutes=1)
        assert watch.told() == [("firing", ["hook"])]
        watch.clock.move(minutes=60)  # the bad hour is over
        watch.add(100, 0)
        watch.look()
        watch.look(minutes=6)
        assert watch.told() == [("firing", ["hook"]), ("resolved", ["hook"])]
        assert watch.states() == {("made-up",): State.RESOLVED}

    def test_the_notice_says_what_since_when_and_where(self, database: Database, file: Path) -> None:
        """Interval, counts, the worst groups by every dimension, and flagged claims by their place."""
        watch = watched(database, file, RULE + HOOK)
        watch.add(100, 5, route="good", release="r1")
        watch.add(100, 60, route="bad/1", release="r1")
        watch.look()
        notice = watch.last
        assert notice.reading.value == pytest.approx(0.325)
        assert notice.reading.low is not None
        assert 0.1 < notice.reading.low < 0.325
        assert notice.reading.effective_n == pytest.approx(200)
        assert notice.reading.coverage == 1.0
        assert notice.since == watch.clock.now
        assert notice.worst[0].value == "bad/1"
        assert all(worst.dimension == "route" for worst in notice.worst)  # there is one release only
        assert [example.verdict for example in notice.examples] == ["unsupported"] * 3
        assert {example.claim for example in notice.examples} == {1}  # the greeting is no claim to check
        assert all(example.path == f"/score/{example.sample_id}" for example in notice.examples)

    def test_groups_fire_alone(self, database: Database, file: Path) -> None:
        """One bad route is one incident, with its examples."""
        watch = watched(database, file, BY_ROUTE + HOOK)
        watch.add(100, 2, route="good")
        watch.add(100, 60, route="bad")
        watch.look()
        assert watch.states() == {("made-up", "good"): State.OK, ("made-up", "bad"): State.FIRING}
        assert watch.last.group == {"route": "bad"}
        assert watch.last.examples

    def test_chance_alone_does_not_fire(self, database: Database, file: Path) -> None:
        """11 of 100 is over 10%, and its interval is not."""
        watch = watched(database, file, RULE)
        watch.add(100, 11)
        watch.look()
        assert watch.states() == {("made-up",): State.OK}

    def test_too_few_are_no_verdict(self, database: Database, file: Path) -> None:
        """Ten flagged of ten say nothing that 30 must say."""
        watch = watched(database, file, RULE)
        watch.add(10, 10)
        watch.look()
        assert watch.states() == {("made-up",): State.LOW_COVERAGE}
        assert watch.told() == []

    def test_nothing_at_all_is_told(self, database: Database, file: Path) -> None:
        """No data is not good: somebody is told, and told when it comes again."""
        watch = watched(database, file, RULE + HOOK)
        watch.add(100, 0)
        watch.look()
        watch.look(hours=2)
        assert watch.told() == [("no_data", ["hook"])]
        assert watch.last.reading.value is None
        watch.add(100, 0)
        watch.look(minutes=1)
        assert [event for event, _ in watch.told()] == ["no_data", "resolved"]

    def test_the_queue_has_an_age(self, database: Database, file: Path) -> None:
        """Seconds of the oldest pending sample; 0, not unknown, where none waits."""
        watch = watched(database, file, '[[alerts]]\nname = "q"\nmetric = "queue_age_s"\nabove = 600\nfor = "0s"\n')
        watch.add(1, 0)
        watch.look()
        assert watch.states() == {("q",): State.OK}
        store(database, new_sample("waits", received_at=watch.clock.now))
        watch.look(minutes=11)
        assert watch.states() == {("q",): State.FIRING}
        assert watch.last.reading.value == pytest.approx(660)

    def test_both_windows_must_burn(self, database: Database, file: Path) -> None:
        """What is over in the short window does not wake anybody, however bad the long one is."""
        rule = RULE.replace('for = "0s"', 'for = "0s"\nshort_window = "5m"')
        watch = watched(database, file, rule)
        watch.add(100, 60)
        watch.clock.move(minutes=20)
        watch.add(50, 0)
        watch.look()
        assert watch.states() == {("made-up",): State.OK}
        watch.clock.move(minutes=10)
        watch.add(50, 40)
        watch.look()
        assert watch.states() == {("made-up",): State.FIRING}


class TestRulesThatChange:
    def test_a_removed_rule_is_resolved(self, database: Database, file: Path) -> None:
        """Whoever was told that it fires is told that it is no more, and why; then it is forgotten."""
        watch = watched(database, file, RULE + HOOK)
        watch.add(100, 60)
        watch.look()
        watch.policy(HOOK)
        watch.look(minutes=1)
        assert watch.told() == [("firing", ["hook"]), ("resolved", ["hook"])]
        assert watch.last.reason == "rule_removed"
        assert watch.states() == {}
        watch.look(minutes=1)
        assert len(watch.events()) == 2

    def test_a_changed_rule_goes_on_with_its_incident(self, database: Database, file: Path) -> None:
        """Another threshold opens no second incident, and what is good by it is resolved."""
        watch = watched(database, file, RULE + HOOK)
        watch.add(100, 60)
        watch.look()
        watch.policy(RULE.replace("0.1", "0.2") + HOOK)
        watch.look(minutes=1)
        assert len(watch.events()) == 1
        watch.policy(RULE.replace("0.1", "0.9") + HOOK)
        watch.look(minutes=1)
        watch.look(minutes=5)
        assert [event for event, _ in watch.told()] == ["firing", "resolved"]

    def test_the_end_goes_to_whoever_was_told(self, database: Database, file: Path) -> None:
        """Whatever sinks the rule names by then."""
        watch = watched(database, file, RULE + 'sinks = ["hook"]\n' + HOOK + PAGER)
        watch.add(100, 60)
        watch.look()
        watch.policy(RULE.replace("0.1", "0.9") + 'sinks = ["pager"]\n' + HOOK + PAGER)
        watch.look(minutes=1)
        watch.look(minutes=5)
        assert watch.told() == [("firing", ["hook"]), ("resolved", ["hook"])]

    def test_a_group_that_is_gone(self, database: Database, file: Path) -> None:
        """Its incident is resolved once it was quiet for long enough, and it is forgotten; others stay."""
        watch = watched(database, file, BY_ROUTE + HOOK)
        watch.add(100, 60, route="canary")
        watch.add(100, 0, route="search")
        watch.look()
        watch.clock.move(minutes=70)
        watch.add(100, 0, route="search")
        watch.look()
        assert [event for event, _ in watch.told()] == ["firing", "resolved"]
        assert watch.last.reason == "group_gone"
        assert watch.states() == {("made-up", "search"): State.OK}

    def test_silence_of_everything_ends_no_incident(self, database: Database, file: Path) -> None:
        """Where nothing came of any group, that says nothing of the one that fires."""
        watch = watched(database, file, BY_ROUTE)
        watch.add(100, 60, route="bad")
        watch.look()
        watch.look(hours=3)
        watch.look(minutes=1)
        assert watch.states()["made-up", "bad"] is State.FIRING
        assert [event for event, _ in watch.told()] == ["firing", "no_data"]  # the latter of the rule as a whole

    def test_a_broken_file_changes_nothing(self, database: Database, file: Path) -> None:
        """A file that is being written must not resolve what fires."""
        watch = watched(database, file, RULE)
        watch.add(100, 60)
        watch.look()
        watch.policy("[[alerts]]\nname =")
        watch.look(minutes=1)
        assert watch.states() == {("made-up",): State.FIRING}
        assert len(watch.events()) == 1

    def test_an_empty_file_changes_nothing(self, database: Database, file: Path) -> None:
        """It is about to be written: an empty policy would be a valid one, and take all rules for removed."""
        watch = watched(database, file, RULE)
        watch.add(100, 60)
        watch.look()
        watch.policy("")
        watch.look(minutes=1)
        assert watch.states() == {("made-up",): State.FIRING}

    def test_before_the_first_policy_nothing_is_judged(self, database: Database, file: Path) -> None:
        """A worker that cannot read its policy would take all rules for removed."""
        watch = watched(database, file, RULE)
        watch.add(100, 60)
        watch.look()
        other = watched(database, file.with_name("other"), "[[alerts")
        assert other.evaluator.look() is False
        assert watch.states() == {("made-up",): State.FIRING}


class TestTenants:
    def test_each_by_itself(self, database: Database, file: Path) -> None:
        """A tenant's alerts say nothing of another's; a rule may name whom it watches, and a sink whose it gets."""
        watch = watched(database, file, RULE + 'tenants = ["a", "b"]\n' + HOOK + 'tenants = ["a"]\n')
        for tenant, flagged in (("a", 60), ("b", 60), ("c", 60)):
            watch.add(100, flagged, tenant=tenant)
        watch.look()
        assert watch.states("c") == {}
        (of_a,), (of_b,) = watch.events("a"), watch.events("b")
        assert [row.sink for row in of_a.deliveries] == ["hook"]
        assert of_b.deliveries == []
        assert of_a.notice.incident != of_b.notice.incident


def silence(watch: Watched, minutes: float, rule: str | None = None, **group: str) -> int:
    """Its number."""
    now = watch.clock.now
    new = Silence(
        rule=rule,
        group=group,
        reason="works",
        created_by="mira",
        created_at=now,
        ends_at=now + timedelta(minutes=minutes),
    )
    with watch.database.write() as connection:
        return add_silence(connection, "default", new).number


class TestSilences:
    def test_what_is_still_bad_at_its_end_is_told_then(self, database: Database, file: Path) -> None:
        """It is recorded meanwhile, so that nobody wonders later."""
        watch = watched(database, file, RULE + HOOK)
        watch.add(100, 60)
        silence(watch, 10)
        watch.look()
        assert watch.told() == [("firing", [])]
        assert watch.events()[0].silenced
        watch.look(minutes=11)
        assert watch.told() == [("firing", []), ("firing", ["hook"])]
        assert watch.events()[1].notice.since == watch.events()[0].notice.since

    def test_what_is_over_by_then_is_never_told(self, database: Database, file: Path) -> None:
        """Neither its beginning nor its end."""
        watch = watched(database, file, RULE + HOOK)
        watch.add(100, 60)
        silence(watch, 600, "made-up")
        watch.look()
        watch.clock.move(minutes=61)
        watch.add(100, 0)
        watch.look()
        watch.look(minutes=6)
        assert watch.told() == [("firing", []), ("resolved", [])]

    def test_the_end_of_what_was_told_is_told(self, database: Database, file: Path) -> None:
        """A pager that was opened is closed, silence or not."""
        watch = watched(database, file, RULE + HOOK)
        watch.add(100, 60)
        watch.look()
        silence(watch, 600)
        watch.clock.move(minutes=61)
        watch.add(100, 0)
        watch.look()
        watch.look(minutes=6)
        assert watch.told() == [("firing", ["hook"]), ("resolved", ["hook"])]

    def test_only_of_its_group(self, database: Database, file: Path) -> None:
        """Other routes are told as ever."""
        watch = watched(database, file, BY_ROUTE + HOOK)
        watch.add(100, 60, route="a")
        watch.add(100, 60, route="b")
        silence(watch, 600, "made-up", route="a")
        watch.look()
        told = {each.notice.group["route"]: len(each.deliveries) for each in watch.events()}
        assert told == {"a": 0, "b": 1}

    def test_ended_early(self, database: Database, file: Path) -> None:
        """From then on sinks are told."""
        watch = watched(database, file, RULE + HOOK)
        watch.add(100, 60)
        number = silence(watch, 600)
        watch.look()
        with database.write() as connection:
            assert end_silence(connection, "other", number, watch.clock.now) is None
            assert end_silence(connection, "default", number, watch.clock.now) is not None
        watch.look(minutes=1)
        assert watch.told()[-1] == ("firing", ["hook"])


class TestElection:
    def test_whoever_lost_the_lead_writes_nothing(self, database: Database, file: Path) -> None:
        """Another worker has taken over while this one read: what it read counts for nothing."""
        watch = watched(database, file, RULE + HOOK)
        watch.add(100, 60)
        with database.write() as connection:
            assert acquire(connection, LEASE_NAME, "another", 30)
        watch.look()
        assert watch.states() == {}
        assert watch.told() == []

    def test_another_goes_on_where_it_stood(self, database: Database, file: Path) -> None:
        """The state is in the database: the next leader opens no second incident, and ends the first."""
        watch = watched(database, file, RULE + HOOK)
        watch.add(100, 60)
        watch.look()
        with database.write() as connection:
            connection.execute(update(leases).values(until=watch.clock.now.replace(year=2000)))
        other = watched(database, file, RULE + HOOK)
        other.clock.now = watch.clock.now
        other.traffic = watch.traffic
        other.look(minutes=1)
        other.clock.move(minutes=60)
        other.add(100, 0)
        other.look()
        other.look(minutes=6)
        assert other.told() == [("firing", ["hook"]), ("resolved", ["hook"])]
