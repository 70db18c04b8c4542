"""The offset between two scorers: how much more the second flags of the same samples. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from service.core.comparison import Change
from service.core.intervals import interval, t_quantile

METHOD = "paired-hajek"


@dataclass(frozen=True, kw_only=True, slots=True)
class Both:
    """Samples of one inclusion probability that two scorers scored."""

    inclusion_probability: float
    neither: int  # flags them
    first: int  # only the first does
    second: int
    both: int

    @property
    def samples(self) -> int:
        """How many."""
        return self.neither + self.first + self.second + self.both


@dataclass(frozen=True, kw_only=True, slots=True)
class Offset:
    """Two rates over the same samples, and their difference."""

    samples: int
    rate_first: float
    rate_second: float
    change: Change


def offset(cells: Sequence[Both], confidence: float) -> Offset | None:
    """The second rate less the first over the samples of both; None without any.

    The difference is a Hajek mean of second - first over pairs, its variance linearised as in `estimate`; where few pairs
    differ, the ends are widened to those that the intervals of the two kinds of difference allow.
    """
    held = [cell for cell in cells if cell.samples]
    if not held:
        return None
    weights = [(1 / cell.inclusion_probability, cell) for cell in held]
    total = sum(w * cell.samples for w, cell in weights)
    up, down = (sum(w * count(cell) for w, cell in weights) / total for count in (_second, _first))
    value = up - down
    variance = (
        sum(
            w
            * w
            * (cell.second * (1 - value) ** 2 + cell.first * (1 + value) ** 2 + (cell.neither + cell.both) * value**2)
            for w, cell in weights
        )
        / total**2
    )
    n = total**2 / sum(w * w * cell.samples for w, cell in weights)
    half = t_quantile(0.5 + confidence / 2, max(n - 1, 1.0)) * math.sqrt(variance)
    (up_low, up_high), (down_low, down_high) = (interval(rate, n, confidence) for rate in (up, down))
    both = sum(w * cell.both for w, cell in weights) / total
    return Offset(
        samples=sum(cell.samples for cell in held),
        rate_first=both + down,
        rate_second=both + up,
        change=Change(
            value=value,
            low=max(-1.0, value - max(half, math.hypot(up - up_low, down_high - down))),
            high=min(1.0, value + max(half, math.hypot(up_high - up, down - down_low))),
        ),
    )


def _second(cell: Both) -> int:
    return cell.second


def _first(cell: Both) -> int:
    return cell.first
