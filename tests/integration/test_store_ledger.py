"""The ledger in the store: each flush counts once, and flushes add up."""

from datetime import timedelta

from sqlalchemy import func, select

from service.core.db import Database
from service.core.store.ledger import Flush, add_flush
from service.core.store.rollups import Place
from service.core.tables import Outcome, rollup_deltas
from tests.integration.support import NOW, in_threads

KEY = Place(
    minute=NOW,
    tenant="default",
    outcome=Outcome.SAMPLED_OUT,
    stratum="default",
    inclusion_probability=0.05,
)


def add(database: Database, replica: str, sequence: int, counts: dict[Place, int]) -> bool:
    with database.write() as connection:
        return add_flush(connection, Flush(replica=replica, sequence=sequence, counts=counts), NOW)


def total(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.coalesce(func.sum(rollup_deltas.c.number), 0))).scalar_one())


def test_a_flush_is_counted(database: Database) -> None:
    """A new flush adds its counts."""
    assert add(database, "r1", 1, {KEY: 3})
    assert total(database) == 3


def test_a_retried_flush_counts_once(database: Database) -> None:
    """The same (replica, sequence) is counted once, whatever it carries the second time."""
    add(database, "r1", 1, {KEY: 3})
    assert not add(database, "r1", 1, {KEY: 3})
    assert not add(database, "r1", 1, {KEY: 100})
    assert total(database) == 3


def test_flushes_of_one_replica_add_up(database: Database) -> None:
    """The next sequence number adds to the same row."""
    add(database, "r1", 1, {KEY: 3})
    add(database, "r1", 2, {KEY: 4})
    assert total(database) == 7


def test_replicas_add_up(database: Database) -> None:
    """Two sidecars with the same sequence numbers do not shadow each other."""
    add(database, "r1", 1, {KEY: 3})
    add(database, "r2", 1, {KEY: 4})
    assert total(database) == 7


def test_keys_are_counted_apart(database: Database) -> None:
    """Every field of a key keeps its own count."""
    others = [
        KEY._replace(minute=NOW + timedelta(minutes=1)),
        KEY._replace(tenant="two"),
        KEY._replace(outcome=Outcome.DUPLICATE),
        KEY._replace(stratum="s"),
        KEY._replace(inclusion_probability=0.1),
        KEY._replace(model="m"),
        KEY._replace(release="r"),
        KEY._replace(prompt_version="p"),
        KEY._replace(route="o"),
    ]
    add(database, "r1", 1, dict.fromkeys((KEY, *others), 2))
    add(database, "r1", 2, dict.fromkeys((KEY, *others), 1))
    with database.read() as connection:
        names = [rollup_deltas.c[name] for name in ("start", *Place._fields[1:])]
        counts = connection.execute(select(func.sum(rollup_deltas.c.number)).group_by(*names)).scalars().all()
    assert counts == [3] * 10


def test_a_failed_flush_leaves_nothing(database: Database) -> None:
    """Mark and counts are one transaction: what is rolled back can be sent again."""
    flush = Flush(replica="r1", sequence=1, counts={KEY: 3})
    with database.engine.connect() as connection:
        add_flush(connection, flush, NOW)
        connection.rollback()
    assert add(database, "r1", 1, {KEY: 3})
    assert total(database) == 3


def test_flushes_at_once_neither_block_nor_get_lost(database: Database) -> None:
    """Threads that add to the same rows in opposite order all come through, and everything adds up."""
    keys = [KEY._replace(route=f"route-{n}") for n in range(30)]

    def work(number: int) -> None:
        for sequence in range(10):
            ordered = keys if (number + sequence) % 2 else keys[::-1]
            assert add(database, f"r{number}", sequence, dict.fromkeys(ordered, 1))

    in_threads(4, work)
    assert total(database) == 4 * 10 * 30


def test_one_flush_from_two_threads_counts_once(database: Database) -> None:
    """A retry that overtakes the first try does not count twice."""
    answers: list[bool] = []
    in_threads(2, lambda _number: answers.append(add(database, "r1", 1, {KEY: 3})))
    assert sorted(answers) == [False, True]
    assert total(database) == 3
