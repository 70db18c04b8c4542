"""An alert rule as people write it: what is refused, and why."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from service.core.alerting.rule import AlertRule

LEAST: dict[str, Any] = {"name": "worse", "metric": "flagged_rate", "above": 0.05}


def test_durations_are_written_as_everywhere() -> None:
    """30m, 24h, 7d; nothing is 0s."""
    rule = AlertRule.model_validate(LEAST | {"window": "30m", "for": "0s", "keep_firing_for": "1h", "renotify": "2d"})
    assert (rule.window, rule.for_) == (timedelta(minutes=30), timedelta(0))
    assert (rule.keep_firing_for, rule.renotify) == (timedelta(hours=1), timedelta(days=2))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"below": 0.1}, "`above` or `below`"),
        ({"above": None}, "`above` or `below`"),
        ({"above": 5}, "between 0 and 1"),
        ({"above": -0.1}, "greater than or equal to 0"),
        ({"above": float("nan")}, "finite"),
        ({"group_by": ["customer"]}, "unknown dimension 'customer'"),
        ({"match": {"customer": "x"}}, "unknown dimension 'customer'"),
        ({"match": {"route": []}}, "at least 1 item"),
        ({"window": "90s"}, "whole minutes"),
        ({"window": "91d"}, "1m to 90d"),
        ({"window": "soon"}, "such as 30m"),
        ({"for": "-1m"}, "such as 30m"),
        ({"renotify": "0s"}, "longer than nothing"),
        ({"metric": "queue_age_s", "above": 60, "group_by": ["route"]}, "no groups"),
        ({"metric": "probe_accuracy", "above": None, "below": 0.9, "match": {"route": "a"}}, "no groups"),
        ({"metric": "probe_accuracy", "above": 0.9}, "below a threshold"),
        ({"metric": "probe_accuracy", "above": None, "below": 0}, "between 0 and 1"),
        ({"metric": "probe_variance", "above": None, "below": 0.1}, "above one"),
        ({"metric": "probe_variance", "short_window": "5m"}, "one window"),
        ({"confidence": 1.0}, "less than or equal to 0.9999"),
        ({"severity": "loud"}, "critical"),
        ({"name": "a b"}, "pattern"),
        ({"treshold": 1}, "Extra inputs"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], said: str) -> None:
    """Each with the reason."""
    with pytest.raises(ValidationError, match=said):
        AlertRule.model_validate(LEAST | changes)


def test_the_age_of_the_queue_has_no_interval() -> None:
    """It is known: the value itself is judged, in seconds."""
    rule = AlertRule.model_validate({"name": "queue", "metric": "queue_age_s", "above": 600})
    assert (rule.threshold, rule.by_bound) == (600, False)


@pytest.mark.parametrize(
    "changes", [{"metric": "probe_accuracy", "below": 1.0}, {"metric": "probe_variance", "above": 0.000001}]
)
def test_known_answers_have_no_interval(changes: dict[str, Any]) -> None:
    """They are known: the value itself is judged, whatever `on` says."""
    assert not AlertRule.model_validate({"name": "probes"} | changes).by_bound
