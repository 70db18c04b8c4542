"""`assay bench robustness`, quickly: from a folder of made-up rows to a result and a document, with the bundled model."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.bench.results import read_result
from workers.bench.robustness_results import Counts, RobustnessResult
from workers.bench.transformations import TRANSFORMATIONS, Kind

SHOPS = ("kettles", "ladders", "violins", "lanterns")
EXACT = {each.name for each in TRANSFORMATIONS if each.kind is Kind.ADDED}


def write_set(folder: Path, town: str) -> None:
    """A supported and a made-up row of each shop of a town."""
    rows = []
    for shop in SHOPS:
        premise = (
            f"The shop for {shop} in {town} opens at nine in the morning. It closes at five every day of the week. "
            f"Its owner moved to {town} in 1987 and repairs old {shop} on the second floor. Visitors may watch the work."
        )
        rows.append({"premise": premise, "hypothesis": "The shop closes at five.", "label": "supported"})
        rows.append({"premise": premise, "hypothesis": "Its owner won a medal in Peru.", "label": "not_supported"})
    with gzip.open(folder / f"{town}.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def bench(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "workers.cli", "bench", "robustness", "--quick", "--data", str(folder), *options]
    return subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=300)


def test_the_command_counts_and_writes(tmp_path: Path) -> None:
    """Every part is measured, the laws hold, and no text of the data is kept."""
    for town in ("Avonlea", "Brigadoon"):
        write_set(tmp_path, town)
    output, doc = tmp_path / "accuracy" / "robustness.json", tmp_path / "accuracy.md"
    done = bench(tmp_path, "--json", str(output), "--doc", str(doc))
    assert (done.returncode, done.stderr) == (0, "")
    result = read_result(RobustnessResult, output)
    assert [(each.name, each.rows) for each in result.sets] == [("Avonlea", 4), ("Brigadoon", 4)]
    for each in result.sets:
        assert {shift.name: shift.raised for shift in each.transformed if shift.name in EXACT} == dict.fromkeys(
            EXACT, 0
        )
        assert [shift.raised for shift in each.helped] == [0, 0]
        assert each.settling.claims == each.settling.verdicts == each.settling.scores == each.settling.evidence
        assert all(total(parts) for parts in (each.transformed, each.helped, each.injected, each.quoted))
        assert all(last.as_alone == last.responses for last in each.last)
    assert max(company.greatest for company in result.company) <= 1e-5
    for written in (output.read_text(), doc.read_text()):
        assert not any(word in written for word in (*SHOPS, "Peru", "1987"))
    assert "## Robustness" in doc.read_text()
    assert "these figures mean nothing" in done.stdout


def total(parts: tuple[Counts, ...]) -> int:
    return sum(part.claims for part in parts)  # type: ignore[attr-defined]


@pytest.mark.parametrize("town", [None, "Avonlea"])
def test_one_set_is_too_few(tmp_path: Path, town: str | None) -> None:
    """Irrelevant text is that of other sets: with fewer than two the command says so, and writes nothing."""
    if town:
        write_set(tmp_path, town)
    done = bench(tmp_path, "--json", str(tmp_path / "robustness.json"))
    assert (done.returncode, (tmp_path / "robustness.json").exists()) == (2, False)
    assert "two sets of rows" in done.stderr
