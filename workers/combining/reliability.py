"""Reliability: how far a score is the probability that it claims to be, with intervals. Pure.

Intervals are a delete-a-group jackknife's (Efron, Stein 1981) with Student's quantile: groups of examples, not examples, are
independent. The bins stay those of all examples meanwhile.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from operator import itemgetter

from service.core.intervals import t_quantile
from workers.combining.examples import Example

BINS = 10
CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """Examples of like scores."""

    score: float  # weighted mean
    share: float  # weighted, of those that people call hallucinated
    examples: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Reliability:
    """A score read as a probability."""

    error: Figure  # expected calibration error, 0..1
    by_chance: float  # about what a score without any error would show on so many examples
    brier: Figure  # mean square of score - label, 0..1
    bins: tuple[Bin, ...]


def reliability(scores: Sequence[float], examples: Sequence[Example]) -> Reliability:
    """Of at least two groups.

    The expected calibration error (Naeini, Cooper, Hauskrecht 2015) is over BINS bins of equal weight: the weighted mean
    distance of a bin's mean score and its share. Equal scores are of one bin, so that there may be fewer.
    """
    place = equal_mass(scores, [example.weight for example in examples])
    rows = list(zip(scores, examples, place, strict=True))
    size = max(place) + 1
    # of each bin: weight, weight x score, weight x label, and last the weighted square error
    groups: dict[str, list[float]] = {}
    for score, example, at in rows:
        sums = groups.setdefault(example.group, [0.0] * (3 * size + 1))
        for offset, value in enumerate((1.0, score, example.y)):
            sums[3 * at + offset] += example.weight * value
        sums[-1] += example.weight * (score - example.y) ** 2
    held = list(groups.values())
    total = [sum(column) for column in zip(*held, strict=True)]
    noise = sum(
        math.sqrt(sum((e.weight**2) * score * (1 - score) for score, e, where in rows if where == at))
        for at in range(size)
    )
    return Reliability(
        error=_figure(_error, total, held, 0.0),
        by_chance=math.sqrt(2 / math.pi) * noise / sum(total[0:-1:3]),  # E|x| of a normal x
        brier=_figure(_brier, total, held, 0.0),
        bins=tuple(
            Bin(
                score=total[3 * at + 1] / total[3 * at],
                share=total[3 * at + 2] / total[3 * at],
                examples=place.count(at),
            )
            for at in range(size)
        ),
    )


def equal_mass(scores: Sequence[float], weights: Sequence[float]) -> list[int]:
    """The bin of each score, from 0 on without a gap: by the middle of its weight in the order of scores."""
    ordered = sorted(zip(scores, weights, strict=True))
    masses = [(score, sum(w for _, w in tied)) for score, tied in groupby(ordered, key=itemgetter(0))]
    whole = sum(weights)
    middles = [
        (score, (end - mass / 2) / whole)
        for (score, mass), end in zip(masses, accumulate(mass for _, mass in masses), strict=True)
    ]
    at = {score: min(int(middle * BINS), BINS - 1) for score, middle in middles}
    number = {place: index for index, place in enumerate(sorted(set(at.values())))}
    return [number[at[score]] for score in scores]


def change(before: Sequence[float], after: Sequence[float], examples: Sequence[Example]) -> Figure:
    """The Brier score after less that before, over the same examples: below 0 is better."""
    groups: dict[str, list[float]] = {}
    for one, other, example in zip(before, after, examples, strict=True):
        sums = groups.setdefault(example.group, [0.0, 0.0])
        sums[0] += example.weight
        sums[-1] += example.weight * ((other - example.y) ** 2 - (one - example.y) ** 2)
    held = list(groups.values())
    return _figure(lambda sums: sums[1] / sums[0], [sum(column) for column in zip(*held, strict=True)], held, -1.0)


def _error(sums: Sequence[float]) -> float:
    apart = sum(abs(score - label) for score, label in zip(sums[1:-1:3], sums[2:-1:3], strict=True))
    return apart / sum(sums[0:-1:3])


def _brier(sums: Sequence[float]) -> float:
    return sums[-1] / sum(sums[0:-1:3])


def _figure(
    of: Callable[[Sequence[float]], float], total: Sequence[float], groups: Sequence[Sequence[float]], least: float
) -> Figure:
    count = len(groups)
    without = [of([whole - part for whole, part in zip(total, group, strict=True)]) for group in groups]
    mean = sum(without) / count
    error = math.sqrt((count - 1) / count * sum((value - mean) ** 2 for value in without))
    value, half = of(total), t_quantile(0.5 + CONFIDENCE / 2, count - 1) * error
    return Figure(value=value, low=max(least, value - half), high=min(1.0, value + half))
