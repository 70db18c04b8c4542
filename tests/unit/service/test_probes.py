"""What rounds over known answers say: unknown is never wrong, and one worker that differs shows."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from service.core.golden.item import GoldenItem
from service.core.golden.probes import (
    ProbeRound,
    floor_accuracy,
    probes_on,
    repeat_variances,
    worst_accuracy,
)
from service.core.golden.sets import Floor, GoldenSet, Quarantined

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def made(**changes: Any) -> ProbeRound:
    values: dict[str, Any] = {
        "worker": "w1",
        "fingerprint": "f1",
        "runtime": "r1",
        "at": NOW,
        "interval_s": 300.0,
        "set_digest": "d1",
        "right": 9,
        "wrong": 1,
        "unknown": 0,
        "scores": {},
    }
    return ProbeRound(**values | changes)


def item(number: int, **changes: Any) -> GoldenItem:
    values = {"id": f"p-{number}", "response": "It is blue.", "hallucinated": number % 2 == 1}
    return GoldenItem.model_validate(values | changes)


@pytest.mark.parametrize(
    ("right", "wrong", "unknown", "accuracy"),
    [(9, 1, 0, 0.9), (9, 1, 30, 0.9), (0, 4, 6, 0.0), (0, 0, 10, None), (0, 0, 0, None)],
)
def test_accuracy_is_of_what_is_known(right: int, wrong: int, unknown: int, accuracy: float | None) -> None:
    """What could not be scored counts for nothing; where nothing was, accuracy is unknown."""
    assert made(right=right, wrong=wrong, unknown=unknown).accuracy == accuracy


def test_the_worst_counts() -> None:
    """Of several rounds the least accuracy; one of which nothing is known neither lowers nor raises it."""
    rounds = [made(), made(right=5, wrong=5), made(right=0, wrong=0, unknown=10)]
    assert worst_accuracy(rounds) == 0.5
    assert worst_accuracy(rounds[2:]) is None
    assert worst_accuracy([]) is None


def test_a_worker_is_gone_after_three_intervals() -> None:
    """By the interval that it wrote down itself; one whose clock is ahead is there."""
    assert made(interval_s=60.0).is_live(NOW + timedelta(seconds=180))
    assert not made(interval_s=60.0).is_live(NOW + timedelta(seconds=181))
    assert made().is_live(NOW - timedelta(hours=1))


class TestRepeatVariance:
    def test_what_repeats_itself_has_none(self) -> None:
        """Zero to the bit, over workers and rounds."""
        rounds = [made(worker=f"w{n % 3}", scores={"a": 0.1, "b": 0.7}) for n in range(7)]
        assert repeat_variances(rounds) == {"f1": 0.0}

    def test_it_is_the_mean_over_items(self) -> None:
        """Of the variance over n - 1; an item that one worker alone scores differently counts with the others."""
        rounds = [made(scores={"a": 0.2, "b": 0.5}), made(worker="w2", scores={"a": 0.4, "b": 0.5})]
        assert repeat_variances(rounds) == {"f1": pytest.approx(0.01)}

    def test_one_score_says_nothing(self) -> None:
        """One round, or items of which a single score is known, are no zero."""
        assert repeat_variances([made(scores={"a": 0.2})]) == {}
        assert repeat_variances([made(scores={"a": 0.2}), made(scores={"a": None})]) == {}
        assert repeat_variances([]) == {}

    def test_unknown_scores_are_left_out(self) -> None:
        """Of an item that was not scored each time the scores that there are."""
        rounds = [made(scores={"a": score, "b": None}) for score in (0.2, None, 0.4)]
        assert repeat_variances(rounds) == {"f1": pytest.approx(0.02)}

    @pytest.mark.parametrize("other", ["fingerprint", "set_digest", "runtime"])
    def test_only_what_should_be_equal_is_compared(self, other: str) -> None:
        """Scorers, sets and kinds of machines differ, and nothing is broken."""
        rounds = [made(scores={"a": score}, **{other: name}) for name, score in (("x", 0.1), ("y", 0.9)) for _ in "ab"]
        assert set(repeat_variances(rounds).values()) == {0.0}

    def test_of_two_sets_the_worse(self) -> None:
        """A set that repeats itself does not hide one that does not."""
        rounds = [made(set_digest="d2", scores={"a": score}) for score in (0.2, 0.4)]
        assert repeat_variances([*rounds, made(scores={"a": 0.1}), made(scores={"a": 0.1})]) == {
            "f1": pytest.approx(0.02)
        }


@pytest.mark.parametrize(
    ("found", "passed", "least"),
    [(0.8, 1.0, 0.9), (0.75, 0.9, 0.85), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.6, 0.1, 0.35)],
)
def test_the_floor_is_in_whole_items(found: float, passed: float, least: float) -> None:
    """Of 10 hallucinated and 10 supported items the fewest right ones that break neither half: 7.5 are 8."""
    items = [item(number) for number in range(20)]
    assert floor_accuracy(items, Floor(found=found, passed=passed)) == pytest.approx(least)


def test_a_floor_of_nothing() -> None:
    """Without items there is none."""
    assert floor_accuracy([], Floor(found=1.0, passed=1.0)) is None


def test_what_counts_on_a_day() -> None:
    """Items without a response or a label never; one in quarantine not until its day."""
    items = (item(1), item(2, response=None), item(3, hallucinated=None), item(4))
    until = date(2026, 11, 2)
    held = GoldenSet(
        name="s",
        items=items,
        folder=None,
        quarantined=(Quarantined(id="p-4", until=until, reason="flaky"),),
        floors={},
    )
    assert [each.id for each in probes_on(held, date(2026, 11, 1))] == ["p-1"]
    assert [each.id for each in probes_on(held, until)] == ["p-1", "p-4"]
