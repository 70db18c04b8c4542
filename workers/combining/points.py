"""Operating points of a fitted score. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from service.core.combination import BALANCED
from workers.combining.examples import Example
from workers.combining.folds import FOLDS

SPECIFICITY = 0.95
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """What a threshold does to examples that did not choose it."""

    specificity: float | None  # share of the faithful ones that are not flagged; None without any
    sensitivity: float | None  # share of the hallucinated ones that are


def strict_threshold(scores: Sequence[float], examples: Sequence[Example]) -> float:
    """The least score from which on at most 5% of the faithful ones' weight is flagged; at least `balanced`.

    It lies halfway between the highest score that must pass and the next one, so that no rounding moves a response across.
    """
    good = sorted(
        ((score, example.weight) for score, example in zip(scores, examples, strict=True) if not example.bad),
        reverse=True,
    )
    allowed = (1 - SPECIFICITY) * sum(weight for _, weight in good) * (1 + _ROUNDING)
    above = 0.0
    for score, tied in groupby(good, key=itemgetter(0)):
        above += sum(weight for _, weight in tied)
        if above > allowed:
            following = min((other for other in scores if other > score), default=1.0)
            return (score + following) / 2 if score >= BALANCED else BALANCED
    return BALANCED


def point(thresholds: Sequence[float], scores: Sequence[float], examples: Sequence[Example]) -> Point:
    """What thresholds, one an example, do."""
    rows = list(zip(thresholds, scores, examples, strict=True))

    def share(*, bad: bool) -> float | None:
        held = [(score >= threshold, e.weight) for threshold, score, e in rows if e.bad is bad]
        whole = sum(weight for _, weight in held)
        return sum(weight for flagged, weight in held if flagged is bad) / whole if whole else None

    return Point(specificity=share(bad=False), sensitivity=share(bad=True))


def strict_point(scores: Sequence[float], examples: Sequence[Example], folds: Sequence[int]) -> Point:
    """What `strict` does where each fold's threshold is chosen on the other folds."""
    chosen = []
    for fold in range(FOLDS):
        others = [at for at, held in enumerate(folds) if held != fold]
        chosen.append(strict_threshold([scores[at] for at in others], [examples[at] for at in others]))
    return point([chosen[fold] for fold in folds], scores, examples)
