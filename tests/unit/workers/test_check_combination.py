"""`assay check` says which fit a policy names, and refuses one that no sidecar could read."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from service.core.combination import FittedScorer, Thresholds, make_combination, save_combination
from workers.cli import app


@pytest.fixture
def fit(tmp_path: Path) -> Path:
    """A fit for one scorer, written."""
    made = make_combination(
        intercept=-1.0,
        scorers=(FittedScorer(name="nli", fingerprint="abcdef0123456789", slopes={"nli": 1.0}, absent=None),),
        thresholds=Thresholds(balanced=0.5, strict=0.75),
        made_at=datetime(2026, 11, 1, tzinfo=UTC),
        figures={},
    )
    save_combination(made, tmp_path / "fit.json")
    return tmp_path / "fit.json"


def check(fit: Path) -> Result:
    policy = fit.with_name("policy.toml")
    policy.write_text(f'combination = "{fit}"\n', encoding="utf-8")
    return CliRunner().invoke(app, ["check", str(policy)], env={"COLUMNS": "200"})


def test_it_names_fit_and_scorers(fit: Path) -> None:
    """By digest, day and fingerprint."""
    done = check(fit)
    assert done.exit_code == 0, done.output
    digest = json.loads(fit.read_text(encoding="utf-8"))["digest"]
    assert f"fit {digest} of 2026-11-01, for nli abcdef012345." in done.output


def test_without_one_it_says_nothing(fit: Path) -> None:
    """A policy that names none has no line about it."""
    policy = fit.with_name("policy.toml")
    policy.write_text("[sampling]\nrate = 0.5\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["check", str(policy)])
    assert (done.exit_code, "Combined score" in done.output) == (0, False)


@pytest.mark.parametrize("text", ["{", "", '{"version": 1}'])
def test_a_broken_file_is_refused(fit: Path, text: str) -> None:
    """The sentence names the file and what to do; there is no traceback."""
    fit.write_text(text, encoding="utf-8")
    done = check(fit)
    assert done.exit_code == 2
    assert str(fit) in done.output
    assert "assay calibrate" in done.output


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """As the sidecar would refuse it."""
    done = check(tmp_path / "none.json")
    assert (done.exit_code, "cannot read" in done.output) == (2, True)
