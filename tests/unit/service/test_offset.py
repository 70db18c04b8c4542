"""The offset between two scorers, by hand and by simulation."""

import numpy as np
import pytest

from service.core.offset import Both, offset


def cell(neither: int, first: int, second: int, both: int, probability: float = 0.1) -> Both:
    return Both(inclusion_probability=probability, neither=neither, first=first, second=second, both=both)


def test_by_hand() -> None:
    """Of 100, 10 flagged by both, 5 by the first alone, 15 by the second alone: 15%, 25%, 10 points."""
    found = offset([cell(70, 5, 15, 10)], 0.95)
    assert found is not None
    assert (found.rate_first, found.rate_second) == (pytest.approx(0.15), pytest.approx(0.25))
    assert found.change.value == pytest.approx(0.1)
    assert 0 < found.change.low < 0.1 < found.change.high < 0.21


def test_weights_count() -> None:
    """A sample at 1% stands for ten at 10%."""
    found = offset([cell(0, 0, 10, 0, 0.01), cell(100, 0, 0, 0, 0.1)], 0.95)
    assert found is not None
    assert found.change.value == pytest.approx(0.5)


def test_no_difference_seen_is_not_none_there() -> None:
    """Alike in all 50: the interval says how much may have been missed."""
    found = offset([cell(45, 0, 0, 5)], 0.95)
    assert found is not None
    assert found.change.value == 0
    assert found.change.low < -0.03
    assert found.change.high > 0.03


def test_nothing_in_common() -> None:
    """No sample, no offset."""
    assert offset([], 0.95) is None
    assert offset([cell(0, 0, 0, 0)], 0.95) is None


@pytest.mark.parametrize("shares", [(0.9, 0.02, 0.03, 0.05), (0.5, 0.2, 0.25, 0.05), (0.979, 0.001, 0.01, 0.01)])
def test_it_holds_the_truth(shares: tuple[float, ...]) -> None:
    """In 1,000 worlds of 300 samples at least 94% of the intervals hold the true offset."""
    random = np.random.default_rng(9)
    truth = shares[2] - shares[1]
    held = 0
    for counts in random.multinomial(300, shares, 1_000):
        found = offset([cell(*(int(n) for n in counts))], 0.95)
        assert found is not None
        held += found.change.low <= truth <= found.change.high
    assert held >= 940
