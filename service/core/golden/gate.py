"""The gate's statistics: is a candidate worse than its baseline on the same items? Pure.

Each item is one cluster: its difference d is the mean of its bad repeats by the candidate less that by the baseline, -1 to
1, so that repeats of one item are never taken for independent items. The mean of d is the share that became worse less the
share that became better. Each of the two is a sum of weighted counts, and gets the gamma interval of Fay and Feuer (1997,
"Confidence intervals for directly standardized rates", section 2; the greatest weight is 1, an item that turned for good),
which is exact for a single repeat but for Poisson's in place of the binomial distribution. The interval of the difference is
made of the two by MOVER (Zou, Donner 2008). It does not end at zero width where nothing changed: of n items without any
change at most 3 / n became worse.

A verdict errs with at most `alpha`: `worse` where the whole interval lies beyond the margin, `no_worse` where it lies
within, else `cannot_tell`. Several endpoints share alpha (Bonferroni), so the interval of each is wider.

What is not known stays so: unknown repeats are counted as bad for the upper end and as good for the lower one (and the
other way round for the baseline), so that failures can only make the gate say less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from service.core.intervals import gamma_quantile

ALPHA = 0.05
_MANY = 500.0  # events from which on Wilson and Hilferty's cube root (1931) stands for the gamma quantile


class Verdict(StrEnum):
    """What a gate says."""

    NO_WORSE = "no_worse"  # a change for the worse by more than the margin is ruled out
    WORSE = "worse"  # it is worse by more than the margin
    CANNOT_TELL = "cannot_tell"  # either may be


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeats:
    """What came of one item in one run."""

    bad: int
    good: int
    unknown: int = 0

    @property
    def number(self) -> int:
        """All repeats, at least 1."""
        return self.bad + self.good + self.unknown

    @property
    def share(self) -> float | None:
        """Bad ones of those known; None where none is."""
        known = self.bad + self.good
        return self.bad / known if known else None

    @property
    def within(self) -> float:
        """Variance of `share` from repeat to repeat of this item; 0 where a single repeat tells nothing of it."""
        known = self.bad + self.good
        return self.bad * self.good / known**2 / (known - 1) if known > 1 else 0.0

    @property
    def flake(self) -> float | None:
        """The probability that two repeats differ; None where fewer than two are known."""
        known = self.bad + self.good
        return 2 * self.bad * self.good / (known * (known - 1)) if known > 1 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """An item in both runs."""

    baseline: Repeats
    candidate: Repeats

    @property
    def difference(self) -> float | None:
        """Of the known repeats; above 0 is worse. None where one side knows none."""
        before, now = self.baseline.share, self.candidate.share
        return None if before is None or now is None else now - before

    @property
    def most(self) -> float:
        """The difference if all that is unknown speaks against the candidate."""
        now, before = self.candidate, self.baseline
        return (now.bad + now.unknown) / now.number - before.bad / before.number

    @property
    def least(self) -> float:
        """The difference if all that is unknown speaks for the candidate."""
        now, before = self.candidate, self.baseline
        return now.bad / now.number - (before.bad + before.unknown) / before.number


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """What changed in one direction, over all items."""

    total: float  # sum of the differences' sizes
    squares: float  # sum of their squares

    def ends(self, tail: float) -> tuple[float, float]:
        """Fay and Feuer's interval of the expected total, with at most `tail` beyond each end."""
        low = 0.0
        if self.total > 0:
            low = self.squares / self.total * _gamma(tail, self.total**2 / self.squares)
        total, squares = self.total + 1, self.squares + 1
        return low, squares / total * _gamma(1 - tail, total**2 / squares)


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What changed over n items."""

    n: float
    worse: Side
    better: Side

    def ends(self, tail: float) -> tuple[float, float]:
        """The interval of the mean difference, within -1 to 1; for no items all of it."""
        if self.n == 0:
            return -1.0, 1.0
        value = self.worse.total - self.better.total
        (worse_low, worse_high), (better_low, better_high) = self.worse.ends(tail), self.better.ends(tail)
        down = math.hypot(self.worse.total - worse_low, better_high - self.better.total)
        up = math.hypot(worse_high - self.worse.total, self.better.total - better_low)
        return max(-1.0, (value - down) / self.n), min(1.0, (value + up) / self.n)

    def of(self, n: float) -> "Changes":
        """The same shares over another number of items."""
        return Changes(n=n, worse=_scaled(self.worse, n / self.n), better=_scaled(self.better, n / self.n))

    def shifted(self, z: float) -> "Changes":
        """What is seen where chance speaks for a greater difference, by so many standard deviations of it."""
        spread = math.sqrt(self.worse.squares + self.better.squares) or 1.0
        return Changes(
            n=self.n,
            worse=_moved(self.worse, z * self.worse.squares / spread),
            better=_moved(self.better, -z * self.better.squares / spread),
        )


def changes(differences: Sequence[float]) -> Changes:
    """Of the differences of items."""
    up = [d for d in differences if d > 0]
    down = [d for d in differences if d < 0]
    return Changes(n=len(differences), worse=_side(up), better=_side(down))


def _side(differences: Sequence[float]) -> Side:
    return Side(total=math.fsum(map(abs, differences)), squares=math.fsum(d * d for d in differences))


def _scaled(side: Side, by: float) -> Side:
    return Side(total=side.total * by, squares=side.squares * by)


def _moved(side: Side, by: float) -> Side:
    """The same events, more or fewer of them."""
    return _scaled(side, max(0.0, 1 + by / side.total)) if side.total else side


def _gamma(tail: float, shape: float) -> float:
    if shape < _MANY:
        return gamma_quantile(tail, shape)
    z = NormalDist().inv_cdf(tail)
    return shape * (1 - 1 / (9 * shape) + z / (3 * math.sqrt(shape))) ** 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """How much more is bad than before, as a share of answers, with its interval."""

    value: float | None  # of items known on both sides; None where there is none
    low: float
    high: float
    items: int
    unknown: int  # items of which something is not known, on either side


def paired_difference(pairs: Sequence[Pair], tail: float) -> Difference:
    """The difference over items, with an interval that chance leaves to each side with at most `tail`."""
    known = known_differences(pairs)
    low, _ = changes([pair.least for pair in pairs]).ends(tail)
    _, high = changes([pair.most for pair in pairs]).ends(tail)
    return Difference(
        value=math.fsum(known) / len(known) if known else None,
        low=low,
        high=high,
        items=len(pairs),
        unknown=sum(pair.baseline.unknown + pair.candidate.unknown > 0 for pair in pairs),
    )


def known_differences(pairs: Sequence[Pair]) -> list[float]:
    """Of the items of which something is known on both sides."""
    return [each for pair in pairs if (each := pair.difference) is not None]


def tail_of(endpoints: int, alpha: float = ALPHA) -> float:
    """What is left to each side of an interval, where so many endpoints share alpha."""
    return alpha / max(1, endpoints)


def decide(difference: Difference, margin: float) -> Verdict:
    """What one endpoint says."""
    if difference.items == 0:
        return Verdict.CANNOT_TELL
    if difference.low > margin:
        return Verdict.WORSE
    return Verdict.NO_WORSE if difference.high < margin else Verdict.CANNOT_TELL


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """What several endpoints say: worse if any is, no worse if all are."""
    if Verdict.WORSE in verdicts:
        return Verdict.WORSE
    return Verdict.NO_WORSE if verdicts and set(verdicts) == {Verdict.NO_WORSE} else Verdict.CANNOT_TELL
