"""Objectives: rules that cannot fire are refused before they are trusted."""

from datetime import timedelta

import pytest

from service.core.alerting.slo import (
    SEEN_AT,
    BurnRule,
    Objective,
    Traffic,
    burn_rules,
    check_objective,
    check_rule,
    needed_n,
)
from service.core.intervals import interval
from service.core.slo_answer import budget

MONTH = timedelta(days=30)
PLENTY = Traffic(samples_per_s=100.0, false_flags=None)


def test_the_usual_pairs() -> None:
    """14.4, 6 and 1 over 30 days, as the SRE Workbook has them."""
    rules = burn_rules(Objective(bad=0.01, period=MONTH))
    assert [rule.burn for rule in rules] == pytest.approx([14.4, 6, 1])


def test_a_short_period_has_no_longer_windows() -> None:
    """A day has no window of three."""
    assert len(burn_rules(Objective(bad=0.01, period=timedelta(days=1)))) == 2


@pytest.mark.parametrize(("bad", "fires"), [(0.1, False), (1 / 14.4, False), (0.069, True), (0.01, True)])
def test_what_is_faster_than_everything_is_refused(bad: float, fires: bool) -> None:  # noqa: FBT001
    """At 90% nothing burns faster than 10: the usual 14.4 never fires."""
    objective = Objective(bad=bad, period=MONTH)
    refusal = check_rule(burn_rules(objective)[0], objective, PLENTY)
    assert (refusal is None) is fires
    if refusal:
        assert "nothing burns faster than" in refusal.why
        assert f"below {1 / bad:.3g}" in refusal.instead


def test_too_few_samples_are_refused_with_what_would_do() -> None:
    """5% of one request a second is 15 in 5 minutes; the window that it names is enough, and hardly more than enough."""
    objective = Objective(bad=0.02, period=MONTH)
    few = Traffic(samples_per_s=0.05, false_flags=None)
    (rule, *_) = burn_rules(objective)
    refusal = check_rule(rule, objective, few)
    assert refusal is not None
    assert "5m have 15 samples" in refusal.why
    minutes = int(refusal.instead.split("window of ")[1].split("m ")[0])
    wider = BurnRule(long=rule.long, short=timedelta(minutes=minutes), burn=rule.burn, spent=rule.spent)
    assert check_rule(wider, objective, few) is None
    narrower = BurnRule(long=rule.long, short=timedelta(minutes=minutes - 1), burn=rule.burn, spent=rule.spent)
    assert check_rule(narrower, objective, few) is not None


def test_without_samples_there_is_a_refusal_too() -> None:
    """Nothing divides by nothing."""
    objective = Objective(bad=0.02, period=MONTH)
    assert check_rule(burn_rules(objective)[0], objective, Traffic(samples_per_s=0.0, false_flags=None)) is not None


@pytest.mark.parametrize("at", [0.001, 0.02, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_the_needed_number_is_the_least(at: float, confidence: float) -> None:
    """With one sample less the lower bound is not above."""
    n = needed_n(at, confidence)
    seen = min(1.0, SEEN_AT * at)
    assert interval(seen, n, confidence)[0] > at
    assert n == 1 or interval(seen, n - 1, confidence)[0] <= at


def test_an_objective_below_the_detector_s_own_errors() -> None:
    """It is missed with no bad answer at all, unless labels correct the rate."""
    objective = Objective(bad=0.02, period=MONTH)
    refusal = check_objective(objective, Traffic(samples_per_s=1.0, false_flags=0.05))
    assert refusal is not None
    assert "hallucination_rate" in refusal.instead
    assert check_objective(objective, Traffic(samples_per_s=1.0, false_flags=0.01)) is None
    assert check_objective(objective, PLENTY) is None


def test_the_budget_is_what_is_left_of_what_is_allowed() -> None:
    """All of it, a half, more than all; unknown without answers."""
    assert [budget(rate, 0.02) for rate in (0.0, 0.01, 0.03)] == pytest.approx([1.0, 0.5, -0.5])
    assert budget(None, 0.02) is None
