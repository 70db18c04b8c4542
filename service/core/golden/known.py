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

BROKEN, UNTOLD = "The scorer is broken", "Whether the scorer is broken cannot be told"


class KnownLost(BaseModel):
    """Known answers of one label of which a scorer has more wrong than it may."""

    hallucinated: bool  # the label
    items: int
    wrong: int
    unknown: int  # could not be scored
    most: int  # that may be wrong
    before: int | None  # that the baseline's scorer had wrong; null: `most` is a floor's

    @property
    def certain(self) -> bool:
        """Whether it is so, whatever became of those that could not be scored."""
        return self.wrong > self.most

    @property
    def words(self) -> str:
        """A sentence without its first word's capital and without a full stop."""
        label, does = ("hallucinated", "misses") if self.hallucinated else ("supported", "flags")
        unknown = f" and cannot score {self.unknown:,}" if self.unknown else ""
        bound = f"its floor allows {self.most:,}" if self.before is None else f"the baseline's scorer {self.before:,}"
        return f"of {self.items:,} known answers that are {label} it {does} {self.wrong:,}{unknown}, {bound}"

    @property
    def note(self) -> str:
        """What it means, for who reads a comparison over HTTP."""
        return f"{BROKEN if self.certain else UNTOLD}: {self.words}."


def count_known(probes: Sequence[GoldenItem], right: Mapping[str, bool | None]) -> KnownAnswers:
    """Of those probes that were asked, how many are right, by label.

    Args:
        probes: all of them.
        right: by id, of those that were asked; None: it could not be scored.
    """
    hallucinated, supported = (
        [right[item.id] for item in probes if item.id in right and item.hallucinated is label]
        for label in (True, False)
    )
    return KnownAnswers(set_digest=set_digest(probes), hallucinated=_half(hallucinated), supported=_half(supported))


def _half(right: Sequence[bool | None]) -> KnownHalf:
    return KnownHalf(items=len(right), right=right.count(True), unknown=right.count(None))


def worst_of(first: KnownAnswers, second: KnownAnswers) -> KnownAnswers:
    """Of two scorers that shared a run, the more wrong of each label; the first's where they were asked other probes."""
    if first.set_digest != second.set_digest:
        return first
    return KnownAnswers(
        set_digest=first.set_digest,
        hallucinated=max(first.hallucinated, second.hallucinated, key=_badness),
        supported=max(first.supported, second.supported, key=_badness),
    )


def _badness(half: KnownHalf) -> tuple[int, int]:
    return half.wrong, -half.unknown


def lost_since(before: KnownAnswers | None, now: KnownAnswers | None) -> list[KnownLost]:
    """Where by more than a tenth of a label's items more are wrong, or may be, than by the baseline's scorer.

    Nothing where one of them was not asked, or was asked other probes: `unheld` says that.
    """
    if before is None or now is None or before.set_digest != now.set_digest:
        return []
    return [
        lost
        for label, was, is_ in _halves(before, now)
        if (lost := _lost(label, is_, was.wrong + was.unknown + int(GREATEST_MARGIN * is_.items), was.wrong))
    ]


def lost_of_floor(floor: Floor | None, now: KnownAnswers | None) -> list[KnownLost]:
    """Where more are wrong, or may be, than the floor of this scorer allows; nothing without either."""
    if floor is None or now is None:
        return []
    shares = {True: floor.found, False: floor.passed}
    return [
        lost
        for label, _, is_ in _halves(now, now)
        if (lost := _lost(label, is_, is_.items - least_right(shares[label], is_.items), None))
    ]


def unheld(before: KnownAnswers | None, now: KnownAnswers | None) -> str:
    """Why two runs' known answers are not held against each other; empty where they are, or none was asked."""
    if before is not None and now is not None:
        return "" if before.set_digest == now.set_digest else "the two runs asked other known answers"
    if before is None and now is None:
        return ""
    return f"the {'baseline' if before is None else 'candidate'}'s scorer was not asked"


def _lost(label: bool, now: KnownHalf, most: int, before: int | None) -> KnownLost | None:  # noqa: FBT001 - the value
    if now.wrong + now.unknown <= most:
        return None
    return KnownLost(
        hallucinated=label, items=now.items, wrong=now.wrong, unknown=now.unknown, most=most, before=before
    )


def _halves(before: KnownAnswers, now: KnownAnswers) -> list[tuple[bool, KnownHalf, KnownHalf]]:
    return [(True, before.hallucinated, now.hallucinated), (False, before.supported, now.supported)]
