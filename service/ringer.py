"""The ringer: rings the doorbell from a thread of its own, so that a slow Redis slows no request."""

import threading

from redis.exceptions import RedisError

from service.core.log import log
from service.core.metrics import SidecarMetrics
from service.core.queue import Doorbell

REST_AFTER_FAILURE_S = 1.0


class Ringer:
    """Rings after commits; a failed ring costs latency only, since workers look at the table themselves."""

    def __init__(self, doorbell: Doorbell, metrics: SidecarMetrics) -> None:
        """Starts nothing yet."""
        self._doorbell = doorbell
        self._metrics = metrics
        self._wanted = threading.Event()
        self._urgent = threading.Event()
        self._stop = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="ringer", daemon=True)

    def start(self) -> None:
        """Starts listening."""
        self._thread.start()

    def stop(self) -> None:
        """Stops; does not wait for a hanging Redis longer than its timeout."""
        self._stop.set()
        self._wanted.set()
        self._thread.join(timeout=5)

    def ring(self, urgent: bool) -> None:  # noqa: FBT001 - called as the writer's callback
        """Asks for a ring; returns at once."""
        if urgent:
            self._urgent.set()
        self._wanted.set()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            if self._stop.is_set():
                return
            self._wanted.clear()
            urgent = self._urgent.is_set()
            self._urgent.clear()
            self._ring_once(urgent=urgent)

    def _ring_once(self, *, urgent: bool) -> None:
        try:
            rung = self._doorbell.ring(urgent=urgent)
        except RedisError as error:
            self._metrics.doorbell.labels("failed").inc()
            if not self._failing:
                log.warning("doorbell_failed", error=type(error).__name__)
            self._failing = True
            self._stop.wait(REST_AFTER_FAILURE_S)
        else:
            self._metrics.doorbell.labels("rung" if rung else "enough").inc()
            self._failing = False
