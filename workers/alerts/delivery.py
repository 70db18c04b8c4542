"""Delivery: a thread of each worker that tells sinks what is in the outbox, again and again until they take it."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from service.core.alert_tables import Delivery
from service.core.alerting.sink import Sink
from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import AssayError
from service.core.log import log, where
from service.core.metrics import WorkerMetrics
from service.core.policy import Policy
from service.core.store.outbox import Due, end_delivery, is_any_due, retry_delivery, take_due
from workers.policy_file import PolicyFile
from workers.progress import GRACE_S, Progress
from workers.sinks.failure import SinkFailedError
from workers.sinks.send import send

EVERY_S = 2.0
LEASE_S = 60.0  # far longer than telling one sink takes
FIRST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=15)
LONGEST_SINK_REST = timedelta(seconds=30)  # of a sink as a whole
# What a sink refuses may be mended in the policy, and a sink that is down comes back.
GIVEN_UP_AFTER = timedelta(days=7)


class Deliverer:
    """Tells one sink at a time; several workers share the outbox."""

    def __init__(
        self,
        *,
        database: Database,
        policy_file: PolicyFile,
        metrics: WorkerMetrics,
        progress: Progress,
        public_url: str | None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Starts nothing yet. `public_url`: what links begin with; None: there are none."""
        self._database = database
        self._file = policy_file
        self._metrics = metrics
        self._progress = progress
        self._public_url = public_url
        self._clock = clock
        self._resting: dict[str, datetime] = {}  # sinks that failed, and until when they are left alone
        self._thread = threading.Thread(target=self._run, name="deliveries", daemon=True)

    def start(self) -> None:
        """Starts telling."""
        self._thread.start()

    def join(self) -> None:
        """Waits for what is being told, after a stop was requested; what hangs is told again by another worker."""
        self._thread.join(GRACE_S)

    def _run(self) -> None:
        while True:
            try:
                while self.deliver_one() and not self._progress.stopping:
                    pass
            except AssayError as error:
                log.warning("outbox_not_read", error=error.code)
            except Exception as error:  # noqa: BLE001 - the thread must live: the next look tries again
                log.error("delivery_failed", error=where(error))
            if self._progress.wait(EVERY_S):
                return

    def deliver_one(self) -> bool:
        """Tells one sink of one event, if any is due; whether there was one. Raises StoreUnavailableError."""
        policy = self._file.read()
        now = self._clock()
        if policy is None:
            return False
        # A sink that has just failed may be hanging: what else it is to be told must not hold up the others.
        resting = [sink for sink, until in self._resting.items() if now < until]
        with self._database.read() as connection:
            if not is_any_due(connection, now, LEASE_S, resting):
                return False
        with self._database.write() as connection:
            taken = take_due(connection, now, LEASE_S, 1, resting)
        for due in taken:
            self._deliver(policy, due)
        return bool(taken)

    def _deliver(self, policy: Policy, due: Due) -> None:
        sink = next((each for each in policy.sinks if each.name == due.sink), None)
        try:
            self._send(sink, due)
        except SinkFailedError as failure:
            self._on_failure(due, failure)
        else:
            self._end(due, Delivery.DELIVERED, None)

    def _send(self, sink: Sink | None, due: Due) -> None:
        # Not given up at once: another worker may have read a newer policy, and an older one may come back.
        if sink is None:
            raise SinkFailedError("the policy has no such sink", retry=False)
        if not sink.gets(due.notice.tenant):
            raise SinkFailedError("the policy keeps this tenant's alerts from it", retry=False)
        try:
            send(sink, due.notice, self._public_url, self._clock())
        except SinkFailedError:
            raise
        except Exception as error:
            # A bug in telling one sink must neither lose its message nor hold up the others.
            log.error("delivery_failed", sink=due.sink, error=where(error))
            raise SinkFailedError(f"failed: {type(error).__name__}", retry=True) from error

    def _on_failure(self, due: Due, failure: SinkFailedError) -> None:
        now = self._clock()
        if now - due.notice.at > GIVEN_UP_AFTER:
            self._end(due, Delivery.FAILED, failure.detail)
            return
        rest = rest_after(due.attempt) if failure.retry else LONGEST_REST  # what is refused, somebody has to mend
        rest = max(rest, timedelta(seconds=failure.retry_after_s or 0.0))
        self._resting[due.sink] = now + min(rest, LONGEST_SINK_REST)
        with self._database.write() as connection:
            retry_delivery(connection, due, now + rest, failure.detail)
        self._metrics.deliveries.labels("failed").inc()
        log.warning(
            "sink_not_told",
            sink=due.sink,
            seq=due.event_seq,
            reason=failure.detail,
            next_in_s=int(rest.total_seconds()),
        )

    def _end(self, due: Due, state: Delivery, error: str | None) -> None:
        with self._database.write() as connection:
            end_delivery(connection, due, state, self._clock(), error)
        result = "delivered" if state is Delivery.DELIVERED else "given_up"
        self._metrics.deliveries.labels(result).inc()
        if state is Delivery.DELIVERED:
            log.info("sink_told", sink=due.sink, seq=due.event_seq, attempt=due.attempt)
        else:
            log.error("sink_given_up", sink=due.sink, seq=due.event_seq, reason=error)


def rest_after(attempt: int) -> timedelta:
    """How long to wait after so many attempts: doubled each time, up to a quarter of an hour."""
    doublings: int = min(attempt - 1, 20)
    return min(LONGEST_REST, FIRST_REST * (1 << doublings))
