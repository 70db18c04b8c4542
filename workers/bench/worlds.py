"""Worlds of known truth: traffic, a scorer and people who label, as the estimators would meet them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.core.correction import Labelled, Predicted
from service.core.estimate import Cell as Counts
from service.core.estimate import Clusters, Estimand, responses
from service.core.label_draw import CENSUS, FLOOR, HEAVY

INDEPENDENT, CLUSTERED = "independent", "clustered"
CORRELATION = 0.2  # of two responses of a session
SESSION = 4.0  # responses on average; geometric
PERFECT, FALLIBLE = "perfect", "70% / 90%"
UNSURE = (
    "unsure where it errs"  # its score is the chance of being made up, so that it errs where the score is near one half
)
EVEN = 0.5  # from which on it flags
SENSITIVITY, SPECIFICITY = 0.7, 0.9
# Shares of the traffic, the inclusion probability of each, and its rate beside the others'.
DESIGNS: Mapping[str, Sequence[tuple[float, float, float]]] = {
    "equal": ((1.0, 0.05, 1.0),),
    "unequal, unrelated to the outcome": ((0.5, 0.02, 1.0), (0.5, 0.2, 1.0)),
    "unequal, related to the outcome": ((0.8, 0.05, 0.5), (0.2, 0.5, 3.0)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """The scored samples of one world; arrays of one length."""

    weight: Any  # float64: 1 / inclusion probability
    bad: Any  # bool: made up in truth
    flagged: Any  # bool
    score: Any  # float64
    cluster: Any  # int64

    @property
    def size(self) -> int:
        """How many."""
        return len(self.weight)


def strata_of(design: str, rate: float, n: int) -> list[tuple[float, float, float]]:
    """Submissions expected, inclusion probability and rate of each stratum, so that n are sampled and `rate` is true."""
    shares = DESIGNS[design]
    traffic = n / sum(share * p for share, p, _ in shares)
    scale = rate / sum(share * relative for share, _, relative in shares)
    return [(share * traffic, p, min(1.0, relative * scale)) for share, p, relative in shares]


def truth_of(strata: Sequence[tuple[float, float, float]]) -> float:
    """The true rate."""
    return sum(n * rate for n, _, rate in strata) / sum(n for n, _, _ in strata)


def worlds(
    strata: Sequence[tuple[float, float, float]], traffic: str, detector: str, count: int, random: np.random.Generator
) -> Iterator[Scored]:
    """So many worlds' samples: how many come, are chosen, are made up and are flagged are all chance."""
    for _ in range(count):
        parts = [_stratum(n, p, rate, traffic, random) for n, p, rate in strata]
        weight = np.concatenate([np.full(len(bad), 1 / p) for (_, p, _), (bad, _) in zip(strata, parts, strict=True)])
        bad = np.concatenate([bad for bad, _ in parts])
        offsets = np.cumsum([0, *(int(of.max()) + 1 if len(of) else 0 for _, of in parts[:-1])])
        cluster = np.concatenate([of + offset for (_, of), offset in zip(parts, offsets, strict=True)])
        flagged, score = scores_of(bad, truth_of(strata), detector, random)
        yield Scored(weight=weight, bad=bad, flagged=flagged, score=score, cluster=cluster)


def _stratum(n: float, p: float, rate: float, traffic: str, random: np.random.Generator) -> tuple[Any, Any]:
    if traffic == INDEPENDENT:
        count = random.poisson(n * p)
        return random.random(count) < rate, np.arange(count)
    sessions = random.poisson(n * p / SESSION)
    sizes = random.geometric(1 / SESSION, sessions)
    spread = (1 - CORRELATION) / CORRELATION
    own = random.beta(rate * spread, (1 - rate) * spread, sessions) if 0 < rate < 1 else np.full(sessions, rate)
    cluster = np.repeat(np.arange(sessions), sizes)
    return random.random(len(cluster)) < own[cluster], cluster


def scores_of(bad: Any, rate: float, detector: str, random: np.random.Generator) -> tuple[Any, Any]:
    """What a scorer says of responses at this rate: flags and scores."""
    if detector == PERFECT:
        return bad, np.where(bad, 0.9, 0.1)
    if detector == UNSURE:
        score = random.beta(rate + bad, 2 - rate - bad)  # by Bayes: bad with the chance that the score says
        return score > EVEN, score
    flagged = np.where(bad, random.random(len(bad)) < SENSITIVITY, random.random(len(bad)) > SPECIFICITY)
    high, low = 0.5 + 0.5 * random.beta(6, 3, len(bad)), 0.5 * random.beta(2, 5, len(bad))
    return flagged, np.where(flagged, high, low)


def counts_of(world: Scored) -> list[Counts]:
    """The cells that the rollups would hold."""
    found = []
    for weight in np.unique(world.weight):
        own = world.weight == weight
        found.append(responses(1 / weight, int(own.sum()), int(world.flagged[own].sum())))
    return found


def clusters_of(world: Scored) -> Clusters:
    """The sums over clusters that the store would read, of flagged responses."""
    count = int(world.cluster.max()) + 1 if world.size else 0
    k = np.bincount(world.cluster, world.weight * world.flagged, count)
    m = np.bincount(world.cluster, world.weight, count)
    size = np.bincount(world.cluster, minlength=count)
    weight = m / np.maximum(size, 1)
    return Clusters(
        kk=float(k @ k),
        km=float(k @ m),
        mm=float(m @ m),
        some=_kish(weight[k > 0]),
        rest=_kish(weight[k < m * (1 - 1e-12)]),
        single=bool(size.max(initial=0) <= 1),
    )


def _kish(weights: Any) -> float:
    return float(weights.sum() ** 2 / (weights @ weights)) if len(weights) else 0.0


def predicted_of(world: Scored, estimand: Estimand = Estimand.PROCESS) -> Predicted:
    """The sums over clusters of what the scorer predicted; of the traffic itself, each sample is its own."""
    count = int(world.cluster.max()) + 1
    f = np.bincount(world.cluster, world.weight * world.score, count)
    m = np.bincount(world.cluster, world.weight, count)
    left = 1.0 if estimand is Estimand.PROCESS else 1 - 1 / world.weight
    return Predicted(
        f=float(f.sum()),
        m=float(m.sum()),
        ff=float((left * f * f).sum()),
        fm=float((left * f * m).sum()),
        mm=float((left * m * m).sum()),
    )


def draw_labels(world: Scored, wanted: int, random: np.random.Generator) -> dict[int, Labelled]:
    """The samples that `service.core.label_draw` would draw, by number, with the label that tells the truth."""
    spread = np.maximum(np.sqrt(world.score * (1 - world.score)), FLOOR)
    size = spread * np.minimum(world.weight, HEAVY) / HEAVY
    ratio = random.random(world.size) / size
    order = np.argsort(ratio)
    chosen = order[:wanted]
    cutoff = ratio[order[wanted]] if world.size > wanted else CENSUS
    return told(world, chosen, np.minimum(1.0, size[chosen] * cutoff), world.bad)


def told(world: Scored, chosen: Any, probability: Any, truth: Any) -> dict[int, Labelled]:
    """What somebody who sees so many samples, each with its probability, says of them; by number.

    Args:
        world: whose samples they are.
        chosen: int64, their numbers.
        probability: float64, of each of these, in (0, 1].
        truth: bool, what is said of each sample of the world.
    """
    count = int(world.cluster.max()) + 1
    f = np.bincount(world.cluster, world.weight * world.score, count)
    m = np.bincount(world.cluster, world.weight, count)
    return {
        int(at): Labelled(
            inclusion_probability=1 / float(world.weight[at]),
            label_probability=float(p),
            y=float(truth[at]),
            m=1,
            f=float(world.score[at]),
            cluster=str(world.cluster[at]),
            cluster_f=float(f[world.cluster[at]]),
            cluster_m=float(m[world.cluster[at]]),
        )
        for at, p in zip(chosen, probability, strict=True)
    }


def counted_worlds(
    strata: Sequence[tuple[float, float, float]], detector: str, count: int, random: np.random.Generator
) -> Iterator[list[Counts]]:
    """The cells of so many worlds of independent traffic: what `counts_of` makes of `worlds`, without the samples."""
    hit, wrong = (1.0, 0.0) if detector == PERFECT else (SENSITIVITY, 1 - SPECIFICITY)
    for _ in range(count):
        cells = []
        for n, p, rate in strata:
            scored = int(random.poisson(n * p))
            bad = int(random.binomial(scored, rate))
            cells.append(responses(p, scored, int(random.binomial(bad, hit) + random.binomial(scored - bad, wrong))))
        yield cells


def sampled_traffic(
    strata: Sequence[tuple[float, float, float]], count: int, random: np.random.Generator
) -> Iterator[list[Counts]]:
    """Worlds of a traffic that stays the same but for its sample."""
    came = traffic_of(strata)
    for _ in range(count):
        cells = []
        for (n, k), (_, p, _) in zip(came, strata, strict=True):
            flagged = int(random.binomial(k, p))
            cells.append(responses(p, flagged + int(random.binomial(n - k, p)), flagged))
        yield cells


def traffic_of(strata: Sequence[tuple[float, float, float]]) -> list[tuple[int, int]]:
    """What came of each stratum, and how many of it are made up: as many as are expected."""
    return [(round(n), round(round(n) * rate)) for n, _, rate in strata]
