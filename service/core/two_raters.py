"""Two raters: how far a judge, a scorer and people say the same of the same responses. Pure."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from service.core.estimate import kish
from service.core.intervals import t_quantile, wilson


class Unknown(StrEnum):
    """Why a kappa or its interval is not known."""

    NOTHING = "nothing"  # nothing that both decided
    ONE_CLASS = "one_class"  # a rater who says one thing of everything cannot agree beyond chance, nor fail to
    ONE_CLUSTER = "one_cluster"  # all responses belong together, so that there is no spread to see
    RESTS_ON_ONE = "rests_on_one"  # without one of the clusters kappa is not defined


_NO_SPREAD = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """What two raters said of one response."""

    first: bool  # calls it hallucinated, or flags it
    second: bool
    cluster: str  # its session, or its trace, or itself
    weight: float = 1.0  # responses that it stands for, over 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossed:
    """A 2x2 table: sums of weights."""

    both: float = 0.0
    first: float = 0.0  # only the first calls it hallucinated
    second: float = 0.0
    neither: float = 0.0

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> Self:
        """The table of these pairs."""
        sums: dict[tuple[bool, bool], float] = defaultdict(float)
        for pair in pairs:
            sums[pair.first, pair.second] += pair.weight
        return cls(both=sums[True, True], first=sums[True, False], second=sums[False, True], neither=sums[False, False])

    def less(self, other: "Crossed") -> "Crossed":
        """This table without another; what is left of nothing after rounding is nothing."""
        return Crossed(
            both=_left(self.both, other.both),
            first=_left(self.first, other.first),
            second=_left(self.second, other.second),
            neither=_left(self.neither, other.neither),
        )

    @property
    def whole(self) -> float:
        """The sum of weights."""
        return self.both + self.first + self.second + self.neither

    @property
    def agreeing(self) -> float | None:
        """The share on which both say the same, 0..1; None over nothing."""
        return (self.both + self.neither) / self.whole if self.whole > 0 else None

    @property
    def kappa(self) -> float | None:
        """Cohen's (1960), -1..1: agreement over what the raters' own shares give by chance, over the most it could be.

        None over nothing, and where a rater says one thing of everything: the table then says nothing of agreement.
        """
        whole = self.whole
        if not (0 < self.both + self.first < whole and 0 < self.both + self.second < whole):
            return None
        return ((self.both + self.neither) / whole - self.expected) / (1 - self.expected)

    @property
    def expected(self) -> float:
        """The share on which both would say the same by chance, at their own shares, 0..1; of a table of something."""
        whole = self.whole
        ones, others = self.both + self.first, self.both + self.second
        return (ones * others + (whole - ones) * (whole - others)) / whole**2


@dataclass(frozen=True, kw_only=True, slots=True)
class TwoRaters:
    """How far two raters agree; None where it is not known, with why."""

    table: Crossed  # of weights
    pairs: int
    clusters: int
    effective_n: float  # Kish's, of the weights; the number of pairs where all weigh the same
    agreeing: float | None  # 0..1
    agreeing_low: float | None
    agreeing_high: float | None
    kappa: float | None  # -1..1
    kappa_low: float | None
    kappa_high: float | None
    unknown: Unknown | None  # why kappa, or else its interval, is not known


def two_raters(pairs: Sequence[Pair], confidence: float) -> TwoRaters:
    """Raw agreement and Cohen's kappa of a table weighted as the pairs are, each with an interval.

    Both leave one cluster out after the other (Efron, Stein 1981; for kappa Fleiss, Davies 1982), with Student's quantile at
    one degree of freedom less than there are effective clusters. Kappa's interval is made on the scale of Fisher's z, artanh
    kappa, as its errors are skewed near 1; where there is no spread, as both agree on everything, it is what the ends of
    agreement's interval would make of kappa. Agreement's is Wilson's at the number of independent pairs that would spread as
    much, or where there is no spread at Kish's number of clusters.
    """
    table = Crossed.of(pairs)
    by_cluster: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_cluster[pair.cluster].append(pair)
    without = [table.less(Crossed.of(held)) for held in by_cluster.values()]
    whole = kish((sum(pair.weight for pair in held), 1) for held in by_cluster.values())
    degrees = max(whole - 1, 1.0)
    agreeing_low, agreeing_high = _agreeing_span(table, without, whole, degrees, confidence)
    quantile = t_quantile(0.5 + confidence / 2, degrees)
    kappa_low, kappa_high, unknown = _kappa_span(table, without, (agreeing_low, agreeing_high), quantile)
    return TwoRaters(
        table=table,
        pairs=len(pairs),
        clusters=len(by_cluster),
        effective_n=kish((pair.weight, 1) for pair in pairs),
        agreeing=table.agreeing,
        agreeing_low=agreeing_low,
        agreeing_high=agreeing_high,
        kappa=table.kappa,
        kappa_low=kappa_low,
        kappa_high=kappa_high,
        unknown=unknown,
    )


def _agreeing_span(
    table: Crossed, without: Sequence[Crossed], whole: float, degrees: float, confidence: float
) -> tuple[float, float] | tuple[None, None]:
    share = table.agreeing
    if share is None:
        return None, None
    left = [value for each in without if (value := each.agreeing) is not None]
    error = _error(left) if len(left) == len(without) else 0.0
    n = share * (1 - share) / error**2 if error > 0 else whole
    return wilson(share, n, confidence, degrees)


def _kappa_span(
    table: Crossed, without: Sequence[Crossed], agreeing: tuple[float | None, float | None], quantile: float
) -> tuple[float | None, float | None, Unknown | None]:
    kappa = table.kappa
    if kappa is None:
        return None, None, Unknown.ONE_CLASS if table.whole > 0 else Unknown.NOTHING
    if len(without) == 1:
        return None, None, Unknown.ONE_CLUSTER
    left = [value for each in without if (value := each.kappa) is not None]
    if len(left) < len(without):
        return None, None, Unknown.RESTS_ON_ONE
    error = _error(left)
    if error < _NO_SPREAD or abs(kappa) > 1 - _NO_SPREAD:
        low, high = (None if share is None else _kappa_at(share, table) for share in agreeing)
        return low, high, None
    half = quantile * error / (1 - kappa**2)
    return math.tanh(math.atanh(kappa) - half), math.tanh(math.atanh(kappa) + half), None


def _kappa_at(agreeing: float, table: Crossed) -> float:
    """What kappa would be at this agreement and at the raters' own shares."""
    return max(-1.0, 1 - (1 - agreeing) / (1 - table.expected))


def _error(left: Sequence[float]) -> float:
    """The jackknife's standard error, of values that each lack one cluster."""
    count = len(left)
    mean = math.fsum(left) / count
    return math.sqrt((count - 1) / count * math.fsum((value - mean) ** 2 for value in left))


def _left(whole: float, part: float) -> float:
    left = whole - part
    return left if left > whole * 1e-9 else 0.0
