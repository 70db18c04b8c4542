"""A worker of several processes, as an operator of a machine of many cores meets it: here with one for half the cores."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import func, select

from models.backends.cores import core_groups, physical_cores
from service.core.db import Database
from service.core.tables import samples, scores
from tests.servers import Installation, RedisServer, free_port, wait_for

CORES = len(physical_cores())
HALF = -(-CORES // 2)
GROUPS = core_groups(HALF)
SAMPLES = 60

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(len(GROUPS) < 2, reason="one core makes one group"),
]


@pytest.fixture
def installation(make_url: Callable[[str], str], redis_server: RedisServer, tmp_path: Path) -> Iterator[Installation]:
    """Not yet started; every submission is sampled, scored by the fake scorer."""
    policy = tmp_path / "policy.toml"
    policy.write_text("[sampling]\nrate = 1.0\n")
    made = Installation(
        {
            "ASSAY_DATABASE_URL": make_url("sqlite"),
            "ASSAY_REDIS_URL": redis_server.url,
            "ASSAY_QUEUE_NAME": f"q-{tmp_path.name}"[:64],
            "ASSAY_POLICY_FILE": str(policy),
            "ASSAY_SCORER": "fake",
            "ASSAY_LEASE_S": "3",
            "ASSAY_TICKER_INTERVAL_S": "0.5",
            "ASSAY_TAKE_ROWS": "4",
            "ASSAY_WORKER_GROUP_CORES": str(HALF),
        }
    )
    yield made
    made.stop()


def _start(installation: Installation) -> psutil.Process:
    assert installation.assay("db", "upgrade").returncode == 0
    installation.start("sidecar", "serve")
    installation.start("worker", "worker")
    installation.await_ready()
    return psutil.Process(installation.processes["worker"].pid)


def _parents(worker: psutil.Process) -> list[psutil.Process]:
    """One for each group, in the groups' order, once all have started their own child."""

    def found() -> list[psutil.Process]:
        parents = sorted(worker.children(), key=lambda process: process.create_time())
        complete = len(parents) == len(GROUPS) and all(
            "workers.main" in parent.cmdline() and len(parent.children()) == 1 for parent in parents
        )
        return parents if complete else []

    return list(wait_for(found))


def _post(installation: Installation, number: int) -> None:
    response = "The kettle is blue. [[fake:slow=0.1]]"
    body = {"id": f"s-{number}", "contexts": ["The kettle is blue."], "response": response}
    assert httpx.post(f"{installation.base}/score", json=body, timeout=10).status_code == 202


def _pending(installation: Installation) -> int:
    (bucket,) = httpx.get(f"{installation.base}/hallucination-rate", timeout=20).json()["buckets"]
    return int(bucket["counts"]["pending"])


def _rows(installation: Installation) -> list[tuple[str, str, int]]:
    database = Database(installation.environment["ASSAY_DATABASE_URL"])
    with database.read() as connection:
        found = connection.execute(
            select(samples.c.id, samples.c.state, func.count(scores.c.seq))
            .outerjoin(scores, scores.c.sample_seq == samples.c.seq)
            .group_by(samples.c.id, samples.c.state)
        ).all()
    database.close()
    return sorted(tuple(row) for row in found)


def test_killed_processes_lose_nothing(installation: Installation) -> None:
    """Each group has a worker of its own on its own processors; killed at work they come back, and all is scored once."""
    worker = _start(installation)
    parents = _parents(worker)
    if hasattr(worker, "cpu_affinity"):
        assert [set(parent.children()[0].cpu_affinity()) for parent in parents] == [
            group.processors or set(worker.cpu_affinity()) for group in GROUPS
        ]
    for number in range(SAMPLES):
        _post(installation, number)
        if number == SAMPLES // 3:
            parents[0].children()[0].kill()
        if number == SAMPLES // 2:
            parents[1].kill()
    wait_for(lambda: _pending(installation) == 0, seconds=60, every=0.2)
    assert {process.pid for process in _parents(worker)} & {process.pid for process in parents} == {
        process.pid for process in parents if process is not parents[1]
    }
    assert _rows(installation) == sorted((f"s-{number}", "scored", 1) for number in range(SAMPLES))


@pytest.mark.timed
def test_a_stop_reaches_all_at_once(installation: Installation) -> None:
    """At SIGTERM every process ends in the time that one needs, and gives back what it cannot finish."""
    installation.environment["ASSAY_LEASE_S"] = "300"
    worker = _start(installation)
    family = [worker, *(process for parent in _parents(worker) for process in (parent, *parent.children()))]
    for number in range(SAMPLES):
        _post(installation, number)
    began = time.monotonic()
    worker.terminate()
    assert installation.processes["worker"].wait(20) == 0
    assert time.monotonic() - began < 20
    assert psutil.wait_procs(family, timeout=1)[1] == []
    installation.start("worker", "worker")
    wait_for(lambda: _pending(installation) == 0, seconds=60, every=0.2)
    assert _rows(installation) == sorted((f"s-{number}", "scored", 1) for number in range(SAMPLES))


def test_kill_of_the_first_leaves_no_process_behind(installation: Installation) -> None:
    """Kill -9 of the process that was started ends those that it started."""
    worker = _start(installation)
    family = [process for parent in _parents(worker) for process in (parent, *parent.children())]
    time.sleep(3)
    installation.kill("worker")
    assert psutil.wait_procs(family, timeout=30)[1] == []


def test_one_that_is_refused_ends_all(installation: Installation) -> None:
    """What no restart mends is said, and the exit status is that of a single process."""
    done = installation.assay("worker")
    assert done.returncode == 78
    assert "assay db upgrade" in done.stderr
    assert f"of {len(GROUPS)} does not stay up" in done.stderr
    assert "Traceback" not in done.stderr


def test_health_and_metrics_of_every_group(installation: Installation, tmp_path: Path) -> None:
    """One that stands still makes the one beat file old; each serves its metrics on a port of its own."""
    beat = tmp_path / "beat"
    port = free_port()
    installation.environment |= {"ASSAY_BEAT_FILE": str(beat), "ASSAY_WORKER_METRICS_PORT": str(port)}
    parents = _parents(_start(installation))
    wait_for(beat.exists)
    first = beat.stat().st_mtime
    wait_for(lambda: beat.stat().st_mtime > first + 2)
    for index in range(len(GROUPS)):
        assert "assay_ticks_total" in httpx.get(f"http://127.0.0.1:{port + index}/metrics", timeout=5).text
    parents[1].children()[0].suspend()
    time.sleep(2)
    stood_still = beat.stat().st_mtime
    time.sleep(3)
    assert beat.stat().st_mtime == stood_still
    parents[1].children()[0].resume()
    wait_for(lambda: beat.stat().st_mtime > stood_still + 2)
    installation.stop(["worker"])
    assert list(tmp_path.glob("beat.*")) == []
