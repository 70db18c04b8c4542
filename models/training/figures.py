"""The figure: how well scores tell unsupported rows from supported ones."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Marked:
    """A number for each row of one set, high is bad, apart by what the row truly is. Both are ascending, not empty."""

    good: tuple[float, ...]  # of supported rows
    bad: tuple[float, ...]  # of the rest

    def specificity(self, threshold: float) -> float:
        """Share of supported rows below the threshold, 0..1."""
        return bisect_left(self.good, threshold) / len(self.good)

    def sensitivity(self, threshold: float) -> float:
        """Share of the rest at or above the threshold, 0..1."""
        return 1 - bisect_left(self.bad, threshold) / len(self.bad)

    def balanced_accuracy(self, threshold: float) -> float:
        """Mean of specificity and sensitivity, 0..1."""
        return (self.specificity(threshold) + self.sensitivity(threshold)) / 2

    def auc(self) -> float:
        """Area under the ROC curve, 0..1; ties count half."""
        wins = sum((bisect_left(self.good, value) + bisect_right(self.good, value)) / 2 for value in self.bad)
        return wins / (len(self.good) * len(self.bad))


def mark(scores: Sequence[float], supported: Sequence[bool]) -> Marked:
    """The scores apart by label. Raises ValueError when either label is missing: no figure can be given then."""
    both = list(zip(scores, supported, strict=True))
    good = tuple(sorted(score for score, label in both if label))
    bad = tuple(sorted(score for score, label in both if not label))
    if not (good and bad):
        raise ValueError(f"{len(good)} supported rows and {len(bad)} others were scored: some of both are needed")
    return Marked(good=good, bad=bad)


def balanced_point(sets: Sequence[Marked]) -> float:
    """The one threshold with the greatest mean balanced accuracy over the sets, each weighing the same."""
    candidates = sorted({score for marked in sets for score in (*marked.good, *marked.bad)})
    return max(candidates, key=lambda threshold: sum(marked.balanced_accuracy(threshold) for marked in sets))


def strict_point(sets: Sequence[Marked], specificity: float) -> float:
    """The lowest of the scores at which the mean specificity over the sets, each weighing the same, is reached."""
    candidates = sorted({score for marked in sets for score in (*marked.good, *marked.bad)} | {1.0})
    for threshold in candidates:
        if sum(marked.specificity(threshold) for marked in sets) >= specificity * len(sets):
            return threshold
    return 1.0
