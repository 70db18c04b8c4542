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
FLAKES = 0.03  # share of answers that an unchanged target is expected to give differently from run to run
LEAST_MARGIN, GREATEST_MARGIN = 0.01, 0.10
POWER = 0.8
MOST_ITEMS = 1_000_000
MOST_REPEATS = 50
_STEP = 0.001  # that margins are rounded up to
_SEVERAL = 2  # repeats from which on they tell how far an item differs from repeat to repeat
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


def default_margin(sizes: Sequence[int], repeats: int) -> float:
    """The least margin by which an unchanged target passes in 95 of 100 runs if FLAKES of its answers differ from run to run.

    Args:
        sizes: items of each endpoint.
        repeats: of each item, in both runs.

    Never over GREATEST_MARGIN: a set that cannot rule out a change by ten points cannot pass without being told to.
    """
    held = [n for n in sizes if n]
    tail, pass_z = tail_of(len(held)), NormalDist().inv_cdf(0.95 ** (1 / max(1, len(held))))
    flaking = _flaking(repeats)
    needed = max((flaking.of(n).shifted(pass_z).ends(tail)[1] for n in held), default=1.0)
    return min(GREATEST_MARGIN, max(LEAST_MARGIN, math.ceil(needed / _STEP - 1e-9) * _STEP))


def _flaking(repeats: int) -> Changes:
    """What is expected of one item that has not changed, and differs from repeat to repeat with FLAKES."""
    chances = [math.comb(repeats, k) * FLAKES**k * (1 - FLAKES) ** (repeats - k) for k in range(repeats + 1)]
    sizes = [
        (before * now, (j - i) / repeats) for i, before in enumerate(chances) for j, now in enumerate(chances) if j > i
    ]
    side = Side(total=math.fsum(p * d for p, d in sizes), squares=math.fsum(p * d * d for p, d in sizes))
    return Changes(n=1, worse=side, better=side)


def detectable(n: int, repeats: int, margin: float, endpoints: int) -> float | None:
    """The least change for the worse that is called so in 80 of 100 runs; None where none is, or there is no item."""
    tail, power_z = tail_of(endpoints), NormalDist().inv_cdf(POWER)
    if n == 0:
        return None
    flaking = _flaking(repeats).of(n)

    def is_seen(change: float) -> bool:
        # Of items that became bad for good, beside those that flake: the widest way in which so much can change.
        worse = Side(total=flaking.worse.total + n * change, squares=flaking.worse.squares + n * change)
        seen = Changes(n=n, worse=worse, better=flaking.better).shifted(-power_z)
        return seen.ends(tail)[0] > margin

    return next((change for step in range(1, 1_000) if is_seen(change := step * _STEP)), None)


def items_needed(pairs: Sequence[Pair], margin: float, tail: float) -> int | None:
    """Items with which the difference would be decided, if the next ones go as these; None where no number would do."""
    known = known_differences(pairs)
    if not known:
        return None
    found = changes(known)

    def decides(n: int) -> bool:
        low, high = found.of(n).ends(tail)
        return low > margin or high < margin

    high = len(known)
    while not decides(high):
        if high >= MOST_ITEMS:
            return None
        high = min(MOST_ITEMS, 2 * high)
    low = len(known)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle + 1, high)
    return high


def repeats_needed(pairs: Sequence[Pair], margin: float, tail: float) -> int | None:
    """Repeats with which the same items would decide, roughly; None where none would, or a single one tells nothing of it.

    What differs from repeat to repeat shrinks with their number, and so do the changes that cancel out; what turned for
    good does not.
    """
    known = [pair for pair in pairs if pair.difference is not None]
    if not known or any(min(pair.baseline.number, pair.candidate.number) < _SEVERAL for pair in known):
        return None
    found = changes(known_differences(known))
    squares = found.worse.squares + found.better.squares
    if squares == 0:
        return None
    within = min(1.0, math.fsum(pair.baseline.within + pair.candidate.within for pair in known) / squares)
    now = min(min(pair.baseline.number, pair.candidate.number) for pair in known)

    def decides(repeats: int) -> bool:
        left = 1 - within * (1 - now / repeats)
        cancelled = min(found.worse.total, found.better.total) * (1 - math.sqrt(left))
        low, high = Changes(
            n=found.n, worse=_shrunk(found.worse, cancelled, left), better=_shrunk(found.better, cancelled, left)
        ).ends(tail)
        return low > margin or high < margin

    return next((repeats for repeats in range(now + 1, MOST_REPEATS + 1) if decides(repeats)), None)


def _shrunk(side: Side, cancelled: float, left: float) -> Side:
    total = side.total - cancelled
    return Side(total=total, squares=side.squares * left) if total > 0 else Side(total=0.0, squares=0.0)
