"""Known answers: when a scorer has lost some, and what a comparison then says whatever its items say."""

import pytest
from pydantic import ValidationError

from service.core.golden.compare import compare
from service.core.golden.gate import Verdict
from service.core.golden.known import count_known, lost_of_floor, lost_since, worst_of
from service.core.golden.record import KnownAnswers, KnownHalf, TargetKind
from service.core.golden.sets import Floor
from tests.unit.service.golden.runs import item, many, run

SCORER, APPLICATION = TargetKind.SCORER, TargetKind.APPLICATION
WORSE, OPEN, NO = Verdict.WORSE, Verdict.CANNOT_TELL, Verdict.NO_WORSE

UNSCORED = "of 20 known answers that are supported it flags 1 and cannot score 5, the baseline's scorer 0"


def half(right: int, items: int = 20, unknown: int = 0) -> KnownHalf:
    return KnownHalf(items=items, right=right, unknown=unknown)


def known(hallucinated: KnownHalf | int = 20, supported: KnownHalf | int = 20, digest: str = "probes") -> KnownAnswers:
    """So many right of 20 of each label, unless told otherwise."""
    return KnownAnswers(
        set_digest=digest,
        hallucinated=half(hallucinated) if isinstance(hallucinated, int) else hallucinated,
        supported=half(supported) if isinstance(supported, int) else supported,
    )


@pytest.mark.parametrize(
    ("before", "now", "lost"),
    [
        (known(), known(), []),
        (known(), known(18, 18), []),
        (known(), known(17, 18), [(True, 3, 2, 0, True)]),
        (known(), known(20, 10), [(False, 10, 2, 0, True)]),
        (known(), known(0, 0), [(True, 20, 2, 0, True), (False, 20, 2, 0, True)]),
        (known(7), known(5), []),
        (known(7), known(4), [(True, 16, 15, 13, True)]),
        (known(2), known(0), []),
        (known(half(5, 5), half(5, 5)), known(half(4, 5), half(5, 5)), [(True, 1, 0, 0, True)]),
        (known(), known(half(17, unknown=3)), [(True, 0, 2, 0, False)]),
        (known(), known(half(15, unknown=1)), [(True, 4, 2, 0, True)]),
        (known(), known(half(0, unknown=20)), [(True, 0, 2, 0, False)]),
        (known(half(15, unknown=5)), known(13), []),
        (known(half(19, 19)), known(half(10, 20)), [(True, 10, 2, 0, True)]),
        (known(), known(half(0, 0)), []),
        (known(), known(0, 0, digest="others"), []),
        (None, known(0, 0), []),
        (known(), None, []),
    ],
)
def test_what_is_lost_since(
    before: KnownAnswers | None, now: KnownAnswers | None, lost: list[tuple[bool, int, int, int, bool]]
) -> None:
    """More than a tenth of a label's items more are wrong, or may be; also where other ones were in quarantine before."""
    found = lost_since(before, now)
    assert [(each.hallucinated, each.wrong, each.most, each.before, each.certain) for each in found] == lost


@pytest.mark.parametrize(
    ("floor", "now", "lost"),
    [
        (Floor(found=0.95, passed=0.95), known(19, 19), []),
        (Floor(found=0.95, passed=0.95), known(18, 19), [(True, 2, 1, True)]),
        (Floor(found=0.95, passed=0.95), known(half(18, unknown=2)), [(True, 0, 1, False)]),
        (Floor(found=0.3, passed=1), known(6, 19), [(False, 1, 0, True)]),
        (Floor(found=0, passed=0), known(0, 0), []),
        (None, known(0, 0), []),
        (Floor(found=1, passed=1), None, []),
    ],
)
def test_what_a_floor_lacks(
    floor: Floor | None, now: KnownAnswers | None, lost: list[tuple[bool, int, int, bool]]
) -> None:
    """Each label by its share, of which whole items are wanted."""
    found = lost_of_floor(floor, now)
    assert [(each.hallucinated, each.wrong, each.most, each.certain) for each in found] == lost
    assert {each.before for each in found} <= {None}


def test_what_the_set_shows_stands() -> None:
    """A scorer that the items call worse is worse, whether its known answers could be scored or not."""
    before = run(*many("-" * 100), kind=SCORER, known_answers=known())
    now = run(*many("+" * 100), kind=SCORER, known_answers=known(half(15, unknown=5)))
    assert compare(before, now).verdict is WORSE


def test_counts_that_cannot_be_are_refused() -> None:
    """As of a file that somebody edited."""
    with pytest.raises(ValidationError, match="more are right or unknown"):
        half(20, 20, unknown=1)


def test_they_are_counted_by_label() -> None:
    """Right, wrong and unknown; those that were not asked, as in quarantine, are no items."""
    probes = [item(name, hallucinated=name < "d") for name in "abcdef"]
    found = count_known(probes, {"a": True, "b": False, "d": None, "e": True})
    assert (found.hallucinated, found.supported) == (half(1, 2), half(1, 2, unknown=1))
    assert (found.hallucinated.wrong, found.supported.wrong) == (1, 0)


@pytest.mark.parametrize(
    ("first", "second", "worst"),
    [
        (known(20, 3), known(4, 20), known(4, 3)),
        (known(half(20)), known(half(0, unknown=20)), known(half(20))),
        (known(half(17)), known(half(10, unknown=8)), known(half(17))),
        (known(20), known(0, digest="others"), known(20)),
    ],
)
def test_of_several_workers_the_most_wrong_counts(
    first: KnownAnswers, second: KnownAnswers, worst: KnownAnswers
) -> None:
    """By label; what could not be scored is not wrong. Other probes cannot be held against these."""
    assert worst_of(first, second) == worst
    if first.set_digest == second.set_digest:
        assert worst_of(second, first) == worst


@pytest.mark.parametrize(
    ("kind", "now", "verdict"),
    [
        (SCORER, known(4), WORSE),
        (APPLICATION, known(4), OPEN),
        (SCORER, known(half(15, unknown=5)), OPEN),
        (APPLICATION, known(half(15, unknown=5)), OPEN),
        (SCORER, known(19), NO),
        (APPLICATION, known(19), NO),
    ],
)
def test_a_broken_scorer_decides(kind: TargetKind, now: KnownAnswers, verdict: Verdict) -> None:
    """It is worse itself, although no item of the set shows it; of an application what it says counts for nothing.

    One that could not score them may be whole.
    """
    items = many("-" * 400)
    found = compare(run(*items, kind=kind, known_answers=known()), run(*items, kind=kind, known_answers=now))
    assert found.verdict is verdict
    assert bool(found.known_lost) is (verdict is not NO)
    assert found.endpoints == compare(run(*items, kind=kind), run(*items, kind=kind)).endpoints


@pytest.mark.parametrize(
    ("before", "now", "note"),
    [
        (
            known(),
            known(4),
            "The scorer is broken: of 20 known answers that are hallucinated it misses 16, the baseline's scorer 0.",
        ),
        (
            known(),
            known(20, half(14, unknown=5)),
            f"Whether the scorer is broken cannot be told: {UNSCORED}.",
        ),
        (
            None,
            known(),
            "Whether the scorer still has the known answers is not compared: the baseline's scorer was not asked.",
        ),
        (
            known(),
            None,
            "Whether the scorer still has the known answers is not compared: the candidate's scorer was not asked.",
        ),
        (
            known(),
            known(0, digest="others"),
            "Whether the scorer still has the known answers is not compared: the two runs asked other known answers.",
        ),
        (known(), known(), None),
        (None, None, None),
    ],
)
def test_the_notes_tell_it(before: KnownAnswers | None, now: KnownAnswers | None, note: str | None) -> None:
    """For those who read a comparison over HTTP; also that nothing was held against anything."""
    items = many("-" * 100, hallucinated=True) + many("+" * 100, "ok", hallucinated=False)
    found = compare(run(*items, kind=SCORER, known_answers=before), run(*items, kind=SCORER, known_answers=now))
    assert found.notes == ([] if note is None else [note])


def test_what_is_pending_cannot_be_told() -> None:
    """A run that has not ended says nothing yet, broken or not."""
    before = run(*many("--"), kind=SCORER, known_answers=known())
    found = compare(before, run(*many("-."), kind=SCORER, known_answers=known(0, 0)))
    assert (found.verdict, found.known_lost) == (OPEN, [])
