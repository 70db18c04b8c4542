"""The document of `assay bench statistics --only judge`, and its worlds."""

import numpy as np
import pytest

from service.core.estimate import Estimand
from workers.bench.machine import describe_machine
from workers.bench.statistics_judge import RATES, cover_judge, judge_grid
from workers.bench.statistics_judge_report import judge_document
from workers.bench.statistics_judge_results import JudgeCell, JudgeResult
from workers.bench.statistics_judge_worlds import (
    AT_RANDOM,
    CASCADES,
    GOOD,
    HALF,
    JUDGES,
    OF_THE_BAD,
    opinion,
    traffic_with,
    verdicts_of,
)
from workers.bench.worlds import FALLIBLE, INDEPENDENT, UNSURE, strata_of, worlds

CELL = JudgeCell(
    rate=0.2,
    n=1_000,
    design="equal",
    traffic=INDEPENDENT,
    detector=FALLIBLE,
    judge=GOOD,
    cascade=HALF,
    silence=AT_RANDOM,
)


def test_the_grid_is_the_one_promised() -> None:
    """Two scorers, two judges, four cascades, two kinds of traffic, two designs, four rates: 256; then others."""
    cells = judge_grid()
    assert len({cell.model_dump_json() for cell in cells}) == len(cells) == 256 + 32 + 96 + 8
    assert {cell.rate for cell in cells} == set(RATES)


@pytest.mark.parametrize("detector", [FALLIBLE, UNSURE])
@pytest.mark.parametrize("judge", JUDGES)
def test_a_judge_flags_what_it_is_said_to(detector: str, judge: str) -> None:
    """The truth that intervals are held against is the share that it flags of a large world."""
    (world,) = worlds(strata_of("equal", 0.2, 40_000), INDEPENDENT, detector, 1, np.random.default_rng(4))
    assert np.mean(opinion(world, judge, np.random.default_rng(5))) == pytest.approx(
        JUDGES[judge].rate(0.2, detector), abs=0.01
    )


@pytest.mark.parametrize("cascade", CASCADES)
def test_verdicts_stand_for_all_but_the_silent(cascade: str) -> None:
    """Weighted by their probabilities they are nine tenths of what was scored."""
    (world,) = worlds(strata_of("equal", 0.2, 40_000), INDEPENDENT, UNSURE, 1, np.random.default_rng(6))
    random = np.random.default_rng(7)
    said = verdicts_of(world, opinion(world, GOOD, random), cascade, AT_RANDOM, random)
    assert sum(v.sample.weight for v in said) / world.weight.sum() == pytest.approx(0.9, abs=0.04)


def test_of_one_traffic_a_sample_is_a_part() -> None:
    """Weighted it stands for all that came, and everything is everything."""
    came = traffic_with(20_000, 0.2, UNSURE, GOOD, np.random.default_rng(8))
    part, would = came.sampled(0.5, np.random.default_rng(9))
    assert part.weight.sum() == pytest.approx(20_000, rel=0.05)
    assert part.bad.mean() == pytest.approx(came.everything.bad.mean(), abs=0.02)
    assert len(would) == part.size
    whole, _ = came.sampled(1.0, np.random.default_rng(9))
    assert whole.bad.sum() == came.everything.bad.sum()


def test_a_cell_is_the_same_every_time() -> None:
    """The seed and the cell decide, nothing else."""
    assert cover_judge(CELL, 10) == cover_judge(CELL, 10)


def test_the_document_names_what_misses() -> None:
    """Cells below the aim are counted and listed; a judge that is silent where it matters has its own table."""
    good = cover_judge(CELL, 20)
    bad = good.model_copy(update={"judged": good.judged.model_copy(update={"answered": 20, "covered": 17})})
    silent = cover_judge(CELL.model_copy(update={"silence": OF_THE_BAD}), 20)
    traffic = cover_judge(CELL.model_copy(update={"design": "everything", "estimand": Estimand.TRAFFIC}), 20)
    cells = (good, bad, silent, traffic)
    result = JudgeResult(machine=describe_machine(), quick=True, seed=1, confidence=0.95, cells=cells)
    text = judge_document(result)
    assert "| judged rate | 2 |" in text
    assert "85.0% | 1 |" in text
    assert "**Every cell of one traffic itself:**" in text
    assert "**Cells below 93%:**" in text
    assert text.count("silent where it matters") == 1
    assert "No cell is below" not in text
