"""The sweep of reviews: those that wait in vain come to an end, whether or not there is a judge worker."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from models.types import ReviewReason
from service.core.clock import utc_now
from service.core.db import Database
from service.core.log import log
from service.core.metrics import WorkerMetrics
from service.core.policy import Policy
from service.core.review_tables import Reviewer
from service.core.store.review_ends import end_overdue, give_up_reviews, turn_off
from service.core.store.spending import end_lost_calls
from workers.policy_file import PolicyFile

AT_ONCE = 200  # of one transaction
GENERATOR_WAIT = timedelta(hours=1)

REST_S = 30.0
SLICE_S = 5.0

Ended = Callable[[Reviewer, ReviewReason], None]


class ReviewSweep:
    """Sweeps from a worker's ticker, now and then; without a policy file there is nothing to sweep."""

    def __init__(self, *, database: Database, policy_file: PolicyFile | None, metrics: WorkerMetrics) -> None:
        """Reads nothing yet."""
        self._database = database
        self._file = policy_file
        self._metrics = metrics
        self._next_at = float("-inf")

    def sweep(self) -> None:
        """Raises StoreUnavailableError."""
        policy = self._file.read() if self._file else None
        if policy is None or time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + REST_S
        sweep_reviews(self._database, policy, utc_now(), self._ended)

    def _ended(self, reviewer: Reviewer, reason: ReviewReason) -> None:
        self._metrics.reviews_ended.labels(reviewer.value, reason.value).inc()


def sweep_reviews(database: Database, policy: Policy, now: datetime, ended: Ended) -> int:
    """Ends what is due, for some seconds; returns how many reviews. Cheap where nothing is. Raises StoreUnavailableError."""
    done, deadline = 0, time.monotonic() + SLICE_S
    while True:
        found = _sweep(database, policy, now, ended)
        done += found
        if found < AT_ONCE or time.monotonic() > deadline:
            return done


def _sweep(database: Database, policy: Policy, now: datetime, ended: Ended) -> int:
    judge, generator = policy.judge, policy.consistency.generator
    done = 0
    judged = judge.tenants if judge else ()
    drawn = generator.tenants if generator else ()
    wait = timedelta(seconds=judge.wait_s) if judge else timedelta(0)
    with database.write() as connection:
        lost = end_lost_calls(connection, now)
        sweeps = (
            (Reviewer.JUDGE, ReviewReason.TURNED_OFF, turn_off(connection, Reviewer.JUDGE, judged, now, AT_ONCE)),
            (
                Reviewer.CONSISTENCY,
                ReviewReason.TURNED_OFF,
                turn_off(connection, Reviewer.CONSISTENCY, drawn, now, AT_ONCE),
            ),
            (
                Reviewer.JUDGE,
                ReviewReason.JUDGE_UNAVAILABLE,
                end_overdue(connection, Reviewer.JUDGE, now - wait, now, AT_ONCE),
            ),
            (
                Reviewer.CONSISTENCY,
                ReviewReason.GENERATOR_UNAVAILABLE,
                end_overdue(connection, Reviewer.CONSISTENCY, now - GENERATOR_WAIT, now, AT_ONCE),
            ),
            (Reviewer.JUDGE, ReviewReason.FAILED_ALONE, give_up_reviews(connection, now, AT_ONCE)),
        )
    for reviewer, reason, number in sweeps:
        for _ in range(number):
            ended(reviewer, reason)
        done += number
        if number:
            log.warning("reviews_ended", reviewer=reviewer.value, reason=reason.value, reviews=number)
    if lost:
        log.warning("calls_lost", calls=lost)
    return done
