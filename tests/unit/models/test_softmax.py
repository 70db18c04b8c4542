"""The softmax at its extremes."""

import math

import pytest

from models.softmax import softmax
from models.types import NotFiniteError


@pytest.mark.parametrize("logits", [[-100.0, 3.0], [1e30, -1e30, 0.0], [1000.0, 1000.0], [-1e308, -1e308]])
def test_extremes_stay_probabilities(logits: list[float]) -> None:
    """Finite logits of any size give probabilities that sum to 1."""
    probabilities = softmax(logits)
    assert math.isclose(1.0, sum(probabilities))
    assert all(0 <= probability <= 1 for probability in probabilities)


def test_known_values() -> None:
    """Equal logits share, and a difference of ln 3 is three to one."""
    assert softmax([0.0, 0.0]) == (0.5, 0.5)
    assert softmax([math.log(3), 0.0]) == pytest.approx((0.75, 0.25))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_not_finite_is_an_error(bad: float) -> None:
    """NaN and infinity are failures of the model, never a probability."""
    with pytest.raises(NotFiniteError):
        softmax([0.0, bad, 1.0])
