"""What the pytest plugin's parts do of themselves: slips of a caller, stumbles of an Assay, a session that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assay_client import starting
from assay_client.golden import Golden
from assay_client.golden_run import GoldenError, GoldenRun, Place, RefusedError, run
from assay_client.golden_set import read_golden
from assay_client.testing import assert_no_worse, place_of_environment
from fake_assay import FakeAssay, Fault

RUN = "/golden-runs/r"


def _json(document: Any, status: int = 200) -> Fault:
    return Fault(status=status, body=json.dumps(document).encode())


def _accept(assay: FakeAssay) -> None:
    assay.always["/golden-runs"] = _json({"id": "r"}, 202)
    assay.always[RUN] = _json({"id": "r", "state": "finished", "answers": {}})


@pytest.mark.parametrize("baseline", ["r", "none"])
def test_a_run_is_no_baseline_of_itself(nowhere: str, baseline: str) -> None:
    """A gate that compares a run with itself would pass whatever the application does."""
    candidate = GoldenRun(place=Place(url=nowhere), document={"id": "r"})
    with pytest.raises(ValueError, match="never against itself"):
        assert_no_worse(candidate, baseline=baseline)


@pytest.mark.parametrize("fault", [Fault(hang_up=True), Fault(status=503), Fault(status=429)])
def test_a_stumble_costs_nothing(assay: FakeAssay, fault: Fault) -> None:
    """Sending and reading are tried again until the deadline: the same id, so it is one run."""
    _accept(assay)
    assay.faults["/golden-runs"], assay.faults[RUN] = deque([fault]), deque([fault, fault])
    assert run(Place(url=assay.url), {"id": "r"}, time.monotonic() + 20).id == "r"


@pytest.mark.parametrize("status", [401, 403, 404, 409, 422])
def test_a_refusal_is_told_at_once(assay: FakeAssay, status: int) -> None:
    """What no second try mends is not tried again; the words are Assay's."""
    assay.always["/golden-runs"] = _json({"detail": "No.", "next_step": "Do that.", "field": "id"}, status)
    with pytest.raises(RefusedError, match=r"id: No. Do that.") as caught:
        run(Place(url=assay.url), {"id": "r"}, time.monotonic() + 20)
    assert (caught.value.status, assay.requests) == (status, ["/golden-runs"])


@pytest.mark.timed
def test_hanging_ends_at_the_deadline(assay: FakeAssay) -> None:
    """An Assay that accepts and never answers costs the timeout, and about a second."""
    assay.always["/golden-runs"] = Fault()
    begun = time.monotonic()
    with pytest.raises(GoldenError, match="cannot be reached"):
        run(Place(url=assay.url), {"id": "r"}, time.monotonic() + 0.2)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("document", [{}, [], {"id": "else"}])
def test_another_service_is_no_assay(assay: FakeAssay, document: Any) -> None:
    """Whatever else listens there is told from an Assay."""
    assay.always["/golden-runs"] = _json(document)
    with pytest.raises(GoldenError, match="no Assay"):
        run(Place(url=assay.url), {"id": "r"}, time.monotonic() + 5)


def _golden(url: str) -> Golden:
    items = [{"id": f"i-{n}", "question": f"Question {n}?"} for n in range(40)]
    return Golden(place=Place(url=url), name="mine", items=items, shipped=False)


def test_nobody_is_asked_for_an_assay_that_is_away(nowhere: str) -> None:
    """The answers of a language model cost money: they are not made for nothing."""
    asked: list[str] = []
    with pytest.raises(GoldenError, match="cannot be reached"):
        _golden(nowhere).ask(lambda question, _: asked.append(question))
    assert not asked


@pytest.mark.timed
def test_a_slow_application_ends_at_the_timeout(assay: FakeAssay) -> None:
    """The timeout holds for questions too; what has not begun is not asked any more."""
    _accept(assay)
    asked: list[str] = []

    def slow(question: str, contexts: list[str]) -> str:
        asked.append(question)
        time.sleep(0.3)
        return question

    begun = time.monotonic()
    with pytest.raises(GoldenError, match="of 40 questions are not answered in time"):
        _golden(assay.url).ask(slow, repeats=1, parallel=2, timeout=0.5)
    assert time.monotonic() - begun < 2
    time.sleep(0.5)
    assert len(asked) < 10


def test_quarantine_of_a_folder_is_sent(tmp_path: Path, nowhere: str) -> None:
    """As the command line has it: an item counts for nothing until its day, which is the first on which it counts."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "items.jsonl").write_text('{"id": "a"}\n{"id": "b"}\n', encoding="utf-8")
    assert read_golden(Place(url=nowhere), "mine", tmp_path).quarantined == []
    entries = [("a", "2099-01-01"), ("b", "2020-01-01"), ("gone", "2099-01-01")]
    text = "".join(f'[[items]]\nid = "{name}"\nuntil = {day}\nreason = "flaky"\n' for name, day in entries)
    (folder / "quarantine.toml").write_text(text, encoding="utf-8")
    assert read_golden(Place(url=nowhere), "mine", tmp_path).quarantined == ["a"]
    (folder / "quarantine.toml").write_text("[[items]]\n", encoding="utf-8")
    with pytest.raises(GoldenError, match="golden quarantine"):
        read_golden(Place(url=nowhere), "mine", tmp_path)


def test_a_package_called_core_hides_no_set(tmp_path: Path, assay: FakeAssay) -> None:
    """A folder without items.jsonl is no set; one that comes with Assay may have its name."""
    (tmp_path / "core").mkdir()
    assay.always["/golden-sets/core"] = _json({"items": [{"id": "a"}]})
    assert read_golden(Place(url=assay.url), "core", tmp_path).shipped
    assay.always["/golden-sets/core"] = _json({"detail": "No."}, 404)
    with pytest.raises(GoldenError, match=r"no golden set 'core': no .*items.jsonl"):
        read_golden(Place(url=assay.url), "core", tmp_path)


def test_a_key_is_read_as_a_file_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the newline of a file."""
    monkeypatch.setenv("ASSAY_API_KEY", "secret\n")
    assert place_of_environment().api_key == "secret"


KEPT = """
import subprocess, sys, time
from assay_client.starting import KEEPING
process = subprocess.Popen([sys.executable, "-I", str(KEEPING), sys.executable, "-c", sys.argv[1]],
                           stdin=subprocess.PIPE, start_new_session=True)
print(process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_started_ends_with_a_killed_session(
    tmp_path: Path, sign: signal.Signals, until: Callable[..., Any]
) -> None:
    """CI cancels jobs by signals that no `finally` sees."""
    file = tmp_path / "pid"
    code = f"import os, pathlib, time; pathlib.Path({str(file)!r}).write_text(str(os.getpid())); time.sleep(60)"
    session = subprocess.Popen([sys.executable, "-c", KEPT, code], stdout=subprocess.PIPE)
    until(lambda: file.exists() and file.read_text())
    session.send_signal(sign)
    session.communicate()
    until(lambda: not _lives(int(file.read_text())))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_project_with_packages_of_our_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`workers` and `service` are words that others use: theirs is neither found nor run."""
    for name in ("workers", "service"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "workers" / "cli.py").write_text("raise SystemExit('theirs')")
    monkeypatch.chdir(tmp_path)
    command = [*starting._command(), "--version"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONSAFEPATH": "1"}
    )
    assert done.stdout.startswith("assay ")
