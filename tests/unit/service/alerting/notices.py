"""Notices for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from service.core.alerting.machine import Event, Reading
from service.core.alerting.notice import Example, Notice, Worst
from service.core.alerting.rule import Metric, Severity

T0 = datetime(2026, 11, 1, 10, 5, tzinfo=UTC)
READING = Reading(value=0.081, low=0.062, high=0.104, effective_n=412.4, coverage=0.93)


def notice(**changes: Any) -> Notice:
    """A rule on the flagged rate of a route fires."""
    told: dict[str, Any] = {
        "seq": 7,
        "incident": "default/summariser-rate/search/2026-11-01T10:05:00Z",
        "event": Event.FIRING,
        "at": T0,
        "since": T0,
        "reason": None,
        "tenant": "default",
        "rule": "summariser-rate",
        "group": {"route": "search"},
        "severity": Severity.ERROR,
        "metric": Metric.FLAGGED_RATE,
        "above": 0.05,
        "below": None,
        "by_bound": True,
        "confidence": 0.999,
        "window": timedelta(hours=1),
        "reading": READING,
        "worst": (Worst(dimension="release", value="v2", reading=READING),),
        "examples": (Example(sample_id="a/1", claim=2, verdict="contradicted", path="/score/a%2F1"),),
    }
    return Notice(**(told | changes))
