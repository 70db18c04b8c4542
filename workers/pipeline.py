"""The pipeline of one worker: take rows, score them, finish them; until none is left."""

import threading
import time
from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import Connection

from models.types import (
    Context,
    Item,
    Outcome,
    Scored,
    Scorer,
)
from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import StoreUnavailableError
from service.core.log import log, where
from service.core.metrics import WorkerMetrics
from service.core.store.rescoring import any_rescores, finish_rescores, give_up, release_rescores, take_rescores
from service.core.store.scores import ScoredBy
from service.core.store.taking import (
    Finished,
    TakeLimits,
    Taken,
    finish,
    release,
    take_alone,
    take_fresh,
)
from workers.comparing import Comparing
from workers.golden.probing import Probing
from workers.golden.scoring import GoldenScoring
from workers.progress import Progress, StoppedError
from workers.reviewing import Reviewing
from workers.storing import write_until_taken

SLICE_S = 20.0  # of one drain; then the next doorbell or tick goes on
FINGERPRINT_CHARS = 12  # in metrics; as a sidecar shows it


class GiveBack(Protocol):
    """Gives rows back that were taken: of one table or the other."""

    def __call__(self, connection: Connection, rows: Sequence[Taken], *, failed: bool) -> None:
        """Gives them back; unless they failed, the take counts for nothing."""


class Pipeline:
    """Holds the scorer for the life of the process; drains from one thread at a time."""

    def __init__(  # noqa: PLR0913 - the parts that it drives
        self,
        *,
        database: Database,
        scorer: Scorer,
        limits: TakeLimits,
        progress: Progress,
        metrics: WorkerMetrics,
        reviewing: Reviewing | None = None,
        probing: Probing | None = None,
    ) -> None:
        """The scorer is loaded and warm. `reviewing`: decides which samples further scorers see; as the default policy.

        `probing`: scores known answers now and then; None: nobody does.
        """
        self._database = database
        self._scorer = scorer
        self._limits = limits
        self._progress = progress
        self._metrics = metrics
        self._reviewing = reviewing or Reviewing(policy_file=None, metrics=metrics)
        self._probing = probing
        self._lock = threading.Lock()
        self._comparing = Comparing(
            database=database, scorer=scorer, progress=progress, metrics=metrics, lease_s=limits.lease_s
        )
        self._golden = GoldenScoring(
            database=database, scorer=scorer, limits=limits, progress=progress, metrics=metrics, probing=probing
        )
        self._by = ScoredBy(scorer=scorer.name, fingerprint=scorer.fingerprint, attributes=dict(scorer.attributes))
        backend = self._by.attributes.get("backend", "")
        version = self._by.attributes.get(backend, "")
        metrics.model.labels(scorer.name, scorer.fingerprint[:FINGERPRINT_CHARS], backend, version).set(1)

    @property
    def idle(self) -> bool:
        """Whether no thread is draining."""
        return not self._lock.locked()

    @property
    def probes_due(self) -> bool:
        """Whether known answers are to be scored, so that a drain has something to do without any row."""
        return self._probing is not None and self._probing.due

    @property
    def fingerprint(self) -> str:
        """Of its scorer."""
        return self._by.fingerprint

    @property
    def lease_s(self) -> float:
        """How long a row that it takes is its own."""
        return self._limits.lease_s

    def drain(self) -> int:
        """Scores pending rows until none is free, the slice is over or a stop is requested; returns how many.

        Returns 0 at once if another thread is draining. Raises StoreUnavailableError if no row can be taken.
        """
        if not self._lock.acquire(blocking=False):
            return 0
        try:
            return self._drain(time.monotonic() + SLICE_S)
        finally:
            self._lock.release()

    def _drain(self, deadline: float) -> int:
        done = 0
        while not self._progress.stopping and time.monotonic() < deadline:
            self._progress.beat()
            # One row that failed before after each batch of fresh ones: neither can starve the other.
            batch, single = self._round(alone=False), 0
            if not self._progress.stopping:
                single = self._round(alone=True)
            again = self._comparing.compare() if self._reviewing.draws else 0  # a few: texts may wait for it to go
            again += self._golden.score(busy=batch + single > 0)
            probed = self._probing.step(busy=batch + single > 0) if self._probing else 0
            if batch + single == 0 and not self._progress.stopping:  # what is scored again waits for what is new
                again += self._round_again(alone=False) + self._round_again(alone=True)
            if batch + single + again + probed == 0:
                break
            done += batch + single + again
        return done

    def _round(self, *, alone: bool) -> int:
        started = time.perf_counter()
        with self._database.write() as connection:
            rows = take_alone(connection, self._limits) if alone else take_fresh(connection, self._limits)
        if not rows:
            return 0
        self._observe("take", started)
        finished = self._score(rows)
        if finished:
            self._store(finished)
        return len(rows)

    def _round_again(self, *, alone: bool) -> int:
        """Scores samples again that were asked for; what fails keeps its old scores."""
        with self._database.read() as connection:
            if not any_rescores(connection, self._by.fingerprint):
                return 0
        with self._database.write() as connection:
            given_up = 0 if alone else give_up(connection, self._by.fingerprint)
            rows = take_rescores(connection, self._limits, self._by.fingerprint, alone=alone)
        if given_up:
            self._metrics.rescored.labels("given_up").inc(given_up)
            log.warning("rescores_given_up", rows=given_up)
        if not rows:
            return 0
        finished = self._score(rows, self._release_again)
        if finished:
            self._store_again(finished)
        return len(rows)

    def _release_again(self, connection: Connection, rows: Sequence[Taken], *, failed: bool) -> None:
        release_rescores(connection, rows, self._by.fingerprint, failed=failed)

    def _store_again(self, finished: Sequence[Finished]) -> None:
        """Writes once: what the database does not take is scored again when its lease ends."""
        rows = [row.taken for row in finished]
        try:
            with self._database.write() as connection:
                written = finish_rescores(connection, finished, self._by, utc_now())
        except StoreUnavailableError:
            log.warning("rescore_failed", rows=len(rows))
        except Exception as error:  # noqa: BLE001 - the database refuses a row: each is tried again alone
            self._fail(rows, error, self._release_again)
        else:
            self._metrics.rescored.labels("scored").inc(written)
            self._metrics.rescored.labels("no_score").inc(len(rows) - written)
            self._metrics.pairs.inc(sum(row.outcome.pairs for row in finished if isinstance(row.outcome, Scored)))

    def _score(self, rows: Sequence[Taken], give_back: GiveBack = release) -> list[Finished]:
        started = time.perf_counter()
        try:
            first = give_back is release  # who scores again keeps what the first comparison said
            items = [self._item(row, compared=first) for row in rows]
            assessed = self._scorer.assess(items, self._progress.step)
            finished = [
                Finished(taken=row, outcome=each.outcome, consistency=each.consistency)
                for row, each in zip(rows, assessed, strict=True)
            ]
        except StoppedError:
            self._release(rows, give_back, failed=False)
            return []
        except Exception as error:  # noqa: BLE001 - the row's boundary: recorded, and tried again alone
            self._fail(rows, error, give_back)
            return []
        self._observe("score", started)
        return finished

    def _item(self, row: Taken, *, compared: bool) -> Item:
        contexts = tuple(Context(id=context["id"], text=context["text"]) for context in row.contexts)
        samples = self._reviewing.alternatives(row) if compared else ()
        return Item(response=row.response, contexts=contexts, question=row.question, samples=samples)

    def _fail(self, rows: Sequence[Taken], error: Exception, give_back: GiveBack = release) -> None:
        self._metrics.failures.labels(type(error).__name__).inc()
        log.error("score_failed", error=where(error), seqs=[row.seq for row in rows], alone=rows[0].alone)
        self._release(rows, give_back, failed=True)

    def _release(self, rows: Sequence[Taken], give_back: GiveBack, *, failed: bool) -> None:
        try:
            with self._database.write() as connection:
                give_back(connection, rows, failed=failed)
        except StoreUnavailableError:
            log.warning("release_failed", rows=len(rows))  # their lease ends by itself

    def _store(self, finished: Sequence[Finished]) -> None:
        """Writes until the database takes it: scores must not be lost to a restart of it."""
        started = time.perf_counter()
        try:
            counted, waiting = write_until_taken(
                lambda: self._finish(finished), self._progress, "finish_failed", len(finished)
            )
        except StoppedError:
            return
        except Exception as error:  # noqa: BLE001 - the database refuses a row: each is tried again alone
            self._fail([row.taken for row in finished], error)
            return
        self._observe("store", started)
        self._count(finished, counted)
        if waiting:
            self._reviewing.ring()

    def _finish(self, finished: Sequence[Finished]) -> tuple[list[Finished], int]:
        """Ends the rows, and makes their reviews, in one transaction; how many of these wait for a judge worker."""
        now = utc_now()
        with self._database.write() as connection:
            chosen = self._reviewing.choose(connection, finished, self._comparing.by)
            counted = finish(connection, finished, self._by, now, chosen.keep)
            waiting = self._reviewing.write(connection, chosen, {row.taken.seq for row in counted}, now)
        return counted, waiting

    def _count(self, finished: Sequence[Finished], counted: Sequence[Finished]) -> None:
        self._metrics.fenced.inc(len(finished) - len(counted))
        now = utc_now()
        for row in counted:
            self._metrics.finished.labels(_state(row.outcome)).inc()
            # The sidecar's clock may be ahead of this one; a histogram's sum must not shrink.
            self._metrics.wait.observe(max(0.0, (now - row.taken.received_at).total_seconds()))
            if isinstance(row.outcome, Scored):
                self._metrics.pairs.inc(row.outcome.pairs)
                self._metrics.score.labels(self._by.scorer).observe(row.outcome.score)
                for claim in row.outcome.claims:
                    self._metrics.claims.labels(claim.verdict.value).inc()

    def _observe(self, stage: str, started: float) -> None:
        self._metrics.stage.labels(stage).observe(time.perf_counter() - started)


def _state(outcome: Outcome) -> str:
    return "scored" if isinstance(outcome, Scored) else outcome.reason.value
