"""`assay calibrate`: from labelled rows to thresholds, or to a sentence that says what is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.load import ScorerConfig, load_scorer
from tests.checkpoints import save_checkpoint

FACTS = ("opens at nine", "closes at five", "sells kettles", "is in Paris", "has two floors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(tmp_path_factory.mktemp("tiny"), "bert")


def write_rows(path: Path, documents: int) -> Path:
    """A supported and an unsupported row of each document."""
    rows = []
    for number in range(documents):
        fact = FACTS[number % len(FACTS)]
        context = f"Shop number {number} {fact}."
        rows.append({"contexts": [context], "response": context, "label": "supported"})
        rows.append({"contexts": [{"text": context}], "response": "It snowed in Tokyo.", "label": "NOT_SUPPORTED"})
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


def run(rows: Path, output: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "workers.cli", "calibrate", str(rows), "-o", str(output)]
    settings = {**os.environ, "HF_HUB_OFFLINE": "1", **environment}
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False, timeout=300)


def test_a_calibration_makes_strict_known(folder: Path, tmp_path: Path) -> None:
    """The file that the command writes lets the model start with the default threshold, and it says how."""
    output = tmp_path / "calibration.json"
    done = run(write_rows(tmp_path / "rows.jsonl", 60), output, ASSAY_NLI_MODEL=str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"ASSAY_NLI_CALIBRATION={output}" in done.stdout
    assert "strict specificity" in done.stdout
    assert "few rows" in done.stdout
    assert load_scorer(ScorerConfig(model=str(folder), calibration=output)).name == "nli"


def test_too_few_rows(folder: Path, tmp_path: Path) -> None:
    """With few rows nothing is written: a threshold of ten rows would be an accident."""
    done = run(write_rows(tmp_path / "rows.jsonl", 10), tmp_path / "c.json", ASSAY_NLI_MODEL=str(folder))
    assert done.returncode == 2
    assert "Too few rows" in done.stderr
    assert not (tmp_path / "c.json").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"contexts": ["a"], "response": "b", "label": "maybe"}', "Row 1 has no label in the field 'label'"),
        ('{"contexts": ["a"], "response": "b"}', "Row 1 has no label in the field 'label'"),
        ('{"contexts": [1], "response": "b", "label": "supported"}', "Row 1 cannot be used"),
        ("not JSON", "Row 1 cannot be used"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, line: str, said: str) -> None:
    """A row that cannot be used is refused by its number, without a traceback."""
    (tmp_path / "rows.jsonl").write_text(line)
    done = run(tmp_path / "rows.jsonl", tmp_path / "c.json")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_fake_scorer_has_no_threshold_to_choose(tmp_path: Path) -> None:
    """There is nothing to calibrate without a model."""
    done = run(write_rows(tmp_path / "rows.jsonl", 1), tmp_path / "c.json", ASSAY_SCORER="fake")
    assert (done.returncode, "ASSAY_SCORER=nli" in done.stderr) == (2, True)
