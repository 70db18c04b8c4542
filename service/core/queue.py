"""The doorbell: a job without text that tells a worker to look at the table. The row is the truth."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Retry, Worker
from rq.serializers import JSONSerializer

JOB = "workers.jobs.drain"
JOB_TIMEOUT_S = 120  # only a backstop; a drain stops by itself long before
RINGS_PER_WORKER = 2
SOCKET_TIMEOUT_S = 1.0
COUNT_WORKERS_EVERY_S = 5.0


def judge_queue(name: str) -> str:
    """The queue of judge workers beside a queue of workers: one that is killed must lose no job of the other kind."""
    return f"{name}-judge"


def connect(url: str, *, timeout_s: float | None = SOCKET_TIMEOUT_S) -> "Redis":
    """A client that connects at first use. `timeout_s` None waits as long as a blocking command does."""
    return Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=SOCKET_TIMEOUT_S)


class Doorbell:
    """Rings while the queue is short: more rings than workers can answer would only pile up."""

    def __init__(self, connection: "Redis", queue_name: str) -> None:
        """Connects to nothing yet."""
        self.connection = connection
        self.queue = Queue(queue_name, connection=connection, serializer=JSONSerializer)
        self._workers = 1
        self._workers_counted_at = float("-inf")

    def ring(self, *, urgent: bool = False) -> bool:
        """Enqueues a drain unless enough are waiting; True if it did. Raises redis.RedisError, and nothing else."""
        with _only_redis_errors():
            return self._ring(urgent=urgent)

    def answers(self) -> bool:
        """Whether Redis answers a ping."""
        try:
            with _only_redis_errors():
                return self.connection.ping() is True
        except RedisError:
            return False

    def _ring(self, *, urgent: bool) -> bool:
        if self.queue.count >= RINGS_PER_WORKER * self._count_workers() and not urgent:
            return False
        self.queue.enqueue(
            JOB,
            retry=Retry(max=3),
            job_timeout=JOB_TIMEOUT_S,
            result_ttl=0,
            failure_ttl=3_600,
            at_front=urgent,
            description="drain",
        )
        return True

    def _count_workers(self) -> int:
        now = time.monotonic()
        if now - self._workers_counted_at > COUNT_WORKERS_EVERY_S:
            self._workers = max(1, Worker.count(queue=self.queue))
            self._workers_counted_at = now
        return self._workers


@contextmanager
def _only_redis_errors() -> Iterator[None]:
    """What answers may be no Redis: its nonsense surfaces as any error, deep inside the libraries."""
    try:
        yield
    except RedisError:
        raise
    except Exception as error:
        raise RedisError(f"Redis did not answer as Redis does: {type(error).__name__}.") from error
