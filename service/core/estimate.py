"""The statistics of a rate: pure functions of weighted counts.

The estimator is the Hajek ratio R = sum(w k) / sum(w m) with w = 1 / inclusion probability, k flagged units and m
units of a response (Sarndal, Swensson, Wretman 1992, section 5.7), its variance linearised for independent
(Poisson) choices and an estimand that is the process behind the traffic, hence without finite-population correction:
V = sum(w^2 (k - R m)^2) / (sum(w m))^2. The interval is Wilson's score interval (1927) at the effective sample size
R (1 - R) / V, at most Kish's (1965) n, and at Kish's n where V is 0 and says nothing. The cap is for strata of few
samples that stand for many: where these happen to show nothing flagged, V alone is far too small
(docs/decisions/0007).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

METHOD = "hajek-wilson"
ROUNDING = 1e-9  # a variance below this share of R (1 - R) is what is left of zero after rounding


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """Sums over responses with one inclusion probability."""

    inclusion_probability: float  # in (0, 1]
    scored: int = 0  # responses with a score
    k: int = 0  # their flagged units
    m: int = 0  # their units: 1 a response, or its checked claims
    kk: int = 0  # sum of k * k
    km: int = 0
    mm: int = 0
    unknown: int = 0  # responses that should count and have no score

    @property
    def weight(self) -> float:
        """Submissions that one sample stands for."""
        return 1.0 / self.inclusion_probability


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A rate in 0..1 with its interval; None where nothing was scored."""

    rate: float | None
    low: float | None
    high: float | None
    effective_n: float | None  # independent units that would be as informative


NOTHING = Estimate(rate=None, low=None, high=None, effective_n=None)


def wilson(rate: float, n: float, confidence: float) -> tuple[float, float]:
    """Wilson's score interval (1927) of a rate seen in n units, n > 0 and not necessarily whole."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(max(rate * (1 - rate), 0.0) / n + z * z / (4 * n * n))
    return max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half))


def estimate(cells: Iterable[Cell], confidence: float) -> Estimate:
    """The rate of flagged units over all cells with its interval; NOTHING without a scored response."""
    scored: Sequence[Cell] = [cell for cell in cells if cell.m > 0]
    total = sum(c.weight * c.m for c in scored)
    if not scored:
        return NOTHING
    rate = sum(c.weight * c.k for c in scored) / total
    squares = sum(c.weight**2 * max(c.kk - 2 * rate * c.km + rate * rate * c.mm, 0.0) for c in scored)
    variance = squares / total**2
    n = _effective_n(scored, rate * (1 - rate), variance)
    low, high = wilson(rate, n, confidence)
    return Estimate(rate=rate, low=low, high=high, effective_n=n)


def _effective_n(scored: Sequence[Cell], spread: float, variance: float) -> float:
    responses = sum(c.scored for c in scored)
    kish: float = sum(c.weight * c.scored for c in scored) ** 2 / sum(c.weight**2 * c.scored for c in scored)
    if variance <= ROUNDING * spread or spread <= 0:
        return kish
    return min(spread / variance, kish * sum(c.m for c in scored) / responses)


def bounds(cells: Iterable[Cell]) -> tuple[float | None, float | None]:
    """The response rate if every unknown response were clean, and if every one were flagged; None over nothing."""
    held = list(cells)
    scored = sum(c.weight * c.scored for c in held)
    flagged = sum(c.weight * c.k for c in held)
    unknown = sum(c.weight * c.unknown for c in held)
    if scored + unknown == 0:
        return None, None
    return flagged / (scored + unknown), (flagged + unknown) / (scored + unknown)
