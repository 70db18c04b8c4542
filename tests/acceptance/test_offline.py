"""`assay score` as a process: killed, interrupted, and what its exit status says."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers import wait_for

pytestmark = pytest.mark.acceptance

ROWS = 60
COMMAND = [sys.executable, "-m", "workers.cli", "score"]


def environment(**settings: str) -> dict[str, str]:
    return {**os.environ, "ASSAY_SCORER": "fake", "ASSAY_TAKE_ROWS": "4", **settings}


def run(*arguments: str | Path, **settings: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], env=environment(**settings), capture_output=True, timeout=60, check=False
    )


def start(*arguments: str | Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=environment(),
        stderr=subprocess.PIPE,
        preexec_fn=_hear_ctrl_c,  # noqa: PLW1509 - no other thread of the tests is running here
    )


def _hear_ctrl_c() -> None:
    """Where the tests themselves run in the background, they and what they start would ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def slow_file(tmp_path: Path) -> Path:
    """Rows that take a moment each; every seventh is bad, every eleventh makes the scorer raise."""
    rows: list[dict[str, Any]] = []
    for i in range(ROWS):
        response = f"[[fake:slow=0.02]] The kettle number {i} is red."
        rows.append({"id": f"r{i}", "contexts": ["The kettle is red."], "response": response})
        if i % 7 == 0:
            rows[-1].pop("response")
        elif i % 11 == 0:
            rows[-1]["response"] = "[[fake:raise]] The kettle."
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_killed_and_run_again_gives_the_same_bytes(slow_file: Path, tmp_path: Path) -> None:
    """Kill -9 in the middle, more than once, costs nothing: the file is that of an uninterrupted run."""
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    assert run(slow_file, "-o", whole).returncode == 1
    for rows in (4, 20, 40):
        process = start(slow_file, "-o", out)
        wait_for(lambda wanted=rows: out.exists() and out.read_bytes().count(b"\n") >= wanted)
        process.kill()
        process.communicate()
        assert out.read_bytes().count(b"\n") < ROWS
    done = run(slow_file, "-o", out)
    assert (done.returncode, out.read_bytes()) == (1, whole.read_bytes())
    assert b"rows were scored by an earlier run" in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".resume"] == []


def test_ctrl_c_says_how_to_go_on(slow_file: Path, tmp_path: Path) -> None:
    """Ctrl-C ends with status 130 and a sentence; whole rows are there."""
    long, out = tmp_path / "long.jsonl", tmp_path / "out.jsonl"
    rows = [json.loads(line) for line in slow_file.read_text().splitlines()]
    # Some ten seconds of work: on a busy machine the signal comes late.
    long.write_text("".join(json.dumps(row | {"id": f"{n}-{row['id']}"}) + "\n" for n in range(8) for row in rows))
    process = start(long, "-o", out)
    wait_for(lambda: out.exists() and out.read_bytes().count(b"\n") >= 4)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (
        130,
        b"assay: Interrupted. Whole rows are kept; the same command goes on from there.\n",
    )
    assert all(json.loads(line) for line in out.read_bytes().splitlines())


def test_exit_status(tmp_path: Path) -> None:
    """0: every row scored or not applicable; 1: some are not; 2: refused, with a sentence and no traceback."""
    good, bad, out = tmp_path / "good.jsonl", tmp_path / "bad.jsonl", tmp_path / "out.jsonl"
    good.write_text('{"contexts": ["Tea."], "response": "The tea."}\n{"response": "Nothing to check."}\n')
    bad.write_text('{"contexts": ["Tea."]}\n')
    runs = [run(good, "-o", out), run(bad), run(good, "-o", out), run(tmp_path / "no.jsonl"), run(good, "-o", good)]
    assert [process.returncode for process in runs] == [0, 1, 2, 2, 2]
    assert all(b"Traceback" not in process.stderr for process in runs)


def test_pipes(tmp_path: Path) -> None:
    """Standard input and output carry rows and nothing else; the summary goes to standard error."""
    row = b'{"id": "a", "contexts": ["Tea."], "response": "The tea."}\n'
    done = subprocess.run(
        [*COMMAND, "-"], input=row * 3, env=environment(), capture_output=True, timeout=60, check=False, cwd=tmp_path
    )
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["scored"] * 3
    assert b"could be checked" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_enough(slow_file: Path) -> None:
    """`assay score FILE | head -1` ends quietly."""
    process = subprocess.Popen(
        [*COMMAND, str(slow_file)], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(30), b"Traceback" in said, b"Broken" in said) == (130, False, False)


def test_a_full_disk_keeps_whole_rows(tmp_path: Path) -> None:
    """What cannot be written is said in a sentence."""
    file = tmp_path / "in.jsonl"
    file.write_text('{"contexts": ["Tea."], "response": "The tea."}\n')
    done = run(file, "-o", "/dev/full")
    assert (done.returncode, b"Cannot write the output" in done.stderr) == (2, True)
