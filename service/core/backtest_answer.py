"""The answer of a backtest, as `POST /alerts/{rule}/backtest` and `assay alerts backtest` give it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection

from service.core.alert_answer import group_answer, reading_answer
from service.core.alert_schemas import BacktestAnswer, FiringAnswer, SegmentAnswer
from service.core.alerting.backtest import Incident, Replayed, Segment, replay
from service.core.alerting.machine import Event, Verdict
from service.core.alerting.rule import AlertRule, Metric
from service.core.db import Database
from service.core.errors import PayloadInvalidError, QueryInvalidError
from service.core.rate_query import HOUR, MINUTE
from service.core.store.past import first_received
from service.core.store.rates import Stretch, Unit, read_counted
from service.core.store.rollups import HOUR_S, MINUTE_S, MINUTES_KEPT, floor

LONGEST = timedelta(days=90)
MONTH, DAY = timedelta(days=30), timedelta(days=1)
MAX_SHOWN = 200
# Together some 20 s of one core, in a process that has other things to do.
MAX_ROWS = 500_000  # of sums
MAX_READINGS = 120_000  # of one group at one moment, over one window
FIXED = frozenset({"name", "tenants", "sinks"})  # what a trial does not change
IMPOSSIBLE = {
    Metric.HALLUCINATION_RATE: (
        "Labels come after the time that they are of, so the past does not show what the rule would have seen. Test one of "
        "`flagged_rate` instead."
    ),
    Metric.SLOW_SHARE: "Latencies are in samples, not in the sums that are kept of the past.",
    Metric.QUEUE_AGE: "The queue's past is not kept: `assay_oldest_pending_seconds` in Prometheus has it.",
    Metric.PROBE_ACCURACY: "Rounds of probes are not replayed: `assay_probe_accuracy` in Prometheus has their past.",
    Metric.PROBE_VARIANCE: "Rounds of probes are not replayed: `assay_probe_repeat_variance` in Prometheus has their past.",
}
ONLY_HOURS = (
    "Sums by minute are kept for two days: before {} the rule was looked at once an hour, and what fires for less than "
    "an hour is not seen."
)
NOT_BEFORE = (
    "Sums by minute are kept for two days, and the rule's windows are no whole hours: nothing before {} is tested."
)
TOO_MUCH = (
    "Too many groups over too long a time. Ask for less: a shorter window, or a rule with `match` or no `group_by`."
)
NO_FIELD = "A rule has no such field"
NOT_RESPECTED = "not_respected"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What is tried."""

    rule: AlertRule
    changed: Sequence[str]  # fields with another value than the policy's
    tenant: str
    length: timedelta


def changed_rule(rule: AlertRule, changes: Mapping[str, Any]) -> tuple[AlertRule, list[str]]:
    """The rule with some fields changed, and which. Raises PayloadInvalidError, which names the field."""
    for name in changes:
        if name in FIXED:
            raise PayloadInvalidError("This cannot be tried.", field=name)
    meant = rule.model_dump(mode="python", by_alias=True) | dict(changes)
    for one, other in (("above", "below"), ("below", "above")):
        if changes.get(one) is not None and other not in changes:
            meant[other] = None
    try:
        return AlertRule.model_validate(meant), sorted(changes)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])[:200]
        message = NO_FIELD if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        raise PayloadInvalidError(f"{message}.", field=field) from None


def answer_backtest(database: Database, trial: Trial, now: datetime) -> BacktestAnswer:
    """Reads and replays. Raises QueryInvalidError for what cannot be replayed, StoreUnavailableError."""
    rule = trial.rule
    if rule.metric in IMPOSSIBLE:
        raise QueryInvalidError(IMPOSSIBLE[rule.metric], field="rule")
    if trial.length > LONGEST:
        raise QueryInvalidError(f"Must be at most {LONGEST.days}d.", field="window")
    begin, end = floor(now - trial.length, HOUR_S), floor(now, MINUTE_S)
    # From here on a full window of minutes lies behind each of them.
    by_minute_from = max(begin, min(end, floor(now - MINUTES_KEPT + rule.window, HOUR_S) + HOUR))
    hourly = begin < by_minute_from and _in_hours(rule)
    with database.read() as connection:
        first = first_received(connection, trial.tenant)
        whole_hours = floor(by_minute_from, HOUR_S)
        segments = [_segment(connection, trial, HOUR, begin, whole_hours)] if hourly else []
        segments.append(_segment(connection, trial, MINUTE, by_minute_from, end))
    _refuse_too_much(rule, segments)
    told = None
    if begin < by_minute_from:
        told = (ONLY_HOURS if hourly else NOT_BEFORE).format(f"{by_minute_from:%Y-%m-%d %H:%M} UTC")
    kept = [each for each in segments if each.begin < each.stretch.end]
    found = replay(rule, kept)
    if first is not None:
        found.incidents = [_after(each, first) for each in found.incidents if not _is_before(each, first)]
    return _answer(trial, kept, found, told, begin, end)


def _is_before(incident: Incident, first: datetime) -> bool:
    """Before its first sample came nobody looked at the tenant: that there was no data was told to nobody."""
    return incident.event is Event.NO_DATA and incident.end is not None and incident.end <= first + HOUR


def _after(incident: Incident, first: datetime) -> Incident:
    return replace(incident, start=max(incident.start, first)) if incident.event is Event.NO_DATA else incident


def _in_hours(rule: AlertRule) -> bool:
    return not rule.window % HOUR and (rule.short_window is None or not rule.short_window % HOUR)


def _segment(connection: Connection, trial: Trial, width: timedelta, begin: datetime, end: datetime) -> Segment:
    rule = trial.rule
    start = begin - rule.window + width  # so that the first look has a full window
    stretch = Stretch(
        tenant=trial.tenant,
        start=start,
        end=end,
        width_s=int(width.total_seconds()),
        group_by=rule.group_by,
        match=rule.matching,
    )
    unit = Unit.CLAIM if rule.metric is Metric.CLAIM_RATE else Unit.RESPONSE
    counted = read_counted(connection, stretch, unit, MAX_ROWS + 1)
    if len(counted.states) + len(counted.scores) > MAX_ROWS:
        raise QueryInvalidError(TOO_MUCH, field="window")
    return Segment(stretch=stretch, counted=counted, first=int((begin - start) / width))


def _refuse_too_much(rule: AlertRule, segments: Sequence[Segment]) -> None:
    """Only groups of which something came into a window, or fell out of it, are read again."""
    changed = sum(len({(row.bucket, row.group) for row in each.counted.states}) for each in segments)
    if changed * (1 if rule.short_window is None else 2) > MAX_READINGS:
        raise QueryInvalidError(TOO_MUCH, field="window")


def _answer(
    trial: Trial,
    segments: Sequence[Segment],
    found: Replayed,
    not_covered: str | None,
    begin: datetime,
    end: datetime,
) -> BacktestAnswer:
    firings = [each for each in found.incidents if each.event is Event.FIRING]
    covered = sum((each.stretch.end - each.begin for each in segments), timedelta(0))
    return BacktestAnswer(
        rule=trial.rule.name,
        changed=list(trial.changed),
        start=segments[0].begin if segments else begin,
        end=end,
        not_covered=not_covered,
        segments=[
            SegmentAnswer(start=each.begin, end=each.stretch.end, every_s=each.stretch.width_s) for each in segments
        ],
        clusters=NOT_RESPECTED,
        looks=found.looks,
        firings=len(firings),
        no_data=len(found.incidents) - len(firings),
        firing_s=_covered_s(found.incidents, end),
        firings_per_30_days=len(firings) * (MONTH / covered) if covered >= DAY else None,
        no_data_share=_share(found, Verdict.NO_DATA),
        low_coverage_share=_share(found, Verdict.LOW_COVERAGE),
        incidents=[_incident(trial.rule, each, end) for each in found.incidents[:MAX_SHOWN]],
        left_out=max(0, len(found.incidents) - MAX_SHOWN),
    )


def _share(found: Replayed, verdict: Verdict) -> float | None:
    looks = sum(found.judged.values())
    return found.judged[verdict] / looks if looks else None


def _covered_s(incidents: Sequence[Incident], end: datetime) -> float:
    """Seconds in which any incident was open; they may overlap, and are in order of their start."""
    total, reached = 0.0, None
    for incident in incidents:
        until = incident.end or end
        start = incident.start if reached is None else max(incident.start, reached)
        if until > start:
            total += (until - start).total_seconds()
            reached = until
    return total


def _incident(rule: AlertRule, incident: Incident, end: datetime) -> FiringAnswer:
    return FiringAnswer(
        event=incident.event,
        group=group_answer(rule.group_by, incident.group),
        start=incident.start,
        end=incident.end,
        duration_s=((incident.end or end) - incident.start).total_seconds(),
        reading=reading_answer(incident.reading),
    )
