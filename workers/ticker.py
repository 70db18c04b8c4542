"""The ticker: a thread of each worker that works without Redis: it sweeps, folds, rings, and drains what nobody rang for."""

import threading
import time
from datetime import timedelta
from uuid import uuid4

from redis.exceptions import RedisError
from sqlalchemy import Connection

from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import AssayError
from service.core.log import log, where
from service.core.metrics import WorkerMetrics
from service.core.queue import Doorbell
from service.core.review_tables import Place
from service.core.store.golden_taking import any_golden, end_impossible_golden_leases
from service.core.store.leases import acquire
from service.core.store.ledger import forget_flushes
from service.core.store.probes import ROUNDS_KEPT, forget_rounds
from service.core.store.rescoring import any_rescores
from service.core.store.reviews import any_reviews
from service.core.store.rollups import fold, forget_minutes
from service.core.store.taking import any_takeable, end_impossible_leases, give_up
from workers.pipeline import Pipeline
from workers.progress import Progress
from workers.retention import Retention
from workers.review_sweep import ReviewSweep

LEASE_NAME = "ticker"
FORGET_EVERY_S = 3_600.0
FLUSHES_KEPT = timedelta(days=30)  # far longer than any sender tries
LEASES_EVERY_S = 30.0  # a look at every pending row
FOLDED_AT_ONCE = 2_000  # deltas in a transaction: a writer of SQLite waits meanwhile
MINUTES_AT_ONCE = 500
LEASE_TICKS = 3  # ticks after which a silent holder loses the election


class Ticker:
    """Ticks every few seconds; one worker at a time, elected by a lease, does what needs doing once."""

    def __init__(  # noqa: PLR0913 - the parts that it drives
        self,
        *,
        database: Database,
        doorbell: Doorbell,
        pipeline: Pipeline,
        progress: Progress,
        metrics: WorkerMetrics,
        interval_s: float,
        retention: Retention | None = None,
        reviews: ReviewSweep | None = None,
    ) -> None:
        """Starts nothing yet."""
        self._database = database
        self._doorbell = doorbell
        self._pipeline = pipeline
        self._progress = progress
        self._metrics = metrics
        self._interval_s = interval_s
        self._retention = retention
        self._reviews = reviews
        self._name = uuid4().hex
        self._leases_looked_at = float("-inf")
        self._forgotten_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def start(self) -> None:
        """Starts ticking."""
        self._thread.start()

    def join(self) -> None:
        """Waits for the last tick, after a stop was requested."""
        self._thread.join()

    def _run(self) -> None:
        while True:
            if self._pipeline.idle:  # while it drains, only its own progress counts
                self._progress.beat()
            try:
                self.tick()
            except AssayError as error:
                self._metrics.ticks.labels("failed").inc()
                log.warning("tick_failed", error=error.code)
            except Exception as error:  # noqa: BLE001 - the thread must live: the next tick tries again
                self._metrics.ticks.labels("failed").inc()
                log.error("tick_failed", error=where(error))
            else:
                self._metrics.ticks.labels("done").inc()
            if self._progress.wait(self._interval_s):
                return

    def tick(self) -> None:
        """One look at the table. Raises StoreUnavailableError."""
        with self._database.write() as connection:
            leads = acquire(connection, LEASE_NAME, self._name, LEASE_TICKS * self._interval_s)
            given_up = give_up(connection, utc_now()) if leads else 0
            self._end_impossible_leases(connection, leads=leads)
        if given_up:
            self._metrics.given_up.inc(given_up)
            log.warning("rows_given_up", rows=given_up)
        if leads:
            self._fold()
            self._forget()
        if leads and self._retention:
            self._retention.sweep()
        if leads and self._reviews:
            self._reviews.sweep()
        with self._database.read() as connection:
            waiting = (
                any_takeable(connection)
                or any_rescores(connection, self._pipeline.fingerprint)
                or any_reviews(connection, Place.LOCAL)
                or any_golden(connection)
            )
        if waiting and leads:
            self._ring()
        if waiting or self._pipeline.probes_due:
            self._pipeline.drain()

    def _fold(self) -> None:
        deadline = time.monotonic() + self._interval_s
        while time.monotonic() < deadline:
            with self._database.write() as connection:
                folded = fold(connection, FOLDED_AT_ONCE)
            self._metrics.folded.inc(folded)
            if folded < FOLDED_AT_ONCE:
                return

    def _forget(self) -> None:
        """Deletes what nobody needs any more: names of flushes, rounds of probes, sums by minute."""
        if time.monotonic() - self._forgotten_at < FORGET_EVERY_S:
            return
        self._forgotten_at = time.monotonic()
        with self._database.write() as connection:
            forget_flushes(connection, utc_now() - FLUSHES_KEPT)
            forget_rounds(connection, utc_now() - ROUNDS_KEPT)
        while True:
            with self._database.write() as connection:
                if forget_minutes(connection, utc_now(), MINUTES_AT_ONCE) == 0:
                    return

    def _end_impossible_leases(self, connection: Connection, *, leads: bool) -> None:
        if not leads or time.monotonic() - self._leases_looked_at < LEASES_EVERY_S:
            return
        self._leases_looked_at = time.monotonic()
        lease_s = self._pipeline.lease_s
        if ended := end_impossible_leases(connection, lease_s) + end_impossible_golden_leases(connection, lease_s):
            log.warning("leases_ended", rows=ended, reason="the database's clock was set back")

    def _ring(self) -> None:
        try:
            self._doorbell.ring()
        except RedisError as error:
            log.debug("doorbell_failed", error=type(error).__name__)
