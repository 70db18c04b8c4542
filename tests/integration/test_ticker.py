"""The ticker: works without Redis, sweeps once for all, rings for what nobody rang for."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import insert, select

from service.core.clock import utc_now
from service.core.db import Database
from service.core.metrics import WorkerMetrics
from service.core.queue import Doorbell, connect
from service.core.store.leases import acquire
from service.core.tables import ledger_flushes
from tests.integration.conftest import Outage
from tests.integration.support import DEAD_REDIS, LIMITS, ToldScorer, new_sample, states, store
from tests.servers import RedisServer, wait_for
from workers.jobs import drain, make_resident
from workers.pipeline import Pipeline
from workers.progress import Progress
from workers.ticker import LEASE_NAME, Ticker

INTERVAL_S = 0.05


class Worker:
    """A ticker with its pipeline."""

    def __init__(self, database: Database, doorbell: Doorbell, scorer: ToldScorer | None = None) -> None:
        self.progress = Progress(None)
        self.metrics = WorkerMetrics()
        self.doorbell = doorbell
        self.scorer = scorer or ToldScorer()
        self.pipeline = Pipeline(
            database=database, scorer=self.scorer, limits=LIMITS, progress=self.progress, metrics=self.metrics
        )
        self.ticker = Ticker(
            database=database,
            doorbell=doorbell,
            pipeline=self.pipeline,
            progress=self.progress,
            metrics=self.metrics,
            interval_s=INTERVAL_S,
        )
        self.started = False

    def start(self) -> None:
        self.started = True
        self.ticker.start()

    def stop(self) -> None:
        self.progress.request_stop()
        if self.started:
            self.ticker.join()

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


MakeWorker = Callable[..., Worker]


@pytest.fixture
def make_worker(database: Database) -> Iterator[MakeWorker]:
    made: list[Worker] = []

    def make(redis_url: str = DEAD_REDIS, scorer: ToldScorer | None = None) -> Worker:
        doorbell = Doorbell(connect(redis_url), f"q-{uuid4().hex}")
        made.append(Worker(database, doorbell, scorer))
        return made[-1]

    yield make
    for worker in made:
        worker.stop()
        worker.doorbell.connection.close()


def test_rows_are_scored_without_redis(make_worker: MakeWorker, database: Database) -> None:
    """With Redis away, a tick finds what is pending and scores it."""
    make_worker().start()
    store(database, new_sample("a"))
    wait_for(lambda: states(database) == {"a": ("scored", None)})


def test_poison_is_given_up_without_redis(make_worker: MakeWorker, database: Database) -> None:
    """The sweep gives up what failed alone too often, and counts it."""
    worker = make_worker()
    store(database, new_sample("bad", response="poison"), new_sample("good"))
    worker.start()
    wait_for(
        lambda: states(database) == {"bad": ("unscored", "failed_alone"), "good": ("scored", None)},
    )
    wait_for(lambda: worker.count("assay_given_up_samples_total") == 1)


def test_a_tick_rings_for_the_others(make_worker: MakeWorker, database: Database, redis_server: RedisServer) -> None:
    """Where rows wait, the leader rings, so that idle workers come to help."""
    worker = make_worker(redis_server.url)
    store(database, new_sample("a"))
    worker.ticker.tick()
    assert worker.doorbell.queue.count == 1


def test_nothing_waiting_rings_nothing(make_worker: MakeWorker, redis_server: RedisServer) -> None:
    """A quiet table keeps the queue empty."""
    worker = make_worker(redis_server.url)
    worker.ticker.tick()
    assert worker.doorbell.queue.count == 0


def test_one_worker_leads(make_worker: MakeWorker, database: Database, redis_server: RedisServer) -> None:
    """Who is not elected neither sweeps nor rings, but scores what it finds."""
    first, second = make_worker(redis_server.url), make_worker(redis_server.url)
    first.ticker.tick()
    store(database, new_sample("a"))
    second.ticker.tick()
    assert second.doorbell.queue.count == 0
    assert states(database) == {"a": ("scored", None)}


@pytest.mark.timed
def test_another_leads_when_the_leader_is_silent(make_worker: MakeWorker, database: Database) -> None:
    """A dead leader's lease runs out within three ticks, and another sweeps."""
    with database.write() as connection:
        assert acquire(connection, LEASE_NAME, "dead", 3 * INTERVAL_S)
    worker = make_worker()
    store(database, new_sample("bad", response="poison"))
    worker.start()
    wait_for(lambda: states(database) == {"bad": ("unscored", "failed_alone")}, seconds=5)


def test_many_workers_score_each_row_once(make_worker: MakeWorker, database: Database) -> None:
    """Four workers on one table: every row has one score."""
    workers = [make_worker() for _ in range(4)]
    store(database, *[new_sample(f"s-{n}") for n in range(200)])
    for worker in workers:
        worker.start()
    wait_for(lambda: all(state == "scored" for state, _ in states(database).values()), seconds=20)
    seen = [response for worker in workers for call in worker.scorer.calls for response in call]
    assert len(seen) == len(set(seen)) == 200


def test_the_doorbells_job_drains(make_worker: MakeWorker, database: Database) -> None:
    """The job that the queue names scores what is pending, by the resident pipeline."""
    worker = make_worker()
    make_resident(worker.pipeline)
    store(database, new_sample("a"), new_sample("b"))
    assert drain() == 2
    assert drain() == 0


class OddDoorbell(Doorbell):
    """Raises at its first ring what no doorbell should."""

    odd = True

    def ring(self, *, urgent: bool = False) -> bool:
        if self.odd:
            self.odd = False
            raise KeyError
        return super().ring(urgent=urgent)


def test_a_bug_does_not_end_the_ticker(database: Database) -> None:
    """A tick that raises what nobody expected is counted, and the next one goes on."""
    doorbell = OddDoorbell(connect(DEAD_REDIS), f"q-{uuid4().hex}")
    worker = Worker(database, doorbell)
    store(database, new_sample("a"))
    worker.start()
    wait_for(lambda: worker.count("assay_ticks_total", result="failed") == 1)
    wait_for(lambda: states(database)["a"] == ("scored", None))
    worker.stop()
    doorbell.connection.close()


class TestOutage:
    @pytest.fixture
    def database_url(self, breakable_url: str) -> str:
        return breakable_url

    def test_it_outlives_the_database(self, make_worker: MakeWorker, database: Database, outage: Outage) -> None:
        """Ticks fail while the database is away, and are counted; then rows are scored again."""
        worker = make_worker()
        worker.start()
        outage.begin()
        wait_for(lambda: worker.count("assay_ticks_total", result="failed") > 0)
        outage.end()
        store(database, new_sample("a"))
        wait_for(lambda: states(database) == {"a": ("scored", None)})


def test_old_flushes_are_forgotten(make_worker: MakeWorker, database: Database) -> None:
    """Senders come and go: what is remembered of their flushes goes after a month, what is recent stays."""
    with database.write() as connection:
        for sequence, age in enumerate((timedelta(days=31), timedelta(days=29))):
            row = {"replica": "gone", "sequence": sequence, "flushed_at": utc_now() - age}
            connection.execute(insert(ledger_flushes).values(row))
    make_worker().start()
    wait_for(lambda: _flushes(database) == [1])


def _flushes(database: Database) -> list[int]:
    with database.read() as connection:
        return list(connection.execute(select(ledger_flushes.c.sequence)).scalars())
