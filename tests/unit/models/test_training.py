"""Calibrating: the figures, the points, and the rows they come from."""

import gzip
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.training.calibrate import Graded, choose, fit_rise, marked
from models.training.figures import balanced_point, mark, strict_point
from models.training.rows import read_rows, set_name

SUPPORTED = [True] * 4 + [False] * 4
SCORES = [0.1, 0.2, 0.3, 0.7, 0.4, 0.6, 0.8, 0.9]


def graded(scores: list[float], *more: float) -> list[Graded]:
    """Rows of these scores, each with more claims of the same plain scores."""
    return [
        Graded(score=score, claims=(score, *more), supported=label)
        for score, label in zip(scores, SUPPORTED, strict=True)
    ]


def test_auc_counts_pairs_in_order() -> None:
    """AUC is the share of (good, bad) pairs in the right order; ties count half."""
    assert mark(SCORES, SUPPORTED).auc() == 14 / 16
    assert mark([0.5, 0.5], [True, False]).auc() == 0.5


def test_threshold_itself_is_flagged() -> None:
    """Specificity counts scores below the threshold, sensitivity those at or above it."""
    marked = mark(SCORES, SUPPORTED)
    assert (marked.specificity(0.7), marked.sensitivity(0.6)) == (0.75, 0.75)


def test_one_label_alone_gives_no_figure() -> None:
    """Without rows of both labels nothing can be said."""
    with pytest.raises(ValueError, match="some of both are needed"):
        mark([0.1], [True])


def test_points() -> None:
    """The balanced point is the best mean; the strict point is the lowest that is specific enough."""
    marked = mark(SCORES, SUPPORTED)
    assert balanced_point([marked]) == 0.4
    assert strict_point([marked], 0.95) == 0.8


def test_balanced_point_becomes_one_half() -> None:
    """After calibration 0.5 parts the rows as the balanced point did, and strict as the strict point did."""
    calibration = choose([graded(SCORES)])
    scores = [calibration.score(1 - score) for score in SCORES]
    assert [score >= 0.5 for score in scores] == [score >= 0.4 for score in SCORES]
    assert [score >= calibration.strict for score in scores] == [score >= 0.8 for score in SCORES]
    assert math.isfinite(calibration.slope)


def test_rise_is_that_of_chance() -> None:
    """Of n good claims whose logits fall off exponentially, as many pass the raised point as of one pass the plain one."""
    draw = np.random.default_rng(1)
    for scale in (0.5, 1.5):
        rows = [
            Graded(score=float(max(claims)), claims=tuple(map(float, claims)), supported=True)
            for size in (1, 2, 4, 8)
            for claims in 1 / (1 + np.exp(3 - draw.exponential(scale, (500, size))))
        ]
        rise = fit_rise([rows])
        assert rise == pytest.approx(scale, rel=0.15)
        bad = [replace(row, supported=False) for row in rows]
        alone = marked([*rows[:500], *bad], rise)
        point = alone.good[int(0.95 * len(alone.good))]
        for at in (1, 2, 3):
            several = marked([*rows[500 * at : 500 * at + 500], *bad], rise)
            assert several.specificity(point) > 0.9
        plain = marked([*rows[1500:], *bad])
        assert plain.specificity(marked([*rows[:500], *bad]).good[475]) < 0.8


def test_no_rise_without_several_claims() -> None:
    """Rows of one claim each say nothing about several."""
    assert fit_rise([graded(SCORES)]) == 0
    assert choose([graded(SCORES)]).rise == 0


def test_rows_are_drawn_alike_every_time(tmp_path: Path) -> None:
    """The same seed draws the same rows; entailment is supported, every other label is not."""
    path = tmp_path / "some_set.jsonl.gz"
    labels = ["entailment", "neutral", "contradiction", "supported", "not_supported"] * 4
    lines = [json.dumps({"premise": str(at), "hypothesis": "h", "label": label}) for at, label in enumerate(labels)]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    assert read_rows(path, 7, 1) == read_rows(path, 7, 1)
    assert [row.supported for row in read_rows(path, 99, 1)][:5] == [True, False, False, True, False]
    assert set_name(path) == "some_set"


def test_a_domain_is_no_document(tmp_path: Path) -> None:
    """Where a set's groups are its domains, rows of one text are of one document; elsewhere the group says so."""
    path = tmp_path / "some_set.jsonl.gz"

    def groups(*rows: tuple[str, str, str]) -> list[str]:
        lines = [
            json.dumps({"premise": premise, "group": group, "domain": domain, "hypothesis": "h", "label": "neutral"})
            for premise, group, domain in rows
        ]
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
        return [row.group for row in read_rows(path, 99, 1)]

    assert groups(("a", "x:1", "x"), ("a", "x:1", "x"), ("b", "x:1", "x"), ("c", "y:1", "y")) == ["a", "a", "b", "c"]
    assert groups(("a", "x:1", "x"), ("b", "x:1", "x"), ("c", "x:2", "x"), ("d", "y:1", "y")) == [
        "x:1",
        "x:1",
        "x:2",
        "y:1",
    ]
    assert groups(("a", "1", ""), ("b", "1", "")) == ["1", "1"]
