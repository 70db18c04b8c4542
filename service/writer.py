"""The writer: one thread that commits samples of concurrent requests together, and answers each by itself."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum

from service.core.db import Database
from service.core.errors import AssayError, SampleConflictError, StoreUnavailableError
from service.core.log import log, where
from service.core.metrics import SidecarMetrics
from service.core.store.samples import Known, NewSample, accept, count_pending, find_known

GROUP_ROWS = 256
WAITING_ROWS = 8_192  # rows in memory, not yet committed, above which a row is refused


class Fate(StrEnum):
    """What became of a row that was handed to the writer."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    OVERLOAD = "overload"


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """The writer's answer."""

    fate: Fate
    known: Known | None = None  # of a duplicate: what was decided the first time


@dataclass(frozen=True, slots=True)
class _Waiting:
    row: NewSample
    future: "Future[Written]"


class Writer:
    """Accepts samples: a future is done only after the commit."""

    def __init__(
        self, database: Database, max_pending: int, metrics: SidecarMetrics, ring: Callable[[bool], None]
    ) -> None:
        """Starts nothing yet. `ring` is called after each commit, with whether a caller waits."""
        self._database = database
        self._metrics = metrics
        self._ring = ring
        self._backlog = _BacklogLimit(max_pending)
        self._queue: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._held = 0  # rows in memory, not yet committed
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Starts committing."""
        self._thread.start()

    def stop(self) -> None:
        """Commits what is waiting and stops."""
        self._queue.put(None)
        self._thread.join()

    def submit(self, rows: Sequence[NewSample]) -> "list[Future[Written]]":
        """Hands over rows, to be committed together as far as a group holds them; one future each, in order.

        A future raises SampleConflictError or StoreUnavailableError; cancelling it before it runs withdraws its row.
        Where too many rows wait in memory, as they do while the database hangs, the last of these fail at once.
        """
        waiting = [_Waiting(row, Future()) for row in rows]
        with self._lock:
            taken = waiting[: max(0, WAITING_ROWS - self._held)]
            self._held += len(taken)
        if taken:
            self._queue.put(taken)
        for left_out in waiting[len(taken) :]:
            left_out.future.set_exception(StoreUnavailableError("Too many samples are waiting to be stored."))
        return [each.future for each in waiting]

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group, ended = self._collect(first)
            for start in range(0, len(group), GROUP_ROWS):
                part = group[start : start + GROUP_ROWS]
                running = [w for w in part if w.future.set_running_or_notify_cancel()]
                if running:
                    self._commit(running)
                with self._lock:
                    self._held -= len(part)
            if ended:
                return

    def _collect(self, first: list[_Waiting]) -> tuple[list[_Waiting], bool]:
        group = list(first)
        while len(group) < GROUP_ROWS:
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                break
            if more is None:
                return group, True
            group += more
        return group, False

    def _commit(self, group: list[_Waiting]) -> None:
        started = time.perf_counter()
        try:
            self._write(group)
        except StoreUnavailableError as error:
            self._metrics.store_failures.labels("accept").inc()
            log.warning("accept_failed", rows=len(group), error=type(error.__cause__).__name__)
            _fail(group, error)
        except Exception as error:  # noqa: BLE001 - whatever one row caused must not fail its neighbours
            self._metrics.store_failures.labels("accept").inc()
            log.error("accept_failed", rows=len(group), error=where(error))
            if len(group) == 1:
                _fail(group, error)
            else:
                for waiting in group:
                    self._commit([waiting])
        else:
            self._metrics.accept.observe(time.perf_counter() - started)
            self._metrics.accept_rows.observe(len(group))

    def _write(self, group: list[_Waiting]) -> None:
        first: dict[tuple[str, str], NewSample] = {}
        for waiting in group:
            first.setdefault((waiting.row.tenant, waiting.row.id), waiting.row)
        rows = list(first.values())
        with self._database.write() as connection:
            room = self._backlog.room(len(rows), lambda limit: count_pending(connection, limit))
            # Without room for all: a sample that was accepted before stays accepted, whatever the backlog is now.
            known = find_known(connection, rows) if room < len(rows) else {}
            unknown = [row for row in rows if (row.tenant, row.id) not in known]
            if unknown[:room]:
                known |= accept(connection, unknown[:room])
        left_out = {(row.tenant, row.id) for row in unknown[room:]}
        new = [row for row in unknown[:room] if (row.tenant, row.id) not in known]
        self._backlog.add(len(new))
        if new:
            self._ring(any(row.urgent for row in new))
        for waiting in group:
            key = (waiting.row.tenant, waiting.row.id)
            if key in left_out:
                waiting.future.set_result(Written(fate=Fate.OVERLOAD))
            else:
                _answer(waiting, known.get(key), first[key])


def _answer(waiting: _Waiting, known: Known | None, first: NewSample) -> None:
    if known is None and waiting.row is first:
        waiting.future.set_result(Written(fate=Fate.ACCEPTED))
        return
    before = known or Known(
        body_digest=first.body_digest,
        decision=first.decision,
        reason=first.reason,
        stratum=first.stratum,
        inclusion_probability=first.inclusion_probability,
        policy_version=first.policy_version,
    )
    if before.same_body(waiting.row.body_digest):
        waiting.future.set_result(Written(fate=Fate.DUPLICATE, known=before))
    else:
        waiting.future.set_exception(SampleConflictError(field="id"))


def _fail(group: list[_Waiting], error: Exception) -> None:
    for waiting in group:
        waiting.future.set_exception(error if isinstance(error, AssayError) else StoreUnavailableError())


class _BacklogLimit:
    """Knows about how many rows are pending without counting them at every commit."""

    RECOUNT_EVERY_S = 0.25

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._estimate = limit  # unknown at first: counts before the first row
        self._counted_at = float("-inf")

    def room(self, rows: int, count: Callable[[int], int]) -> int:
        """How many of `rows` may be accepted; `count` is asked only near the limit."""
        if self._estimate + rows > self._limit and time.monotonic() - self._counted_at > self.RECOUNT_EVERY_S:
            self._estimate = count(self._limit)
            self._counted_at = time.monotonic()
        return max(0, min(rows, self._limit - self._estimate))

    def add(self, rows: int) -> None:
        """Counts accepted rows."""
        self._estimate += rows
