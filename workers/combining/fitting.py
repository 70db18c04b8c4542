"""The fit: from examples to what each scorer adds to the log odds. Pure.

Every value is taken in units of its standard deviation and every slope as drawn from a normal distribution with mean 0 and
variance 1 / PENALTY, which is a ridge penalty (Hoerl, Kennard 1970): labels that can be told apart without error have a
finite fit, and a hundred labels that cannot are hardly moved. A value that would get a negative slope is left out and the rest
fitted again: a scorer that finds a response worse must not make its score better.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from service.core.combination import FittedScorer, Parts, ScorerName, sigmoid
from workers.combining.examples import Example, Plan
from workers.combining.logistic import fit_logistic

PENALTY = 0.1
NAMES: dict[ScorerName, tuple[str, ...]] = {
    "nli": ("nli",),
    "judge": ("judge",),
    "consistency": ("selfcheck", "entropy"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """What a combination computes with."""

    intercept: float
    scorers: tuple[FittedScorer, ...]
    turned: tuple[str, ...]  # values left out as they would have had a negative slope

    def score(self, parts: Parts) -> float:
        """The combined score of parts that the fit can take."""
        at = self.intercept
        for scorer in self.scorers:
            values = parts.values(scorer.name)
            if values is None:
                at += scorer.absent or 0.0
            else:
                at += sum(scorer.slopes[name] * value for name, value in values.items())
        return sigmoid(at)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Value:
    """One value as a column: its deviation from the mean in standard deviations, 0 where it is missing."""

    scorer: ScorerName
    name: str
    mean: float
    deviation: float
    column: list[float]


def fit(examples: Sequence[Example], plan: Plan) -> Fit:
    """The fit of the plan's scorers; each example counts once."""
    values = [value for scorer in plan.fingerprints for value in _values(scorer, examples)]
    turned: list[str] = []
    while True:
        speaking = {value.scorer for value in values}
        absences = [scorer for scorer in plan.fingerprints if scorer in plan.absences & speaking]
        columns = [
            [1.0] * len(examples),
            *(value.column for value in values),
            *([float(example.parts.values(scorer) is None) for example in examples] for scorer in absences),
        ]
        found = fit_logistic(
            columns,
            [example.y for example in examples],
            [1.0] * len(examples),
            [0.0] + [PENALTY] * (len(columns) - 1),
        )
        slopes = found[1 : 1 + len(values)]
        worst = min(range(len(values)), key=slopes.__getitem__, default=None)
        if worst is None or slopes[worst] >= 0:
            return _plain(plan, values, found, absences, turned)
        turned.append(values.pop(worst).name)


def _values(scorer: ScorerName, examples: Sequence[Example]) -> list[_Value]:
    held = [example.parts.values(scorer) for example in examples]
    made = []
    for name in NAMES[scorer]:
        known = [values[name] for values in held if values is not None]
        mean = sum(known) / len(known) if known else 0.0
        deviation = math.sqrt(sum((value - mean) ** 2 for value in known) / len(known)) if known else 0.0
        if deviation > 0:
            column = [0.0 if values is None else (values[name] - mean) / deviation for values in held]
            made.append(_Value(scorer=scorer, name=name, mean=mean, deviation=deviation, column=column))
    return made


def _plain(
    plan: Plan, values: Sequence[_Value], found: Sequence[float], absences: Sequence[ScorerName], turned: Sequence[str]
) -> Fit:
    """The same in the values' own units: what the means added goes to the intercept, and back where one is missing."""
    intercept = found[0]
    slopes: dict[ScorerName, dict[str, float]] = {}
    means: dict[ScorerName, float] = {}
    for value, coefficient in zip(values, found[1:], strict=False):
        slope = coefficient / value.deviation
        slopes.setdefault(value.scorer, dict.fromkeys(NAMES[value.scorer], 0.0))[value.name] = slope
        means[value.scorer] = means.get(value.scorer, 0.0) + slope * value.mean
        intercept -= slope * value.mean
    absent = {scorer: 0.0 for scorer in plan.absences if scorer not in slopes}
    absent |= {s: at + means[s] for s, at in zip(absences, found[1 + len(values) :], strict=True)}
    # The NLI scorer stays, with whatever slope: a fit is of its fingerprint.
    slopes.setdefault("nli", {"nli": 0.0})
    scorers = tuple(
        FittedScorer(
            name=scorer, fingerprint=plan.fingerprints[scorer], slopes=slopes[scorer], absent=absent.get(scorer)
        )
        for scorer in plan.fingerprints
        if scorer in slopes
    )
    return Fit(intercept=intercept, scorers=scorers, turned=tuple(turned))
