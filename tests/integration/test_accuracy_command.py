"""`assay bench accuracy`: from a folder of made-up rows to a result and a document, with the bundled model."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

from models.load import BUNDLED
from tests.integration.test_robustness_command import write_set
from workers.bench.detection_results import DetectionResult
from workers.bench.results import read_result

SHOPS = ("kettles", "ladders", "violins", "lanterns")


def bench(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "workers.cli", "bench", "accuracy", "--data", str(folder), *options]
    return subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=300)


def write_nli(folder: Path) -> None:
    rows = [
        {"premise": f"A man sells {shop}.", "hypothesis": hypothesis, "label": label, "group": shop}
        for shop in SHOPS
        for hypothesis, label in ((f"A man sells {shop}.", "entailment"), ("Nobody sells anything.", "contradiction"))
    ]
    with gzip.open(folder / "mnli.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def test_the_command_measures_and_writes(tmp_path: Path) -> None:
    """Every table is there, the previous weights are the same ones here and reach the same, no text of the data is kept."""
    write_set(tmp_path, "Avonlea")
    write_nli(tmp_path)
    output, doc = tmp_path / "accuracy" / "accuracy.json", tmp_path / "accuracy.md"
    done = bench(tmp_path, "--json", str(output), "--doc", str(doc), "--previous", str(BUNDLED))
    assert (done.returncode, done.stderr) == (0, "")
    result = read_result(DetectionResult, output)
    assert {each.name: (each.rows, each.supported) for each in result.sets} == {"Avonlea": (8, 4), "mnli": (8, 4)}
    assert [each.name for each in result.detectors] == [
        "Assay",
        "word overlap",
        "the whole document as one pair",
        "the previous weights",
    ]
    assert result.detectors[0].mean.auc.value == 1.0
    assert result.detectors[3].mean.auc.value == 1.0
    assert result.classes["mnli"].whole == 8
    assert sum(size.passed.whole + size.caught.whole for size in result.sizes) == 16
    text = doc.read_text()
    assert "## Detection" in text
    assert (tmp_path / "accuracy" / "reliability.svg").read_text().startswith("<svg")
    assert not any(word in written for written in (output.read_text(), text) for word in (*SHOPS, "Peru", "1987"))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """Without sets nothing is measured, and the command says what it needs."""
    done = bench(tmp_path, "--json", str(tmp_path / "accuracy.json"))
    assert (done.returncode, (tmp_path / "accuracy.json").exists()) == (2, False)
    assert "holds no sets" in done.stderr
