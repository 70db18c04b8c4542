"""Agreement: how far people who label the same responses say the same. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from service.core.intervals import t_quantile, wilson


@dataclass(frozen=True, kw_only=True, slots=True)
class Votes:
    """What was said of one response or claim."""

    hallucinated: int
    faithful: int

    @property
    def raters(self) -> int:
        """How many decided."""
        return self.hallucinated + self.faithful

    @property
    def agreeing(self) -> float:
        """The share of pairs of raters that say the same."""
        pairs = self.raters * (self.raters - 1)
        return (self.hallucinated * (self.hallucinated - 1) + self.faithful * (self.faithful - 1)) / pairs


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Of items that two or more people decided; None where there are too few to say."""

    items: int
    agreeing: float | None  # share of pairs that say the same, 0 to 1
    agreeing_low: float | None
    agreeing_high: float | None
    kappa: float | None  # -1 to 1; 0 is what chance gives; None also where everybody says one thing of everything
    kappa_low: float | None
    kappa_high: float | None


def agreement(votes: Sequence[Votes], confidence: float) -> Agreement:
    """Fleiss' kappa (1971), which for two raters is Scott's pi, with a jackknife interval over the items.

    Raters need not be the same from item to item, nor as many. The interval is Student's with items - 1 degrees of
    freedom (Efron, Stein 1981), cut at -1 and 1.
    """
    held = [each for each in votes if each.raters > 1]
    if not held:
        return Agreement(
            items=0,
            agreeing=None,
            agreeing_low=None,
            agreeing_high=None,
            kappa=None,
            kappa_low=None,
            kappa_high=None,
        )
    count = len(held)
    same = sum(each.agreeing for each in held)
    bad = sum(each.hallucinated / each.raters for each in held)
    low, high = wilson(same / count, count, confidence)
    kappa = _kappa(same / count, bad / count)
    kappa_low, kappa_high = _span(held, same, bad, kappa, confidence)
    return Agreement(
        items=count,
        agreeing=same / count,
        agreeing_low=low,
        agreeing_high=high,
        kappa=kappa,
        kappa_low=kappa_low,
        kappa_high=kappa_high,
    )


def _kappa(observed: float, bad: float) -> float | None:
    expected = bad**2 + (1 - bad) ** 2
    return None if expected >= 1 else (observed - expected) / (1 - expected)


def _span(
    held: Sequence[Votes], same: float, bad: float, kappa: float | None, confidence: float
) -> tuple[float, float] | tuple[None, None]:
    """The interval; none for one item, or where one item alone is why kappa can be told."""
    count = len(held)
    if kappa is None or count == 1:
        return None, None
    without = [
        _kappa((same - each.agreeing) / (count - 1), (bad - each.hallucinated / each.raters) / (count - 1))
        for each in held
    ]
    known = [value for value in without if value is not None]
    if len(known) < count:
        return None, None
    mean = sum(known) / count
    error = math.sqrt((count - 1) / count * sum((value - mean) ** 2 for value in known))
    half = t_quantile(0.5 + confidence / 2, count - 1) * error
    return max(-1.0, kappa - half), min(1.0, kappa + half)
