"""Known-answer probes: a small golden set that every worker scores again and again, and what its rounds say."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from service.core.errors import AssayError
from service.core.golden.item import GoldenItem
from service.core.golden.record import AnswerRecord
from service.core.golden.sets import Floor, GoldenSet, shipped_set
from service.core.log import log

LIVE_INTERVALS = 3  # a worker that wrote no round for so long is gone, or does not get to it
LEAST_ACCURACY = 0.8  # of a scorer that has no floor
WITHIN = timedelta(hours=1)  # rounds whose scores are held against one another
TOLERANCE = 1e-9  # of a floor times a number of items, which is hardly ever the whole number that is meant


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeRound:
    """One worker's scores of all probes."""

    worker: str
    fingerprint: str  # of its scorer
    runtime: str  # digest of what must be equal for scores to be: the scorer's attributes, such as the processor
    at: datetime  # of its end, by the worker's clock
    interval_s: float  # between two of this worker's rounds
    set_digest: str
    right: int  # items that are flagged if, and only if, they are hallucinated
    wrong: int
    unknown: int  # items that could not be scored: neither right nor wrong
    scores: Mapping[str, float | None]  # by the item's id; None: unknown, or there was nothing to check

    @property
    def accuracy(self) -> float | None:
        """Share of right items of those known; None where nothing is."""
        known = self.right + self.wrong
        return self.right / known if known else None

    def is_live(self, now: datetime) -> bool:
        """Whether its worker should be there still: the next round is not long overdue."""
        return now - self.at <= LIVE_INTERVALS * timedelta(seconds=self.interval_s)


def probes_on(probes: GoldenSet, day: date) -> tuple[GoldenItem, ...]:
    """The items that count on that day: they have a response and a label, and are not in quarantine."""
    left_out = probes.quarantine_on(day)
    return tuple(
        item
        for item in probes.items
        if item.response is not None and item.hallucinated is not None and item.id not in left_out
    )


def is_right(item: GoldenItem, record: AnswerRecord) -> bool | None:
    """Whether it is flagged as its label says; None: unknown, which is not wrong."""
    return None if record.made_up is None else record.made_up is item.hallucinated


def worst_accuracy(rounds: Iterable[ProbeRound]) -> float | None:
    """The least accuracy of these rounds; those of which nothing is known say nothing."""
    return min((known for each in rounds if (known := each.accuracy) is not None), default=None)


def repeat_variances(rounds: Iterable[ProbeRound]) -> dict[str, float]:
    """How far scores of the same item by the same scorer differ, by fingerprint.

    The mean over items of the variance (over n - 1) of an item's scores in all these rounds, of whatever worker on the same
    runtime: processors of two kinds round differently, and neither is broken. An item with fewer than two scores has none;
    a fingerprint without such items is left out. Of several sets and runtimes the worst counts.
    """
    held: dict[tuple[str, str, str], list[ProbeRound]] = defaultdict(list)
    for each in rounds:
        held[each.fingerprint, each.runtime, each.set_digest].append(each)
    found: dict[str, float] = {}
    for (fingerprint, _, _), group in held.items():
        value = _repeat_variance(group)
        if value is not None:
            found[fingerprint] = max(value, found.get(fingerprint, 0.0))
    return found


def _repeat_variance(rounds: Sequence[ProbeRound]) -> float | None:
    scores: dict[str, list[float]] = defaultdict(list)
    for each in rounds:
        for name, score in each.scores.items():
            if score is not None:
                scores[name].append(score)
    variances = [_variance(values) for values in scores.values() if len(values) > 1]
    return math.fsum(variances) / len(variances) if variances else None


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def floor_accuracy(items: Sequence[GoldenItem], floor: Floor) -> float | None:
    """The least accuracy over these items at which neither half of the floor is broken; None without items."""
    hallucinated = sum(item.hallucinated is True for item in items)
    least = least_right(floor.found, hallucinated) + least_right(floor.passed, len(items) - hallucinated)
    return least / len(items) if items else None


def least_right(share: float, items: int) -> int:
    """The fewest of so many items that are that share of them, or more."""
    return math.ceil(share * items - TOLERANCE)


def shipped_probes() -> GoldenSet | None:
    """The probes that come with Assay; None, and a line in the log, where they cannot be read."""
    try:
        return shipped_set("probes")
    except AssayError as error:
        log.warning("probes_not_read", error=error.detail)
        return None
