"""Worlds in which a judge looks at some of what the scorer saw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.core.phases import Verdict
from workers.bench.worlds import SENSITIVITY, SPECIFICITY, UNSURE, Scored, scores_of, told

BAND = (0.2, 0.8)  # scores that are uncertain
GOOD, LIKE = "90% / 95%", "80% / 90%, errs with the scorer"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judging:
    """How well a judge tells what is made up."""

    sensitivity: float
    specificity: float
    repeats: float  # of the scorer's flags, whatever is true; the rest it judges for itself

    def rate(self, truth: float, detector: str) -> float:
        """The share that it would flag."""
        own = self.sensitivity * truth + (1 - self.specificity) * (1 - truth)
        return (1 - self.repeats) * own + self.repeats * flagged_share(truth, detector)


def flagged_share(truth: float, detector: str) -> float:
    """The share that a scorer flags; counted in four million responses where no formula tells it, to within 0.0005."""
    if detector != UNSURE:
        return SENSITIVITY * truth + (1 - SPECIFICITY) * (1 - truth)
    random = np.random.default_rng(1)
    flagged, _ = scores_of(random.random(4_000_000) < truth, truth, detector, random)
    return float(np.mean(flagged))


JUDGES: Mapping[str, Judging] = {
    GOOD: Judging(sensitivity=0.9, specificity=0.95, repeats=0.0),
    LIKE: Judging(sensitivity=0.8, specificity=0.9, repeats=0.3),
}
HALF = "half"
# The probability of being judged in the band, and outside it.
CASCADES: Mapping[str, tuple[float, float]] = {
    "the band": (1.0, 0.05),
    "money short": (0.3, 0.05),
    HALF: (1.0, 0.5),
    "all": (1.0, 1.0),
}
AT_RANDOM, OF_THE_BAD = "at random", "of what it would flag"
# Shares of its reviews that end without a verdict, where it would flag and elsewhere.
SILENCES: Mapping[str, tuple[float, float]] = {AT_RANDOM: (0.1, 0.1), OF_THE_BAD: (0.3, 0.05)}


def opinion(world: Scored, judge: str, random: np.random.Generator) -> Any:
    """What a judge would say of each sample; bool."""
    kind = JUDGES[judge]
    alone = np.where(
        world.bad, random.random(world.size) < kind.sensitivity, random.random(world.size) > kind.specificity
    )
    return np.where(random.random(world.size) < kind.repeats, world.flagged, alone)


def verdicts_of(world: Scored, would: Any, cascade: str, silence: str, random: np.random.Generator) -> list[Verdict]:
    """What it says of the samples that the cascade chooses for it."""
    (band, floor), (of_bad, of_rest) = CASCADES[cascade], SILENCES[silence]
    low, high = BAND
    probability = np.where((world.score >= low) & (world.score <= high), band, floor)
    answered = random.random(world.size) >= np.where(would, of_bad, of_rest)
    chosen = np.flatnonzero((random.random(world.size) < probability) & answered)
    samples = told(world, chosen, probability[chosen], would)
    return [Verdict(sample_seq=at, sample=each) for at, each in samples.items()]


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """All that came in some time, with what the judge would say of it."""

    everything: Scored
    would: Any  # bool

    def sampled(self, probability: float, random: np.random.Generator) -> tuple[Scored, Any]:
        """What is sampled of it, and what the judge would say of that."""
        chosen = random.random(self.everything.size) < probability
        count = int(chosen.sum())
        world = Scored(
            weight=np.full(count, 1 / probability),
            bad=self.everything.bad[chosen],
            flagged=self.everything.flagged[chosen],
            score=self.everything.score[chosen],
            cluster=np.arange(count),
        )
        return world, self.would[chosen]


def traffic_with(size: int, rate: float, detector: str, judge: str, random: np.random.Generator) -> Traffic:
    """So much independent traffic at this rate, scored."""
    bad = random.random(size) < rate
    flagged, score = scores_of(bad, rate, detector, random)
    everything = Scored(weight=np.ones(size), bad=bad, flagged=flagged, score=score, cluster=np.arange(size))
    return Traffic(everything=everything, would=opinion(everything, judge, random))
