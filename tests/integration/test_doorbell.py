"""The doorbell on a real Redis: few rings, no text, urgent ones first."""

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest
from redis import Redis
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from service.core.queue import JOB, Doorbell, connect
from tests.integration.conftest import Start
from tests.integration.support import DEAD_REDIS, submission
from tests.servers import RedisServer, wait_for


@pytest.fixture
def connection(redis_server: RedisServer) -> Iterator[Redis]:
    with connect(redis_server.url) as made:
        yield made


@pytest.fixture
def name() -> str:
    return f"q-{uuid4().hex}"


@pytest.fixture
def doorbell(connection: Redis, name: str) -> Doorbell:
    return Doorbell(connection, name)


def jobs(doorbell: Doorbell) -> list[Job]:
    return [Job.fetch(i, doorbell.connection, serializer=JSONSerializer) for i in doorbell.queue.job_ids]


def test_without_workers_two_rings_wait(doorbell: Doorbell) -> None:
    """The queue is filled as for one worker, no further: more rings would only pile up."""
    assert [doorbell.ring() for _ in range(4)] == [True, True, False, False]
    assert doorbell.queue.count == 2


def test_a_worker_is_worth_two_rings(connection: Redis, name: str) -> None:
    """With three workers six rings may wait."""
    workers = [SimpleWorker([name], connection=connection, serializer=JSONSerializer) for _ in range(3)]
    for worker in workers:
        worker.register_birth()
    doorbell = Doorbell(connection, name)
    assert [doorbell.ring() for _ in range(7)] == [True] * 6 + [False]
    for worker in workers:
        worker.register_death()


def test_an_answered_ring_makes_room(doorbell: Doorbell) -> None:
    """Once a worker has taken a ring, the next one is put in."""
    doorbell.ring()
    doorbell.ring()
    doorbell.queue.pop_job_id()
    assert doorbell.ring()


def test_an_urgent_ring_goes_to_the_front(doorbell: Doorbell) -> None:
    """A caller that waits rings ahead of a full queue."""
    doorbell.ring()
    doorbell.ring()
    waiting = doorbell.queue.job_ids
    assert doorbell.ring(urgent=True)
    assert doorbell.queue.job_ids[1:] == waiting


def test_a_job_says_nothing_but_drain(doorbell: Doorbell) -> None:
    """The job names a function without arguments, is tried again, and keeps no result."""
    doorbell.ring()
    (job,) = jobs(doorbell)
    assert (job.func_name, job.args, job.kwargs) == (JOB, [], {})
    assert (job.retries_left, job.result_ttl) == (3, 0)
    assert job.description == "drain"


def test_a_job_is_json(doorbell: Doorbell) -> None:
    """Nothing in the queue needs pickle, which would run the code of whoever can write to Redis."""
    doorbell.ring()
    (job,) = jobs(doorbell)
    assert json.loads(job.data) == [JOB, None, [], {}]


def test_no_text_reaches_redis(start: Start, redis_server: RedisServer, connection: Redis, name: str) -> None:
    """Neither ids nor texts of a submission are anywhere in Redis."""
    marks = {"id": "mark-id", "question": "mark-question", "response": "mark-response", "contexts": ["mark-context"]}
    running = start(1.0, redis_url=redis_server.url, queue_name=name)
    running.client.post("/score", json=marks)
    assert wait_for(lambda: Doorbell(connection, name).queue.count) == 1
    for key in connection.scan_iter("*"):
        assert b"mark" not in key
        assert b"mark" not in (connection.dump(key) or b"")
    (job,) = jobs(Doorbell(connection, name))
    assert b"mark" not in job.data


def test_a_waiting_caller_rings_urgently(start: Start, redis_server: RedisServer, connection: Redis, name: str) -> None:
    """`?wait` rings even where the queue is full."""
    running = start(1.0, redis_url=redis_server.url, queue_name=name)
    queue = Doorbell(connection, name).queue
    for n in range(5):
        running.client.post("/score", json=submission(f"s-{n}"))
        wait_for(lambda n=n: queue.count == min(n + 1, 2))
    running.client.post("/score?wait=0.1", json=submission("now"))
    wait_for(lambda: queue.count == 3)


def test_what_is_not_sampled_does_not_ring(
    start: Start, redis_server: RedisServer, connection: Redis, name: str
) -> None:
    """Left out by the hash, a submission causes no command at all in Redis."""
    running = start(0.0, redis_url=redis_server.url, queue_name=name)
    before = connection.info("commandstats")
    for n in range(20):
        running.client.post("/score", json=submission(f"s-{n}"))
    after = connection.info("commandstats")
    calls = {command: stats["calls"] - before.get(command, {"calls": 0})["calls"] for command, stats in after.items()}
    assert {command for command, count in calls.items() if count} <= {"cmdstat_info"}
    assert running.client.get("/metrics").text.count('assay_doorbell_total{result="rung"}') == 0


def test_a_dead_redis_is_an_error_at_once() -> None:
    """A ring that cannot be made raises; it does not hang."""
    with pytest.raises(RedisError):
        Doorbell(connect(DEAD_REDIS), "q").ring()
