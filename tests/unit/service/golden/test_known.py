"""Known answers: when a scorer has lost some, and what a comparison then says whatever its items say."""

import pytest

from service.core.golden.compare import compare
from service.core.golden.gate import Verdict
from service.core.golden.known import lost_of_floor, lost_since
from service.core.golden.record import KnownAnswers, KnownHalf, TargetKind
from service.core.golden.sets import Floor
from tests.unit.service.golden.runs import many, run

SCORER, APPLICATION = TargetKind.SCORER, TargetKind.APPLICATION


def known(hallucinated: int, supported: int, items: int = 20, digest: str = "probes") -> KnownAnswers:
    """So many right of so many of each label."""
    return KnownAnswers(
        set_digest=digest,
        hallucinated=KnownHalf(items=items, right=hallucinated),
        supported=KnownHalf(items=items, right=supported),
    )


@pytest.mark.parametrize(
    ("before", "now", "lost"),
    [
        (known(20, 20), known(20, 20), []),
        (known(20, 20), known(18, 18), []),
        (known(20, 20), known(17, 18), [(True, 17, 18, 20)]),
        (known(20, 20), known(20, 10), [(False, 10, 18, 20)]),
        (known(20, 20), known(0, 0), [(True, 0, 18, 20), (False, 0, 18, 20)]),
        (known(7, 20), known(5, 20), []),
        (known(7, 20), known(4, 20), [(True, 4, 5, 7)]),
        (known(2, 20), known(0, 20), []),
        (known(5, 5, items=5), known(4, 5, items=5), [(True, 4, 5, 5)]),
        (known(20, 20), known(0, 0, digest="others"), []),
        (known(20, 20), known(0, 0, items=19), []),
        (None, known(0, 0), []),
        (known(20, 20), None, []),
    ],
)
def test_what_is_lost_since(
    before: KnownAnswers | None, now: KnownAnswers | None, lost: list[tuple[bool, int, int, int]]
) -> None:
    """More than a tenth of a label's items that were right; nothing of other items, or where nobody was asked."""
    found = lost_since(before, now)
    assert [(each.hallucinated, each.right, each.least, each.before) for each in found] == lost


@pytest.mark.parametrize(
    ("floor", "now", "lost"),
    [
        (Floor(found=0.95, passed=0.95), known(19, 19), []),
        (Floor(found=0.95, passed=0.95), known(18, 19), [(True, 18, 19)]),
        (Floor(found=0.3, passed=1), known(6, 19), [(False, 19, 20)]),
        (Floor(found=0, passed=0), known(0, 0), []),
        (None, known(0, 0), []),
        (Floor(found=1, passed=1), None, []),
    ],
)
def test_what_a_floor_lacks(floor: Floor | None, now: KnownAnswers | None, lost: list[tuple[bool, int, int]]) -> None:
    """Each label by its share, rounded up to whole items."""
    found = lost_of_floor(floor, now)
    assert [(each.hallucinated, each.right, each.least) for each in found] == lost
    assert {each.before for each in found} <= {None}


@pytest.mark.parametrize(("kind", "verdict"), [(SCORER, Verdict.WORSE), (APPLICATION, Verdict.CANNOT_TELL)])
def test_a_broken_scorer_decides(kind: TargetKind, verdict: Verdict) -> None:
    """It is worse itself, although no item of the set shows it; of an application what it says counts for nothing."""
    items = many("-" * 400)
    before = run(*items, kind=kind, known_answers=known(20, 20))
    whole = compare(before, run(*items, kind=kind, known_answers=known(19, 20)))
    broken = compare(before, run(*items, kind=kind, known_answers=known(4, 20)))
    assert (whole.verdict, whole.known_lost) == (Verdict.NO_WORSE, [])
    assert (broken.verdict, len(broken.known_lost)) == (verdict, 1)
    assert broken.endpoints == whole.endpoints


def test_the_notes_tell_it() -> None:
    """For those who read a comparison over HTTP."""
    before, now = (run(*many("-"), kind=SCORER, known_answers=known(right, 20)) for right in (20, 4))
    told = "The scorer is broken: of 20 known answers that are hallucinated it finds 4, and the baseline's scorer 20."
    assert compare(before, now).notes[0] == told


def test_what_is_pending_cannot_be_told() -> None:
    """A run that has not ended says nothing yet, broken or not."""
    before = run(*many("--"), kind=SCORER, known_answers=known(20, 20))
    now = run(*many("-."), kind=SCORER, known_answers=known(0, 0))
    assert compare(before, now).verdict is Verdict.CANNOT_TELL
