"""The whole fit: coefficients, thresholds, and what they are worth, cross-validated. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from service.core.combination import BALANCED, Combination, Thresholds, make_combination
from service.core.errors import StartRefusedError
from workers.combining.examples import Example, Plan, planned
from workers.combining.fitting import PENALTY, fit
from workers.combining.folds import FOLDS, SEED, cross_validated, folds_of
from workers.combining.points import Point, point, strict_point, strict_threshold
from workers.combining.reliability import BINS, Figure, Reliability, change, reliability


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """What was fitted, to what, and what it is worth on examples that it was not fitted to."""

    combination: Combination
    plan: Plan
    turned: tuple[str, ...]  # values left out as they pointed the wrong way
    examples: int
    hallucinated: int
    groups: int
    effective: float  # (sum of weights)^2 / sum of squared weights (Kish 1965)
    left_out: int  # examples that lack a scorer which hardly any other lacks
    before: Reliability  # the NLI score as it is
    alone: Reliability | None  # the NLI score alone, fitted; None where it is the only one
    after: Reliability
    change: Figure  # of the Brier score from before to after
    added: Figure | None  # of the Brier score from `alone` to after: what the other scorers add
    balanced: Point
    strict: Point


def evaluate(examples: Sequence[Example], made_at: datetime) -> Evaluation:
    """Fits and measures. Raises StartRefusedError where there are too few examples, or nothing tells them apart.

    The fit counts each example once; figures and thresholds count it by its weight.
    """
    plan, kept = planned(examples)
    whole = fit(kept, plan)
    if not any(any(scorer.slopes.values()) for scorer in whole.scorers):
        raise StartRefusedError(
            "No scorer tells the hallucinated responses from the faithful ones.",
            next_step="Look at a few labels; where they are right, this model does not fit your responses.",
        )
    folds = folds_of(kept)
    scores = cross_validated(kept, plan, folds)
    compared = [at for at, example in enumerate(kept) if example.parts.nli is not None]
    held = [kept[at] for at in compared]
    before = [example.parts.nli or 0.0 for example in held]
    after = [scores[at] for at in compared]
    alone = None
    if len(plan.fingerprints) > 1:
        alone_folds = [folds[at] for at in compared]
        alone = cross_validated(held, _nli_only(plan), alone_folds)
    thresholds = Thresholds(balanced=BALANCED, strict=strict_threshold(scores, kept))
    weights = [example.weight for example in kept]
    found = Evaluation(
        combination=_combination(whole.intercept, whole.scorers, thresholds, made_at, {}),
        plan=plan,
        turned=whole.turned,
        examples=len(kept),
        hallucinated=sum(example.bad for example in kept),
        groups=len({example.group for example in kept}),
        effective=sum(weights) ** 2 / sum(weight * weight for weight in weights),
        left_out=len(examples) - len(kept),
        before=reliability(before, held),
        alone=None if alone is None else reliability(alone, held),
        after=reliability(after, held),
        change=change(before, after, held),
        added=None if alone is None else change(alone, after, held),
        balanced=point([BALANCED] * len(kept), scores, kept),
        strict=strict_point(scores, kept, folds),
    )
    told = _combination(whole.intercept, whole.scorers, thresholds, made_at, figures(found))
    return replace(found, combination=told)


def figures(found: Evaluation) -> dict[str, Any]:
    """What the file says of itself."""
    names = ("examples", "hallucinated", "groups", "effective", "left_out", "change", "added", "balanced", "strict")
    held = asdict(found)
    return {
        "folds": FOLDS,
        "seed": SEED,
        "penalty": PENALTY,
        "bins": BINS,
        "present": held["plan"]["present"],
        **{name: held[name] for name in names},
        **{name: held[name] for name in ("before", "alone", "after")},
    }


def _combination(
    intercept: float, scorers: Any, thresholds: Thresholds, made_at: datetime, told: dict[str, Any]
) -> Combination:
    return make_combination(intercept=intercept, scorers=scorers, thresholds=thresholds, made_at=made_at, figures=told)


def _nli_only(plan: Plan) -> Plan:
    return replace(
        plan, fingerprints={"nli": plan.fingerprints["nli"]}, absences=frozenset(), present={"nli": plan.present["nli"]}
    )
