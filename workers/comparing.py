"""Comparing: responses against alternative ones that a judge worker has drawn, on a worker's NLI model."""

from collections.abc import Sequence

from models.types import Alternative, Consistent, Item, NotApplicable, NotApplicableReason, Scorer, Unscored
from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import StoreUnavailableError
from service.core.log import log, where
from service.core.metrics import WorkerMetrics
from service.core.review_tables import Place
from service.core.store.reviews import ReviewedBy, TakenReview, any_reviews, finish_review, release_review, take_reviews
from workers.progress import Progress, StoppedError

AT_ONCE = 4  # reviews of one take: others may have a worker too


class Comparing:
    """Takes reviews whose alternative responses are there. A sample that came with its own needs no review to wait."""

    def __init__(
        self, *, database: Database, scorer: Scorer, progress: Progress, metrics: WorkerMetrics, lease_s: float
    ) -> None:
        """The scorer is loaded and warm."""
        self._database = database
        self._scorer = scorer
        self._progress = progress
        self._metrics = metrics
        self._lease_s = lease_s
        self.by = ReviewedBy(fingerprint=scorer.consistency_fingerprint, attributes=dict(scorer.attributes))

    def compare(self) -> int:
        """Compares a few, each alone, so that none condemns another; returns how many. Raises StoreUnavailableError."""
        with self._database.read() as connection:
            if not any_reviews(connection, Place.LOCAL):
                return 0
        with self._database.write() as connection:
            rows = take_reviews(connection, Place.LOCAL, AT_ONCE, self._lease_s)
        for position, row in enumerate(rows):
            if self._progress.stopping or not self._compare_one(row):
                self._release(rows[position:])
                break
        return len(rows)

    def _compare_one(self, row: TakenReview) -> bool:
        """False where it was told to stop. A row that fails is not given back: its lease ends, and the take is counted."""
        drawn = tuple(Alternative(text=each["text"], likelihood=each["likelihood"]) for each in row.drawn or ())
        item = Item(response=row.response, contexts=(), question=row.question, samples=drawn)
        try:
            [assessed] = self._scorer.assess([item], self._progress.step)
            outcome = assessed.consistency or NotApplicable(reason=NotApplicableReason.NO_CLAIMS)
            with self._database.write() as connection:
                counted = finish_review(connection, row, outcome, self.by, utc_now())
        except StoppedError:
            return False
        except Exception as error:  # noqa: BLE001 - the row's boundary: recorded, and tried again when its lease ends
            self._metrics.failures.labels(type(error).__name__).inc()
            log.error("review_failed", error=where(error), seq=row.seq)
        else:
            if counted:
                self._metrics.reviews_ended.labels(row.reviewer.value, _state(outcome)).inc()
        return True

    def _release(self, rows: Sequence[TakenReview]) -> None:
        try:
            with self._database.write() as connection:
                for row in rows:
                    release_review(connection, row)
        except StoreUnavailableError:
            log.warning("release_failed", rows=len(rows))  # their lease ends by itself


def _state(outcome: Consistent | NotApplicable | Unscored) -> str:
    return "scored" if isinstance(outcome, Consistent) else outcome.reason.value
