"""Clocks that jump: nothing is lost, counted twice or held up.

A clock set back by some hours is, for every comparison, the same as all stored times being as many hours ahead, and the
other way round; so the stored times are what these tests move.
"""

from datetime import timedelta

import pytest
from sqlalchemy import BigInteger, Table, type_coerce, update

from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database
from service.core.metrics import WorkerMetrics
from service.core.queue import Doorbell, connect
from service.core.store.leases import acquire
from service.core.store.ledger import Flush, add_flush
from service.core.store.rollups import Place
from service.core.store.taking import Finished, finish
from service.core.tables import Outcome, leases, rollup_deltas, samples
from tests.integration.conftest import Start
from tests.integration.support import BY, DEAD_REDIS, LIMITS, NOW, ToldScorer, scored, states, store, submission, take
from tests.integration.support import new_sample as sample
from workers.pipeline import Pipeline
from workers.progress import Progress
from workers.ticker import Ticker

HOURS = 5
MOVED = {"leases": leases.c.until, "samples": samples.c.lease_until}


def set_clock(database: Database, table: Table, hours: int) -> None:
    """Sets the database's clock by so many hours, as far as this table's leases can tell."""
    column = MOVED[table.name]
    with database.write() as connection:
        moved = type_coerce(column, BigInteger) - hours * 3_600_000_000
        connection.execute(update(table).where(column.is_not(None)).values({column: moved}))


def ticker(database: Database, scorer: ToldScorer) -> tuple[Ticker, WorkerMetrics]:
    progress, metrics = Progress(None), WorkerMetrics()
    pipeline = Pipeline(database=database, scorer=scorer, limits=LIMITS, progress=progress, metrics=metrics)
    made = Ticker(
        database=database,
        doorbell=Doorbell(connect(DEAD_REDIS), "q"),
        pipeline=pipeline,
        progress=progress,
        metrics=metrics,
        interval_s=Settings().ticker_interval_s,
    )
    return made, metrics


def test_a_dead_workers_rows_do_not_wait_for_hours(database: Database) -> None:
    """A row whose lease the clock, set back, has put hours ahead is scored at the next tick."""
    store(database, sample("a"))
    assert len(take(database)) == 1  # by a worker that dies now
    set_clock(database, samples, -HOURS)
    ticker(database, ToldScorer())[0].tick()
    assert states(database) == {"a": ("scored", None)}


def test_a_lease_that_is_possible_stays(database: Database) -> None:
    """Where no clock jumped, a tick takes nothing from anybody."""
    store(database, sample("a"))
    taken = take(database)
    made = ticker(database, ToldScorer())[0]
    made.tick()
    assert states(database) == {"a": ("pending", None)}
    with database.write() as connection:
        assert len(finish(connection, [Finished(taken=taken[0], outcome=scored())], BY, NOW)) == 1


@pytest.mark.parametrize("hours", [-HOURS, HOURS])
def test_a_row_scored_by_two_counts_once(database: Database, hours: int) -> None:
    """A worker that is alive and loses its lease to a jump comes too late: one score, one state."""
    store(database, sample("a"))
    early = take(database)
    set_clock(database, samples, hours)
    ticker(database, ToldScorer())[0].tick()
    with database.write() as connection:
        assert finish(connection, [Finished(taken=early[0], outcome=scored())], BY, NOW) == []
    assert states(database) == {"a": ("scored", None)}


@pytest.mark.parametrize("hours", [-HOURS, HOURS])
def test_the_election_goes_on(database: Database, hours: int) -> None:
    """A leader that is gone is replaced at once; one that is there renews its lease, whatever the clock did."""
    with database.write() as connection:
        assert acquire(connection, "ticker", "one", 6)
    set_clock(database, leases, hours)
    with database.write() as connection:
        assert acquire(connection, "ticker", "two", 6)
        assert acquire(connection, "ticker", "two", 6)
        assert not acquire(connection, "ticker", "one", 6)


def test_rows_of_the_future_are_scored_and_counted(start: Start, database: Database) -> None:
    """What came while the clock was ahead is scored now, and found where its time says; no metric runs backwards."""
    running = start(1.0)
    later = utc_now() + timedelta(hours=HOURS)
    store(database, sample("later", received_at=later))
    running.client.post("/score", json=submission("now"))
    text = running.client.get("/metrics").text
    assert not [line for line in text.splitlines() if line.startswith("assay_oldest_pending_seconds -")]
    made, metrics = ticker(database, ToldScorer())
    made.tick()
    assert set(states(database).values()) == {("scored", None)}
    assert (metrics.registry.get_sample_value("assay_wait_seconds_sum") or 0.0) >= 0
    to = (later + timedelta(minutes=2)).isoformat().replace("+", "%2B")
    counts = [
        bucket["counts"]["scored"] for bucket in running.client.get(f"/hallucination-rate?to={to}").json()["buckets"]
    ]
    assert counts == [2]


def test_minutes_that_come_again_add_up(database: Database) -> None:
    """A clock set back writes into minutes that were counted before: they hold the sum, each flush once."""
    key = Place(
        minute=NOW.replace(second=0, microsecond=0),
        tenant="default",
        outcome=Outcome.SAMPLED_OUT,
        stratum="default",
        inclusion_probability=0.5,
    )
    for sequence, moment in enumerate([NOW, NOW + timedelta(hours=HOURS), NOW - timedelta(hours=HOURS)]):
        for _ in range(2):
            with database.write() as connection:
                add_flush(connection, Flush(replica="r", sequence=sequence, counts={key: 3}), moment)
    with database.read() as connection:
        assert sum(row.number for row in connection.execute(rollup_deltas.select())) == 9
