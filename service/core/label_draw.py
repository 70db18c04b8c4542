"""The draw of samples to label, with probabilities that are known. Pure.

Sequential Poisson sampling (Ohlsson 1998): each sample has a position u, fixed at receipt and uniform in [0, 1), and a
size q; those with u / q below a cutoff c are drawn, each with the probability min(1, c q). Taking the next ones in order
of u / q raises c, so that any number of labels, asked for in any number of steps, is one sample with known
probabilities (c is the first ratio left out; Duffield, Lund, Thorup 2007). q is Neyman's: in proportion to what a label
can still change, w s.d.(y) with the standard deviation sqrt(s (1 - s)) by the score s, but never below a floor: a scorer
that is sure and wrong must be found out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

CENSUS = 1e300  # the cutoff where all were drawn because so many were wanted: each had the probability 1
FLOOR = 0.2  # of the standard deviation, whose most is 0.5
HEAVY = 20.0  # a weight over this counts as this: sizes stay within (0, 0.5]
MOST = 0.5  # the most that a size can be


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A scored sample that could be labelled."""

    seq: int
    position: float  # u
    size: float  # q

    @property
    def ratio(self) -> float:
        """The place in the order of drawing, u / q: below the cutoff it is drawn."""
        return self.position / self.size


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """A part's samples in order of their positions, as far as they were read; without those that are tasks already.

    A part is closed: what was received in it is all there, so that the draw is of all of it.
    """

    day: int
    part: int
    cutoff: float  # so far
    candidates: Sequence[Candidate]
    read_to: float  # every sample with a position below it was read; 1 or more: all were


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """What a draw adds."""

    cutoff: float  # of every pool, where it was lower
    tasks: Sequence[tuple[Pool, Candidate]]


def size_of(score: float, inclusion_probability: float) -> float:
    """How much a label of this sample is worth, relative to others; in (0, 0.5]."""
    return max(math.sqrt(score * (1 - score)), FLOOR) * min(1.0 / inclusion_probability, HEAVY) / HEAVY


def draw(pools: Sequence[Pool], wanted: int) -> Drawn:
    """The next samples of all pools in order of u / q: `wanted` of them, or as many as can be told from what was read.

    A sample below its pool's cutoff that is no task yet, having come very late, comes along: its probability says that
    it belongs.
    """
    # One that was not read has a position of at least `read_to`, and a size of at most MOST.
    known = min((pool.read_to / MOST for pool in pools if pool.read_to < 1), default=math.inf)
    ahead = sorted(c.ratio for pool in pools for c in pool.candidates if c.ratio >= pool.cutoff)
    # The first ratio left out; those that are as high as the last one wanted come along.
    following = next((ratio for ratio in ahead[wanted:] if ratio > ahead[wanted - 1]), CENSUS)
    cutoff = min(following, known)
    tasks = [
        (pool, candidate)
        for pool in pools
        for candidate in pool.candidates
        if candidate.ratio < max(cutoff, pool.cutoff)
    ]
    return Drawn(cutoff=cutoff, tasks=sorted(tasks, key=lambda task: task[1].ratio))
