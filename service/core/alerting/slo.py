"""Service level objectives: the error budget, burn-rate rules made of it, and whether each can fire at all.

The burn rate is the rate of bad answers over the rate that the objective allows. A pair of windows fires where both burn
faster than `burn`; at that speed `spent` of the period's budget is gone in the long window (Google SRE Workbook, chapter
5, "Multiwindow, Multi-Burn-Rate Alerts").
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from service.core.intervals import interval

SPEEDS = (  # long window, short window, share of the budget spent in the long one
    (timedelta(hours=1), timedelta(minutes=5), 0.02),
    (timedelta(hours=6), timedelta(minutes=30), 0.05),
    (timedelta(days=3), timedelta(hours=6), 0.10),
)
SEEN_AT = 2.0  # times the rate that a rule fires at: a true rate that it should not miss
MOST_N = 10_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """At most so many bad answers over a period."""

    bad: float  # the share that is allowed; in (0, 1)
    period: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """What there is to judge by."""

    samples_per_s: float | None  # scored; None: not known, so whether windows have enough is not checked
    false_flags: float | None  # share of good answers that the detector flags; None: labels correct the rate
    confidence: float = 0.99  # of the interval whose lower end is judged


@dataclass(frozen=True, kw_only=True, slots=True)
class BurnRule:
    """Both windows must burn faster than `burn`."""

    long: timedelta
    short: timedelta
    burn: float
    spent: float  # share of the budget that is gone after the long window at this speed

    def threshold(self, objective: Objective) -> float:
        """The rate of bad answers that it fires above."""
        return self.burn * objective.bad


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why a rule or an objective does not work, and what does."""

    why: str
    instead: str


def burn_rules(objective: Objective) -> list[BurnRule]:
    """The usual pairs of windows, for this period."""
    return [
        BurnRule(long=long, short=short, burn=spent * (objective.period / long), spent=spent)
        for long, short, spent in SPEEDS
        if long < objective.period
    ]


def check_objective(objective: Objective, traffic: Traffic) -> Refusal | None:
    """Whether the detector itself leaves room for the objective.

    Where answers are all good it still flags `false_flags` of them: an objective below that is missed for ever.
    """
    if traffic.false_flags is None or objective.bad > traffic.false_flags:
        return None
    return Refusal(
        why=(
            f"The detector flags {traffic.false_flags:.1%} of good answers, and the objective allows {objective.bad:.1%}: "
            "it would be missed with no bad answer at all."
        ),
        instead=(
            f'Label some (`metric = "hallucination_rate"`), or allow more than {traffic.false_flags:.1%}, or use a '
            "stricter operating threshold."
        ),
    )


def check_rule(rule: BurnRule, objective: Objective, traffic: Traffic) -> Refusal | None:
    """Whether it can fire: mathematically, and on so few samples as its short window has."""
    at = rule.threshold(objective)
    if at >= 1:
        most = 1 / objective.bad
        return Refusal(
            why=(
                f"A burn rate of {rule.burn:.3g} is {at:.0%} bad answers: at an objective of {1 - objective.bad:.4g} "
                f"nothing burns faster than {most:.3g}."
            ),
            instead=f"A burn rate below {most:.3g}, which is a longer window for the same share of the budget.",
        )
    if traffic.samples_per_s is None:
        return None
    n = traffic.samples_per_s * rule.short.total_seconds()
    needed = needed_n(at, traffic.confidence)
    if n >= needed:
        return None
    short_s = needed / traffic.samples_per_s if traffic.samples_per_s > 0 else math.inf
    more = needed / n if n > 0 else None
    proposals = []
    if short_s <= rule.long.total_seconds():
        proposals.append(f"a short window of {_told(_minutes(short_s))}")
    if more is not None:
        proposals.append(f"{more:.2g} times the sampling rate")
    proposals.append('the point instead of the bound (`on = "point"`), which chance alone can make fire')
    return Refusal(
        why=(
            f"{_told(rule.short)} have {n:.3g} samples; to tell {min(1.0, SEEN_AT * at):.1%} from {at:.1%} at "
            f"{traffic.confidence:.0%} takes {needed:,}."
        ),
        instead=" or ".join(proposals)[0].upper() + " or ".join(proposals)[1:] + ".",
    )


@lru_cache(maxsize=1_024)
def needed_n(at: float, confidence: float) -> int:
    """The least number of samples of which a rate of SEEN_AT times `at` (at most 1) has its lower bound above `at`."""
    seen = min(1.0, SEEN_AT * at)
    low, high = 1, MOST_N
    while low < high:
        n = (low + high) // 2
        if interval(seen, n, confidence)[0] > at:
            high = n
        else:
            low = n + 1
    return low


def _minutes(seconds: float) -> timedelta:
    """At least so long, in whole minutes; in whole hours where it is several."""
    minutes = math.ceil(seconds / 60)
    return timedelta(minutes=minutes if minutes <= 2 * 60 else 60 * math.ceil(minutes / 60))


def _told(duration: timedelta) -> str:
    minutes = int(duration.total_seconds() // 60)
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
