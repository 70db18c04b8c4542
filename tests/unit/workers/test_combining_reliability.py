"""Calibration error, Brier score, intervals and thresholds of a fitted score, by hand."""

import random

import pytest

from service.core.combination import Parts
from workers.combining.examples import Example
from workers.combining.plot import lines_of, svg_of
from workers.combining.points import point, strict_threshold
from workers.combining.reliability import change, equal_mass, reliability


def labelled(*ys: float, weights: tuple[float, ...] = ()) -> list[Example]:
    held = weights or (1.0,) * len(ys)
    return [
        Example(parts=Parts(), y=y, group=str(at), weight=weight)
        for at, (y, weight) in enumerate(zip(ys, held, strict=True))
    ]


def test_by_hand() -> None:
    """Two scores, 0.2 and 0.9, half each: of the first one in four is bad, of the second three in four."""
    found = reliability([0.2] * 4 + [0.9] * 4, labelled(1, 0, 0, 0, 1, 1, 1, 0))
    assert [(each.score, each.share, each.examples) for each in found.bins] == [
        (pytest.approx(0.2), 0.25, 4),
        (pytest.approx(0.9), 0.75, 4),
    ]
    assert found.error.value == pytest.approx((0.05 + 0.15) / 2)
    assert found.brier.value == pytest.approx((0.64 + 3 * 0.04 + 3 * 0.01 + 0.81) / 8)


def test_weights_are_copies() -> None:
    """An example that stands for three counts as three, but for the interval, which knows better."""
    heavy = reliability([0.2, 0.7, 0.9], labelled(0, 1, 1, weights=(3.0, 1.0, 1.0)))
    copied = reliability([0.2, 0.2, 0.2, 0.7, 0.9], labelled(0, 0, 0, 1, 1))
    assert heavy.error.value == pytest.approx(copied.error.value)
    assert heavy.brier.value == pytest.approx(copied.brier.value)


def test_bins_have_equal_weight_and_hold_equal_scores_together() -> None:
    """A hundred scores make ten bins of ten; a hundred equal ones make one, whatever their order."""
    spread = equal_mass([at / 100 for at in range(100)], [1.0] * 100)
    assert [spread.count(place) for place in range(10)] == [10] * 10
    assert set(equal_mass([0.5] * 100, [1.0] * 100)) == {0}
    assert equal_mass([0.1] * 90 + [0.2] * 10, [1.0] * 100) == [0] * 90 + [1] * 10


def test_the_brier_interval_is_that_of_a_mean() -> None:
    """With groups of one the jackknife's error is the standard error of the mean square."""
    draw = random.Random(1)
    scores = [draw.random() for _ in range(400)]
    examples = labelled(*(float(draw.random() < score) for score in scores))
    squares = [(score - example.y) ** 2 for score, example in zip(scores, examples, strict=True)]
    mean = sum(squares) / 400
    error = (sum((square - mean) ** 2 for square in squares) / 399 / 400) ** 0.5
    found = reliability(scores, examples).brier
    assert (found.high - found.low) / 2 == pytest.approx(1.966 * error, rel=0.01)


def test_sessions_widen_it() -> None:
    """Ten of each session that all go the same way are worth a tenth."""
    draw = random.Random(2)
    apart, together = [], []
    for at in range(400):
        bad = draw.random() < 0.3 if at % 10 == 0 else apart[-1].bad
        apart.append(Example(parts=Parts(), y=float(bad), group=str(at)))
        together.append(Example(parts=Parts(), y=float(bad), group=str(at // 10)))
    one, other = (reliability([0.2] * 400, held).brier for held in (apart, together))
    assert other.value == pytest.approx(one.value)
    assert (other.high - other.low) > 2.5 * (one.high - one.low)


def test_what_chance_alone_shows() -> None:
    """A score that is the probability itself shows about as much error as `by_chance` says: the mean of 40 worlds."""
    draw = random.Random(3)
    shown, told = [], []
    for _ in range(40):
        scores = [draw.uniform(0.1, 0.9) for _ in range(300)]
        found = reliability(scores, labelled(*(float(draw.random() < score) for score in scores)))
        shown.append(found.error.value)
        told.append(found.by_chance)
    assert sum(shown) / 40 == pytest.approx(sum(told) / 40, rel=0.15)


def test_a_change_knows_that_both_scored_the_same() -> None:
    """Scores that differ by little on the same examples: the interval of the change is far narrower than either's."""
    draw = random.Random(4)
    before = [draw.uniform(0.2, 0.8) for _ in range(200)]
    examples = labelled(*(float(draw.random() < score) for score in before))
    after = [score + (0.02 if example.bad else -0.02) for score, example in zip(before, examples, strict=True)]
    found = change(before, after, examples)
    assert found.value == pytest.approx(
        reliability(after, examples).brier.value - reliability(before, examples).brier.value
    )
    assert found.high < 0
    assert found.high - found.low < 0.1


class TestStrict:
    def test_at_most_5_percent_of_the_faithful_are_above(self) -> None:
        """Of twenty faithful ones one is flagged, and the threshold lies between it and the next."""
        scores = [0.5 + at / 100 for at in range(20)]
        threshold = strict_threshold([*scores, 0.99], labelled(*[0.0] * 20, 1.0))
        assert threshold == pytest.approx(0.685)
        found = point([threshold] * 21, [*scores, 0.99], labelled(*[0.0] * 20, 1.0))
        assert (found.specificity, found.sensitivity) == (0.95, 1.0)

    def test_equal_scores_are_flagged_together_or_not_at_all(self) -> None:
        """Ten percent at the highest score: none of them may be flagged."""
        threshold = strict_threshold([0.6] * 18 + [0.9] * 2, labelled(*[0.0] * 20))
        assert 0.9 < threshold < 1

    def test_weights_decide(self) -> None:
        """A faithful one that stands for many submissions must not be flagged, however few it is."""
        threshold = strict_threshold([0.6] * 19 + [0.9], labelled(*[0.0] * 20, weights=(1.0,) * 19 + (20.0,)))
        assert threshold > 0.9

    def test_never_below_balanced(self) -> None:
        """Where hardly any faithful one is above 0.1, strict is 0.5."""
        assert strict_threshold([0.1] * 100, labelled(*[0.0] * 100)) == 0.5

    def test_without_a_class_a_share_is_unknown(self) -> None:
        """Of no hallucinated responses no share is flagged: null, not 0."""
        assert point([0.5], [0.9], labelled(0.0)).sensitivity is None


def test_the_plots_show_every_bin() -> None:
    """A line and a dot for each bin, the same place written as one sign."""
    found = reliability([0.2] * 4 + [0.9] * 4, labelled(1, 0, 0, 0, 1, 1, 1, 1))
    lines = lines_of(found)
    assert len(lines) == 3
    assert lines[1].endswith("......|o......................")
    assert lines[2].endswith(".|.o") or lines[2].endswith("|..o")
    svg = svg_of(found, found)
    assert svg.count("<circle") == 4
    assert svg.count("<svg") == svg.count("</svg>") == 3
