"""From buckets to readings: what is unknown stays unknown."""

from typing import Any

import pytest

from service.core.alerting.machine import Reading, Verdict, judge
from service.core.alerting.reading import WHOLE, readings, together
from service.core.alerting.rule import AlertRule
from service.core.intervals import interval
from service.core.rates import Bucket, Question, make_buckets
from service.core.store.rates import Counted, ScoreRow, StateRow
from service.core.tables import Outcome, State
from tests.unit.service.support import score, state, stretch

DAY_S = 86_400


def rule(**changes: Any) -> AlertRule:
    return AlertRule.model_validate({"name": "r", "metric": "flagged_rate", "above": 0.05} | changes)


def buckets(states: list[StateRow], scored: list[ScoreRow], *group_by: str) -> list[Bucket]:
    question = Question(stretch=stretch(*group_by, width_s=DAY_S), confidence=0.999)
    return make_buckets(question, Counted(states=states, scores=scored))


def test_a_rate_has_its_interval_and_its_coverage() -> None:
    """80 of the 100 samples that should have a score have one; those that wait are not counted as missing."""
    rows = [
        state(State.SCORED, 80),
        state(State.UNSCORED, 15),
        state(Outcome.REJECTED_OVERLOAD, 5),
        state(State.PENDING, 40),
        state(Outcome.SAMPLED_OUT, 900),
        state(State.NOT_APPLICABLE, 30),
    ]
    (bucket,) = buckets(rows, [score(80, 20)])
    (found,) = readings(rule(), [bucket]).values()
    assert (found.value, found.low, found.high) == (0.25, bucket.flagged.low, bucket.flagged.high)
    assert (found.effective_n, found.coverage) == (pytest.approx(80), pytest.approx(0.8))


def test_nothing_is_no_data_and_never_zero() -> None:
    """No submission at all, and submissions of which none was scored."""
    assert readings(rule(group_by=["route"]), []) == {WHOLE: Reading()}
    (found,) = readings(rule(), buckets([state(State.PENDING, 9)], [])).values()
    assert judge(rule(), found) is Verdict.NO_DATA


def test_each_group_is_read_by_itself() -> None:
    """In the order of the rule's dimensions; what a caller left out is empty."""
    states = [state(State.SCORED, 50, group=group) for group in (("a",), ("",))]
    rows = [score(50, 10, group=("a",)), score(50, 0, group=("",))]
    found = readings(rule(group_by=["route"]), buckets(states, rows, "route"))
    assert {group: reading.value for group, reading in found.items()} == {("a",): 0.2, ("",): 0.0}


def test_of_two_scorers_the_one_that_scored_more_speaks() -> None:
    """They are never mixed."""
    rows = [score(10, 10, fingerprint="old"), score(50, 0, fingerprint="new")]
    (found,) = readings(rule(), buckets([state(State.SCORED, 60)], rows)).values()
    assert found.value == 0.0


def test_too_few_labels_are_too_little_to_say() -> None:
    """Scored, but nobody labelled: neither good nor gone."""
    by_labels = rule(metric="hallucination_rate")
    (found,) = readings(by_labels, buckets([state(State.SCORED, 50)], [score(50, 10)])).values()
    assert judge(by_labels, found) is Verdict.LOW_COVERAGE
    (found,) = readings(by_labels, buckets([state(State.PENDING, 50)], [])).values()
    assert judge(by_labels, found) is Verdict.NO_DATA


def test_of_a_group_without_scores_too_little_is_known() -> None:
    """While others are scored, all works; where none is, that is told once, of the rule and not of each group."""
    nothing, scored = Reading(), Reading(value=0.1, low=0.0, high=0.2, effective_n=50, coverage=1.0)
    assert together({("a",): nothing, ("b",): scored}) == {("a",): Reading(effective_n=0.0), ("b",): scored}
    assert together({("a",): nothing, ("b",): nothing}) == {WHOLE: nothing}
    assert together({}) == {WHOLE: nothing}


def test_the_unscored_share_is_of_what_ended() -> None:
    """Pending and not applicable samples are no failures, and no successes."""
    rows = [state(State.SCORED, 60), state(State.UNSCORED, 40), state(State.PENDING, 9), state(State.NOT_APPLICABLE, 9)]
    watched = rule(metric="unscored_share")
    (found,) = readings(watched, buckets(rows, [score(60, 0)])).values()
    assert (found.value, found.effective_n) == (0.4, 100)
    assert (found.low, found.high) == interval(0.4, 100, watched.confidence)
    assert judge(watched, found) is Verdict.BAD
    assert readings(watched, buckets([state(State.PENDING, 9)], [])) == {WHOLE: Reading()}
