"""The resampled figure: ROC AUC and balanced accuracy with 95% intervals that draw whole documents anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workers.bench.detection_results import Interval

RESAMPLES = 1_000
_LEVELS = (0.025, 0.975)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """Rows of one set: scores, high is bad, with what they truly are and the document that each belongs to."""

    scores: Any  # float64, shape (rows,)
    bad: Any  # bool, shape (rows,)
    groups: Any  # int64, shape (rows,)

    @classmethod
    def of(cls, scores: Sequence[float], bad: Sequence[bool], groups: Sequence[str]) -> "Sampled":
        """From lists of one length."""
        numbers = np.unique(np.array(groups), return_inverse=True)[1]
        return cls(scores=np.array(scores, dtype=np.float64), bad=np.array(bad, dtype=bool), groups=numbers)

    def weights(self, seed: int) -> Any:
        """How often each row is drawn, shape (1 + resamples, rows): in the first line once, in the others with its document."""
        count = int(self.groups.max()) + 1
        drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
        return np.concatenate([np.ones((1, len(self.scores))), drawn[:, self.groups]])


def aucs(sampled: Sampled, weights: Any) -> Any:
    """Area under the ROC curve for each line of weights; ties count half. NaN for a draw of one label."""
    order = np.argsort(sampled.scores, kind="stable")
    scores, bad, drawn = sampled.scores[order], sampled.bad[order], weights[:, order]
    starts = np.flatnonzero(np.concatenate([[True], scores[1:] > scores[:-1]]))
    bads = np.add.reduceat(drawn * bad, starts, axis=1)
    goods = np.add.reduceat(drawn * ~bad, starts, axis=1)
    below = np.cumsum(goods, axis=1) - goods / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return (bads * below).sum(axis=1) / (bads.sum(axis=1) * goods.sum(axis=1))


def balanced_accuracies(sampled: Sampled, flagged: Any, weights: Any) -> Any:
    """Mean of sensitivity and specificity for each line of weights. NaN for a draw of one label."""
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity = (weights * (flagged & sampled.bad)).sum(axis=1) / (weights * sampled.bad).sum(axis=1)
        specificity = (weights * (~flagged & ~sampled.bad)).sum(axis=1) / (weights * ~sampled.bad).sum(axis=1)
    return (sensitivity + specificity) / 2


def interval(values: Any) -> Interval:
    """The figure of the first line with the interval of the others (percentiles; Efron and Tibshirani 1993, chapter 13)."""
    low, high = np.nanquantile(values[1:], _LEVELS)
    return Interval(value=float(values[0]), low=float(low), high=float(high))
