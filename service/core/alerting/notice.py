"""A notice: what sinks are told of one event of one rule and group, complete enough to act on. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from service.core.alerting.machine import Event, Reading
from service.core.alerting.rule import Metric, Severity


@dataclass(frozen=True, kw_only=True, slots=True)
class Worst:
    """A group with a high rate in the rule's window."""

    dimension: str
    value: str  # empty: submissions without one
    reading: Reading


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A flagged claim of the window, by its place; never its text."""

    sample_id: str
    claim: int  # position in the response, from 0
    verdict: str
    path: str  # of the sample under the sidecar's address, percent-encoded
    sample_seq: int = 0  # of its row, by which it is stored: the id of a sample that is erased must be nowhere


def path_of(sample_id: str) -> str:
    """Where a sample is found, under the sidecar's address."""
    return f"/score/{quote(sample_id, safe='')}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One event as sinks are told of it."""

    seq: int  # of the event: with the sink's name it makes the idempotency key
    incident: str  # the same from the first `firing` or `no_data` to `resolved`; PagerDuty's dedup_key
    event: Event
    at: datetime  # of the event
    since: datetime  # when the incident was opened
    reason: str | None  # why it was resolved, where that is not because of a reading: the rule was removed
    tenant: str
    rule: str
    group: Mapping[str, str]  # by dimension; empty value: submissions without one
    match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # only submissions with one of these values
    severity: Severity
    metric: Metric
    above: float | None  # exactly one of the two is given
    below: float | None
    by_bound: bool  # the nearer end of the interval is judged, not the rate
    confidence: float
    window: timedelta
    slow_ms: float | None = None  # of `slow_share`: what is slow
    reading: Reading  # the last one
    worst: tuple[Worst, ...] = ()  # worst first
    examples: tuple[Example, ...] = ()


def to_json(notice: Notice) -> dict[str, Any]:
    """The notice as it is stored: without its examples, which are stored by their samples' rows."""
    stored: dict[str, Any] = _adapter().dump_python(replace(notice, examples=()), mode="json")
    return stored


def from_json_if_known(stored: Mapping[str, Any]) -> Notice | None:
    """The notice that was stored; None where another version wrote what this one cannot read."""
    try:
        return from_json(stored)
    except ValueError:
        return None


def from_json(stored: Mapping[str, Any]) -> Notice:
    """The notice that was stored. Raises ValueError for what is none."""
    return _adapter().validate_python(stored)


@cache
def _adapter() -> TypeAdapter[Notice]:
    return TypeAdapter(Notice)
