"""Objectives of the policy file: the rules that follow from them can fire, and what could not is refused with what can."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from service.core.alerting.objective import STEP, Slo
from service.core.alerting.rule import NoData, Severity
from service.core.alerting.slo import SPEEDS, check_rule

USUAL = {long: short for long, short, _ in SPEEDS}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def slo(**changes: Any) -> Slo:
    """At most a tenth of answers may be flagged, by the usual pairs of windows."""
    return Slo.model_validate({"name": "made-up", "metric": "flagged_rate", "objective": 0.9} | changes)


def refused(**changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        slo(**changes)
    return str(caught.value)


class TestUsualPairs:
    def test_one_rule_a_pair(self) -> None:
        """Named after the objective and the long window, the fastest the most severe; each fires above its burn rate."""
        alerts = [burn.alert for burn in slo(objective=0.94, sinks=["pager"], match={"route": "a"}).burn_alerts()]
        assert [alert.name for alert in alerts] == ["made-up.burn-1h", "made-up.burn-6h", "made-up.burn-3d"]
        assert [alert.severity for alert in alerts] == [Severity.CRITICAL, Severity.ERROR, Severity.WARNING]
        assert [(alert.window, alert.short_window) for alert in alerts] == list(USUAL.items())
        # Over 28 days: 2% in an hour, 5% in six, 10% in three days.
        assert [alert.above for alert in alerts] == pytest.approx([13.44 * 0.06, 5.6 * 0.06, 28 / 30 * 0.06])
        assert all((alert.sinks, alert.match) == (("pager",), {"route": "a"}) for alert in alerts)

    def test_silence_is_no_burning(self) -> None:
        """A tenant's first sample, not scored yet, wakes nobody: that nothing comes is told by rules of its own."""
        assert {burn.alert.no_data for burn in slo(objective=0.94).burn_alerts()} == {NoData.KEEP}

    def test_what_is_faster_than_everything_is_left_out(self) -> None:
        """At 90% nothing burns faster than 10, so the pair for 13.4 is left out, with the reason; the next is critical."""
        made = slo()
        assert [burn.rule.long for burn in made.burn_alerts()] == [6 * HOUR, 3 * DAY]
        assert made.burn_alerts()[0].alert.severity is Severity.CRITICAL
        (refusal,) = made.refusals()
        assert "nothing burns faster than 10" in refusal.why

    def test_windows_fit_into_the_period(self) -> None:
        """A day has no window of three."""
        assert [burn.rule.long for burn in slo(objective=0.94, period="2d").burn_alerts()] == [HOUR, 6 * HOUR]

    @pytest.mark.parametrize("per_hour", [30, 100, 300, 1_000, 3_000, 100_000])
    def test_short_windows_are_lengthened_as_far_as_needed(self, per_hour: float) -> None:
        """What is used has enough samples, and a step less would not have; what is left out has not even as long as it is."""
        made = slo(objective=0.94, samples_per_hour=per_hour)
        used = {burn.rule.long: burn for burn in made.burn_alerts()}
        for long, burn in used.items():
            assert burn.alert.short_window == burn.rule.short
            assert check_rule(burn.rule, made.target, made.traffic) is None
            if burn.rule.short == USUAL[long]:
                assert burn.note is None
                continue
            assert burn.note is not None
            shorter = type(burn.rule)(
                long=long, short=burn.rule.short - STEP, burn=burn.rule.burn, spent=burn.rule.spent
            )
            assert check_rule(shorter, made.target, made.traffic) is not None
        assert len(used) + len(made.refusals()) == len(SPEEDS)

    def test_more_samples_need_no_longer_windows(self) -> None:
        """With plenty all are as usual; with few some are longer."""
        plenty = slo(objective=0.94, samples_per_hour=100_000).burn_alerts()
        assert [burn.rule.short for burn in plenty] == list(USUAL.values())
        few = slo(objective=0.94, samples_per_hour=100).burn_alerts()
        assert any(burn.rule.short > USUAL[burn.rule.long] for burn in few)

    def test_by_the_point_no_number_is_needed(self) -> None:
        """Chance alone can then make it fire: that was chosen."""
        made = slo(objective=0.94, samples_per_hour=1, on="point").burn_alerts()
        assert [burn.rule.short for burn in made] == list(USUAL.values())
        assert all(burn.alert.on == "point" for burn in made)

    @pytest.mark.parametrize("per_hour", [1e-300, 0.001])
    def test_none_that_works_is_refused(self, per_hour: float) -> None:
        """An objective that nobody would hear of is none; the refusal says what would do."""
        told = refused(samples_per_hour=per_hour)
        assert "no pair of windows could fire" in told
        assert "times the sampling rate" in told


class TestGivenPairs:
    def test_they_are_used_as_given(self) -> None:
        """Neither lengthened nor joined by the usual ones."""
        made = slo(burn=[{"long": "12h", "short": "1h", "rate": 3}, {"long": "2d", "short": "90m", "rate": 2}])
        assert [burn.alert.name for burn in made.burn_alerts()] == ["made-up.burn-12h", "made-up.burn-2d"]
        assert [burn.alert.above for burn in made.burn_alerts()] == pytest.approx([0.3, 0.2])
        assert made.refusals() == []

    @pytest.mark.parametrize("rate", [10, 14.4])
    def test_one_that_can_never_fire_is_refused(self, rate: float) -> None:
        """The refusal names the rate below which it can."""
        told = refused(burn=[{"long": "1h", "short": "5m", "rate": rate}])
        assert "nothing burns faster than 10" in told
        assert "A burn rate below 10" in told

    def test_one_with_too_few_samples_is_refused(self) -> None:
        """The refusal names a short window that has enough: taken at its word, it is accepted."""
        pair = {"long": "1d", "short": "5m", "rate": 2}
        told = refused(burn=[pair], samples_per_hour=60)
        assert "5m have 5 samples" in told
        instead = told.split("hort window of ")[1].split(" ")[0]
        assert slo(burn=[pair | {"short": instead}], samples_per_hour=60).burn_alerts()

    @pytest.mark.parametrize(
        ("long", "short"), [("1h", "1h"), ("1h", "2h"), ("1h", "90s"), ("1h", "0s"), ("91d", "1h"), ("90s", "1m")]
    )
    def test_windows_that_are_none_are_refused(self, long: str, short: str) -> None:
        """Whole minutes, the short one shorter; refused of the objective that has them."""
        refused(burn=[{"long": long, "short": short, "rate": 2}])


class TestObjectives:
    @pytest.mark.parametrize("objective", [0.95, 0.99])
    def test_below_what_is_flagged_anyway(self, objective: float) -> None:
        """With no bad answer at all it would be missed; by labels, or with a stricter scorer, it is not."""
        told = refused(objective=objective)
        assert "The detector flags 5.0% of good answers" in told
        assert slo(objective=objective, metric="hallucination_rate").burn_alerts()
        assert slo(objective=objective, false_flags=0.001).burn_alerts()

    @pytest.mark.parametrize(
        "changes",
        [
            {"metric": "queue_age_s"},
            {"period": "23h"},
            {"period": "91d"},
            {"objective": 1.0},
            {"objective": 0.0},
            {"objective": float("nan")},
            {"name": "x" * 49},
            {"samples_per_hour": 0},
            {"match": {"planet": "mars"}},
            {"match": {"planet": "mars"}, "burn": [{"long": "12h", "short": "1h", "rate": 3}]},
            {"unheard-of": 1},
        ],
    )
    def test_what_is_none_is_refused(self, changes: dict[str, Any]) -> None:
        """Whatever is wrong is said when the policy is read, not when it should have fired."""
        refused(**changes)
