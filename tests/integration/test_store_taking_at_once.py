"""Taking under contention: whatever the order of events, a row has one holder and one score."""

import threading
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from service.core.db import Database
from service.core.store.taking import Finished, finish, release, take_alone, take_fresh
from service.core.tables import samples, scores
from tests.integration.support import BY, LIMITS, NOW, in_threads, new_sample, scored, store, take, take_one_alone

THREADS = 8
ROWS = 240


def pending(database: Database) -> int:
    with database.read() as connection:
        statement = select(func.count()).select_from(samples).where(samples.c.state == "pending")
        return int(connection.execute(statement).scalar_one())


@pytest.mark.parametrize("rows", [1, 7])
def test_fresh_rows_have_one_taker_each(database: Database, rows: int) -> None:
    """Eight threads that take until nothing is left hold every row exactly once."""
    store(database, *[new_sample(f"s-{n}") for n in range(ROWS)])
    taken: Counter[int] = Counter()
    lock = threading.Lock()

    def work(_number: int) -> None:
        while sum(taken.values()) < ROWS:
            held = take(database, replace(LIMITS, rows=rows))
            with lock:
                taken.update(row.seq for row in held)

    in_threads(THREADS, work)
    assert len(taken) == ROWS
    assert set(taken.values()) == {1}


def test_failed_rows_have_one_taker_each(database: Database) -> None:
    """Rows taken alone are held once each, too."""
    store(database, *[new_sample(f"s-{n}") for n in range(64)])
    with database.write() as connection:
        release(connection, take_fresh(connection, LIMITS), failed=True)
    taken: Counter[int] = Counter()
    lock = threading.Lock()

    def work(_number: int) -> None:
        while sum(taken.values()) < 64:
            held = take_one_alone(database)
            with lock:
                taken.update(row.seq for row in held)

    in_threads(THREADS, work)
    assert len(taken) == 64
    assert set(taken.values()) == {1}


def test_every_row_is_scored_once_among_slow_and_failing_workers(database: Database) -> None:
    """Workers that lose leases, fail and give back never lose a row nor score one twice."""
    store(database, *[new_sample(f"s-{n}") for n in range(60)])
    limits = replace(LIMITS, rows=5, lease_s=0.05)
    counted: Counter[int] = Counter()
    lock = threading.Lock()

    def work(number: int) -> None:
        turn = number
        while pending(database):
            turn += 1
            with database.write() as connection:
                rows = take_fresh(connection, limits) or take_alone(connection, replace(limits, lease_s=5))
            if not rows:
                continue
            if turn % 3 == 0 and not rows[0].alone:
                threading.Event().wait(0.06)  # the lease runs out, another may take them, then this one finishes
            if turn % 5 == 0:
                with database.write() as connection:
                    release(connection, rows, failed=not rows[0].alone)
                continue
            with database.write() as connection:
                done = finish(connection, [Finished(taken=row, outcome=scored()) for row in rows], BY, NOW)
            with lock:
                counted.update(row.taken.seq for row in done)

    in_threads(THREADS, work)
    assert set(counted.values()) == {1}
    assert len(counted) == 60
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(scores)).scalar_one() == 60
