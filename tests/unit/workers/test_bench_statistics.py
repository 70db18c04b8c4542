"""The documents of `assay bench statistics` and `assay bench rates`, and worlds against formulas."""

import numpy as np
import pytest

from service.core.estimate import Estimand
from workers.bench.machine import describe_machine
from workers.bench.rates import rates_document
from workers.bench.rates_results import QueryCost, RatesResult, StoredCost
from workers.bench.statistics import SIZES, cover, grid
from workers.bench.statistics_report import coverage_plot, statistics_document
from workers.bench.statistics_results import Cell, Covered, StatisticsResult
from workers.bench.worlds import CLUSTERED, FALLIBLE, PERFECT, clusters_of, counts_of, strata_of, truth_of, worlds

CELL = Cell(rate=0.05, n=200, design="equal", traffic="independent", detector=PERFECT, labels=0)


def test_the_grid_is_the_one_promised() -> None:
    """Five rates, four sizes, three designs, two kinds of traffic, four kinds of scorer and labels: 480, and the traffic."""
    cells = grid(SIZES)
    assert len({cell.model_dump_json() for cell in cells}) == len(cells) == 540
    assert sum(cell.estimand == Estimand.PROCESS for cell in cells) == 480


@pytest.mark.parametrize("design", ["equal", "unequal, unrelated to the outcome", "unequal, related to the outcome"])
def test_strata_have_the_rate_and_the_size(design: str) -> None:
    """Of every design the true rate and the expected number of samples are those asked for."""
    strata = strata_of(design, 0.05, 1_000)
    assert truth_of(strata) == pytest.approx(0.05)
    assert sum(n * p for n, p, _ in strata) == pytest.approx(1_000)


def test_counts_and_clusters_are_of_the_same_samples() -> None:
    """What the rollups would hold and what the store would read of clusters agree in their weighted sums."""
    strata = strata_of("unequal, related to the outcome", 0.2, 400)
    (world,) = worlds(strata, CLUSTERED, FALLIBLE, 1, np.random.default_rng(3))
    cells, clusters = counts_of(world), clusters_of(world)
    assert sum(cell.scored for cell in cells) == world.size
    assert sum(cell.k for cell in cells) == world.flagged.sum()
    assert clusters.mm > sum(cell.weight**2 * cell.m for cell in cells)  # some sessions have several responses
    assert not clusters.single


def test_a_cell_is_the_same_every_time() -> None:
    """The seed and the cell decide, nothing else."""
    assert cover(CELL, 50) == cover(CELL, 50)


def test_the_document_counts_what_misses() -> None:
    """Cells below the aim are counted, listed first, and red in the plot; those that decline are no success."""
    good = Covered(cell=CELL, worlds=100, answered=100, covered=95, below=2, truth=0.05, mean=0.05, width=0.06)
    bad = good.model_copy(update={"covered": 91, "cell": CELL.model_copy(update={"n": 1_000})})
    silent = good.model_copy(update={"answered": 2, "covered": 2, "cell": CELL.model_copy(update={"labels": 50})})
    result = StatisticsResult(
        machine=describe_machine(), quick=True, seed=1, confidence=0.95, cells=(good, bad, silent)
    )
    text = statistics_document(result)
    assert "50.0% (1 of 2)" in text
    assert "| lowest coverage of a cell | 91.0% | 90% |" in text
    assert "| cells that decline nearly always | 1 of 3 |" in text
    plot = coverage_plot(result)
    assert (plot.count("<circle"), plot.count("#d1242f")) == (2, 1)


def test_the_rates_document() -> None:
    """Every measured query has a line, with its aim."""
    cost = QueryCost(query="window=30d", buckets=3, rows=9, p50_ms=1.25, p99_ms=2.5)
    stored = StoredCost(store="sqlite", stored=10_000_000, rollup_rows=99, folded_per_s=5_000, queries=(cost,))
    result = RatesResult(machine=describe_machine(), quick=False, models=4, routes=5, calls=200, costs=(stored,))
    text = rates_document(result)
    assert "| sqlite | 10,000,000 | `window=30d` | 3 | 9 | 1.2 | 2.5 |" in text
    assert "under 50 ms" in text
