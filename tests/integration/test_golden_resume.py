"""A golden run that is interrupted: the same command goes on, another one must not."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.golden_running import TARGET, Golden, environment_of, flat, golden, golden_in, kettles, lines_of

__all__ = ["golden"]
COUNT, KEPT = 12, 5  # questions; answers that are kept when the bot stops
ASKED = ["mine", "--repeats", "2", "--parallel", "1", "--release", "r1", "--commit", "c1", "--target", TARGET]
RECORD = Path(".assay/golden/mine.application.json")
ANSWERS, RESUME = (RECORD.with_name(f"{RECORD.name}.answers{end}") for end in ("", ".resume"))
# Once: waits until what was answered before is in the file, then ends the process.
STOPS = f"""
    if (HERE / "calls").read_text().count("\\n") > {KEPT} and not (HERE / "stopped").exists():
        (HERE / "stopped").touch()
        while (HERE / {str(ANSWERS)!r}).read_text().count("\\n") < {KEPT}:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.{{}})
        time.sleep(60)
"""


def stop(folder: Path, how: signal.Signals) -> "subprocess.CompletedProcess[str]":
    """A run in a folder that ends in the middle."""
    made = golden_in(folder)
    made.add_set("mine", kettles(COUNT))
    bot = folder / "kettle_bot.py"
    head, question, tail = bot.read_text().partition("    number = ")
    bot.write_text(f"import os\nimport signal\n{head}{STOPS.format(how.name).lstrip(chr(10))}{question}{tail}")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    return subprocess.run(
        [sys.executable, "-m", "workers.cli", "golden", "run", *ASKED],
        env=kept | environment_of(folder),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run that was killed leaves; to copy, as a process of one's own costs seconds."""
    folder = tmp_path_factory.mktemp("killed")
    assert stop(folder, signal.SIGKILL).returncode == -signal.SIGKILL
    return folder


@pytest.fixture
def stopped(golden: Golden, killed: Path) -> Golden:
    """In the middle of a run that was killed."""
    shutil.copytree(killed, golden.folder, dirs_exist_ok=True)
    return golden


def goes_on(golden: Golden) -> None:
    """What was kept is not asked again, the record is whole, and nothing of the interruption is left."""
    assert not RECORD.exists()
    assert len(lines_of(ANSWERS)) == KEPT
    before = golden.calls
    done = golden.run(*ASKED)
    assert f"{KEPT} answers are there from an interrupted run" in done.stderr
    asked = golden.calls
    assert (len(before), len(asked)) == (KEPT + 1, 2 * COUNT - KEPT)
    assert Counter(before[:KEPT] + asked) == {f"What about kettle {number}?": 2 for number in range(COUNT)}
    record = golden.record(str(RECORD))
    assert [[answer.response for answer in each.answers] for each in record.items] == [
        [each.item.contexts[0].text] * 2 for each in record.items
    ]
    assert (len(record.items), record.pending, record.release) == (COUNT, 0, "r1")
    assert [path.name for path in RECORD.parent.iterdir()] == [RECORD.name]


def test_after_a_kill_the_same_command_goes_on(stopped: Golden) -> None:
    """Whatever was written is kept."""
    goes_on(stopped)


def test_ctrl_c(golden: Golden) -> None:
    """Status 130 with a sentence and no traceback; no report; the same command goes on."""
    done = stop(golden.folder, signal.SIGINT)
    assert (done.returncode, done.stdout) == (130, "")
    assert "Interrupted. Whole answers are kept; the same command goes on from there." in done.stderr
    assert "Traceback" not in done.stderr
    goes_on(golden)


def test_another_command_does_not(stopped: Golden) -> None:
    """Another release, other repeats or items, another scorer or processor: refused with the ways out, and nothing is asked or lost."""
    before, _ = ANSWERS.read_bytes(), stopped.calls
    for arguments, environment, told in (
        (["--release", "r2"], {}, "the options or limits"),
        (["--commit", "c2"], {}, "the options or limits"),
        (["--repeats", "3"], {}, "the options or limits"),
        ([], {"ASSAY_THRESHOLD": "0.9"}, "the scorer"),
    ):
        done = stopped.run(*ASKED, *arguments, code=2, **environment)
        assert f"Since then changed: {told}. Give another --json, or --restart to begin anew." in flat(done.stderr)
    state = json.loads(RESUME.read_text())
    elsewhere = state | {"options": state["options"].replace('"backend": "fake"', '"backend": "elsewhere"')}
    assert elsewhere != state
    RESUME.write_text(json.dumps(elsewhere))
    assert "changed: the options or limits." in flat(stopped.run(*ASKED, code=2).stderr)
    RESUME.write_text(json.dumps(state))
    stopped.add_set("mine", kettles(COUNT + 1))
    assert "changed: the input" in flat(stopped.run(*ASKED, code=2).stderr)
    assert (stopped.calls, ANSWERS.read_bytes()) == ([], before)


def test_restart(stopped: Golden) -> None:
    """Everything is asked anew."""
    assert len(stopped.calls) == KEPT + 1
    stopped.run(*ASKED, "--release", "r2", "--restart")
    assert len(stopped.calls) == 2 * COUNT
    assert stopped.record(str(RECORD)).release == "r2"


def test_a_torn_line(stopped: Golden) -> None:
    """What a crash left half written is asked again; so is what follows a line that is none."""
    _, lines = stopped.calls, ANSWERS.read_bytes().splitlines(keepends=True)
    ANSWERS.write_bytes(b"".join([*lines[:3], b"\0" * 100 + b"\n", *lines[3:]]) + lines[0][:40])
    stopped.run(*ASKED)
    assert len(stopped.calls) == 2 * COUNT - 3


def test_a_whole_run_is_run_again(golden: Golden) -> None:
    """After a run that ended, the same command begins anew; so it does if only the answers of one are left."""
    golden.add_set("mine", kettles(COUNT))
    for _ in range(2):
        golden.run(*ASKED)
        assert len(golden.calls) == 2 * COUNT
        ANSWERS.write_text("{}\n")
    assert not RESUME.exists()


def test_two_at_once(golden: Golden) -> None:
    """A second run of the same file is refused while the first one runs."""
    ANSWERS.parent.mkdir(parents=True)
    with ANSWERS.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = golden.run(*ASKED, code=2)
    assert "Another run is writing" in flat(done.stderr)
    assert golden.calls == []


def test_a_record_that_cannot_be_written(golden: Golden) -> None:
    """What was asked is kept: once there is room the same command only writes the record."""
    golden.add_set("mine", kettles(COUNT))
    head, question, tail = (golden.folder / "kettle_bot.py").read_text().partition("    number = ")
    block = f"    __import__('pathlib').Path({str(golden.folder / RECORD)!r}).mkdir(exist_ok=True)\n"
    (golden.folder / "kettle_bot.py").write_text(f"{head}{block}{question}{tail}")
    done = golden.run(*ASKED, code=2)
    assert "cannot be written" in flat(done.stderr)
    assert len(golden.calls) == 2 * COUNT
    (golden.folder / RECORD).rmdir()
    golden.run(*ASKED)
    assert golden.calls == []
    assert len(golden.record(str(RECORD)).items) == COUNT
