"""The document that is written from results."""

from pathlib import Path

import pytest

from tests.unit.workers.bench_results import MACHINE, ingest_result, queue_result, scoring_result, series
from workers.bench import report
from workers.bench.results import BenchError, IngestResult, QueueResult, Series, read_result, write_result
from workers.bench.scoring_report import scoring_section
from workers.bench.scoring_results import GpuResult


def document(ingest: IngestResult, queue: QueueResult) -> str:
    return report.document(ingest, queue, scoring_result())


def row_of(text: str, start: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {start}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_figures_are_medians_with_spread_and_aim() -> None:
    """Each row has the median of its rounds, how far they lie apart, and the aim if there is one."""
    text = document(ingest_result(), queue_result())
    assert row_of(text, "`POST /score`, requests/s")[1:] == ["2,000", "10%", ""]
    assert row_of(text, "of the bare endpoint")[1:] == ["64%", "8%", "70%"]
    assert row_of(text, "`POST /score` at half load: p99")[1:] == ["7", "0%", "under 10 ms"]


def test_growth_is_set_against_the_first_level() -> None:
    """A reader sees at once whether it is flat."""
    text = document(ingest_result(), queue_result())
    assert row_of(text, "PostgreSQL 18.4 | 1,000,000 | 0.25")[-1] == "x 1.25"
    assert row_of(text, "PostgreSQL 18.4 | 2 |")[-1] == "x 1.67"


def test_scaling_is_computed_from_the_results() -> None:
    """Other costs give other machines."""
    assert row_of(document(ingest_result(), queue_result()), "5.0%")[2:4] == ["5 / 1 / 1", "50"]
    faster = ingest_result(assay_per_s=series(4_000))
    assert row_of(document(faster, queue_result()), "5.0%")[2] == "3 / 1 / 1"


def test_what_was_not_measured_is_not_computed() -> None:
    """Without a model the document says that it computes nothing."""
    assert "Not computed: no model runtime" in document(ingest_result(), queue_result(model=None))


def test_a_busy_machine_is_named() -> None:
    """Figures from a machine that others used say so."""
    assert "Others were using" not in document(ingest_result(), queue_result())
    busy = ingest_result(machine=MACHINE.model_copy(update={"load_before": 3.0}))
    assert document(busy, queue_result()).count("Others were using the machine") == 1


def test_a_slow_generator_is_named() -> None:
    """Where the generator may have been what was measured, the document says so."""
    assert "a lower bound" not in document(ingest_result(), queue_result())
    assert "a lower bound" in document(ingest_result(generator_per_s=series(4_000)), queue_result())


def test_results_come_back_as_written(tmp_path: Path) -> None:
    """A result file holds every round."""
    write_result(queue_result(), tmp_path / "made" / "queue.json")
    assert read_result(QueueResult, tmp_path / "made" / "queue.json") == queue_result()


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A result of the other bench, or no file, is an error that says which."""
    write_result(queue_result(), tmp_path / "queue.json")
    for name in ("queue.json", "missing.json"):
        with pytest.raises(BenchError, match=name):
            read_result(IngestResult, tmp_path / name)


def test_a_series_of_nothing_but_zeros_has_no_spread() -> None:
    """A share of nothing is no error."""
    assert Series.of([0, 0]).spread == 0


def test_scoring_is_set_beside_the_reference() -> None:
    """Ratios, the share of the machine, and how many claims came out alike, each with what it was measured over."""
    text = scoring_section(scoring_result())
    assert row_of(text, "64 |")[1:] == ["600", "100", "6.0 x", "3%", "70%"]
    assert row_of(text, "Assay beside the reference")[1:] == ["32.0 x", "0%", "25 x"]
    assert row_of(text, "Assay beside that")[1:] == ["10.0 x", "0%", ""]
    assert "reads the 3,000 with a window that is about the claim first" in text
    assert "2,500 pairs, 25%, decided" in text
    assert "Of 160 claims, 160 (100.0%) have the verdict of the exhaustive scan" in text
    assert "156 (97.5%) the verdict of the float32 probabilities" in text


def test_a_gpu_is_named_only_where_there_is_one() -> None:
    """What was not measured is said, not left out."""
    assert "No GPU was there to measure" in scoring_section(scoring_result())
    gpu = GpuResult(device="A GPU", dtype="bfloat16", tokens=128, pairs_per_s=series(5e4), responses_per_s=series(900))
    text = scoring_section(scoring_result(gpu=gpu))
    assert "On one A GPU in bfloat16: 50,000 pairs/s of 128 tokens (aim on an H200: 50,000), 900 responses/s" in text
