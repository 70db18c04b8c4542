"""The hallucination rate by labels: by hand where that is possible, by simulation of known truth elsewhere."""

from dataclasses import replace

import numpy as np
import pytest

from service.core.correction import (
    BORROWED,
    MIN_LABELS,
    Labelled,
    Predicted,
    borrow,
    correct,
    effective_labels,
    fit,
    lend,
    too_few,
)
from service.core.estimate import Estimand
from service.core.label_draw import Candidate, Pool, draw, size_of
from workers.bench.statistics import SEED, cover, grid
from workers.bench.statistics_results import Cell
from workers.bench.worlds import Scored, draw_labels

LABEL = Labelled(inclusion_probability=0.1, label_probability=0.5, y=0.0, m=1, f=0.2)


def predicted(f: float, n: int, probability: float = 0.1) -> Predicted:
    """So many responses of one probability that all have this score."""
    w = 1 / probability
    return Predicted(f=w * n * f, m=w * n, ff=w * w * n * f * f, fm=w * w * n * f, mm=w * w * n)


def test_a_scorer_that_says_nothing_leaves_the_labels() -> None:
    """All scores alike: the rate is the labels' own, with about their number of independent units."""
    labels = [replace(LABEL, y=float(n % 4 == 0)) for n in range(100)]
    found = correct(predicted(0.2, 5_000), labels, 0.95)
    assert (found.rate, found.power, found.n_labels, found.labels_needed) == (pytest.approx(0.25), 0.0, 100, 0)
    assert found.effective_n == pytest.approx(100, rel=0.05)


def test_a_perfect_scorer_is_as_good_as_labels_of_all() -> None:
    """Predictions that are right make the rate that of everything scored, whatever share of it was labelled bad."""
    labels = [replace(LABEL, y=1.0, f=1.0)] * 40 + [LABEL] * 40
    everything = Predicted(
        f=10 * (600 + 0.2 * 1_400), m=20_000, ff=100 * (600 + 0.04 * 1_400), fm=100 * (600 + 280), mm=200_000
    )
    found = correct(everything, labels, 0.95)
    assert found.rate == pytest.approx(0.3)
    assert found.power == pytest.approx(1.25)  # from 0.2 and 1 to 0 and 1


def test_a_scorer_that_is_wrong_the_wrong_way_round_counts_for_nothing() -> None:
    """High scores for what is right: the line is flat, not upside down."""
    labels = [replace(LABEL, y=float(n % 2), f=0.1 if n % 2 else 0.9) for n in range(60)]
    line = fit(labels)
    assert (line.a, line.b) == (pytest.approx(0.5), 0.0)


def test_weights_count() -> None:
    """A label drawn with a tenth of the probability stands for ten times as many."""
    rare = [replace(LABEL, label_probability=0.05, y=1.0)] * 40
    often = [LABEL] * 400
    assert correct(predicted(0.2, 5_000), [*rare, *often], 0.95).rate == pytest.approx(0.5)


@pytest.mark.parametrize("count", [0, 1, 29])
def test_too_few_labels_are_no_estimate(count: int) -> None:
    """Null, and how many more; never a rate of nothing."""
    found = correct(predicted(0.2, 5_000), [LABEL] * count, 0.95)
    assert (found.rate, found.low, found.n_labels) == (None, None, count)
    assert count + found.labels_needed == MIN_LABELS


def test_unequal_labels_need_more() -> None:
    """Labels of very unequal weight count for fewer, and more of them are asked for."""
    labels = [replace(LABEL, label_probability=0.01)] * 2 + [LABEL] * 30
    assert effective_labels(labels) < 6
    assert too_few(labels).labels_needed > 100


def test_all_labelled_all_sampled_is_known() -> None:
    """Of the traffic itself, nothing is left to chance where everything was sampled and labelled."""
    labels = [
        replace(LABEL, inclusion_probability=1.0, label_probability=1.0, y=float(n % 5 == 0), f=0.5) for n in range(100)
    ]
    everything = replace(predicted(0.5, 100, 1.0), ff=0.0, fm=0.0, mm=0.0)
    found = correct(everything, labels, 0.95, Estimand.TRAFFIC)
    process = correct(predicted(0.5, 100, 1.0), labels, 0.95)
    assert found.rate == process.rate == pytest.approx(0.2)
    assert found.high is not None
    assert process.high is not None
    assert found.high - 0.2 <= process.high - 0.2


def test_borrowed_correction_is_marked() -> None:
    """A bucket without labels of its own takes the line of the others, and says so."""
    others = [replace(LABEL, y=1.0, f=0.9)] * 20 + [LABEL] * 80
    found = borrow(predicted(0.55, 300), too_few([LABEL] * 3), lend(others), 0.95)
    assert found.rate == pytest.approx(0.5)
    assert (found.method, found.n_labels, found.labels_needed) == (BORROWED, 3, 27)
    assert borrow(predicted(0.55, 300), too_few([]), lend(others[:10]), 0.95).rate is None


CELLS = [cell for cell in grid((1_000,)) if cell.labels == 300 and cell.rate in {0.01, 0.2} and cell.design != "equal"]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.rate}-{cell.design[-9:]}-{cell.traffic}")
def test_intervals_hold_the_truth(cell: Cell) -> None:
    """In 300 worlds of each cell, at least 91% of the intervals hold the truth, and the mean is the truth."""
    found = cover(cell, 300)
    assert found.coverage is not None
    assert found.coverage > 0.91
    assert found.mean == pytest.approx(found.truth, abs=0.15 * found.truth + 0.002)


def test_worlds_draw_as_the_store_does() -> None:
    """The simulation's arrays give the samples, and the probabilities, of the real draw."""
    random = np.random.default_rng(SEED)
    weight = random.choice([2.0, 20.0, 100.0], 500)
    score = random.random(500)
    world = Scored(weight=weight, bad=score > 0.5, flagged=score > 0.5, score=score, cluster=np.arange(500))
    positions = np.random.default_rng(1).random(500)
    candidates = [
        Candidate(seq=n, position=float(u), size=size_of(float(s), 1 / float(w)))
        for n, (u, s, w) in enumerate(zip(positions, score, weight, strict=True))
    ]
    drawn = draw([Pool(day=0, part=0, cutoff=0.0, candidates=candidates, read_to=1.0)], 50)
    simulated = list(draw_labels(world, 50, np.random.default_rng(1)).values())
    assert [float(score[c.seq]) for _, c in drawn.tasks] == [label.f for label in simulated]
    assert [min(1.0, drawn.cutoff * c.size) for _, c in drawn.tasks] == pytest.approx(
        [label.label_probability for label in simulated]
    )
