"""The client's pytest plugin, in sessions of its own: against an Assay that it starts, and against none."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.servers import free_port

pytestmark = pytest.mark.acceptance

CONTEXT = "The kettle may be returned within thirty days of delivery."
QUESTIONS = 60

SUITE = f'''
import pytest
from assay_client.testing import GoldenError, assert_faithful, assert_no_worse

CONTEXT = {CONTEXT!r}
QUESTIONS = {QUESTIONS}


def by_the_context(question, contexts):
    return contexts[0]


def number(question):
    return int(question.split()[1].rstrip("?"))


def inventing(question, contexts):
    """Makes something up in answer to every third question."""
    return contexts[0] if number(question) % 3 else "Purple elephants manufacture golden teapots."


async def asynchronous(question, contexts):
    return contexts[0]


def failing(question, contexts):
    if number(question) < 30:
        raise OSError("no connection")
    return contexts[0]


@pytest.mark.golden("kettles")
def test_no_worse(golden):
    assert len(golden.questions) == QUESTIONS
    before = golden.ask(by_the_context, repeats=2, run_id="first", release="1")
    assert before.id == "first"
    again = golden.ask(asynchronous, repeats=2, release="2")
    assert_no_worse(again, baseline="first")
    assert_no_worse(again, baseline_release="1", margin=9)


@pytest.mark.golden("kettles")
def test_worse(golden):
    golden.ask(by_the_context, run_id="whole", repeats=1)
    worse = golden.ask(inventing, repeats=1)
    with pytest.raises(AssertionError) as caught:
        assert_no_worse(worse, baseline="whole", cannot_tell="pass")
    told = str(caught.value)
    assert "Golden set kettles: worse." in told
    assert "0.0% flagged before, 33.3% now, +33.3 points" in told
    assert "20 became worse" in told and "Purple elephants" in told
    with pytest.raises(GoldenError, match="no golden run 'nobody'.*run_id='nobody'"):
        assert_no_worse(worse, baseline="nobody")
    with pytest.raises(GoldenError, match="no finished golden run of release '0'"):
        assert_no_worse(worse, baseline_release="0")
    with pytest.raises(ValueError, match="baseline"):
        assert_no_worse(worse)


@pytest.mark.golden("kettles")
def test_failures_are_never_a_pass(golden):
    golden.ask(by_the_context, run_id="before-failures", repeats=1)
    run = golden.ask(failing, repeats=1)
    assert run.document["answers"]["failed"] == 30
    with pytest.raises(AssertionError, match="cannot tell"):
        assert_no_worse(run, baseline="before-failures")
    assert_no_worse(run, baseline="before-failures", cannot_tell="pass")
    assert_no_worse(run, baseline="before-failures", cannot_tell="skip")


@pytest.mark.golden("core")
def test_a_shipped_set(golden):
    assert (len(golden.items), len(golden.questions)) == (200, 100)


def test_faithful():
    assert_faithful(CONTEXT, [CONTEXT])
    with pytest.raises(AssertionError) as caught:
        assert_faithful("Purple elephants manufacture golden teapots.", [CONTEXT], question="What?")
    assert "unsupported" in str(caught.value) and "Purple elephants" in str(caught.value)
    with pytest.raises(AssertionError, match="could not be scored"):
        assert_faithful("The kettle may be returned. [[fake:nan]]", [CONTEXT])
    with pytest.raises(AssertionError, match="nothing to check"):
        assert_faithful("I am sorry, I cannot answer that.", [CONTEXT])
    assert_faithful("I am sorry, I cannot answer that.", [CONTEXT], refusal="pass")
    with pytest.raises(GoldenError, match="not scored in time"):
        assert_faithful("The kettle may be returned. [[fake:slow=5]]", [CONTEXT], timeout=0.2)
'''


def run_session(folder: Path, suite: str, *options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A pytest of its own in that folder, of which nothing of ours is known but the plugin."""
    (folder / "test_mine.py").write_text(suite, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n", encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ASSAY_", "PYTEST_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def write_set(folder: Path) -> None:
    (folder / "kettles").mkdir()
    items = [
        {"id": f"i-{n}", "question": f"Question {n}?", "contexts": [{"id": "0", "text": CONTEXT}]}
        for n in range(QUESTIONS)
    ]
    text = "".join(json.dumps(item) + "\n" for item in items)
    (folder / "kettles" / "items.jsonl").write_text(text, encoding="utf-8")


def test_a_session_starts_an_assay_and_ends_it(tmp_path: Path) -> None:
    """Verdicts, states and messages are what they should be, the runs are kept, and no process is left."""
    write_set(tmp_path)
    done = run_session(tmp_path, SUITE, "--assay-start", ASSAY_SCORER="fake")
    assert done.returncode == 0, done.stdout
    assert "4 passed, 1 skipped" in done.stdout
    assert (tmp_path / ".assay" / "pytest" / "assay.db").is_file()
    mine = str(tmp_path)
    left = [process for process in psutil.process_iter(["environ"]) if mine in str(process.info["environ"])]
    assert not left


def test_where_nobody_answers_the_test_says_what_to_do(tmp_path: Path) -> None:
    """Neither a pass nor a crash of pytest: an error that names the address and the ways out. Others' tests are left alone."""
    suite = """
import pytest
from assay_client.testing import assert_faithful

def test_faithful():
    assert_faithful("a", ["b"])

def test_else():
    pass

def test_no_marker(golden):
    pass
"""
    url = f"http://user:secret@127.0.0.1:{free_port()}"
    done = run_session(tmp_path, suite, "--assay-url", url)
    assert "1 failed, 1 passed, 1 error" in done.stdout
    assert "cannot be reached" in done.stdout
    assert "--assay-start" in done.stdout
    assert 'names its set: @pytest.mark.golden("core")' in done.stdout
    assert "secret@" not in done.stdout.replace(url, "")
