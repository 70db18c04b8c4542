"""Three phases: the hallucination rate by a scorer that sees all, a judge that sees some, and people who label few. Pure.

The two-phase estimate of `correction` is one of any quantity that labels tell. Labels also tell what is known without
them: the judge's surprise z, its verdict less what the scorer's score led to expect of it, and 0 where it was not asked or
gave no verdict. So the labels' estimate of the mean of z is compared with that mean over all scored samples, and what it
misses is taken, times c, from the labels' estimate of the rate:

    rate = (a + b F) - c ((a_z + b_z F) - Z)

with lines y = a + b f and z = a_z + b_z f through the labels, F and Z the means over all that was scored, and c the
regression of what y's line misses on what z's line misses. That is the generalised regression estimator with (1, f, z) as
auxiliary variables (Sarndal, Swensson, Wretman 1992, sections 6.4 and 9.7), and prediction-powered inference with c its
tuned power (Angelopoulos, Duchi, Zrnic 2023). Labels are drawn without a look at the judge, so it is unbiased up to a term
of order 1 / labels whatever the judge says, whichever samples it was asked of, and whichever it left unanswered: the
probabilities of judging are not needed, and its silence biases nothing. Its variance is that of `correction`, with
z_c = B F_c + A M_c + c Z_c - rate M_c + sum of w e, A = a - c a_z and B = b - c b_z (docs/decisions/0027).
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.core.correction import Corrected, Labelled, Line, Predicted, effective_labels, fit, not_seen
from service.core.estimate import Estimand, effective_n, kish, left_open
from service.core.intervals import interval

METHOD = "three-phase-greg-wilson"
MIN_BOTH = 10.0  # effective labels of judged samples below which the judge is left out
MIN_SHOWN = 5.0  # effective labels that say the rarer thing, below which c is chance
_LEVERAGE = 0.9  # as in `correction`
_SAME = 1e-9  # a share of z's variance that is left of nothing after rounding


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """A scored sample that a judge gave a verdict on."""

    sample_seq: int
    sample: Labelled  # with y its verdict, 0 or 1, and the probability of judging as that of phase two


@dataclass(frozen=True, slots=True)
class _Plane:
    """y = a + b f + c z, fitted: a line whose residuals the judge's surprise z explains in part."""

    a: float
    b: float
    c: float
    line: Line  # of y on f alone
    a_z: float
    b_z: float
    zz: float  # of what z's own line misses, weighted

    def residual(self, label: Labelled, z: float) -> float:
        """What the plane misses of a label, grown by its leverage."""
        missed = label.y - self.a - self.b * label.f - self.c * z
        return missed / (1 - min(self._leverage(label, z), _LEVERAGE))

    def _leverage(self, label: Labelled, z: float) -> float:
        line, own = self.line, z - self.a_z - self.b_z * label.f
        determinant = line.mm * line.ff - line.mf**2
        of_line = 1 / line.mm
        if determinant > 0:
            of_line = (line.ff - 2 * label.f * line.mf + label.f**2 * line.mm) / determinant
        return label.weight * (of_line + own * own / self.zz)


def correct_with_judge(
    predicted: Predicted,
    labels: Mapping[int, Labelled],
    verdicts: Sequence[Verdict],
    confidence: float,
    estimand: Estimand = Estimand.PROCESS,
) -> Corrected | None:
    """The hallucination rate of responses with its interval; None where the judge can add nothing.

    It adds nothing where fewer than MIN_BOTH effective labels are of samples it judged or fewer than MIN_SHOWN say the rarer
    thing, where its verdicts are no surprise after the scores, and where they speak against the labels.

    Args:
        predicted: sums over all scored samples.
        labels: by the sample's number, enough for an estimate without the judge; one unit each.
        verdicts: of one judge, of the same samples and others.
        confidence: of the interval, in (0, 1).
        estimand: what the interval is of.
    """
    surprises = _surprises(verdicts)
    if effective_labels(label for seq, label in labels.items() if seq in surprises) < MIN_BOTH:
        return None
    held = list(labels.values())
    shown = min(kish((x.weight, x.y) for x in held), kish((x.weight, 1 - x.y) for x in held))
    if shown < MIN_SHOWN:
        return None
    zs = [surprises.get(seq, 0.0) for seq in labels]
    plane = _fit(held, zs)
    if plane is None:
        return None
    f = predicted.f / predicted.m
    z = sum(surprises[v.sample_seq] / v.sample.inclusion_probability for v in verdicts) / predicted.m
    rate = min(1.0, max(0.0, plane.a + plane.b * f + plane.c * z))
    spread = _Spread(plane=plane, rate=rate, estimand=estimand)
    variance = spread.variance(predicted, verdicts, surprises, held, zs)
    whole = min(effective_labels(held), predicted.m**2 / predicted.mm if predicted.mm > 0 else math.inf)
    n = effective_n(rate * (1 - rate), variance, units=math.inf, whole=whole, shown=shown)
    low, high = interval(rate, n, confidence, max(whole - 3, 1.0))
    return Corrected(
        rate=rate,
        low=low,
        high=high,
        effective_n=n,
        n_labels=len(held),
        labels_needed=0,
        method=METHOD,
        power=plane.b,
        judge_power=plane.c,
    )


def _surprises(verdicts: Sequence[Verdict]) -> Mapping[int, float]:
    """Z of each judged sample: any line would do, the one that judged samples fit leaves the least to surprise."""
    if not verdicts:
        return {}
    line = fit([verdict.sample for verdict in verdicts])
    return {v.sample_seq: v.sample.y - line.a - line.b * v.sample.f for v in verdicts}


def _fit(labels: Sequence[Labelled], zs: Sequence[float]) -> _Plane | None:
    line = fit(labels)
    weights = [label.weight for label in labels]
    mz = sum(w * z for w, z in zip(weights, zs, strict=True))
    fz = sum(w * x.f * z for w, x, z in zip(weights, labels, zs, strict=True))
    whole = sum(w * z * z for w, z in zip(weights, zs, strict=True))
    determinant = line.mm * line.ff - line.mf**2
    b_z = (line.mm * fz - line.mf * mz) / determinant if determinant > 0 else 0.0
    a_z = (mz - b_z * line.mf) / line.mm
    own = [z - a_z - b_z * x.f for x, z in zip(labels, zs, strict=True)]
    zz = sum(w * z * z for w, z in zip(weights, own, strict=True))
    if zz <= _SAME * whole:
        return None
    c = sum(w * z * x.y for w, z, x in zip(weights, own, labels, strict=True)) / zz
    if c <= 0:
        return None
    return _Plane(line.a - c * a_z, line.b - c * b_z, c, line, a_z, b_z, zz)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Spread:
    plane: _Plane
    rate: float
    estimand: Estimand

    def variance(
        self,
        predicted: Predicted,
        verdicts: Sequence[Verdict],
        surprises: Mapping[int, float],
        labels: Sequence[Labelled],
        zs: Sequence[float],
    ) -> float:
        a, b = self.plane.a - self.rate, self.plane.b
        total = max(b * b * predicted.ff + 2 * a * b * predicted.fm + a * a * predicted.mm, 0.0)
        judged, by_cluster = self._judged(verdicts, surprises)
        # Weights that add up to what all the scored samples stand for, not to what labels happen to (calibration).
        scale = predicted.m / sum(label.weight for label in labels)
        clusters: dict[object, list[tuple[Labelled, float]]] = defaultdict(list)
        for position, (label, z) in enumerate(zip(labels, zs, strict=True)):
            clusters[label.cluster if label.cluster is not None else position].append((label, z))
        for held in clusters.values():
            first, z = held[0]
            of_judge = z / first.inclusion_probability if first.cluster is None else by_cluster.get(first.cluster, 0.0)
            own = self._own(first) + self.plane.c * of_judge
            left = left_open(first.inclusion_probability, self.estimand)
            missed = [(x, self.plane.residual(x, z)) for x, z in held]
            residual = scale * sum(x.weight * e for x, e in missed)
            inner = sum((1 - left) * (scale * x.weight * e) ** 2 * not_seen(x, scale) for x, e in missed)
            total += left * (2 * own * residual + residual**2) + inner
        return max(total + judged, 0.0) / predicted.m**2

    def _judged(self, verdicts: Sequence[Verdict], surprises: Mapping[int, float]) -> tuple[float, Mapping[str, float]]:
        """What surprises add to the squares of clusters, and their weighted sum in each cluster."""
        first: dict[str | int, Labelled] = {}
        sums: dict[str | int, float] = defaultdict(float)
        for position, verdict in enumerate(verdicts):
            sample = verdict.sample
            key = sample.cluster if sample.cluster is not None else position
            first.setdefault(key, sample)
            sums[key] += surprises[verdict.sample_seq] / sample.inclusion_probability
        total = 0.0
        for key, sample in first.items():
            of_judge = self.plane.c * sums[key]
            left = left_open(sample.inclusion_probability, self.estimand)
            total += left * (2 * self._own(sample) * of_judge + of_judge**2)
        return total, {key: z for key, z in sums.items() if isinstance(key, str)}

    def _own(self, sample: Labelled) -> float:
        """What the scorer predicted of a sample's cluster, beside the rate."""
        a, b = self.plane.a - self.rate, self.plane.b
        if sample.cluster is None:
            return (b * sample.f + a) / sample.inclusion_probability
        return b * sample.cluster_f + a * sample.cluster_m
