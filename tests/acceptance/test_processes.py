"""The processes as an operator meets them: starts refused with a reason, stops that finish, stalls that end."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from redis import Redis
from rq import Callback, Queue, Retry
from rq.serializers import JSONSerializer

from tests.servers import Installation, RedisServer, free_port, wait_for
from workers.progress import GRACE_S

pytestmark = pytest.mark.acceptance


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
        }
    )
    yield made
    made.stop()


def _post(installation: Installation, sample_id: str, response: str) -> None:
    body = {"id": sample_id, "contexts": ["The kettle is blue."], "response": response}
    assert httpx.post(f"{installation.base}/score", json=body, timeout=10).status_code == 202


def _status(installation: Installation, sample_id: str) -> str:
    return str(httpx.get(f"{installation.base}/score/{sample_id}", timeout=10).json()["status"])


def _start(installation: Installation, *workers: str) -> None:
    assert installation.assay("db", "upgrade").returncode == 0
    installation.start("sidecar", "serve")
    for name in workers:
        installation.start(name, "worker")
    installation.await_ready()


def test_a_schema_mismatch_refuses_the_start(installation: Installation) -> None:
    """The sidecar names the command that upgrades, and exits with status 2."""
    done = installation.assay("serve")
    assert done.returncode == 2
    assert "assay db upgrade" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_refuses_a_schema_mismatch(installation: Installation) -> None:
    """The parent does not go on restarting a worker that cannot start."""
    done = installation.assay("worker")
    assert done.returncode == 78
    assert "assay db upgrade" in done.stderr


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (["serve"], "a folder below a file"),
        (["serve"], "a folder"),
        (["db", "upgrade"], "no database"),
        (["worker"], "a folder below a file"),
    ],
)
def test_a_database_file_that_cannot_be_is_refused(
    installation: Installation, tmp_path: Path, command: list[str], kind: str
) -> None:
    """A path that cannot be opened is refused in a sentence that names what to look at, never with a traceback."""
    junk = tmp_path / "junk"
    junk.write_text("no database at all, but long enough to be looked at. " * 20)
    path = {"a folder below a file": junk / "assay.db", "a folder": tmp_path, "no database": junk}[kind]
    installation.environment["ASSAY_DATABASE_URL"] = f"sqlite:///{path}"
    done = installation.assay(*command)
    assert done.returncode in {2, 78}
    assert "ASSAY_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_binding_beyond_loopback_needs_a_key(installation: Installation) -> None:
    """Without any key the start is refused, and the message says how to make one."""
    assert installation.assay("db", "upgrade").returncode == 0
    installation.environment["ASSAY_HOST"] = "0.0.0.0"
    done = installation.assay("serve")
    assert done.returncode == 2
    assert "assay keys create" in done.stderr


@pytest.mark.timed
def test_a_key_opens_what_its_scope_allows(installation: Installation) -> None:
    """A key made on the command line works at once; revoked, it stops working within seconds."""
    installation.environment["ASSAY_AUTH"] = "required"
    assert installation.assay("db", "upgrade").returncode == 0
    assert installation.assay("keys", "create", "--scope", "admin").returncode == 0
    _start(installation)
    key = installation.assay("keys", "create", "--scope", "read").stdout.strip()
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{installation.base}/hallucination-rate"
    assert httpx.get(url).status_code == 401
    wait_for(lambda: httpx.get(url, headers=headers).status_code == 200, seconds=10)
    assert httpx.post(f"{installation.base}/score", json={"response": "x"}, headers=headers).status_code == 403
    assert installation.assay("keys", "revoke", key.split("_")[1]).returncode == 0
    wait_for(lambda: httpx.get(url, headers=headers).status_code == 401, seconds=10)


def test_a_taken_port_names_the_setting(installation: Installation) -> None:
    """The second program on a port is refused with the variable to change."""
    _start(installation)
    done = installation.assay("up", "--once")
    assert done.returncode == 2
    assert "ASSAY_PORT" in done.stderr


def test_a_policy_is_reloaded_on_sighup(installation: Installation) -> None:
    """After SIGHUP a decision carries the new policy's version; an invalid file changes nothing."""
    _start(installation)
    policy = Path(installation.environment["ASSAY_POLICY_FILE"])

    def decide() -> dict[str, object]:
        answer = httpx.post(f"{installation.base}/score", json={"response": "x"}).json()
        return {name: answer[name] for name in ("inclusion_probability", "policy_version")}

    before = decide()
    policy.write_text("[sampling]\nrate = 7\n")
    installation.processes["sidecar"].send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert decide() == before
    policy.write_text("[sampling]\nrate = 0.0\n")
    installation.processes["sidecar"].send_signal(signal.SIGHUP)
    wait_for(lambda: decide()["inclusion_probability"] == 0.0)
    assert decide()["policy_version"] != before["policy_version"]


def test_a_stalled_worker_is_restarted(installation: Installation) -> None:
    """A scorer that hangs is killed by the parent; its neighbours are scored, the row that hangs is given up."""
    installation.environment["ASSAY_STALL_S"] = "2"
    _start(installation, "worker")
    _post(installation, "hangs", "The kettle is blue. [[fake:hang]]")
    _post(installation, "fine", "The kettle is blue.")
    wait_for(lambda: _status(installation, "fine") == "scored", seconds=40)
    wait_for(lambda: _status(installation, "hangs") == "unscored", seconds=60)


def test_sigterm_leaves_nothing_taken(installation: Installation) -> None:
    """A stopped worker has finished what it held or given it back: the next one starts at once, without a lease."""
    installation.environment["ASSAY_LEASE_S"] = "300"
    _start(installation, "worker")
    for n in range(40):
        _post(installation, f"s-{n}", "The kettle is blue. [[fake:slow=0.5]]")
    wait_for(lambda: _status(installation, "s-0") != "pending" or True, seconds=1)
    time.sleep(1)
    installation.stop(["worker"])
    assert installation.processes["worker"].returncode == 0
    installation.environment["ASSAY_TAKE_ROWS"] = "4"
    installation.start("worker", "worker")
    wait_for(lambda: all(_status(installation, f"s-{n}") == "scored" for n in range(40)), seconds=60, every=0.5)


def test_samples_are_scored_while_redis_is_away(installation: Installation) -> None:
    """Without Redis a sample is accepted and scored; only the doorbell is missing."""
    installation.environment["ASSAY_REDIS_URL"] = "redis://127.0.0.1:1/0"
    _start(installation, "worker")
    _post(installation, "a", "The kettle is blue.")
    wait_for(lambda: _status(installation, "a") == "scored", seconds=20)


def test_wait_scores_now(installation: Installation) -> None:
    """`?wait` answers 200 with the result, ahead of a long queue, and does not count what the hash left out."""
    Path(installation.environment["ASSAY_POLICY_FILE"]).write_text("[sampling]\nrate = 0.0\n")
    _start(installation, "worker")
    body = {"contexts": ["The kettle is blue."], "response": "The kettle is blue."}
    answer = httpx.post(f"{installation.base}/score?wait=20", json=body, timeout=30)
    assert answer.status_code == 200
    assert answer.json()["status"] == "scored"
    assert answer.json()["decision"]["decision"] == "forced"
    (bucket,) = httpx.get(f"{installation.base}/hallucination-rate").json()["buckets"]
    assert bucket["flagged"]["rate"] is None
    assert bucket["counts"]["sampled_out"] == 1


def test_workers_end_when_their_parent_is_killed(installation: Installation) -> None:
    """A worker whose parent is gone stops by itself."""
    _start(installation, "worker")
    parent = psutil.Process(installation.processes["worker"].pid)
    child = wait_for(lambda: next(iter(parent.children()), None))
    time.sleep(3)
    installation.kill("worker")
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, seconds=20)


@pytest.mark.timed
def test_a_worker_stops_while_redis_is_away(installation: Installation, servers_folder: Path) -> None:
    """Redis going away while a worker listens does not make it deaf: it stops by itself, and in time."""
    folder = servers_folder / "gone"
    folder.mkdir()
    server = RedisServer(folder)
    server.start()
    installation.environment["ASSAY_REDIS_URL"] = server.url
    try:
        _start(installation, "worker")
        _post(installation, "a", "The kettle is blue.")
        wait_for(lambda: _status(installation, "a") == "scored")
    finally:
        server.kill()
    time.sleep(3)
    began = time.monotonic()
    installation.stop(["worker"])
    assert installation.processes["worker"].returncode == 0
    assert time.monotonic() - began < GRACE_S  # later, its parent would have killed it


def test_the_beat_file_shows_progress(installation: Installation, tmp_path: Path) -> None:
    """An idle worker goes on beating, and one without a database too: neither is mended by a restart."""
    beat = tmp_path / "beat"
    installation.environment["ASSAY_BEAT_FILE"] = str(beat)
    _start(installation, "worker")
    wait_for(beat.exists)
    first = beat.stat().st_mtime
    wait_for(lambda: beat.stat().st_mtime > first + 2)
    installation.stop(["worker"])
    installation.environment["ASSAY_DATABASE_URL"] = f"postgresql+psycopg://a@127.0.0.1:{free_port()}/none"
    beat.unlink()
    installation.start("worker", "worker")
    wait_for(beat.exists)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_up_leaves_no_process_behind(installation: Installation, how: signal.Signals) -> None:
    """Ctrl-C, and even kill -9, of `assay up` ends Redis, sidecar and worker."""
    del installation.environment["ASSAY_REDIS_URL"]
    installation.start("up", "up", "--no-demo")
    installation.await_ready()
    up = psutil.Process(installation.processes["up"].pid)
    family = up.children(recursive=True)
    assert len(family) >= 3
    os.kill(up.pid, how)
    installation.processes["up"].wait(40)
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []


def test_up_restarts_what_dies(installation: Installation) -> None:
    """A killed sidecar comes back by itself."""
    del installation.environment["ASSAY_REDIS_URL"]
    installation.start("up", "up", "--no-demo")
    installation.await_ready()
    up = psutil.Process(installation.processes["up"].pid)
    sidecar = next(child for child in up.children() if "serve" in child.cmdline())
    sidecar.kill()
    psutil.wait_procs([sidecar], timeout=5)
    installation.await_ready()


def test_what_redis_says_is_never_run(installation: Installation, redis_server: RedisServer, tmp_path: Path) -> None:
    """Whoever can write to Redis can ring; a job or a callback that names other code runs none of it."""
    queue = Queue(
        installation.environment["ASSAY_QUEUE_NAME"],
        connection=Redis.from_url(redis_server.url),
        serializer=JSONSerializer,
    )
    mark = tmp_path / "called"
    queue.enqueue("os.mkdir", str(mark))
    queue.enqueue("os.abort", retry=Retry(max=3))
    queue.enqueue("workers.jobs.drain", on_success=Callback("os.abort"), on_failure=Callback("os.abort"))
    installation.environment["ASSAY_TICKER_INTERVAL_S"] = "60"
    _start(installation, "worker-1")
    wait_for(lambda: queue.count == 0, seconds=30)
    _post(installation, "a", "It is blue.")
    wait_for(lambda: _status(installation, "a") == "scored", seconds=30)
    assert not mark.exists()
    assert installation.processes["worker-1"].poll() is None
