"""The statistics of a rate: pure functions of weighted counts.

The estimator is the Hajek ratio R = sum(w k) / sum(w m) with w = 1 / inclusion probability, k flagged units and m
units of a response (Sarndal, Swensson, Wretman 1992, section 5.7). Its variance is linearised over clusters, responses
that belong together and hang together: V = sum_c (K_c - R M_c)^2 / (sum(w m))^2 with K_c and M_c a cluster's weighted
sums (the same, section 5.5 with clusters as elements). For the process behind the traffic there is no finite-population
correction; for the traffic itself each term carries 1 - probability, as choices are independent (Poisson sampling).

The interval is Wilson's at the effective sample size n = R (1 - R) / V, which is never more than Kish's (1965): heavy
samples that happen to show nothing flagged make V far too small (docs/decisions/0007). Where only few clusters show the
rarer outcome V knows little of how much clusters hang together; n then leans towards the number of clusters, as if all
units of a cluster were one (docs/decisions/0021).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.core.intervals import interval

METHOD = "hajek-wilson"
ROUNDING = 1e-9  # a variance below this share of R (1 - R) is what is left of zero after rounding
_LEARNT = 3.0  # clusters that show the rarer outcome, at which V has half the say


class Estimand(StrEnum):
    """What a rate is the rate of."""

    PROCESS = "process"  # what produced the traffic, and goes on
    TRAFFIC = "traffic"  # the submissions that came, no others


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
    some: int = 0  # responses with a flagged unit
    rest: int = 0  # responses with a unit that is not flagged
    unknown: int = 0  # responses that should count and have no score

    @property
    def weight(self) -> float:
        """Submissions that one sample stands for."""
        return 1.0 / self.inclusion_probability


def responses(inclusion_probability: float, scored: int, flagged: int, *, unknown: int = 0) -> Cell:
    """The cell of responses that are one unit each."""
    return Cell(
        inclusion_probability=inclusion_probability,
        scored=scored,
        k=flagged,
        m=scored,
        kk=flagged,
        km=flagged,
        mm=scored,
        some=flagged,
        rest=scored - flagged,
        unknown=unknown,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Clusters:
    """Sums over clusters; capitals are weighted sums within one: K of flagged units, M of units."""

    kk: float  # sum of K * K
    km: float
    mm: float
    some: float  # effective number of clusters with a flagged unit: (sum of weights)^2 / sum of squared weights
    rest: float  # the same of those with a unit that is not flagged
    single: bool = False  # every cluster is one unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A rate in 0..1 with its interval; None where nothing was scored."""

    rate: float | None
    low: float | None
    high: float | None
    effective_n: float | None  # independent units that would be as informative; None: nothing scored, or all is known


NOTHING = Estimate(rate=None, low=None, high=None, effective_n=None)


def estimate(
    cells: Iterable[Cell],
    confidence: float,
    clusters: Clusters | None = None,
    estimand: Estimand = Estimand.PROCESS,
) -> Estimate:
    """The rate of flagged units over all cells with its interval; NOTHING without a scored response.

    Args:
        cells: one a probability, or several.
        confidence: of the interval, in (0, 1).
        clusters: of the same responses and for the same estimand; None: each response is one.
        estimand: what the interval is of.
    """
    scored = [cell for cell in cells if cell.m > 0]
    if not scored:
        return NOTHING
    total = sum(c.weight * c.m for c in scored)
    rate = sum(c.weight * c.k for c in scored) / total
    held = clusters or of_responses(scored, estimand)
    if held.mm <= 0:  # all that came was scored
        return Estimate(rate=rate, low=rate, high=rate, effective_n=None)
    variance = max(held.kk - 2 * rate * held.km + rate * rate * held.mm, 0.0) / total**2
    whole = total**2 / held.mm  # Kish's n of clusters
    units = total**2 / sum(c.weight**2 * left_open(c.inclusion_probability, estimand) * c.m for c in scored)
    n = effective_n(rate * (1 - rate), variance, units=units, whole=whole, shown=min(held.some, held.rest))
    low, high = interval(rate, n, confidence, math.inf if held.single else max(whole - 1, 1.0))
    return Estimate(rate=rate, low=low, high=high, effective_n=n)


def effective_n(spread: float, variance: float, *, units: float, whole: float, shown: float) -> float:
    """Independent units that would be as informative.

    Args:
        spread: R (1 - R).
        variance: V, as estimated.
        units: Kish's n of units, the most there can be.
        whole: Kish's n of clusters, what is left if all units of a cluster are as one.
        shown: the effective number of clusters that show the rarer outcome.
    """
    if variance <= ROUNDING * spread or spread <= 0:
        return whole
    seen = min(spread / variance, units)
    trust = shown / (shown + _LEARNT)
    return min(seen, 1 / (trust / seen + (1 - trust) / whole))


def left_open(probability: float, estimand: Estimand) -> float:
    """The share of a response's own variance that sampling leaves: all for the process, 1 - p for the traffic."""
    return 1.0 if estimand is Estimand.PROCESS else 1.0 - probability


def of_responses(cells: Sequence[Cell], estimand: Estimand) -> Clusters:
    """Each response a cluster of its own units."""
    squares = [(c, c.weight**2 * left_open(c.inclusion_probability, estimand)) for c in cells]
    return Clusters(
        kk=sum(square * c.kk for c, square in squares),
        km=sum(square * c.km for c, square in squares),
        mm=sum(square * c.mm for c, square in squares),
        some=kish((c.weight, c.some) for c in cells),
        rest=kish((c.weight, c.rest) for c in cells),
        single=all(c.mm == c.scored for c in cells),
    )


def kish(weighted: Iterable[tuple[float, float]]) -> float:
    """Kish's (1965) effective number of (weight, how many of it): (sum of weights)^2 / sum of squared weights."""
    held = list(weighted)
    squares = sum(weight * weight * count for weight, count in held)
    return sum(weight * count for weight, count in held) ** 2 / squares if squares else 0.0


def bounds(cells: Iterable[Cell]) -> tuple[float | None, float | None]:
    """The response rate if every unknown response were clean, and if every one were flagged; None over nothing."""
    held = list(cells)
    scored = sum(c.weight * c.scored for c in held)
    flagged = sum(c.weight * c.k for c in held)
    unknown = sum(c.weight * c.unknown for c in held)
    if scored + unknown == 0:
        return None, None
    return flagged / (scored + unknown), (flagged + unknown) / (scored + unknown)
