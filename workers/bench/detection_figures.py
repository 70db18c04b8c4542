"""The figures of `assay bench accuracy`: from judged rows to tables."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.calibrate import BALANCED, Calibration, e_folds
from models.training.calibrate import Graded, logit
from models.training.rows import Row
from workers.bench.detection_results import Bin, Detected, Float32, Interval, Reliability, Share, Size
from workers.bench.resampling import Sampled, aucs, balanced_accuracies, interval

BINS = 10
_SIZES = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 8), (9, 10**6))


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One row and what the pipeline made of it."""

    row: Row
    score: float
    claims: int  # that were checked
    lowered: float  # the score, comparable between numbers of claims: from 0.5 on it is flagged at balanced
    strict: bool  # flagged at strict
    flat: bool  # the same, if strict did not rise with the claims

    @classmethod
    def of(cls, row: Row, graded: Graded, calibration: Calibration) -> "Judged":
        """The row under this calibration."""
        claims = len(graded.claims)
        return cls(
            row=row,
            score=graded.score,
            claims=claims,
            lowered=lowered(graded.score, claims, calibration),
            strict=graded.score >= calibration.raised("strict", claims),
            flat=graded.score >= calibration.threshold("strict"),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Resampled:
    """One set's figures and the resamples behind them, each of shape (1 + resamples,)."""

    figures: Detected
    auc: Any
    balanced_accuracy: Any


def lowered(score: float, claims: int, calibration: Calibration) -> float:
    """A calibrated score less what chance alone adds to the worst of so many claims."""
    return 1 / (1 + math.exp(calibration.rise * e_folds(claims) - logit(score)))


def detected(scores: Sequence[float], rows: Sequence[Row], point: float, seed: int) -> Resampled:
    """How well scores tell the rows apart, flagged from `point` on."""
    sampled = Sampled.of(scores, [not row.supported for row in rows], [row.group for row in rows])
    weights = sampled.weights(seed)
    # The point is one of the scores, up to rounding on the way to it.
    flagged = sampled.scores >= point - 1e-12
    auc, balanced = aucs(sampled, weights), balanced_accuracies(sampled, flagged, weights)
    return Resampled(
        figures=Detected(
            auc=interval(auc),
            balanced_accuracy=interval(balanced),
            sensitivity=float((flagged & sampled.bad).sum() / sampled.bad.sum()),
            specificity=float((~flagged & ~sampled.bad).sum() / (~sampled.bad).sum()),
        ),
        auc=auc,
        balanced_accuracy=balanced,
    )


def mean_detected(sets: Mapping[str, Resampled]) -> Detected:
    """The mean over sets, each weighing the same; the interval is over rows of these sets, not over other sets."""
    found = list(sets.values())
    return Detected(
        auc=interval(np.mean([each.auc for each in found], axis=0)),
        balanced_accuracy=interval(np.mean([each.balanced_accuracy for each in found], axis=0)),
        sensitivity=float(np.mean([each.figures.sensitivity for each in found])),
        specificity=float(np.mean([each.figures.specificity for each in found])),
    )


def domains_of(sets: Mapping[str, Sequence[Judged]], seed: int) -> dict[str, Interval]:
    """Balanced accuracy of each domain of each set that has several, and their mean."""
    found: dict[str, Interval] = {}
    for name, judged in sets.items():
        parts: defaultdict[str, list[Judged]] = defaultdict(list)
        for each in judged:
            parts[each.row.domain].append(each)
        if len(parts) < 2:  # noqa: PLR2004 - one domain is the set
            continue
        resampled = {
            domain: detected([each.lowered for each in rows], [each.row for each in rows], BALANCED, seed)
            for domain, rows in sorted(parts.items())
            if len({each.row.supported for each in rows}) > 1
        }
        found |= {f"{name} {domain}": each.figures.balanced_accuracy for domain, each in resampled.items()}
        found[f"{name}, mean"] = mean_detected(resampled).balanced_accuracy
    return found


def pairwise_of(sets: Mapping[str, Sequence[Judged]]) -> dict[str, Share]:
    """Of the pairs of a supported row and another that belong together, those of which the other one scores higher.

    Pairs that score alike are left out of both counts.
    """
    found: dict[str, Share] = {}
    for name, judged in sets.items():
        together: defaultdict[str, list[Judged]] = defaultdict(list)
        for each in judged:
            if each.row.pair:
                together[each.row.pair].append(each)
        differences = [
            bad.lowered - good.lowered
            for rows in together.values()
            for good in rows
            for bad in rows
            if good.row.supported and not bad.row.supported
        ]
        if differences:
            found[name] = Share(part=sum(d > 0 for d in differences), whole=sum(d != 0 for d in differences))
    return found


def sizes_of(sets: Mapping[str, Sequence[Judged]]) -> tuple[Size, ...]:
    """What strict does to responses by their number of claims, all sets together."""
    every = [each for judged in sets.values() for each in judged]
    sizes = []
    for least, most in _SIZES:
        rows = [each for each in every if least <= each.claims <= most]
        good, bad = ([each for each in rows if each.row.supported is side] for side in (True, False))
        if rows:
            sizes.append(
                Size(
                    claims=f"{least}"
                    if least == most
                    else f"{least} to {most}"
                    if most < _SIZES[-1][1]
                    else f"{least} or more",
                    passed=_share(not each.strict for each in good),
                    passed_flat=_share(not each.flat for each in good),
                    caught=_share(each.strict for each in bad),
                )
            )
    return tuple(sizes)


def reliability_of(sets: Mapping[str, Sequence[Judged]]) -> Reliability:
    """The lowered score as a probability: expected calibration error over bins of equal weight (Naeini et al. 2015)."""
    scores = np.array([each.lowered for judged in sets.values() for each in judged])
    bad = np.array([not each.row.supported for judged in sets.values() for each in judged], dtype=float)
    weights = np.concatenate([np.full(len(judged), 1 / len(judged)) for judged in sets.values()])
    error, bins = calibration_error(scores, bad, weights)
    return Reliability(
        error=error,
        sets={
            name: calibration_error(
                np.array([each.lowered for each in judged]),
                np.array([not each.row.supported for each in judged], dtype=float),
                np.ones(len(judged)),
            )[0]
            for name, judged in sets.items()
        },
        bins=bins,
    )


def calibration_error(scores: Any, bad: Any, weights: Any) -> tuple[float, tuple[Bin, ...]]:
    """The weighted mean distance of score and share over bins of equal weight; rows of one score are of one bin."""
    where = np.unique(scores, return_inverse=True)[1]
    mass = np.bincount(where, weights)
    place = np.minimum((np.cumsum(mass) - mass / 2) / mass.sum() * BINS, BINS - 1e-9).astype(int)[where]
    error, bins = 0.0, []
    for at in range(BINS):
        inside = place == at
        if inside.any():
            weight = weights[inside].sum()
            score = float((scores[inside] * weights[inside]).sum() / weight)
            share = float((bad[inside] * weights[inside]).sum() / weight)
            error += abs(score - share) * weight / weights.sum()
            bins.append(Bin(score=score, unsupported=share, rows=int(inside.sum())))
    return float(error), tuple(bins)


def float32_beside(both: Mapping[str, tuple[Sequence[Judged], Sequence[Judged]]]) -> Float32:
    """int8 (the first) beside float32 over the same rows."""
    pairs = [pair for ours, full in both.values() for pair in zip(ours, full, strict=True)]
    means = []
    for side in (0, 1):
        found = [
            detected([each.lowered for each in sides[side]], [each.row for each in sides[side]], BALANCED, 1).figures
            for sides in both.values()
            if len({each.row.supported for each in sides[side]}) > 1
        ]
        means.append(
            (np.mean([each.auc.value for each in found]), np.mean([each.balanced_accuracy.value for each in found]))
        )
    return Float32(
        responses=len(pairs),
        balanced=sum((ours.lowered >= BALANCED) == (full.lowered >= BALANCED) for ours, full in pairs),
        strict=sum(ours.strict == full.strict for ours, full in pairs),
        auc_change=float(means[0][0] - means[1][0]),
        balanced_accuracy_change=float(means[0][1] - means[1][1]),
    )


def _share(answers: Iterable[bool]) -> Share:
    given = list(answers)
    return Share(part=sum(given), whole=len(given))
