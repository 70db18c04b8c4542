"""What `docker compose up` would do, done with plain processes: the file's commands, variables, secrets and order."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import redis

from tests.deployment.support import SECRETS_SCRIPT, compose, image_environment, seconds
from tests.servers import PostgresServer, free_port, wait_for
from workers.embedded import redis_executable

pytestmark = pytest.mark.acceptance

IMAGES_ALONE = {"prometheus", "grafana"}  # test_dashboards.py runs what they are given
STOPPED = {0, -signal.SIGTERM}  # a container shows the second as 143
BODY = {
    "id": "first",
    "question": "How long do I have to return a kettle?",
    "contexts": ["Unused appliances can be returned within 30 days of delivery."],
    "response": "You can return the kettle within 90 days of delivery.",
}


@dataclass
class Compose:
    """One run of the Compose file: each service a process that sees its own secrets and nothing of this machine's."""

    folder: Path
    postgres: PostgresServer
    database: str
    services: dict[str, Any] = field(
        default_factory=lambda: {name: made for name, made in compose()["services"].items() if name not in IMAGES_ALONE}
    )
    ports: dict[str, int] = field(default_factory=dict)
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def prepare(self) -> None:
        """The one documented step before `up`, and the names of the hosts made real."""
        subprocess.run(["sh", str(SECRETS_SCRIPT), str(self.secrets)], check=True, capture_output=True, timeout=30)
        self.ports = {"redis": free_port(), "postgres": self.postgres.port, "sidecar": free_port()}
        for name in ("assay_database_url", "assay_redis_url"):
            file = self.secrets / name
            text = re.sub(r"@(\w+):\d+", lambda host: f"@127.0.0.1:{self.ports[host[1]]}", file.read_text())
            file.unlink()
            file.write_text(text.replace("/assay\n", f"/{self.database}\n"))
        policy = self.secrets / "policy"
        text = policy.read_text().replace("rate = 0.05", "rate = 1.0")
        policy.unlink()
        policy.write_text(text)

    @property
    def secrets(self) -> Path:
        """Where the script writes."""
        return self.folder / "secrets"

    def _mounted(self, name: str) -> Path:
        """The service's own /run/secrets: the secrets it lists, no others."""
        mounted = self.folder / f"{name}-secrets"
        if not mounted.exists():
            mounted.mkdir()
            for secret in self.services[name]["secrets"]:
                shutil.copyfile(self.secrets / secret, mounted / secret)
        return mounted

    def environment(self, name: str, instance: str) -> dict[str, str]:
        """The image's variables and the service's, with this run's ports."""
        service = self.services[name]
        given = image_environment(service["build"]["target"]) if "build" in service else {}
        given |= service.get("environment", {}) | {"PATH": f"{Path(redis_executable()).parent}:{os.environ['PATH']}"}
        given = {key: self._local(name, value) for key, value in given.items()}
        if name == "sidecar":
            given["ASSAY_PORT"] = str(self.ports["sidecar"])
        if name in {"worker", "judge"}:
            given["ASSAY_BEAT_FILE"] += f"-{self.folder.name}-{instance}"
            given["ASSAY_WORKER_METRICS_PORT"] = str(self.ports.setdefault(instance, free_port()))
        return given | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}

    def _local(self, name: str, text: str) -> str:
        text = text.replace("/run/secrets", str(self._mounted(name)))
        return text.replace("redis-cli ping", f"redis-cli -p {self.ports['redis']} ping")

    def command(self, name: str, words: list[str]) -> list[str]:
        """The words with the programs that this machine has for them."""
        program, *rest = (self._local(name, word) for word in words)
        match program:
            case "assay":
                return [sys.executable, "-m", "workers.cli", *rest]
            case "python":
                return [sys.executable, *rest]
            case "redis-server":
                return [redis_executable(), *rest, "--port", str(self.ports["redis"]), "--dir", str(self.folder)]
            case "pg_isready":
                return [str(self.postgres.program("pg_isready")), *rest, f"--port={self.ports['postgres']}"]
        raise AssertionError(f"no test knows how to run {program}")

    def order(self) -> list[str]:
        """The services, each after all it depends on."""
        done: list[str] = []
        while len(done) < len(self.services):
            done += [
                name
                for name, service in self.services.items()
                if name not in done and set(service.get("depends_on", {})) <= set(done)
            ]
        return done

    def up(self) -> None:
        """Starts every service of no profile in order: jobs to their end, the others until they are healthy."""
        for name in self.order():
            if "profiles" in self.services[name]:
                continue
            if self.services[name].get("restart") == "no":
                self.run_job(name)
            else:
                self.start(name, name)

    def run_job(self, name: str) -> str:
        """Runs a job to its end; what it printed."""
        done = subprocess.run(
            self.command(name, self.services[name]["command"]),
            env=self.environment(name, name),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def start(self, name: str, instance: str) -> None:
        """Starts a service and waits until its health check passes, no longer than the file allows."""
        if "command" in self.services[name]:  # PostgreSQL's is the image's own; the fixture has started it
            self.running[instance] = subprocess.Popen(
                self.command(name, self.services[name]["command"]),
                env=self.environment(name, instance),
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        check = self.services[name]["healthcheck"]
        patience = seconds(check["start_period"]) + check["retries"] * seconds(check["interval"])
        wait_for(lambda: self.healthy(name, instance), seconds=patience, every=0.2)

    def healthy(self, name: str, instance: str) -> bool:
        """One run of the service's health check."""
        check = self.services[name]["healthcheck"]
        kind, *words = check["test"]
        command = ["sh", "-c", self._local(name, words[0])] if kind == "CMD-SHELL" else self.command(name, words)
        done = subprocess.run(
            command,
            env=self.environment(name, instance),
            cwd=self.folder,
            capture_output=True,
            timeout=seconds(check["timeout"]),
            check=False,
        )
        return done.returncode == 0

    def stop(self, instance: str, name: str) -> tuple[int, float]:
        """SIGTERM; the exit status and how long it took. Raises TimeoutExpired past the grace period."""
        process = self.running.pop(instance)
        started = time.monotonic()
        process.terminate()
        status = process.wait(seconds(self.services[name]["stop_grace_period"]))
        return status, time.monotonic() - started

    def kill(self) -> None:
        """Ends what a failed test left."""
        for process in self.running.values():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def project(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Compose]:
    """A prepared run whose PostgreSQL is up with an empty database, as its image would have made it."""
    database = f"compose-{uuid4().hex}"
    postgres_server.make_database(database)
    made = Compose(tmp_path, postgres_server, database)
    made.prepare()
    yield made
    made.kill()


def test_up_scores_and_stops_in_time(project: Compose) -> None:
    """Migration, first key, sidecar, two workers, a judge; an answer is scored; health checks pass; all end on SIGTERM."""
    project.up()
    project.start("worker", "worker-2")
    project.start("judge", "judge")
    base = f"http://127.0.0.1:{project.ports['sidecar']}"
    assert httpx.post(f"{base}/score", json=BODY).status_code == 401
    key = (project.secrets / "first_api_key").read_text().strip()
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=10) as client:
        assert client.post("/score", json=BODY).status_code == 202
        scored = wait_for(lambda: (found := client.get("/score/first").json())["status"] == "scored" and found)
        assert scored["claims"][0]["verdict"] in {"contradicted", "unsupported", "supported"}
        assert client.get("/readyz").json() == {"status": "ready", "database": "up", "redis": "up"}
        assert "assay_pending_samples 0.0" in client.get("/metrics").text
    for worker in ("worker", "worker-2"):
        assert project.healthy("worker", worker)
        wait_for(partial(ticks, project.ports[worker]))  # healthy while it still loads its model
    with redis.Redis.from_url((project.secrets / "assay_redis_url").read_text().strip()) as server:
        kept = {name: server.config_get(name)[name] for name in ("appendonly", "maxmemory-policy")}
    assert kept == {"appendonly": "yes", "maxmemory-policy": "noeviction"}
    judge = httpx.get(f"http://127.0.0.1:{project.ports['judge']}/metrics", timeout=5).text
    assert 'assay_judge_ticks_total{result="failed"} 0.0' in judge
    services = {"judge": "judge", "worker-2": "worker", "worker": "worker", "sidecar": "sidecar", "redis": "redis"}
    ends = {instance: project.stop(instance, name) for instance, name in services.items()}
    assert {status for status, _ in ends.values()} <= STOPPED, ends
    assert not project.healthy("sidecar", "sidecar")


def ticks(port: int) -> bool:
    """Whether a worker's metrics say that it has looked at the table."""
    with contextlib.suppress(httpx.HTTPError):
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
        return re.search(r'^assay_ticks_total\{result="done"\} [1-9]', text, re.MULTILINE) is not None
    return False


def test_the_jobs_may_run_again(project: Compose) -> None:
    """A second `up` finds the schema and the key; the key is printed by neither."""
    printed = [project.run_job(name) for name in ("migrate", "keys", "migrate", "keys")]
    assert printed[0] == printed[2]
    assert "Stored key" in printed[1]
    assert "stored already" in printed[3]
    secret = (project.secrets / "first_api_key").read_text().strip().split("_", 2)[2]
    assert secret not in "".join(printed)
