"""Agreement with labels: ROC AUC and balanced accuracy, each with a 95% interval. Pure.

The positive class is `not supported`, as 1 is bad. The intervals cover sampling error of independent rows.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import NormalDist

from service.core.intervals import wilson

CONFIDENCE = 0.95

POSITIVE = "not supported"
_NEGATIVE_LABELS = frozenset({"supported", "entailment"})
_POSITIVE_LABELS = frozenset({"not supported", "unsupported", "contradicted", "neutral", "contradiction"})


def read_label(value: object) -> bool | None:
    """Whether the label says `not supported`; None where it says neither."""
    if not isinstance(value, str):
        return None
    label = value.strip().lower().replace("_", " ")
    if label in _POSITIVE_LABELS:
        return True
    return False if label in _NEGATIVE_LABELS else None


class Labelled:
    """Scores with their labels: ten bytes a row, the one thing that grows with a file."""

    def __init__(self) -> None:
        """Holds nothing yet."""
        self.scores = array("d")
        self.flagged = bytearray()
        self.positive = bytearray()

    def add(self, score: float, *, flagged: bool, positive: bool) -> None:
        """One scored row."""
        self.scores.append(score)
        self.flagged.append(flagged)
        self.positive.append(positive)


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A figure in 0..1 with its interval; None where that is not known."""

    value: float
    low: float | None
    high: float | None


def roc_auc(scores: Sequence[float], positive: Sequence[int]) -> Figure | None:
    """The probability that a positive scores above a negative, ties counting half; None without both.

    By ranks (Mann and Whitney 1947), those of equal scores being their mean. The interval is Hanley and McNeil's
    (1982); at 0 and 1 it would have no width, and is not known.
    """
    positives = sum(positive)
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    ordered = sorted(range(len(scores)), key=scores.__getitem__)
    rank_sum, below = 0.0, 0
    for _, tied in groupby(ordered, key=scores.__getitem__):
        members = list(tied)
        mean_rank = below + (len(members) + 1) / 2
        rank_sum += mean_rank * sum(positive[index] for index in members)
        below += len(members)
    auc = (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)
    if auc in {0.0, 1.0}:
        return Figure(value=auc, low=None, high=None)
    half = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * _hanley_error(auc, positives, negatives)
    return Figure(value=auc, low=max(0.0, auc - half), high=min(1.0, auc + half))


def _hanley_error(auc: float, positives: int, negatives: int) -> float:
    square = auc * auc
    variance = auc * (1 - auc)
    variance += (positives - 1) * (auc / (2 - auc) - square)
    variance += (negatives - 1) * (2 * square / (1 + auc) - square)
    return math.sqrt(max(variance, 0.0) / (positives * negatives))


def balanced_accuracy(flagged: Sequence[int], positive: Sequence[int]) -> Figure | None:
    """The mean of sensitivity and specificity of what was flagged; None without rows of both classes.

    The interval joins Wilson's of the two shares, as Newcombe (1998) does for differences.
    """
    positives = sum(positive)
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    caught = sum(bool(flag) for flag, bad in zip(flagged, positive, strict=True) if bad)
    passed = sum(not flag for flag, bad in zip(flagged, positive, strict=True) if not bad)
    sensitivity, specificity = caught / positives, passed / negatives
    value = (sensitivity + specificity) / 2
    (low, high), (low2, high2) = (
        wilson(sensitivity, positives, CONFIDENCE),
        wilson(specificity, negatives, CONFIDENCE),
    )
    return Figure(
        value=value,
        low=max(0.0, value - math.hypot(sensitivity - low, specificity - low2) / 2),
        high=min(1.0, value + math.hypot(high - sensitivity, high2 - specificity) / 2),
    )
