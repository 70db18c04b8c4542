"""Agreement with labels: ROC AUC and balanced accuracy. Pure. The positive class is `not supported`, as 1 is bad."""

from array import array
from collections.abc import Sequence
from itertools import groupby

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
    """Scores with their labels: nine bytes a row, the one thing that grows with a file."""

    def __init__(self) -> None:
        """Holds nothing yet."""
        self.scores = array("d")
        self.positive = bytearray()

    def add(self, score: float, *, positive: bool) -> None:
        """One scored row."""
        self.scores.append(score)
        self.positive.append(positive)


def roc_auc(scores: Sequence[float], positive: Sequence[int]) -> float | None:
    """The probability that a positive scores above a negative, ties counting half; None without both.

    By ranks (Mann and Whitney 1947), those of equal scores being their mean.
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
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def balanced_accuracy(scores: Sequence[float], positive: Sequence[int], threshold: float) -> float | None:
    """The mean of sensitivity and specificity when scores from `threshold` on are flagged; None without both."""
    positives = sum(positive)
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    caught = sum(score >= threshold for score, bad in zip(scores, positive, strict=True) if bad)
    passed = sum(score < threshold for score, bad in zip(scores, positive, strict=True) if not bad)
    return (caught / positives + passed / negatives) / 2
