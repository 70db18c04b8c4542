"""What a gate can tell: the default margin, the least change that it sees, and what would decide an open one."""

import numpy as np
import pytest
from scipy import stats

from service.core.golden.gate import (
    Changes,
    Pair,
    Side,
    Verdict,
    changes,
    decide,
    known_differences,
    paired_difference,
    tail_of,
)
from service.core.golden.power import (
    APPLICATION_FLAKES,
    GREATEST_MARGIN,
    LEAST_MARGIN,
    MOST_ITEMS,
    MOST_REPEATS,
    SCORER_FLAKES,
    default_margin,
    detectable,
    items_needed,
    repeats_needed,
)
from tests.unit.service.golden.runs import pair

SIZES = (1, 10, 30, 50, 70, 100, 200, 500, 1_000, 5_000)
REPEATS = (1, 2, 3, 5, 10)
TAIL = tail_of(1)
NOTHING = Side(total=0, squares=0)


def items(worse: int, better: int, n: int) -> list[Pair]:
    return [pair("+", "-")] * worse + [pair("-", "+")] * better + [pair("+", "+")] * (n - worse - better)


def is_open(pairs: list[Pair], margin: float, tail: float = TAIL) -> bool:
    return decide(paired_difference(pairs, tail), margin) is Verdict.CANNOT_TELL


# --- the default margin


@pytest.mark.parametrize("flakes", [0.0, SCORER_FLAKES, APPLICATION_FLAKES, 0.1])
def test_margin_of_larger_sets_is_no_greater(flakes: float) -> None:
    """Neither more items nor more repeats make the margin greater; it stays between the least and the greatest."""
    table = [[default_margin([n], k, flakes) for k in REPEATS] for n in SIZES]
    for row in [*table, *zip(*table, strict=True)]:
        assert list(row) == sorted(row, reverse=True)
    assert {LEAST_MARGIN <= margin <= GREATEST_MARGIN for row in table for margin in row} == {True}


def test_margin_of_more_flakes_is_no_less() -> None:
    """The more answers flake, the greater is the margin that an unchanged target needs."""
    margins = [default_margin([300], 3, flakes) for flakes in (0.0, 0.002, 0.01, 0.03, 0.1, 0.3)]
    assert margins == sorted(margins)
    assert margins[0] < margins[-1]


@pytest.mark.parametrize(
    ("sizes", "repeats", "margin"),
    [([100], 3, 0.063), ([100], 1, 0.097), ([20], 3, GREATEST_MARGIN), ([10_000], 5, LEAST_MARGIN)],
)
def test_margins_of_an_application(sizes: list[int], repeats: int, margin: float) -> None:
    """The shipped margins that the documents quote; small sets are held to the greatest, large ones to the least."""
    assert default_margin(sizes, repeats, APPLICATION_FLAKES) == pytest.approx(margin)


def test_margin_is_rounded_up() -> None:
    """A margin is a whole number of thousandths, and rules out three in n where nothing flakes: that must pass."""
    for n in (60, 100, 150, 250):
        margin = default_margin([n], 1, 0.0)
        assert round(margin, 3) == pytest.approx(margin, abs=1e-12)
        assert 0 < margin - paired_difference(items(0, 0, n), TAIL).high + 1e-9 < 0.001 + 1e-9
        assert decide(paired_difference(items(0, 0, n), TAIL), margin) is Verdict.NO_WORSE


def test_the_smallest_endpoint_decides() -> None:
    """The margin suits every endpoint that has items, each with its share of alpha; empty ones take none."""
    assert default_margin([80, 0], 1, 0.002) == default_margin([80], 1, 0.002)
    assert default_margin([80, 5_000], 1, 0.002) > default_margin([80], 1, 0.002)
    assert default_margin([], 1, 0.002) == default_margin([0, 0], 1, 0.002) == GREATEST_MARGIN


# --- the least change that is seen


@pytest.mark.parametrize(("n", "margin"), [(50, 0.1), (100, 0.05), (200, 0.03), (500, 0.02)])
def test_detectable_is_seen(n: int, margin: float) -> None:
    """Such a change is called worse in 80 of 100 runs, by the binomial distribution of items that turn; to 5 in 100."""
    change = detectable(n, 1, margin, 1, 0.0)
    assert change is not None
    least = next(
        k for k in range(n) if Changes(n=n, worse=Side(total=k, squares=k), better=NOTHING).ends(TAIL)[0] > margin
    )
    assert stats.binom.sf(least - 1, n, change) == pytest.approx(0.8, abs=0.05)


def test_detectable_by_what_there_is() -> None:
    """Less is seen of fewer items, fewer repeats, more endpoints and more flakes; never a change within the margin."""
    base = {"n": 100, "repeats": 3, "margin": 0.05, "endpoints": 1, "flakes": 0.03}
    harder = [{}, {"n": 60}, {"repeats": 1}, {"endpoints": 2}, {"flakes": 0.1}, {"margin": 0.08}]
    found = [detectable(**(base | change)) for change in harder]
    assert all(change is not None and change > 0.05 for change in found)
    assert min(range(len(found)), key=lambda at: found[at] or 1.0) == 0
    assert found.count(found[0]) == 1


@pytest.mark.parametrize("n", [0, 1, 5])
def test_too_few_see_nothing(n: int) -> None:
    """Of no items nothing is seen, and of a handful not even that all of them turned."""
    assert detectable(n, 1, 0.1, 1, 0.03) is None


# --- how many items would decide


@pytest.mark.parametrize(
    ("pairs", "margin"),
    [
        (items(3, 1, 20), 0.05),
        (items(0, 0, 20), 0.05),
        (items(4, 4, 60), 0.05),
        (items(6, 0, 50), 0.08),
        ([pair("+++", "++-")] * 3 + [pair("++-", "+++")] * 2 + [pair("+++", "+++")] * 30, 0.03),
    ],
)
@pytest.mark.parametrize("tail", [0.05, 0.025])
def test_items_needed(pairs: list[Pair], margin: float, tail: float) -> None:
    """So many items decide, also where chance speaks against it as it does in 1 run of 5; one less does not."""
    assert is_open(pairs, margin, tail)
    needed = items_needed(pairs, margin, tail)
    assert needed is not None
    found, z = changes(known_differences(pairs)), stats.norm.ppf(0.8)
    decided = []
    for n in (needed - 1, needed):
        worse, better = (found.of(n).shifted(by).ends(tail) for by in (-z, z))
        decided.append(worse[0] > margin or better[1] < margin)
    assert decided == [False, True]
    assert not is_open(pairs * (needed // len(pairs) + 1), margin, tail)


@pytest.mark.parametrize(
    ("worse", "better", "n", "margin"), [(3, 1, 20, 0.05), (0, 0, 20, 0.05), (4, 4, 60, 0.05), (6, 0, 50, 0.08)]
)
def test_so_many_items_decide(worse: int, better: int, n: int, margin: float) -> None:
    """Of runs with so many items, drawn from these, about 80 of 100 decide; more only where nothing can go otherwise."""
    needed = items_needed(items(worse, better, n), margin, TAIL)
    assert needed is not None
    worlds = np.random.default_rng(9).multinomial(needed, [worse / n, better / n, 1 - (worse + better) / n], 200)
    decided = 0
    for up, down, _ in worlds:
        found = Changes(n=needed, worse=Side(total=up, squares=up), better=Side(total=down, squares=down))
        low, high = found.ends(TAIL)
        decided += low > margin or high < margin
    assert decided >= stats.binom.ppf(0.001, 200, 0.78)
    assert decided <= stats.binom.ppf(0.999, 200, 0.85) or worse + better == 0


def test_items_needed_of_a_decided_one() -> None:
    """What is decided needs no more than it has."""
    assert items_needed(items(20, 0, 40), 0.05, TAIL) == 40


@pytest.mark.parametrize("pairs", [[], [pair("+", "?")], items(1, 0, 10), items(1_001, 0, 10_000)])
def test_no_number_of_items(pairs: list[Pair]) -> None:
    """Nothing known says nothing, a difference that is the margin is never decided, and a set has an end."""
    assert MOST_ITEMS == 1_000_000
    assert items_needed(pairs, 0.1, TAIL) is None


# --- how many repeats would decide


def flaky(each: int) -> list[Pair]:
    """A hundred items of which so many became worse by chance, so many better, and so many differ in both runs."""
    kinds = (("++", "+-"), ("+-", "++"), ("+-", "+-"))
    return [pair(*kind) for kind in kinds for _ in range(each)] + [pair("++", "++")] * (100 - 3 * each)


def test_repeats_needed_for_a_margin() -> None:
    """Where all that differs are flakes, more repeats decide; the narrower the margin, the more."""
    needed = [repeats_needed(flaky(12), margin, TAIL) for margin in (0.05, 0.045, 0.04, 0.035)]
    assert is_open(flaky(12), 0.05)
    assert needed == [3, 4, 6, 10]
    assert repeats_needed(flaky(12), 0.03, TAIL) is None  # a hundred items without any change rule out no less
    assert paired_difference(items(0, 0, 100), TAIL).high == pytest.approx(0.03, abs=1e-4)


def test_repeats_needed_for_flakes() -> None:
    """The more items flake, the more repeats are needed, and never more than the most."""
    needed = [repeats_needed(flaky(each), 0.03, TAIL) or 0 for each in (2, 4, 6)]
    assert needed == sorted(set(needed))
    assert 2 < needed[0] < needed[-1] <= MOST_REPEATS


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        items(3, 1, 20),
        [pair("+++", "---")] * 3 + [pair("+++", "+++")] * 17,
        [pair("+++", "+++")] * 20,
        [pair("++", "??"), pair("??", "--")],
        [*flaky(12), pair("+", "+")],
    ],
)
def test_no_number_of_repeats(pairs: list[Pair]) -> None:
    """None where single repeats tell nothing of flakes, where nothing is known, nothing changed, or all turned for good."""
    assert repeats_needed(pairs, 0.05, TAIL) is None
