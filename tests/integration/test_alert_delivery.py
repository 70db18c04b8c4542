"""The outbox: what was decided is told at least once, whatever dies, and of one incident in order."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from service.core.alert_tables import Delivery, alert_deliveries
from service.core.clock import EPOCH
from service.core.db import Database
from service.core.metrics import WorkerMetrics
from service.core.store.outbox import count_waiting, end_delivery, take_due
from tests.integration.alerting import RULE, Watched, watched
from tests.integration.support import in_threads
from tests.receiver import Receiver
from workers.alerts.delivery import GIVEN_UP_AFTER, LEASE_S, Deliverer, rest_after
from workers.policy_file import PolicyFile
from workers.progress import Progress


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def sink(name: str, receiver: Receiver) -> str:
    url = f"http://127.0.0.1:{receiver.port}/{name}"
    return f'[[sinks]]\nname = "{name}"\ntype = "webhook"\nurl = "{url}"\nallow_private = true\n'


@pytest.fixture
def firing(database: Database, tmp_path: Path, receiver: Receiver) -> Watched:
    """One event that one sink is to be told."""
    watch = watched(database, tmp_path / "alerts.toml", RULE + sink("hook", receiver))
    watch.add(100, 60)
    watch.look()
    return watch


def deliverer(watch: Watched) -> Deliverer:
    return Deliverer(
        database=watch.database,
        policy_file=PolicyFile(watch.file),
        metrics=WorkerMetrics(),
        progress=Progress(None),
        public_url="https://assay.example.org",
        clock=watch.clock,
    )


def resolve(watch: Watched) -> None:
    watch.clock.move(minutes=61)
    watch.add(100, 0)
    watch.look()
    watch.look(minutes=6)


def rows(database: Database) -> list[tuple[str, int, str | None]]:
    """State, attempts and error of each delivery, oldest first."""
    statement = select(alert_deliveries).order_by(alert_deliveries.c.event_seq, alert_deliveries.c.sink)
    with database.read() as connection:
        return [(row.state, row.attempts, row.error) for row in connection.execute(statement)]


class TestTelling:
    def test_once_where_all_is_well(self, firing: Watched, receiver: Receiver) -> None:
        """With what the notice holds, and links that begin with the public address."""
        telling = deliverer(firing)
        assert telling.deliver_one()
        assert not telling.deliver_one()
        (request,) = receiver.came
        assert request.json["event"] == "firing"
        assert request.json["seq"] == firing.last.seq
        assert request.json["examples"][0]["url"].startswith("https://assay.example.org/score/")
        assert rows(firing.database) == [(Delivery.DELIVERED, 1, None)]

    def test_again_and_again_until_it_is_taken(self, firing: Watched, receiver: Receiver) -> None:
        """Each time later, with the same idempotency key."""
        telling = deliverer(firing)
        receiver.status = 503
        assert telling.deliver_one()
        assert not telling.deliver_one()  # it rests
        firing.clock.move(seconds=rest_after(1).total_seconds())
        assert telling.deliver_one()
        assert not telling.deliver_one()
        firing.clock.move(seconds=rest_after(1).total_seconds())
        assert not telling.deliver_one()  # twice as long
        receiver.status = 200
        firing.clock.move(seconds=rest_after(2).total_seconds())
        assert telling.deliver_one()
        assert len({request.headers["idempotency-key"] for request in receiver.came}) == 1
        assert rows(firing.database) == [(Delivery.DELIVERED, 3, None)]

    def test_a_sink_says_when(self, firing: Watched, receiver: Receiver) -> None:
        """`Retry-After` is kept."""
        receiver.status, receiver.headers = 429, {"Retry-After": "120"}
        telling = deliverer(firing)
        telling.deliver_one()
        receiver.status = 200
        firing.clock.move(seconds=119)
        assert not telling.deliver_one()
        firing.clock.move(seconds=2)
        assert telling.deliver_one()

    def test_the_end_waits_for_the_beginning(self, firing: Watched, receiver: Receiver) -> None:
        """A pager that hears `resolved` first would stay open for ever."""
        receiver.status = 500
        telling = deliverer(firing)
        telling.deliver_one()
        resolve(firing)
        assert firing.told()[-1][0] == "resolved"
        receiver.status = 200
        while telling.deliver_one():
            pass
        assert [request.json["event"] for request in receiver.came] == ["firing", "firing", "resolved"]

    def test_a_sink_that_is_down_holds_up_no_other(
        self, database: Database, tmp_path: Path, receiver: Receiver
    ) -> None:
        """Each has its own deliveries."""
        with Receiver(status=500) as broken:
            watch = watched(database, tmp_path / "alerts.toml", RULE + sink("broken", broken) + sink("hook", receiver))
            watch.add(100, 60)
            watch.look()
            telling = deliverer(watch)
            while telling.deliver_one():
                pass
        assert len(receiver.came) == 1
        assert {row[0] for row in rows(database)} == {Delivery.DELIVERED, Delivery.WAITING}

    def test_what_is_refused_waits_for_somebody_to_mend_it(self, firing: Watched, receiver: Receiver) -> None:
        """A wrong address is corrected in the policy, and then it is told."""
        receiver.status = 404
        telling = deliverer(firing)
        telling.deliver_one()
        assert rows(firing.database) == [(Delivery.WAITING, 1, "answered 404")]
        with Receiver() as right:
            firing.file.write_text(RULE + sink("hook", right))
            firing.clock.move(minutes=16)
            assert deliverer(firing).deliver_one()
            assert len(right.came) == 1

    def test_given_up_after_a_week(self, firing: Watched, receiver: Receiver) -> None:
        """With the last error, which the history shows."""
        receiver.status = 500
        telling = deliverer(firing)
        firing.clock.move(seconds=GIVEN_UP_AFTER.total_seconds() + 1)
        assert telling.deliver_one()
        assert rows(firing.database) == [(Delivery.FAILED, 1, "answered 500")]

    def test_a_sink_that_is_no_more(self, firing: Watched) -> None:
        """This worker's file may be older than that of the one that decided: it waits, and is given up after a week."""
        text = firing.file.read_text()
        firing.file.write_text(RULE)
        telling = deliverer(firing)
        assert telling.deliver_one()
        assert rows(firing.database) == [(Delivery.WAITING, 1, "the policy has no such sink")]
        firing.clock.move(minutes=16)
        firing.file.write_text(text)
        assert deliverer(firing).deliver_one()
        assert rows(firing.database) == [(Delivery.DELIVERED, 2, None)]

    def test_a_sink_that_is_another_tenants_by_now(self, firing: Watched, receiver: Receiver) -> None:
        """What waits for it is not told to whom it belongs now."""
        firing.file.write_text(firing.file.read_text() + 'tenants = ["other"]\n')
        assert deliverer(firing).deliver_one()
        assert rows(firing.database) == [(Delivery.WAITING, 1, "the policy keeps this tenant's alerts from it")]
        assert receiver.came == []

    def test_a_sink_that_hangs_holds_up_no_other(self, database: Database, tmp_path: Path, receiver: Receiver) -> None:
        """Once it has failed it is left alone, whatever else it is to be told."""
        rule = RULE.replace('for = "0s"', 'for = "0s"\ngroup_by = ["route"]')
        with Receiver(status=500) as broken:
            watch = watched(database, tmp_path / "alerts.toml", rule + sink("broken", broken) + sink("hook", receiver))
            for number in range(5):
                watch.add(100, 60, route=f"r{number}")
            watch.look()
            telling = deliverer(watch)
            while telling.deliver_one():
                pass
            assert (len(broken.came), len(receiver.came)) == (1, 5)


class TestWhoeverDies:
    def test_between_taking_and_telling(self, firing: Watched, receiver: Receiver) -> None:
        """The lease ends, and another tells it: at least once."""
        with firing.database.write() as connection:
            (_,) = take_due(connection, firing.clock.now, LEASE_S, 1)
        telling = deliverer(firing)
        assert not telling.deliver_one()
        expire(firing.database)
        assert telling.deliver_one()
        assert len(receiver.came) == 1

    def test_between_telling_and_writing_it_down(self, firing: Watched, receiver: Receiver) -> None:
        """It is told twice, with the same key; whoever comes too late writes nothing."""
        with firing.database.write() as connection:
            (due,) = take_due(connection, firing.clock.now, LEASE_S, 1)
        expire(firing.database)
        assert deliverer(firing).deliver_one()
        with firing.database.write() as connection:
            assert not end_delivery(connection, due, Delivery.FAILED, firing.clock.now, "late")
        assert rows(firing.database) == [(Delivery.DELIVERED, 2, None)]
        assert len(receiver.came) == 1

    def test_many_workers_tell_it_once(self, firing: Watched, receiver: Receiver) -> None:
        """Whoever takes it holds it."""
        workers = [deliverer(firing) for _ in range(4)]

        def work(number: int) -> None:
            workers[number].deliver_one()

        in_threads(4, work)
        assert len(receiver.came) == 1
        with firing.database.read() as connection:
            assert count_waiting(connection) == 0


def expire(database: Database) -> None:
    """All leases are over."""
    with database.write() as connection:
        connection.execute(update(alert_deliveries).values(lease_until=EPOCH))


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5), (2, 10), (5, 80), (9, 900), (1_000, 900)])
def test_rests_double_up_to_a_quarter_of_an_hour(attempt: int, seconds: int) -> None:
    """However often it was tried."""
    assert rest_after(attempt) == timedelta(seconds=seconds)
