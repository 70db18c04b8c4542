"""The scan: reads the windows of claims, the most relevant first, each claim's until one is accepted.

What comes out is what reading every window would give, the same to the bit: support from the accepted level on is all
alike, that of windows which are not about the claim counts for little (models/aggregate.py), and a pair's answer does not
depend on its company (models/batching.py).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from models.aggregate import ceiling
from models.calibrate import Calibration
from models.comparison import Comparison
from models.pair_cache import PairCache, PairKey
from models.pairs import PlannedClaim
from models.tokens import Encoder
from models.types import NliBackend, Probability

# Windows of a claim that are read at once: more each time, since what the first ones do not settle few later ones do.
_FIRST_LOOK = 1
_GROWTH = 2


@dataclass(kw_only=True, slots=True)
class ClaimScan:
    """How far one claim was read."""

    planned: PlannedClaim
    found: list[Probability] = field(default_factory=list)  # of its readings, from the first on
    best: float = 0.0  # support that counts, of what was found
    settled: bool = False  # no other could change anything, or there is none

    @property
    def about(self) -> list[bool]:
        """Of each one found, whether it is about the claim."""
        return [reading.about for reading in self.planned.readings[: len(self.found)]]

    def next_keys(self, count: int) -> list[PairKey]:
        """The pairs to read next."""
        at = len(self.found)
        return [(reading.ids, self.planned.ids) for reading in self.planned.readings[at : at + count]]

    def take(self, answers: Iterable[Probability], calibration: Calibration, *, exhaustive: bool) -> None:
        """Takes the answers to what was read next, up to the one that settles the claim.

        That is the first that is accepted, or the last that is about the claim if one supports it as much as the others
        may count for. An exhaustive scan reads on to the end.
        """
        readings, founded = self.planned.readings, not self.planned.missing
        others = ceiling(about=False, founded=founded)
        for answer in answers:
            self.found.append(answer)
            at = len(self.found)
            support = min(calibration.support(answer), ceiling(about=readings[at - 1].about, founded=founded))
            self.best = max(self.best, support)
            last_about = at < len(readings) and not readings[at].about
            enough = support >= calibration.accepted or (last_about and self.best >= others)
            if at == len(readings) or (enough and not exhaustive):
                self.settled = True
                return


@dataclass(kw_only=True, slots=True)
class ItemScan:
    """The claims of one item that are to be checked; `claims` has one for each of the plan, None for the others."""

    claims: tuple[ClaimScan | None, ...]
    given_up: bool = False  # it needs more pairs than it may

    @property
    def open(self) -> list[ClaimScan]:
        """The claims that are not settled; none once it was given up."""
        return [] if self.given_up else [claim for claim in self.claims if claim and not claim.settled]

    @property
    def pairs(self) -> int:
        """The pairs that decided, so far."""
        return sum(len(claim.found) for claim in self.claims if claim)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """Reads pairs, each once."""

    backend: NliBackend
    encoder: Encoder
    cache: PairCache
    calibration: Calibration
    exhaustive: bool  # read every window, whatever the first ones say
    max_pairs: int  # that one item may need

    def read(
        self, items: Sequence[ItemScan], progress: Callable[[], None], comparisons: Sequence[Comparison] = ()
    ) -> None:
        """Reads until every claim of every item is settled or its item is given up, and every comparison is made.

        What comparisons need is read in the same batches. Raises NotFiniteError.
        """
        known: dict[PairKey, Probability] = {}
        look = _FIRST_LOOK
        while True:
            claims = [(item, claim) for item in items for claim in item.open]
            compared = [(each, keys) for each in comparisons if (keys := each.next_keys())]
            if not claims and not compared:
                return
            left = {id(item): self.max_pairs + 1 - item.pairs for item in items}
            asked = []
            for item, claim in claims:
                # All claims of an item together: no more than it takes to know that it needs too many.
                keys = claim.next_keys(min(look, left[id(item)]))
                left[id(item)] -= len(keys)
                asked.append((claim, keys))
            wanted = chain((keys for _, keys in asked), (keys for _, keys in compared))
            self._learn((key for keys in wanted for key in keys), known, progress)
            for each, keys in compared:
                each.take([known[key] for key in keys])
            for claim, keys in asked:
                claim.take((known[key] for key in keys), self.calibration, exhaustive=self.exhaustive)
            for item in items:
                item.given_up = item.given_up or item.pairs > self.max_pairs
            look *= _GROWTH

    def _learn(self, keys: Iterable[PairKey], known: dict[PairKey, Probability], progress: Callable[[], None]) -> None:
        missing: dict[PairKey, None] = {}
        for key in keys:
            if key not in known:
                remembered = self.cache.get(key)
                if remembered is None:
                    missing[key] = None
                else:
                    known[key] = remembered
        if not missing:
            return
        encoded = [self.encoder.join(window, claim) for window, claim in missing]
        for key, answer in zip(missing, self.backend.predict(encoded, progress), strict=True):
            known[key] = answer
            self.cache.put(key, answer)
