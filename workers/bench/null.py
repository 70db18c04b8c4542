"""The null scorer: answers at once what was computed before, so that only everything else is measured."""

import time
from collections.abc import Callable, Mapping, Sequence

from models.types import Assessed, Item, Outcome
from service.core.db import Database
from service.core.metrics import WorkerMetrics
from service.core.store.taking import TakeLimits
from workers.pipeline import Pipeline
from workers.progress import Progress

ROWS_PER_TAKE = 64
LEASE_S = 60.0


class NullScorer:
    """Answers one outcome for every item, and calls back meanwhile; what the call takes is not counted."""

    name = "null"
    fingerprint = "0" * 64
    consistency_fingerprint = "0" * 64
    attributes: Mapping[str, str] = {"backend": "null"}

    def __init__(self, outcome: Outcome, meanwhile: Callable[[int], None]) -> None:
        """`meanwhile` is told how many rows were taken."""
        self._outcome = outcome
        self._meanwhile = meanwhile
        self._answered_at = 0.0
        self._rows = 0  # answered last
        self.costs_ms: list[float] = []  # per sample: from one answer to the next call
        self.samples = 0

    def score(self, items: Sequence[Item], progress: Callable[[], None]) -> list[Outcome]:
        """One outcome per item."""
        called_at = time.perf_counter()
        if self._rows:
            # Between an answer and the next call lie the finish of those rows and the take of these.
            self.costs_ms.append((called_at - self._answered_at) * 1_000 / ((self._rows + len(items)) / 2))
        self._rows = len(items)
        self.samples += len(items)
        self._meanwhile(len(items))
        progress()
        self._answered_at = time.perf_counter()
        return [self._outcome] * len(items)

    def assess(self, items: Sequence[Item], progress: Callable[[], None]) -> list[Assessed]:
        """The same."""
        return [Assessed(outcome=outcome, consistency=None) for outcome in self.score(items, progress)]

    def uncached(self) -> "NullScorer":
        """Itself."""
        return self


def make_pipeline(database: Database, scorer: NullScorer, progress: Progress) -> Pipeline:
    """A worker's own pipeline, with the null scorer in it."""
    limits = TakeLimits(rows=ROWS_PER_TAKE, tokens=10**9, lease_s=LEASE_S)
    return Pipeline(database=database, scorer=scorer, limits=limits, progress=progress, metrics=WorkerMetrics())
