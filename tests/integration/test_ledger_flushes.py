"""The sidecar's ledger: counts kept in memory reach the table exactly once, whatever the database does."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from prometheus_client import Gauge
from sqlalchemy import Connection, func, select

from service.core.db import Database
from service.core.errors import StoreUnavailableError
from service.core.metrics import SidecarMetrics
from service.core.store.rollups import OTHER, Place
from service.core.tables import Outcome, ledger_flushes, rollup_deltas
from service.ledger import MAX_KEYS, Ledger
from tests.integration.support import NOW, in_threads
from tests.servers import wait_for

KEY = Place(
    minute=NOW,
    tenant="default",
    outcome=Outcome.SAMPLED_OUT,
    stratum="default",
    inclusion_probability=0.05,
)


class FailingDatabase(Database):
    """A database that fails as many writes as told: before the commit, or after it, when only the answer is lost."""

    before = 0
    after = 0

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may fail."""
        if self.before:
            self.before -= 1
            raise StoreUnavailableError
        with super().write() as connection:
            yield connection
        if self.after:
            self.after -= 1
            raise StoreUnavailableError


@pytest.fixture
def failing(database: Database) -> Iterator[FailingDatabase]:
    made = FailingDatabase(database.engine.url.render_as_string(hide_password=False))
    yield made
    made.close()


@pytest.fixture
def unflushed() -> Gauge:
    return SidecarMetrics().unflushed


@pytest.fixture
def make_ledger(failing: FailingDatabase, unflushed: Gauge) -> Callable[[float], Ledger]:
    return lambda interval_s: Ledger(failing, interval_s, unflushed)


def total(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.coalesce(func.sum(rollup_deltas.c.number), 0))).scalar_one())


def flushes(database: Database) -> list[int]:
    with database.read() as connection:
        statement = select(ledger_flushes.c.sequence).order_by(ledger_flushes.c.sequence)
        return list(connection.execute(statement).scalars())


def test_counts_are_flushed_by_themselves(make_ledger: Callable[[float], Ledger], database: Database) -> None:
    """After the interval the counts are in the table; without counts nothing is written."""
    counting = make_ledger(0.02)
    counting.start()
    counting.count(KEY)
    counting.count(KEY)
    wait_for(lambda: total(database) == 2)
    written = flushes(database)
    time.sleep(0.1)
    counting.stop()
    assert flushes(database) == written


def test_a_stop_flushes_what_is_left(make_ledger: Callable[[float], Ledger], database: Database) -> None:
    """A sidecar that is stopped in order loses no count."""
    counting = make_ledger(60)
    counting.start()
    for _ in range(7):
        counting.count(KEY)
    counting.stop()
    assert total(database) == 7


def test_a_failed_flush_is_tried_again(
    make_ledger: Callable[[float], Ledger], failing: FailingDatabase, database: Database
) -> None:
    """Counts that could not be written stay, and what comes meanwhile is added."""
    failing.before = 3
    counting = make_ledger(0.02)
    counting.start()
    counting.count(KEY)
    wait_for(lambda: failing.before == 0)
    counting.count(KEY)
    counting.stop()
    assert total(database) == 2


def test_a_lost_answer_counts_once(
    make_ledger: Callable[[float], Ledger], failing: FailingDatabase, database: Database
) -> None:
    """A flush that was committed without the sidecar learning of it is sent again unchanged, and counts once."""
    failing.after = 2
    counting = make_ledger(0.02)
    counting.start()
    for _ in range(5):
        counting.count(KEY)
    wait_for(lambda: failing.after == 0)
    for _ in range(3):
        counting.count(KEY)
    counting.stop()
    assert total(database) == 8
    assert flushes(database) == list(range(1, len(flushes(database)) + 1))


def test_what_is_not_flushed_is_shown(
    make_ledger: Callable[[float], Ledger], failing: FailingDatabase, unflushed: Gauge
) -> None:
    """While the database fails, a gauge says how many counts wait in memory; then it is 0 again."""
    failing.before = 5
    counting = make_ledger(0.05)
    counting.start()
    for _ in range(4):
        counting.count(KEY)
    wait_for(lambda: unflushed._value.get() == 4)
    wait_for(lambda: unflushed._value.get() == 0)
    counting.stop()


def test_counting_and_flushing_at_once(make_ledger: Callable[[float], Ledger], database: Database) -> None:
    """Four threads that count while flushes run lose nothing."""
    counting = make_ledger(0.001)
    counting.start()

    def work(number: int) -> None:
        for n in range(500):
            counting.count(KEY._replace(route=f"route-{(n + number) % 7}"))

    in_threads(4, work)
    counting.stop()
    assert total(database) == 2_000


def test_two_sidecars_add_up(make_ledger: Callable[[float], Ledger], database: Database) -> None:
    """Replicas that count the same things do not overwrite each other."""
    replicas = [make_ledger(60) for _ in range(2)]
    for counting in replicas:
        counting.start()
        counting.count(KEY)
    for counting in replicas:
        counting.stop()
    assert total(database) == 2
    assert flushes(database) == [1, 1]


def test_too_many_keys_lose_their_groups_not_their_counts(
    make_ledger: Callable[[float], Ledger], database: Database
) -> None:
    """Beyond the limit of distinct keys the groups become one; the sum and all that rates weigh by stays right."""
    counting = make_ledger(60)
    counting.start()
    for n in range(MAX_KEYS + 50):
        counting.count(KEY._replace(route=f"route-{n}"))
    counting.stop()
    assert total(database) == MAX_KEYS + 50
    with database.read() as connection:
        found = connection.execute(select(rollup_deltas).where(rollup_deltas.c.route == OTHER)).one()
    assert (found.number, found.tenant, found.inclusion_probability) == (50, "default", 0.05)


def test_a_label_that_the_database_refuses_holds_up_no_count(database: Database, unflushed: Gauge) -> None:
    """A flush with such a label is counted without its groups, once, and the flushes after it go on."""
    counts = Ledger(database, 0.05, unflushed)
    counts.start()
    counts.count(KEY._replace(model="\ud800"))
    counts.count(KEY._replace(model="fine"))
    time.sleep(0.2)
    counts.count(KEY._replace(model="later"))
    counts.stop()
    with database.read() as connection:
        rows = connection.execute(select(rollup_deltas.c.model, rollup_deltas.c.number)).all()
    assert {row.model: row.number for row in rows} == {OTHER: 2, "later": 1}


def test_labels_without_end_fill_no_table(database: Database, unflushed: Gauge) -> None:
    """Callers who make up labels get so many rows a minute, however often it is flushed; all are counted."""
    kept = Ledger(database, 0.05, unflushed)
    kept.start()
    for half in range(2):
        for n in range(MAX_KEYS * 3 // 4):
            kept.count(KEY._replace(route=f"r-{half}-{n}"))
        wait_for(lambda: unflushed._value.get() == 0 and not kept._counts, seconds=20)
    kept.count(KEY._replace(minute=NOW + timedelta(minutes=1), route="another minute"))
    kept.stop()
    assert total(database) == 2 * (MAX_KEYS * 3 // 4) + 1
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(rollup_deltas)).scalar_one() == MAX_KEYS + 2
