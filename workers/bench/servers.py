"""The servers that the ingest bench starts, each a process of its own, and the load that it sends to them."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from service.core.errors import StartRefusedError
from workers.bench.load import Load, Sent
from workers.bench.machine import pin
from workers.bench.results import BenchError
from workers.embedded import redis_command

SERVER_CORE, LOAD_CORE = 0, 1
START_S = 30.0
STOP_S = 15.0


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: Sequence[str], port: int, environment: Mapping[str, str]) -> Iterator[int]:
    """A server that listens on that port, on the servers' core, until the block ends. Raises BenchError."""
    with _process(command, environment, SERVER_CORE) as process:
        deadline = time.monotonic() + START_S
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"`{' '.join(command[1:])}` did not start.", next_step="Its lines above say why.")
            time.sleep(0.05)
        yield port


@contextmanager
def redis(folder: Path) -> Iterator[str | None]:
    """A Redis beside the load, for the sidecar to ring; None where no redis-server is installed."""
    path = folder / "redis.sock"
    try:
        command = redis_command(path, folder)
    except StartRefusedError:
        yield None
        return
    with _process(command, {}, LOAD_CORE):
        deadline = time.monotonic() + START_S
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield f"unix://{path}"


@contextmanager
def _process(command: Sequence[str], environment: Mapping[str, str], core: int) -> Iterator["subprocess.Popen[bytes]"]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    process = subprocess.Popen(command, env={**kept, **environment}, start_new_session=True)  # noqa: S603 - our own
    try:
        pin(process.pid, core)  # its threads are started later and stay there too
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def send(load: Load) -> Sent:
    """Sends the load from a process on the load's core. Raises BenchError unless every answer was a success."""
    with subprocess.Popen(
        [sys.executable, "-m", "workers.bench.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        pin(process.pid, LOAD_CORE)
        output, _ = process.communicate(json.dumps(asdict(load)).encode())
    if process.returncode:
        raise BenchError("The load generator failed.", next_step="Its lines above say why.")
    sent = Sent(**json.loads(output))
    if not sent.statuses or any(not status.startswith("2") for status in sent.statuses):
        raise BenchError(f"Not every request was answered with a success: {sent.statuses}.")
    return sent
