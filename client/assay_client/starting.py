"""Starting an Assay for a test session: embedded Redis, SQLite, sidecar and worker, on a free port of this machine."""

import contextlib
import importlib.metadata
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from assay_client.golden_run import GoldenError, Place

READY_S = 120.0
STOP_S = 20.0  # more than keeping.py takes
POLL_S = 0.2
LOG_TAIL = 2_000  # characters
KEEPING = Path(__file__).with_name("keeping.py")


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Place]:
    """A running Assay whose database lies in `folder` and stays there; ended with all its processes.

    Raises GoldenError where none is installed, or it does not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    log = folder / "assay.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    environment |= {name: value for name, value in os.environ.items() if name in PASSED_ON}
    environment |= {
        "PYTHONSAFEPATH": "1",  # packages called `workers` or `service` in the working directory are of the tests' own project
        "ASSAY_HOST": "127.0.0.1",
        "ASSAY_PORT": str(port),
        "ASSAY_DATABASE_URL": f"sqlite:///{folder.resolve() / 'assay.db'}",
    }
    with log.open("wb") as output:
        # A group of its own: it is ended as a whole, and Ctrl-C reaches the tests first.
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-I", str(KEEPING), *_command(), "up", "--no-demo"],
            stdin=subprocess.PIPE,  # its end is the sign to stop, and comes however this process ends
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            place = Place(url=f"http://127.0.0.1:{port}")
            _await_ready(process, place, log)
            yield place
        finally:
            _stop(process)


# What says which scorer is tested; all other settings of the surroundings are of another Assay.
PASSED_ON = frozenset(
    {
        "ASSAY_SCORER",
        "ASSAY_THRESHOLD",
        "ASSAY_NLI_MODEL",
        "ASSAY_NLI_REVISION",
        "ASSAY_NLI_LABELS",
        "ASSAY_NLI_CALIBRATION",
        "ASSAY_THREADS",
    }
)


def _command() -> list[str]:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        importlib.metadata.distribution("assay-llm")
        return [sys.executable, "-m", "workers.cli"]
    found = shutil.which("assay")
    if found is None:
        raise GoldenError("Assay is not installed here: pip install 'assay-llm[worker,embedded]', or give --assay-url.")
    return [found]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_ready(process: subprocess.Popen[bytes], place: Place, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    with httpx.Client(trust_env=False, timeout=5.0) as client:
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if client.get(f"{place.url}/readyz").is_success:
                    return
            time.sleep(POLL_S)
    tail = log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:].strip()
    raise GoldenError(f"Assay did not start. {log} ends with:\n{tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # what is left of the group, if anything is
    process.wait()
