"""`assay golden run` where something stands in its way: no verdict, record, baseline or set is lost by it."""

from pathlib import Path

import pytest

from tests.integration.golden_running import LENIENT, TARGET, Golden, flat, golden, kettle

__all__ = ["golden"]
MAIN = Path("golden_baselines/mine.main.json")


@pytest.fixture
def accepted(golden: Golden) -> Golden:
    """With a baseline that the lenient scorer is worse than."""
    golden.add_set("mine")
    golden.run("mine")
    golden("baseline", "mine")
    return golden


@pytest.mark.parametrize("how", ["dangling link", "folder"])
def test_a_baseline_that_is_no_file_is_refused(accepted: Golden, how: str) -> None:
    """A gate that is set up is not passed by without a word because its baseline is broken."""
    MAIN.unlink()
    if how == "folder":
        MAIN.mkdir()
    else:
        MAIN.symlink_to("/nonexistent/mine.json")
    assert "There is no baseline 'main'" in flat(accepted.run("mine", code=2).stderr)


@pytest.mark.parametrize("named", [[], ["--baseline", "main"], ["--baseline", str(MAIN)]])
def test_a_run_does_not_replace_its_baseline(accepted: Golden, named: list[str]) -> None:
    """Else a worse run would be what the next one is held against."""
    before = MAIN.read_bytes()
    done = accepted.run("mine", *named, "--json", f"./{MAIN}", code=2, **LENIENT)
    assert "is the baseline, which the run would replace" in flat(done.stderr)
    assert MAIN.read_bytes() == before


@pytest.mark.parametrize("files", [["--json", "x", "--html", "./x"], ["--html", "x", "--junit", "x"]])
def test_two_outputs_are_two_files(accepted: Golden, files: list[str]) -> None:
    """Refused before anything is run."""
    assert "are one file" in flat(accepted.run("mine", *files, code=2).stderr)
    assert not Path("x").exists()


@pytest.mark.parametrize("option", ["--html", "--junit"])
def test_a_verdict_outlives_a_report_that_cannot_be_written(accepted: Golden, option: str) -> None:
    """Worse is told by the status, and the next set is run; where nothing is worse the status tells of the report."""
    accepted.add_set("yours")
    Path("folder.mine").mkdir()
    files = [option, "folder", "--json", "r.json", "--margin", "15"]
    done = accepted.run("mine", "yours", *files, code=3, **LENIENT)
    assert "folder.mine cannot be written" in flat(done.stderr)
    assert Path("r.yours.json").is_file()
    assert Path("folder.yours").is_file()
    assert "folder.mine cannot be written" in flat(accepted.run("mine", "yours", *files, code=2).stderr)


def test_a_verdict_outlives_the_store(accepted: Golden) -> None:
    """A database that is down is not called absent, and the record is in its file."""
    away = "postgresql+psycopg://127.0.0.1:1/x"
    done = accepted.run("mine", "--margin", "15", code=3, ASSAY_DATABASE_URL=away, **LENIENT)
    assert "The run is not stored; it is in .assay/golden/mine.scorer.json." in flat(done.stderr)
    assert "There is no database of this version" not in done.stderr


def test_a_run_of_which_nothing_is_known_passes_nothing_and_is_no_baseline(golden: Golden) -> None:
    """It ends as one that cannot tell; and whatever were held against it could never be told."""
    golden.add_set("mine")
    (golden.folder / "broken_bot.py").write_text("def answer(question, contexts):\n    raise OSError\n")
    target = ["--target", "broken_bot:answer"]
    done = golden.run("mine", *target, "--repeats", "1", code=4)
    assert "Cannot tell yet: of the answers to 40 questions nothing is known." in flat(done.stdout)
    assert "Nothing is known of that run" in flat(golden("baseline", "mine", *target, code=2).stderr)
    golden.run("mine", "--target", TARGET, "--repeats", "1")
    golden("baseline", "mine", "--target", TARGET)


def test_what_is_in_quarantine_makes_no_run_known(golden: Golden) -> None:
    """It counts for nothing, also in the rates of a run without a baseline."""
    golden.add_set("mine", [kettle(number, hallucinated=False) for number in range(2)])
    (golden.folder / "mine/quarantine.toml").write_text(
        '[[items]]\nid = "ok-0"\nuntil = 2999-01-01\nreason = "flaky"\n'
    )
    told = flat(golden.run("mine").stdout)
    assert "Not compared: of 1 supported item, 0.0% are flagged" in told
    assert "1 item left out, quarantined: ok-0." in told
    only = golden.folder / "half_bot.py"
    only.write_text(
        "def answer(question, contexts):\n    if '1' in question:\n        raise OSError\n    return contexts[0]\n"
    )
    done = golden.run("mine", "--target", "half_bot:answer", "--repeats", "1", "--attempts", "1", code=4)
    assert "Cannot tell yet: of the answers to 1 question nothing is known." in flat(done.stdout)
