"""The null scorer: answers at once what was computed before, so that only everything else is measured."""

import time
from collections.abc import Callable, Mapping, Sequence

from models.types import Item, Outcome
from workers.progress import Progress


class NullScorer:
    """Answers one outcome for every item, refills the table meanwhile, and stops the drain after some takes."""

    name = "null"
    fingerprint = "0" * 64
    attributes: Mapping[str, str] = {"backend": "null"}

    def __init__(self, outcome: Outcome, *, takes: int, progress: Progress, refill: Callable[[int], None]) -> None:
        """`refill` is told how many rows were taken; what it costs is not counted."""
        self._outcome = outcome
        self._takes = takes
        self._progress = progress
        self._refill = refill
        self._answered_at: float | None = None
        self.costs_ms: list[float] = []  # per sample: from one answer to the next call, over the rows between them
        self._rows = 0

    def score(self, items: Sequence[Item], progress: Callable[[], None]) -> list[Outcome]:
        """One outcome per item."""
        called_at = time.perf_counter()
        if self._answered_at is not None:
            # Between two calls lie the finish of the rows before and the take of these.
            self.costs_ms.append((called_at - self._answered_at) * 1_000 / ((self._rows + len(items)) / 2))
        self._rows = len(items)
        if len(self.costs_ms) >= self._takes:
            self._progress.request_stop()
        self._refill(len(items))
        progress()
        self._answered_at = time.perf_counter()
        return [self._outcome] * len(items)
