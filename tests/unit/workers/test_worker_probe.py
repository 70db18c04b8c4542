"""The health check of a worker: by its beat file alone."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.core.config import Settings
from workers.main import LONGEST_REST_S
from workers.probe import STALE_S


def probe(file: Path | None) -> "subprocess.CompletedProcess[str]":
    environment = dict(os.environ) | ({} if file is None else {"ASSAY_BEAT_FILE": str(file)})
    command = [sys.executable, "-m", "workers.probe"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)


def test_a_fresh_beat_is_healthy(tmp_path: Path) -> None:
    """A worker that beat a moment ago is alive, and nothing is said."""
    (tmp_path / "beat").touch()
    done = probe(tmp_path / "beat")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("age_s", "status"), [(STALE_S - 30, 0), (STALE_S + 30, 1)])
def test_an_old_beat_is_not(tmp_path: Path, age_s: float, status: int) -> None:
    """Past the limit the worker counts as dead."""
    file = tmp_path / "beat"
    file.touch()
    os.utime(file, (time.time() - age_s,) * 2)
    assert probe(file).returncode == status


def test_no_beat_yet(tmp_path: Path) -> None:
    """A worker that has not begun is not healthy."""
    done = probe(tmp_path / "none")
    assert (done.returncode, done.stderr) == (1, "The worker has made no progress yet.\n")


def test_the_variable_is_needed() -> None:
    """Without the file's name the check says what to set."""
    assert "ASSAY_BEAT_FILE" in probe(None).stderr


def test_a_restart_by_the_parent_comes_first() -> None:
    """A stalled worker is started again by its own parent before the check calls it dead."""
    assert 2 * Settings().stall_s + LONGEST_REST_S < STALE_S


def test_the_probe_is_light() -> None:
    """It runs every few seconds: it loads neither database, queue nor web library."""
    code = "import sys, workers.probe, service.probe; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert not {"sqlalchemy", "pydantic", "rq", "redis", "fastapi", "typer", "numpy"} & set(done.stdout.split())
