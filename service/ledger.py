"""The unsampled counts of one sidecar: kept in memory, flushed every second, each flush counted once."""

import threading
from collections import Counter
from uuid import uuid4

from prometheus_client import Gauge

from service.core.clock import EPOCH, utc_now
from service.core.db import Database
from service.core.errors import AssayError
from service.core.log import log, where
from service.core.store.ledger import Flush, add_flush
from service.core.store.rollups import Place

MAX_KEYS = 10_000  # distinct keys in a minute, and between two flushes; beyond it the groups are left out


class Ledger:
    """Counts submissions that get no row. `count` does no I/O; a thread of its own flushes."""

    def __init__(self, database: Database, interval_s: float, unflushed: Gauge) -> None:
        """Starts nothing yet."""
        self._database = database
        self._interval_s = interval_s
        self._unflushed = unflushed
        self._replica = uuid4().hex
        self._sequence = 0
        self._lock = threading.Lock()
        self._counts: Counter[Place] = Counter()
        self._minute = EPOCH
        self._keys: set[Place] = set()  # of that minute
        self._in_flight: Flush | None = None  # kept unchanged until it is known to be counted
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        """Starts flushing."""
        self._thread.start()

    def stop(self) -> None:
        """Stops the thread and flushes what is left."""
        self._stop.set()
        self._thread.join()
        while self._flush() and self._counts:
            pass
        lost = sum(self._counts.values()) + (sum(self._in_flight.counts.values()) if self._in_flight else 0)
        if lost:
            log.error("ledger_counts_lost", submissions=lost)

    def count(self, key: Place) -> None:
        """Counts one submission."""
        with self._lock:
            self._counts[key if self._has_room(key) else key.without_groups()] += 1

    def _has_room(self, key: Place) -> bool:
        """Whether the key may be held; callers who make up labels must fill neither memory nor the table."""
        if key.minute != self._minute:
            self._minute, self._keys = key.minute, set()
        if key in self._keys:
            return True
        if len(self._keys) >= MAX_KEYS or len(self._counts) >= MAX_KEYS:
            return False
        self._keys.add(key)
        return True

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._flush()

    def _flush(self) -> bool:
        with self._lock:
            if self._in_flight is None and self._counts:
                self._sequence += 1
                self._in_flight = Flush(replica=self._replica, sequence=self._sequence, counts=self._counts)
                self._counts = Counter()
            waiting = self._in_flight
        if waiting is None:
            return True
        try:
            with self._database.write() as connection:
                add_flush(connection, waiting, utc_now())
        except AssayError as error:
            log.warning("ledger_flush_failed", error=error.code)
            self._unflushed.set(sum(waiting.counts.values()) + sum(self._counts.values()))
            return False
        except Exception as error:  # noqa: BLE001 - the thread must live, and one label must not hold up all counts
            log.error("ledger_flush_refused", error=where(error), fix="counted without groups")
            self._in_flight = _ungrouped(waiting)
            return False
        self._in_flight = None
        self._unflushed.set(0)
        return True


def _ungrouped(flush: Flush) -> Flush:
    """The same flush without what a caller may write into it; its name still makes it count once."""
    counts: Counter[Place] = Counter()
    for key, submissions in flush.counts.items():
        counts[key.without_groups()] += submissions
    return Flush(replica=flush.replica, sequence=flush.sequence, counts=counts)
