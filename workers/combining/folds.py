"""Cross-validation: every example scored by a fit to the examples of other groups. Pure."""

import random
from collections import defaultdict
from collections.abc import Sequence

from workers.combining.examples import Example, Plan
from workers.combining.fitting import fit

FOLDS = 5
SEED = 20_261_101


def folds_of(examples: Sequence[Example], seed: int = SEED) -> list[int]:
    """The fold of each example, 0 to FOLDS - 1: whole groups, spread so that each fold has its part of either label."""
    groups: dict[str, list[int]] = defaultdict(list)
    for at, example in enumerate(examples):
        groups[example.group].append(at)
    order = sorted(groups)
    random.Random(seed).shuffle(order)  # noqa: S311 (a draw, no secret)
    order.sort(key=lambda group: -len(groups[group]))  # the large ones first, the small ones even it out
    counts = [[0, 0] for _ in range(FOLDS)]
    folds = [0] * len(examples)
    for group in order:
        bad = sum(examples[at].bad for at in groups[group])
        rarer = 1 if bad else 0
        fold = min(range(FOLDS), key=lambda at: (counts[at][rarer], sum(counts[at])))
        counts[fold][1] += bad
        counts[fold][0] += len(groups[group]) - bad
        for at in groups[group]:
            folds[at] = fold
    return folds


def cross_validated(examples: Sequence[Example], plan: Plan, folds: Sequence[int]) -> list[float]:
    """The score of each example by the fit to the other folds."""
    scores = [0.0] * len(examples)
    for fold in range(FOLDS):
        fitted = fit([example for example, at in zip(examples, folds, strict=True) if at != fold], plan)
        for at, example in enumerate(examples):
            if folds[at] == fold:
                scores[at] = fitted.score(example.parts)
    return scores
