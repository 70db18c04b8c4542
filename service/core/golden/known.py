"""Known answers: whether the scorer of a run still has what it must have right, whatever the run's set can show. Pure.

The probes are no sample of anything: each of them is something that a working scorer knows. So there is no interval and no
error rate here, only a count below which a scorer is broken.
"""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from service.core.golden.item import GoldenItem, set_digest
from service.core.golden.power import GREATEST_MARGIN
from service.core.golden.probes import least_right
from service.core.golden.record import KnownAnswers, KnownHalf
from service.core.golden.sets import Floor

BROKEN = "The scorer is broken"


class KnownLost(BaseModel):
    """Known answers of one label of which a scorer has fewer right than it must."""

    hallucinated: bool  # the label
    items: int
    right: int
    least: int  # that must be right
    before: int | None  # that the baseline's scorer had right; null: `least` is a floor

    @property
    def words(self) -> str:
        """A sentence without its first word's capital and without a full stop."""
        label, does = ("hallucinated", "finds") if self.hallucinated else ("supported", "passes")
        bound = f"its floor is {self.least:,}" if self.before is None else f"the baseline's scorer {self.before:,}"
        return f"of {self.items:,} known answers that are {label} it {does} {self.right:,}, and {bound}"


def count_known(probes: Sequence[GoldenItem], right: Mapping[str, bool]) -> KnownAnswers:
    """Of those probes that were asked, how many are right, by label.

    Args:
        probes: all of them.
        right: by id, of those that were asked.
    """
    halves = {
        label: [right[item.id] for item in probes if item.id in right and item.hallucinated is label]
        for label in (True, False)
    }
    hallucinated, supported = (KnownHalf(items=len(halves[it]), right=sum(halves[it])) for it in (True, False))
    return KnownAnswers(set_digest=set_digest(probes), hallucinated=hallucinated, supported=supported)


def worst_of(first: KnownAnswers, second: KnownAnswers) -> KnownAnswers:
    """Of two scorers that shared a run, the fewer right of each label; the first's where they were asked other items."""
    if first.set_digest != second.set_digest or any(was.items != now.items for _, was, now in _halves(first, second)):
        return first
    return KnownAnswers(
        set_digest=first.set_digest,
        hallucinated=min(first.hallucinated, second.hallucinated, key=_right),
        supported=min(first.supported, second.supported, key=_right),
    )


def _right(half: KnownHalf) -> int:
    return half.right


def lost_since(before: KnownAnswers | None, now: KnownAnswers | None) -> list[KnownLost]:
    """Where more than a tenth of a label's items were right by the baseline's scorer and are not now.

    Nothing where one of them was not asked, or was asked something else.
    """
    if before is None or now is None or before.set_digest != now.set_digest:
        return []
    return [
        KnownLost(hallucinated=label, items=is_.items, right=is_.right, least=least, before=was.right)
        for label, was, is_ in _halves(before, now)
        if was.items == is_.items and is_.right < (least := was.right - int(GREATEST_MARGIN * was.items))
    ]


def lost_of_floor(floor: Floor | None, now: KnownAnswers | None) -> list[KnownLost]:
    """Where fewer are right than the floor of this scorer says; nothing without either."""
    if floor is None or now is None:
        return []
    shares = {True: floor.found, False: floor.passed}
    return [
        KnownLost(hallucinated=label, items=is_.items, right=is_.right, least=least, before=None)
        for label, _, is_ in _halves(now, now)
        if is_.right < (least := least_right(shares[label], is_.items))
    ]


def _halves(before: KnownAnswers, now: KnownAnswers) -> list[tuple[bool, KnownHalf, KnownHalf]]:
    return [(True, before.hallucinated, now.hallucinated), (False, before.supported, now.supported)]
