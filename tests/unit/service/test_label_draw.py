"""The draw of what to label: probabilities that are kept, whatever the steps in which it is made."""

from collections import Counter

import numpy as np
import pytest

from service.core.label_draw import FLOOR, Candidate, Pool, draw, size_of


def candidates(random: np.random.Generator, count: int) -> list[Candidate]:
    return [
        Candidate(seq=n, position=float(random.random()), size=size_of(float(random.random()), 0.05))
        for n in range(count)
    ]


def pool(held: list[Candidate], cutoff: float = 0.0, read_to: float = 1.0, day: int = 0) -> Pool:
    return Pool(day=day, part=0, cutoff=cutoff, candidates=held, read_to=read_to)


def seqs(tasks: object) -> set[int]:
    return {candidate.seq for _, candidate in tasks}  # type: ignore[attr-defined]


def test_as_many_as_wanted() -> None:
    """Exactly so many, those with the lowest ratios, in their order."""
    held = candidates(np.random.default_rng(1), 200)
    found = draw([pool(held)], 30)
    ratios = [candidate.ratio for _, candidate in found.tasks]
    assert len(ratios) == 30
    assert ratios == sorted(candidate.ratio for candidate in held)[:30]
    assert ratios[-1] < found.cutoff


def test_steps_make_the_same_sample() -> None:
    """Ten and then twenty more are the thirty of one draw, with the same cutoff."""
    held = candidates(np.random.default_rng(2), 200)
    first = draw([pool(held)], 10)
    left = [candidate for candidate in held if candidate.seq not in seqs(first.tasks)]
    second = draw([pool(left, first.cutoff)], 20)
    once = draw([pool(held)], 30)
    assert seqs(first.tasks) | seqs(second.tasks) == seqs(once.tasks)
    assert second.cutoff == once.cutoff


def test_late_samples_that_belong_come_along() -> None:
    """A sample scored after the draw, with a ratio below the cutoff, is a task as its probability says."""
    late = Candidate(seq=99, position=0.001, size=0.3)
    held = candidates(np.random.default_rng(3), 50)
    found = draw([pool([late, *held], cutoff=0.5)], 5)
    assert 99 in seqs(found.tasks)


def test_days_are_drawn_alike() -> None:
    """One cutoff for all days: a sample's probability does not depend on how many came that day."""
    random = np.random.default_rng(4)
    few, many = (
        candidates(random, 20),
        [Candidate(seq=c.seq + 1_000, position=c.position, size=c.size) for c in candidates(random, 400)],
    )
    found = draw([pool(few, day=1), pool(many, day=2)], 60)
    for day, held in ((1, few), (2, many)):
        assert {c.seq for c in held if c.ratio < found.cutoff} == {c.seq for pool, c in found.tasks if pool.day == day}


def test_what_was_not_read_limits_the_draw() -> None:
    """Only as far as every sample with a lower ratio is known: others could belong before."""
    held = sorted(candidates(np.random.default_rng(5), 100), key=lambda c: c.position)[:20]
    read_to = held[-1].position
    found = draw([pool(held, read_to=read_to)], 15)
    assert found.cutoff <= read_to / 0.5
    assert all(candidate.ratio < found.cutoff for _, candidate in found.tasks)


@pytest.mark.parametrize("score", [0.05, 0.5, 0.95])
def test_probabilities_are_what_they_say(score: float) -> None:
    """Over 400 draws a sample is a task as often as its probability says, on average."""
    random = np.random.default_rng(6)
    hits, said = 0, 0.0
    for _ in range(400):
        others = candidates(random, 60)
        mine = Candidate(seq=-1, position=float(random.random()), size=size_of(score, 0.05))
        found = draw([pool([mine, *others])], 20)
        hits += -1 in seqs(found.tasks)
        said += min(1.0, found.cutoff * mine.size)
    assert hits / 400 == pytest.approx(said / 400, abs=0.06)


def test_sizes() -> None:
    """Unsure scores and heavy samples come more often; none is ruled out."""
    assert size_of(0.5, 0.05) == 0.5
    assert size_of(0.0, 0.05) == size_of(1.0, 0.05) == FLOOR
    assert size_of(0.5, 1.0) == pytest.approx(0.5 / 20)
    assert size_of(0.5, 1e-6) == 0.5


def test_nothing_to_draw() -> None:
    """No candidates, no tasks."""
    found = draw([pool([])], 10)
    assert list(found.tasks) == []


def test_twice_the_same_is_not_drawn() -> None:
    """Each candidate is one task."""
    held = candidates(np.random.default_rng(8), 30)
    assert max(Counter(c.seq for _, c in draw([pool(held)], 100).tasks).values()) == 1


def test_ties_come_along() -> None:
    """Samples with one ratio are drawn together: none is left behind for ever."""
    held = [Candidate(seq=n, position=0.25, size=0.5) for n in range(30)]
    found = draw([pool([*held, Candidate(seq=99, position=0.9, size=0.5)])], 10)
    assert seqs(found.tasks) == set(range(30))
    assert found.cutoff == 1.8


def test_all_of_so_few_is_a_census() -> None:
    """Where no more are there than are wanted, each was certain to be drawn."""
    held = candidates(np.random.default_rng(9), 8)
    found = draw([pool(held)], 20)
    assert seqs(found.tasks) == {candidate.seq for candidate in held}
    assert min(1.0, found.cutoff * min(candidate.size for candidate in held)) == 1.0
