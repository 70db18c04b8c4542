"""The difference of two rates and its split, against sums by hand and worlds of known truth."""

import numpy as np
import pytest

from service.core.comparison import Cells, Side, difference, split
from service.core.estimate import responses
from service.core.intervals import wilson


def side(flagged: int, of: int) -> Side:
    low, high = wilson(flagged / of, of, 0.95)
    return Side(rate=flagged / of, low=low, high=high)


def cells(**groups: tuple[float, int, int]) -> Cells:
    """Groups of one cell each: inclusion probability, scored, flagged."""
    return {(name,): [responses(*cell)] for name, cell in groups.items()}


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17: 873-890, table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
    ],
)
def test_published_intervals(first: tuple[int, int], second: tuple[int, int], low: float, high: float) -> None:
    """The interval is the published one of p1 - p2."""
    found = difference(side(*second), side(*first))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_split_by_hand() -> None:
    """Shares 1/2 and 1/2 become 1/4 and 3/4, rates .1 and .3 become .2 and .3: mix .0625 and within .0375."""
    found = split(
        cells(a=(1.0, 100, 10), b=(1.0, 100, 30)),
        cells(a=(1.0, 100, 20), b=(1.0, 300, 90)),
        0.95,
    )
    assert found.mix.value == pytest.approx(-0.25 * 0.15 + 0.25 * 0.3)
    assert found.within.value == pytest.approx(0.1 * 0.375)
    assert found.mix.low < found.mix.value < found.mix.high


def test_a_group_of_one_side_changes_the_mix_alone() -> None:
    """What its rate would have been on the other side is not known: nothing of it is within."""
    found = split(cells(a=(1.0, 100, 10)), cells(a=(1.0, 50, 5), new=(1.0, 50, 25)), 0.95)
    assert found.within.value == pytest.approx(0)
    assert found.mix.value == pytest.approx(0.2)
    assert found.groups["new",].rate_first is None


def test_parts_add_up_to_the_change() -> None:
    """Mix and within are the difference of the two weighted rates, and the groups add up to each."""
    one, two = cells(a=(0.1, 50, 5), b=(0.5, 80, 20)), cells(a=(0.1, 20, 4), b=(0.5, 100, 35), c=(1.0, 30, 3))
    found = split(one, two, 0.95)

    def rate(held: Cells) -> float:
        every = [cell for group in held.values() for cell in group]
        return sum(c.weight * c.k for c in every) / sum(c.weight * c.m for c in every)

    assert found.mix.value + found.within.value == pytest.approx(rate(two) - rate(one))
    assert sum(group.mix for group in found.groups.values()) == pytest.approx(found.mix.value)


def test_split_holds_the_truth() -> None:
    """In 400 worlds of two stretches with unequal probabilities, 93% of the intervals of each part hold its truth."""
    random = np.random.default_rng(7)
    shares, rates, probabilities = (
        ((0.5, 0.3, 0.2), (0.3, 0.3, 0.4)),
        ((0.05, 0.1, 0.3), (0.08, 0.1, 0.35)),
        (0.05, 0.2, 0.5),
    )
    mix = sum((b - a) * (x + y) / 2 for a, b, x, y in zip(*shares, *rates, strict=True))
    within = sum((y - x) * (a + b) / 2 for a, b, x, y in zip(*shares, *rates, strict=True))
    held = np.zeros(2)
    for _ in range(400):
        sides = []
        for own_shares, own_rates in zip(shares, rates, strict=True):
            came = random.multinomial(10_000, own_shares)
            scored = random.binomial(came, probabilities)
            flagged = random.binomial(scored, own_rates)
            sides.append(
                {
                    (str(n),): [responses(p, int(s), int(k))]
                    for n, (p, s, k) in enumerate(zip(probabilities, scored, flagged, strict=True))
                }
            )
        found = split(sides[0], sides[1], 0.95)
        held += [found.mix.low <= mix <= found.mix.high, found.within.low <= within <= found.within.high]
    assert (held / 400 > 0.93).all(), held / 400
