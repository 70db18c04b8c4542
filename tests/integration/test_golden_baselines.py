"""Baselines of golden runs: accepted by `golden baseline`, found by name, file or id, and compared by `golden compare`."""

from pathlib import Path
from typing import Any

import pytest

from service.core.db import Database
from service.core.golden.record import AnswerState, RunRecord
from tests.integration.conftest import Running, Start
from tests.integration.golden_running import COUNT, LENIENT, TARGET, Golden, flat, golden

__all__ = ["golden"]
MAIN = Path("golden_baselines/mine.main.json")


def test_the_last_run_becomes_main(golden: Golden) -> None:
    """`golden baseline` accepts it under the name that later runs look for by themselves; `none` looks for nothing."""
    golden.run("mine", "--release", "2026.1")
    done = golden("baseline", "mine")
    assert flat(done.stdout).startswith(f"{MAIN} holds the run of ")
    assert done.stdout.strip().endswith("UTC, 2026.1.")
    assert MAIN.read_bytes() == (golden.folder / ".assay/golden/mine.scorer.json").read_bytes()
    assert "Worse" in golden.run("mine", "--margin", "15", code=3, **LENIENT).stdout
    assert "Not compared" in golden.run("mine", "--baseline", "none", **LENIENT).stdout


def test_a_name_and_a_folder_of_one_s_own(golden: Golden) -> None:
    """Any run's file under any name; a file of that name in the working directory does not stand in its way."""
    golden.run("mine", "--json", "a.json")
    golden("baseline", "mine", "--from", "a.json", "--name", "v1.2", "--baselines", "kept")
    (golden.folder / "v1.2").write_text("a program, say")
    golden.run("mine", "--baseline", "v1.2", "--baselines", "kept")
    golden("baseline", "mine", "--from", "a.json")
    (golden.folder / "main").write_text("a program, say")
    assert "No worse" in golden.run("mine").stdout


def test_another_target_s_last_run(golden: Golden) -> None:
    """`--target` says whose; one name is never of two kinds of target, and a run says so before anything is asked."""
    golden.run("mine")
    golden.run("mine", "--target", TARGET, "--repeats", "1")
    golden("baseline", "mine")
    before = MAIN.read_bytes()
    done = golden("baseline", "mine", "--target", TARGET, code=2)
    assert "is not of the application" in flat(done.stderr)
    assert MAIN.read_bytes() == before
    golden("baseline", "mine", "--target", TARGET, "--name", "app")
    assert len(golden.calls) == COUNT
    done = golden.run("mine", "--target", TARGET, code=2)
    assert "The baseline main is of the scorer" in flat(done.stderr)
    assert golden.calls == []
    golden.run("mine", "--target", TARGET, "--repeats", "1", "--baseline", "app")


REFUSED_BASELINES = [
    (["mine", "--name", "a/b"], "A baseline's name has letters"),
    (["mine", "--name", ""], "A baseline's name has letters"),
    (["nowhere"], "There is no golden set"),
    (["mine", "--from", "nowhere.json"], "nowhere.json cannot be read"),
    (["mine", "--from", "mine/items.jsonl"], "is no record of a golden run"),
    (["yours", "--from", "a.json"], "That run is of the set mine"),
    (["yours"], "There is no last run of the scorer over yours"),
]


def test_baselines_that_are_refused(golden: Golden) -> None:
    """Status 2 with a sentence; nothing is written."""
    golden.add_set("yours")
    golden.run("mine", "--json", "a.json")
    for arguments, told in REFUSED_BASELINES:
        assert told in flat(golden("baseline", *arguments, code=2).stderr)
    assert not (golden.folder / "golden_baselines").exists()


def test_a_baseline_that_is_broken(golden: Golden) -> None:
    """A merge left its marks in it: runs are refused, and to accept another run is the cure."""
    golden.run("mine")
    golden("baseline", "mine")
    MAIN.write_text("<<<<<<< ours\n" + MAIN.read_text())
    assert "is no record of a golden run" in flat(golden.run("mine", code=2).stderr)
    golden("baseline", "mine")
    golden.run("mine")


def test_a_baseline_of_another_set(golden: Golden) -> None:
    """Refused before the run."""
    golden.add_set("yours")
    golden.run("mine", "--json", "a.json")
    assert "over the set mine" in flat(golden.run("yours", "--baseline", "a.json", code=2).stderr)
    assert not (golden.folder / ".assay").exists()


def test_one_scorer_sees_both(golden: Golden) -> None:
    """An application's baseline that an older scorer saw is scored again: the same answers are no change."""
    golden.wrong(COUNT)
    asked = ["mine", "--target", TARGET, "--repeats", "1", "--margin", "15"]
    golden.run(*asked, "--json", "before.json", **LENIENT)
    assert not any(answer.flagged for each in golden.record("before.json").items for answer in each.answers)
    done = golden.run(*asked, "--json", "now.json", "--baseline", "before.json")
    assert "No worse" in done.stdout
    assert "Two scorers" not in done.stdout
    assert all(answer.flagged for each in golden.record("now.json").items for answer in each.answers)
    done = golden("compare", "before.json", "now.json", "--margin", "15")
    assert "No worse" in done.stdout
    golden.wrong(0)
    golden.run(*asked, "--json", "better.json")
    golden("compare", "better.json", "before.json", "--margin", "15", code=3)


def test_compare_says_what_run_says(golden: Golden, tmp_path: Path) -> None:
    """The same verdict, figures, quarantine and floors, to the letter; the set elsewhere is named by --set."""
    golden.add_set("deep/mine")
    golden.run("deep/mine", "--json", "a.json")
    fingerprint = golden.record("a.json").fingerprint or ""
    (tmp_path / "deep/mine/quarantine.toml").write_text(
        '[[items]]\nid = "bad-1"\nuntil = 2999-01-01\nreason = "in dispute"\n'
    )
    compared = ["--margin", "15", "--github"]
    for code, environment in ((0, {}), (3, LENIENT)):
        told = golden.run("deep/mine", "--json", "b.json", "--baseline", "a.json", *compared, code=code, **environment)
        again = golden("compare", "a.json", "b.json", "--set", "deep/mine", *compared, code=code, **environment)
        assert again.stdout == told.stdout
    assert "The set" not in again.stderr
    (tmp_path / "deep/mine/floors.toml").write_text(f'["{fingerprint}"]\nfound = 1\npassed = 1\n')
    golden("compare", "b.json", "a.json", "--set", "deep/mine", *compared)
    for path in (tmp_path / "mine").iterdir():
        path.unlink()
    done = golden("compare", "a.json", "b.json", *compared, code=3)
    assert "The set mine is not here" in flat(done.stderr)


REFUSED_COMPARISONS = [
    (["a.json", "nowhere.json"], "There is no file 'nowhere.json'"),
    (["main", "a.json"], "There is no file 'main'"),
    (["a.json", "yours.json"], "One run is of the set 'mine', the other of 'yours'"),
    (["a.json", "app.json"], "One run tested the scorer, the other the application"),
    (["a.json", "a.json", "--set", "yours"], "That run is of the set mine"),
    (["a.json", "a.json", "--set", "nowhere"], "There is no golden set"),
    (["a.json", "a.json", "--margin", "0"], "--margin is in points"),
    (["run:x", "a.json"], "There is no database"),
]


def test_comparisons_that_are_refused(golden: Golden) -> None:
    """Status 2 with a sentence."""
    golden.add_set("yours")
    golden.run("mine", "--json", "a.json")
    golden.run("yours", "--json", "yours.json")
    golden.run("mine", "--json", "app.json", "--target", TARGET, "--repeats", "1")
    for arguments, told in REFUSED_COMPARISONS:
        assert told in flat(golden("compare", *arguments, code=2).stderr)
    assert not (golden.folder / "none.db").exists()


def stored(database: Database) -> dict[str, str | None]:
    """The environment of a command that has it."""
    return {"ASSAY_DATABASE_URL": database.engine.url.render_as_string(hide_password=False)}


def get(running: Running, path: str = "") -> Any:
    return running.client.get(f"/golden-runs{path}").raise_for_status().json()


def test_a_run_is_stored(golden: Golden, database: Database, start: Start) -> None:
    """Where there is a database: with its baseline, margin and quarantine, and read as it was; `run:ID` names it."""
    (golden.folder / "mine/quarantine.toml").write_text(
        '[[items]]\nid = "bad-1"\nuntil = 2999-01-01\nreason = "in dispute"\n'
    )
    golden.run("mine", "--json", "a.json", "--release", "r1", **stored(database))
    record = golden.record("a.json")
    running = start()
    told = get(running, f"/{record.id}?record=true")
    assert (told["origin"], told["release"], told["quarantined"], told["state"]) == ("cli", "r1", ["bad-1"], "finished")
    assert RunRecord.model_validate(told["record"]).items == record.items
    asked = ["mine", "--json", "b.json", "--margin", "15", "--baseline", f"run:{record.id}"]
    done = golden.run(*asked, code=3, **LENIENT, **stored(database))
    second = golden.record("b.json")
    told = get(running, f"/{second.id}")
    assert (told["baseline"], told["margin"], told["comparison"]["verdict"]) == (record.id, 0.15, "worse")
    again = golden("compare", f"run:{record.id}", f"run:{second.id}", "--margin", "15", code=3, **stored(database))
    assert again.stdout == done.stdout
    golden.run("mine", "--json", "c.json", "--no-store", **stored(database))
    assert {each["id"] for each in get(running)["runs"]} == {record.id, second.id}
    assert "There is no golden run" in golden("compare", "run:x", "a.json", code=2, **stored(database)).stderr


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_answers_that_were_not_kept(golden: Golden, database: Database) -> None:
    """What an older scorer said of a response without its text is unknown to the newer one, not taken for its own word."""
    policy = golden.folder / "policy.toml"
    policy.write_text('[privacy]\nstore_text = "none"\n')
    kept = {**stored(database), "ASSAY_POLICY_FILE": str(policy)}
    golden.wrong(COUNT)
    asked = ["mine", "--target", TARGET, "--repeats", "1", "--margin", "15"]
    golden.run(*asked, "--json", "a.json", **LENIENT, **kept)
    baseline = f"run:{golden.record('a.json').id}"
    done = golden.run(*asked, "--baseline", baseline, code=4, **kept)
    assert "Cannot tell" in done.stdout
    golden.run(*asked, "--baseline", baseline, **LENIENT, **kept)


def test_a_database_of_another_version(golden: Golden) -> None:
    """It is left alone, which is said; the run is in its file."""
    (golden.folder / "none.db").touch()
    done = golden.run("mine")
    assert "There is no database of this version" in done.stderr
    assert {answer.state for each in golden.record().items for answer in each.answers} == {AnswerState.SCORED}
