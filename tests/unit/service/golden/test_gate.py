"""The gate's interval beside scipy's exact ones and a published example, and what it makes a verdict of."""

import math
from itertools import pairwise

import pytest
from scipy import stats

from service.core.golden.gate import (
    Changes,
    Difference,
    Pair,
    Side,
    Verdict,
    changes,
    decide,
    known_differences,
    paired_difference,
    tail_of,
    together,
)
from tests.unit.service.golden.runs import pair, repeats

WORSE, BETTER, SAME = pair("+", "-"), pair("-", "+"), pair("+", "+")
NO, YES, OPEN = Verdict.NO_WORSE, Verdict.WORSE, Verdict.CANNOT_TELL


def items(worse: int, better: int, n: int) -> list[Pair]:
    return [WORSE] * worse + [BETTER] * better + [SAME] * (n - worse - better)


def exact(events: int, tail: float) -> tuple[float, float]:
    """Garwood's interval of a Poisson mean."""
    low = stats.chi2.ppf(tail, 2 * events) / 2 if events else 0.0
    return low, stats.chi2.ppf(1 - tail, 2 * (events + 1)) / 2


@pytest.mark.parametrize("events", [0, 1, 2, 7, 40, 300])
@pytest.mark.parametrize("tail", [0.05, 0.025, 0.001])
def test_single_repeats_are_exact(events: int, tail: float) -> None:
    """Of items that turned for good, the interval of their expected number is the exact one of a Poisson mean."""
    side = Side(total=events, squares=events)
    assert side.ends(tail) == pytest.approx(exact(events, tail), rel=1e-8)


def test_many_events_go_on_where_few_end() -> None:
    """The approximation that stands for the gamma quantile of many events is within 0.01% of it."""
    for events in (499, 500, 5_000, 100_000):
        assert Side(total=events, squares=events).ends(0.025) == pytest.approx(exact(events, 0.025), rel=1e-4)


def test_a_published_example() -> None:
    """Down's syndrome among fifth and later children in Michigan, 67.7 to 188.3 in 100,000: Fay and Feuer (1997), table 1.

    Their data are Fleiss's (1981, table 14.4); the digits are those of the R package dsrTest.
    """
    births = (327, 30_666, 123_419, 149_919, 104_088, 34_392)
    standard = (319_933, 931_318, 786_511, 488_235, 237_863, 61_313)
    cases = (0, 8, 63, 112, 262, 295)
    weights = [1e5 * share / sum(standard) / n for share, n in zip(standard, births, strict=True)]
    greatest = max(weights)
    counted = [(k, weight / greatest) for k, weight in zip(cases, weights, strict=True)]
    side = Side(total=sum(k * weight for k, weight in counted), squares=sum(k * weight**2 for k, weight in counted))
    assert greatest * side.total == pytest.approx(75.52901)
    assert [greatest * end for end in side.ends(0.025)] == pytest.approx([67.70212, 188.30017])


@pytest.mark.parametrize(("worse", "better", "n"), [(0, 0, 100), (7, 0, 50), (3, 3, 200), (1, 9, 40), (30, 12, 60)])
@pytest.mark.parametrize("tail", [0.05, 0.025])
def test_both_directions_are_joined_by_mover(worse: int, better: int, n: int, tail: float) -> None:
    """The difference is what became worse less what became better; each end is as far off as the two ends' squares say."""
    (worse_low, worse_high), (better_low, better_high) = exact(worse, tail), exact(better, tail)
    low = worse - better - math.sqrt((worse - worse_low) ** 2 + (better_high - better) ** 2)
    high = worse - better + math.sqrt((worse_high - worse) ** 2 + (better - better_low) ** 2)
    found = paired_difference(items(worse, better, n), tail)
    assert (found.value, found.items, found.unknown) == (pytest.approx((worse - better) / n), n, 0)
    assert (found.low, found.high) == pytest.approx((max(-1, low / n), min(1, high / n)), rel=1e-7)


@pytest.mark.parametrize("n", [1, 20, 100, 3_000])
def test_nothing_changed_is_not_nothing_uncertain(n: int) -> None:
    """Of n items without any change at most 3 / n became worse, as the rule of three has it."""
    found = paired_difference(items(0, 0, n), 0.05)
    assert (found.value, found.high, found.low) == (0, pytest.approx(min(1, -math.log(0.05) / n)), -found.high)
    assert found.high == pytest.approx(min(1, 3 / n), rel=0.002)


def test_no_items_say_nothing() -> None:
    """Without items the interval is all there is."""
    assert paired_difference([], 0.05) == Difference(value=None, low=-1, high=1, items=0, unknown=0)


def test_repeats_are_not_items() -> None:
    """Three repeats that agree say no more than one; three that differ say less of a change than items of their own."""
    once = paired_difference(items(8, 0, 40), 0.05)
    assert paired_difference([pair("+++", "---")] * 8 + [pair("+++", "+++")] * 32, 0.05) == once
    thirds = paired_difference([pair("+++", "++-")] * 24 + [pair("+++", "+++")] * 16, 0.05)
    own = paired_difference(items(24, 0, 120), 0.05)
    assert (thirds.value, own.value) == (pytest.approx(0.2), pytest.approx(0.2))
    assert own.low - thirds.low > 0.01
    assert thirds.high - own.high > 0.01


def test_a_difference_is_of_what_is_known() -> None:
    """Shares are over known repeats, and an item of which one side knows nothing has no difference."""
    told = [pair("++", "-?"), pair("+-", "-?"), pair("??", "--"), pair("+", "?")]
    assert [each.difference for each in told] == [1.0, 0.5, None, None]
    assert known_differences(told) == [1.0, 0.5]
    found = paired_difference(told, 0.05)
    assert (found.value, found.items, found.unknown) == (0.75, 4, 4)


def test_unknown_speaks_for_neither() -> None:
    """What is unknown is bad for the upper end and good for the lower one; of a baseline the other way round."""
    assert (pair("++-", "-??").most, pair("++-", "-??").least) == (pytest.approx(2 / 3), pytest.approx(0))
    assert (pair("+?-", "+--").most, pair("+?-", "+--").least) == (pytest.approx(1 / 3), pytest.approx(0))
    assert (pair("?", "?").most, pair("?", "?").least) == (1, -1)


@pytest.mark.parametrize(
    ("hidden", "low_falls", "high_rises"),
    [(pair("+", "?"), False, True), (pair("?", "+"), True, False), (pair("?", "?"), True, True)],
)
def test_unknown_widens(hidden: Pair, low_falls: bool, high_rises: bool) -> None:  # noqa: FBT001
    """The more good repeats of a side are unknown, the further out lies the end that they may speak for."""
    found = [paired_difference([SAME] * (100 - n) + [hidden] * n, 0.05) for n in (0, 1, 5, 20, 90)]
    for few, more in pairwise(found):
        assert (more.low < few.low, more.low > few.low) == (low_falls, False)
        assert (more.high > few.high, more.high < few.high) == (high_rises, False)


def test_flake() -> None:
    """It is the chance that two repeats drawn without replacement differ, and none where there are no two."""
    assert [repeats(marks).flake for marks in ("+", "-?", "++", "+-", "++-", "++--", "?")] == [
        None,
        None,
        0,
        1,
        pytest.approx(2 / 3),
        pytest.approx(2 / 3),
        None,
    ]


def test_variance_from_repeat_to_repeat() -> None:
    """It is the variance of a mean of so many, estimated from them; 0 where a single one tells nothing."""
    assert repeats("+--").within == pytest.approx(stats.sem([0, 1, 1]) ** 2)
    assert (repeats("-").within, repeats("?").within) == (0, 0)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.06, 0.2, YES),
        (0.05, 0.2, OPEN),
        (-0.1, 0.04, NO),
        (-0.1, 0.05, OPEN),
        (0.02, 0.04, NO),
        (0.0, 0.1, OPEN),
    ],
)
def test_decide(low: float, high: float, verdict: Verdict) -> None:
    """Worse where the whole interval lies beyond the margin, no worse where it lies within, else cannot tell."""
    assert decide(Difference(value=None, low=low, high=high, items=9, unknown=0), 0.05) is verdict


def test_nothing_decides_nothing() -> None:
    """Without items there is no verdict, whatever the margin."""
    assert decide(paired_difference([], 0.05), 2.0) is OPEN


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ([], OPEN),
        ([NO], NO),
        ([NO, NO], NO),
        ([NO, OPEN], OPEN),
        ([OPEN, OPEN], OPEN),
        ([NO, YES], YES),
        ([YES, OPEN], YES),
        ([YES, YES], YES),
    ],
)
def test_together(told: list[Verdict], verdict: Verdict) -> None:
    """Worse if any endpoint is, no worse only if all are; in any order."""
    assert (together(told), together(told[::-1])) == (verdict, verdict)


def test_endpoints_share_alpha() -> None:
    """Each of several endpoints errs more rarely, so that together they err with no more than alpha."""
    assert [tail_of(n) for n in (0, 1, 2)] == [0.05, 0.05, 0.025]
    assert tail_of(4, alpha=0.2) == 0.05


def test_the_same_shares_over_more_items() -> None:
    """What is seen of some items is, scaled to twice as many, what two copies of them show."""
    seen = [0.5, -1.0, 0.0, 1 / 3, 1.0]
    twice = changes(seen).of(2 * len(seen))
    found = changes(seen * 2)
    assert twice.ends(0.05) == pytest.approx(found.ends(0.05))


def test_shifted_by_chance() -> None:
    """Chance moves the difference by as many of its standard deviations as it is told, and never below no events."""
    seen = changes([1.0] * 20 + [-1.0] * 5 + [0.5] * 4 + [0.0] * 71)
    moved = seen.shifted(1.5)
    by = moved.worse.total - moved.better.total - (seen.worse.total - seen.better.total)
    assert by == pytest.approx(1.5 * math.sqrt(20 + 5 + 4 * 0.25))
    assert seen.shifted(-99).worse == Side(total=0, squares=0)
    nothing = Changes(n=9, worse=Side(total=0, squares=0), better=Side(total=0, squares=0))
    assert nothing.shifted(3) == nothing
