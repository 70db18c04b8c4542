"""The figures of `assay bench accuracy`: intervals that hold, and counts that are what they say."""

import math
import xml.etree.ElementTree as ET
from statistics import NormalDist

import numpy as np
import pytest

from models.calibrate import Calibration
from models.training.calibrate import Graded
from models.training.figures import mark
from models.training.rows import Row
from models.types import Context, Item
from workers.bench.baselines import overlap_scores
from workers.bench.detection_figures import (
    Judged,
    calibration_error,
    detected,
    domains_of,
    float32_beside,
    lowered,
    pairwise_of,
    reliability_of,
    sizes_of,
)
from workers.bench.detection_results import Share
from workers.bench.reliability_plot import reliability_plot
from workers.bench.resampling import Sampled, aucs

RISING = Calibration(slope=1.0, intercept=0.0, strict=0.8, rise=0.7)


def row(*, supported: bool, group: str = "", domain: str = "", pair: str = "", response: str = "r") -> Row:
    item = Item(response=response, contexts=(Context(id="0", text="The shop opens at nine."),))
    return Row(item=item, supported=supported, group=group, domain=domain, pair=pair)


def judged(score: float, *, supported: bool, claims: int = 1, **given: str) -> Judged:
    graded = Graded(score=score, claims=(score,) * claims, supported=supported)
    return Judged.of(row(supported=supported, **given), graded, RISING)


def test_the_first_line_is_the_plain_figure() -> None:
    """Undrawn, AUC and balanced accuracy are those of models/training/figures.py, ties included."""
    draw = np.random.default_rng(1)
    scores = [round(float(score), 1) for score in draw.random(300)]
    bad = [bool(draw.random() < score) for score in scores]
    rows = [row(supported=not is_bad, group=str(at // 3)) for at, is_bad in enumerate(bad)]
    marked = mark(scores, [not is_bad for is_bad in bad])
    found = detected(scores, rows, 0.5, 7).figures
    assert found.auc.value == pytest.approx(marked.auc())
    assert found.balanced_accuracy.value == pytest.approx(marked.balanced_accuracy(0.5))
    assert (found.specificity, found.sensitivity) == (marked.specificity(0.5), pytest.approx(marked.sensitivity(0.5)))
    assert found.auc.low < found.auc.value < found.auc.high


def test_intervals_cover_with_rows_that_come_in_documents() -> None:
    """Of documents whose rows are all alike, the interval holds the truth about 95 times of 100; rows alone would not."""
    draw = np.random.default_rng(2)
    held = alone = 0
    truth = NormalDist(0, math.sqrt(2 + 1 + 2 * 0.09)).cdf(1)  # a bad score above a good one, each of another document
    for trial in range(60):
        shift = draw.normal(0, 1, 50).repeat(6)
        bad = np.tile([True, False], 150)
        scores = shift + draw.normal(0, 0.3, 300) + bad * (draw.normal(1, 1, 50).repeat(6))
        for groups in (np.arange(300) // 6, np.arange(300)):
            sampled = Sampled(scores=scores, bad=bad, groups=groups)
            low, high = np.quantile(aucs(sampled, sampled.weights(trial))[1:], (0.025, 0.975))
            if groups[-1] == 49:
                held += low <= truth <= high
            else:
                alone += low <= truth <= high
    assert held >= 51
    assert alone < held


def test_overlap_counts_words_of_the_response() -> None:
    """Half of the words are there: half is missing; case does not matter."""
    assert overlap_scores([row(supported=True, response="the SHOP sells kettles")]) == [0.5]


def test_error_of_a_known_case() -> None:
    """Scores of 0.2 and 0.8 with shares of 0.5 and 0.8: 0.3 for half of the rows, and nothing for the rest."""
    scores = np.array([0.2] * 10 + [0.8] * 10)
    bad = np.array([1.0] * 5 + [0.0] * 5 + [1.0] * 8 + [0.0] * 2)
    error, bins = calibration_error(scores, bad, np.ones(20))
    assert error == pytest.approx(0.15)
    assert [(round(each.score, 2), each.unsupported, each.rows) for each in bins] == [(0.2, 0.5, 10), (0.8, 0.8, 10)]


def test_each_set_weighs_the_same() -> None:
    """A set of many rows does not drown one of few."""
    few = [judged(0.2, supported=True)] * 2
    many = [judged(0.2, supported=False)] * 200
    assert reliability_of({"few": few, "many": many}).error == pytest.approx(0.3)


def test_sizes() -> None:
    """Responses by their number of claims; the threshold rises, the flat one does not."""
    rows = [
        judged(0.85, supported=True, claims=4),
        judged(0.99, supported=False, claims=5),
        judged(0.85, supported=True),
    ]
    alone, several = sizes_of({"a": rows})
    assert (alone.claims, alone.passed.part, alone.passed_flat.part) == ("1", 0, 0)
    assert (several.claims, several.passed.part, several.passed_flat.part) == ("4 to 5", 1, 0)
    assert several.caught == Share(part=1, whole=1)


def test_lowered_is_flagged_where_the_row_is() -> None:
    """A response is flagged at balanced exactly when its lowered score is at least one half."""
    for claims in (1, 2, 9):
        for score in (0.3, 0.5, 0.6, 0.8, 0.95):
            assert (lowered(score, claims, RISING) >= 0.5) == (score >= RISING.raised("balanced", claims) - 1e-12)


def test_pairs_and_domains() -> None:
    """Pairs within a document, ties left out; domains only where there are several."""
    rows = [
        judged(0.9, supported=False, pair="a", domain="x"),
        judged(0.2, supported=True, pair="a", domain="x"),
        judged(0.3, supported=False, pair="b", domain="y"),
        judged(0.3, supported=True, pair="b", domain="y"),
        judged(0.4, supported=True, pair="b", domain="y"),
    ]
    assert pairwise_of({"s": rows}) == {"s": Share(part=1, whole=2)}
    found = domains_of({"s": rows, "t": [judged(0.2, supported=True), judged(0.9, supported=False)]}, 1)
    assert set(found) == {"s x", "s y", "s, mean"}
    assert (found["s x"].value, found["s y"].value, found["s, mean"].value) == (1.0, 0.5, 0.75)


def test_int8_beside_float32() -> None:
    """What both flag alike is counted; a changed order changes the mean AUC."""
    ours = [judged(0.9, supported=False), judged(0.1, supported=True)]
    full = [judged(0.4, supported=False), judged(0.45, supported=True)]
    beside = float32_beside({"s": (ours, full)})
    assert (beside.responses, beside.balanced, beside.strict) == (2, 1, 1)
    assert (beside.auc_change, beside.balanced_accuracy_change) == (1.0, 0.5)


def test_the_plot_is_well_formed() -> None:
    """SVG that parses, one dot a bin, on the diagonal where the score is the share."""
    rows = [judged(0.25, supported=at > 0) for at in range(4)] + [judged(0.75, supported=at == 0) for at in range(4)]
    root = ET.fromstring(reliability_plot(reliability_of({"s": rows})))  # noqa: S314 - our own
    dots = root.findall("{http://www.w3.org/2000/svg}circle")
    assert len(dots) == 2
    assert all(float(dot.attrib["cx"]) + float(dot.attrib["cy"]) == pytest.approx(472, abs=0.5) for dot in dots)
