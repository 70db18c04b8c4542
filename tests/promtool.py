"""Prometheus' own programs: what they say of our metrics and rules counts, not what we think of them."""

import shutil
import subprocess
from pathlib import Path

import pytest

MISSING = "{} is not installed, so this is not checked: apt-get install prometheus (Debian, Ubuntu; .ci/run tries)"


def program(name: str) -> str:
    """Where it is; the test is skipped, and says so, on a machine without it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(MISSING.format(name))
    return found


def promtool(*arguments: str, given: bytes = b"", cwd: Path | None = None) -> "subprocess.CompletedProcess[bytes]":
    """Runs promtool to its end."""
    command = [program("promtool"), *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=False, timeout=60, cwd=cwd)


def complaints(done: "subprocess.CompletedProcess[bytes]") -> str:
    """All that it said against what it was given; empty where that is nothing."""
    return "" if done.returncode == 0 and not done.stderr else (done.stdout + done.stderr).decode()
