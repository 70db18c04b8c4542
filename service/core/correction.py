"""The hallucination rate: a flagged rate corrected by labels, as the two-phase estimate. Pure.

Phase one chose submissions to score, phase two scored samples to label. With w = 1 / (p1 p2) the labels' weights, y a
response's units that its labels say are made up, m its units and f what the scorer predicted of y, labels fit
y = a m + b f by least squares with weights w / m, and the rate is a + b R with R the rate of f over all that was scored:
the generalised regression estimator of two-phase sampling (Sarndal, Swensson, Wretman 1992, section 9.7), which is the
augmented inverse probability weighted one, and prediction-powered inference with its power tuned (Angelopoulos, Duchi,
Zrnic 2023). It is unbiased up to a term of order 1 / labels however wrong the scorer is; a better scorer makes it
sharper. Its variance is linearised over clusters c with z_c = b F_c + a M_c - rate M_c + sum of w e over c's labels:
V = sum z_c^2 / (sum M_c)^2, e being residuals grown by their leverage (MacKinnon, White 1985, HC3). For the traffic
itself, instead of the process behind it, what sampling cannot leave open is taken out as in `estimate`.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from service.core.estimate import Estimand, effective_n, kish, left_open
from service.core.intervals import interval

METHOD = "two-phase-greg-wilson"
BORROWED = "two-phase-greg-wilson, the scorer's errors as in a wider window"
MOST_OF_IT = 0.5  # of what was scored; labels that stand for less speak of another time, which is borrowing
MIN_LABELS = 30.0  # effective labels below which there is no estimate
_LEVERAGE = 0.9  # a label that carries the line alone has a leverage of 1, and no residual to show for it


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """A scored sample with its label."""

    inclusion_probability: float  # of phase one
    label_probability: float  # of phase two, given phase one
    y: float  # units that the label says are made up, 0 to m; between where annotators differ
    m: int  # units
    f: float  # what the scorer predicted of y
    cluster: str | None = None  # None: its own
    cluster_f: float = 0.0  # sum of w f over the scored samples of its cluster, if it has one
    cluster_m: float = 0.0

    @property
    def weight(self) -> float:
        """Submissions that one label stands for."""
        return 1.0 / (self.inclusion_probability * self.label_probability)


@dataclass(frozen=True, kw_only=True, slots=True)
class Predicted:
    """Weighted sums over all scored responses, with F and M of a cluster as in `Clusters`."""

    f: float  # sum of w f
    m: float  # sum of w m
    ff: float  # sum over clusters of F * F; for the traffic each with its share left open
    fm: float
    mm: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Corrected:
    """A hallucination rate in 0..1 with its interval; None with too few labels."""

    rate: float | None
    low: float | None
    high: float | None
    effective_n: float | None
    n_labels: int
    labels_needed: int  # more labels until there is an estimate of its own; 0 where there is one
    method: str = METHOD
    borrowed: bool = False
    labelled_share: float | None = (
        None  # of what was scored, that its own labels stand for; estimated, None without any
    )
    power: float | None = None  # b: how much of the scorer's prediction counts; 0 for one that knows nothing
    judge_power: float | None = None  # of three phases: how much of the judge's verdict counts beside it


@dataclass(frozen=True, slots=True)
class Line:
    """y = a m + b f, fitted."""

    a: float
    b: float
    mm: float  # of the normal equations
    mf: float
    ff: float

    def at(self, mean: float) -> float:
        """The rate, 0 to 1, at this mean prediction per unit."""
        return min(1.0, max(0.0, self.a + self.b * mean))

    def residual(self, label: Labelled) -> float:
        """What the line misses of a label, grown by its leverage."""
        missed = label.y - self.a * label.m - self.b * label.f
        return missed / (1 - min(self._leverage(label), _LEVERAGE))

    def pulls(self, mean: float) -> tuple[float, float]:
        """How much the weighted sums of residuals, and of residuals x f / m, move the line at this mean prediction."""
        determinant = self.mm * self.ff - self.mf**2
        if determinant <= 0:
            return 1 / self.mm, 0.0
        return (self.ff - mean * self.mf) / determinant, (mean * self.mm - self.mf) / determinant

    def _leverage(self, label: Labelled) -> float:
        weight = label.weight / label.m
        determinant = self.mm * self.ff - self.mf**2
        if determinant <= 0:
            return weight * label.m**2 / self.mm
        form = label.m**2 * self.ff - 2 * label.m * label.f * self.mf + label.f**2 * self.mm
        return weight * form / determinant


def correct(
    predicted: Predicted,
    labels: Sequence[Labelled],
    confidence: float,
    estimand: Estimand = Estimand.PROCESS,
    shown: float | None = None,
) -> Corrected:
    """The hallucination rate with its interval, by labels of its own.

    `shown`: how many labels are taken to say the rarer thing; None: their effective number.
    """
    if effective_labels(labels) < MIN_LABELS or predicted.m <= 0:
        return too_few(labels)
    line = fit(labels)
    rate = line.at(predicted.f / predicted.m)
    variance = _variance(predicted, labels, line, rate, estimand)
    return _corrected(predicted, line, variance, labels, confidence, shown)


def coverage(predicted: Predicted, labels: Sequence[Labelled]) -> float:
    """The share of what was scored that the labels stand for, estimated; far from 1 where much was never drawn."""
    return sum(label.weight * label.m for label in labels) / predicted.m if predicted.m > 0 else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Lender:
    """What the labels of a wider window say of the scorer: a line, and how sure it is."""

    labels: Sequence[Labelled]
    line: Line
    effective: float
    mm: float  # sums over clusters of products of M and F, the weighted residuals times m / m and f / m
    mf: float
    ff: float


def lend(labels: Sequence[Labelled]) -> Lender:
    """Fits the line of a wider window, once for all that borrow it."""
    line = fit(labels)
    clusters: dict[object, tuple[float, float]] = {}
    for position, label in enumerate(labels):
        key = label.cluster if label.cluster is not None else position
        m, f = clusters.get(key, (0.0, 0.0))
        residual = label.weight * line.residual(label)
        clusters[key] = (m + residual, f + residual * label.f / label.m)
    return Lender(
        labels=labels,
        line=line,
        effective=effective_labels(labels),
        mm=sum(m * m for m, _ in clusters.values()),
        mf=sum(m * f for m, f in clusters.values()),
        ff=sum(f * f for _, f in clusters.values()),
    )


def borrow(predicted: Predicted, needed: Corrected, lender: Lender | None, confidence: float) -> Corrected:
    """The rate by the line of a wider window, where `needed` says that labels of its own are too few or of too little.

    It takes for granted that the scorer errs here as it does there: in another time of the same group, never in another
    group, where it may err quite otherwise. Its variance has two parts: of the scorer's rate here, and of the line (the
    sandwich estimator; White 1980).
    """
    if lender is None or lender.effective < MIN_LABELS or predicted.m <= 0:
        return needed
    mean = predicted.f / predicted.m
    here = max(predicted.ff - 2 * mean * predicted.fm + mean * mean * predicted.mm, 0.0) / predicted.m**2
    by_m, by_f = lender.line.pulls(mean)
    there = by_m**2 * lender.mm + 2 * by_m * by_f * lender.mf + by_f**2 * lender.ff
    variance = lender.line.b**2 * here + max(there, 0.0)
    found = _corrected(predicted, lender.line, variance, lender.labels, confidence)
    return replace(found, n_labels=needed.n_labels, labels_needed=needed.labels_needed, method=BORROWED, borrowed=True)


def _corrected(
    predicted: Predicted,
    line: Line,
    variance: float,
    labels: Sequence[Labelled],
    confidence: float,
    shown: float | None = None,
) -> Corrected:
    rate = line.at(predicted.f / predicted.m)
    whole = min(effective_labels(labels), predicted.m**2 / predicted.mm if predicted.mm > 0 else math.inf)
    shown = _shown(labels) if shown is None else shown
    n = effective_n(rate * (1 - rate), variance, units=math.inf, whole=whole, shown=shown)
    low, high = interval(rate, n, confidence, max(whole - 2, 1.0))
    return Corrected(rate=rate, low=low, high=high, effective_n=n, n_labels=len(labels), labels_needed=0, power=line.b)


def too_few(labels: Sequence[Labelled], covered: float = 1.0) -> Corrected:
    """No estimate, and how many more labels like these it takes; `covered`: what they stand for of what was scored."""
    effective = effective_labels(labels)
    efficiency = effective / len(labels) if labels else 1.0
    if effective < MIN_LABELS:
        missing = (MIN_LABELS - effective) / efficiency
    else:  # enough of them, of another time than most of what was scored
        missing = len(labels) * (MOST_OF_IT / covered - 1) if covered > 0 else 0.0
    needed = max(1, math.ceil(missing))
    return Corrected(rate=None, low=None, high=None, effective_n=None, n_labels=len(labels), labels_needed=needed)


def effective_labels(labels: Iterable[Labelled]) -> float:
    """Kish's n of labels."""
    return kish((label.weight, 1.0) for label in labels)


def fit(labels: Sequence[Labelled]) -> Line:
    """The line through the labels; flat where all predictions are alike or speak against the labels."""
    mm = sum(x.weight * x.m for x in labels)
    mf = sum(x.weight * x.f for x in labels)
    ff = sum(x.weight * x.f * x.f / x.m for x in labels)
    my = sum(x.weight * x.y for x in labels)
    fy = sum(x.weight * x.f * x.y / x.m for x in labels)
    determinant = mm * ff - mf**2
    b = (mm * fy - mf * my) / determinant if determinant > 1e-9 * mm * ff else 0.0
    if b <= 0:
        return Line(my / mm, 0.0, mm, 0.0, 0.0)
    return Line((my - b * mf) / mm, b, mm, mf, ff)


def _variance(predicted: Predicted, labels: Sequence[Labelled], line: Line, rate: float, estimand: Estimand) -> float:
    a, b = line.a - rate, line.b
    # Weights that add up to what all the scored samples stand for, not to what labels happen to (calibration).
    scale = predicted.m / sum(label.weight * label.m for label in labels)
    total = max(b * b * predicted.ff + 2 * a * b * predicted.fm + a * a * predicted.mm, 0.0)
    clusters: dict[object, list[Labelled]] = defaultdict(list)
    for position, label in enumerate(labels):
        clusters[label.cluster if label.cluster is not None else position].append(label)
    for held in clusters.values():
        first = held[0]
        own = b * first.cluster_f + a * first.cluster_m
        if first.cluster is None:
            own = (b * first.f + a * first.m) / first.inclusion_probability
        left = left_open(first.inclusion_probability, estimand)
        residual = scale * sum(x.weight * line.residual(x) for x in held)
        inner = sum(
            (1 - left) * (scale * x.weight * line.residual(x)) ** 2 * not_seen(x, scale) for x in held
        )  # what phase two leaves open although phase one does not
        total += left * (2 * own * residual + residual**2) + inner
    return max(total, 0.0) / predicted.m**2


def not_seen(label: Labelled, scale: float) -> float:
    """The share of samples like this one that have no label: those not drawn, and of those drawn what never came back.

    `scale`: what was scored by what the labels stand for; above 1 where drawn ones have none.
    """
    return 1 - label.label_probability / max(scale, 1.0)


def _shown(labels: Sequence[Labelled]) -> float:
    """The effective number of labels that say the rarer thing."""
    return min(kish((x.weight, x.y / x.m) for x in labels), kish((x.weight, 1 - x.y / x.m) for x in labels))
