"""Alerts as `GET /alerts` and its kin answer them, and `assay alerts` shows them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from service.core.alert_schemas import (
    AlertAnswer,
    AlertsAnswer,
    DeliveryAnswer,
    EventAnswer,
    HistoryAnswer,
    ReadingAnswer,
    RuleStateAnswer,
    SilenceAnswer,
)
from service.core.alert_tables import Delivery
from service.core.alerting.machine import Reading, State
from service.core.alerting.message import payload, summary
from service.core.alerting.reading import Group
from service.core.alerting.rule import AlertRule
from service.core.db import Database
from service.core.policy import Policy
from service.core.store.alerts import Past, PastEvent, Standing, read_events, read_standings
from service.core.store.past import first_received
from service.core.store.silences import Silence, read_silences

MAX_SHOWN = 2_000  # rules and groups
HIDDEN = "not told; a key with the scope `admin`, and the workers' log, see why"  # it names hosts and files
STALE_LOOKS = 5  # intervals after which the last look is stale
WORST_FIRST = (State.FIRING, State.NO_DATA, State.PENDING, State.LOW_COVERAGE, State.RESOLVED, State.OK)


def answer_alerts(database: Database, policy: Policy, tenant: str, now: datetime, interval_s: float) -> AlertsAnswer:
    """Where everything stands. `interval_s`: of the workers' looks. Raises StoreUnavailableError."""
    with database.read() as connection:
        standings = read_standings(connection, tenant)
        silences = read_silences(connection, tenant, now)
        sends = bool(standings) or first_received(connection, tenant) is not None
    rules = {rule.name: rule for rule in policy.alert_rules if rule.is_of(tenant)}
    slos = {burn.alert.name: slo.name for slo in policy.slos for burn in slo.burn_alerts()}
    last = max((each.evaluated_at for each in standings), default=None)
    too_old = last is None or now - last > STALE_LOOKS * timedelta(seconds=interval_s)
    standings.sort(key=lambda each: (WORST_FIRST.index(each.held.memory.state), each.held.rule, each.held.group))
    shown = standings[:MAX_SHOWN]
    return AlertsAnswer(
        evaluated_at=last,
        stale=bool(rules) and sends and too_old,
        rules=[_rule(rule, policy, tenant, slos.get(rule.name)) for rule in rules.values()],
        alerts=[_alert(each, rules.get(each.held.rule), silences) for each in shown],
        left_out=len(standings) - len(shown),
    )


def _rule(rule: AlertRule, policy: Policy, tenant: str, slo: str | None) -> RuleStateAnswer:
    return RuleStateAnswer(
        rule=rule.name,
        metric=rule.metric,
        slow_ms=rule.slow_ms,
        above=rule.above,
        below=rule.below,
        on="bound" if rule.by_bound else "point",
        confidence=rule.confidence,
        window_s=int(rule.window.total_seconds()),
        short_window_s=None if rule.short_window is None else int(rule.short_window.total_seconds()),
        for_s=int(rule.for_.total_seconds()),
        keep_firing_for_s=int(rule.keep_firing_for.total_seconds()),
        min_effective_n=rule.min_effective_n,
        min_coverage=rule.min_coverage,
        no_data=rule.no_data,
        severity=rule.severity,
        group_by=list(rule.group_by),
        match={name: list(values) for name, values in rule.matching},
        sinks=policy.sinks_of(rule, tenant),
        slo=slo,
    )


def _alert(standing: Standing, rule: AlertRule | None, silences: Sequence[Silence]) -> AlertAnswer:
    held = standing.held
    ends = [silence.ends_at for silence in silences if silence.covers(held.rule, standing.group)]
    reading = standing.reading
    if rule is None or rule.digest != held.rule_digest:  # an interval at a confidence that is not the rule's any more
        reading = replace(reading, low=None, high=None)
    return AlertAnswer(
        rule=held.rule,
        group={name: value or None for name, value in standing.group.items()},
        state=held.memory.state,
        since=held.memory.since,
        firing_since=held.memory.opened,
        verdict=standing.verdict,
        reading=reading_answer(reading),
        evaluated_at=standing.evaluated_at,
        silenced_until=max(ends, default=None),
    )


def group_answer(names: Sequence[str], group: Group) -> dict[str, str | None]:
    """A group by dimension; null: submissions without one."""
    return {name: value or None for name, value in zip(names, group, strict=False)}


def reading_answer(reading: Reading) -> ReadingAnswer:
    """A reading as it is answered."""
    return ReadingAnswer(
        value=reading.value,
        low=reading.low,
        high=reading.high,
        effective_n=reading.effective_n,
        coverage=reading.coverage,
    )


def answer_history(database: Database, past: Past, public_url: str | None, *, errors: bool = True) -> HistoryAnswer:
    """Events, newest first; without `errors` why a sink was not told is left out. Raises StoreUnavailableError."""
    with database.read() as connection:
        found = read_events(connection, past)
    return HistoryAnswer(
        start=past.start,
        end=past.end,
        events=[_event(each, public_url, errors=errors) for each in found],
        next_before=found[-1].notice.seq if len(found) == past.limit else None,
    )


def _event(event: PastEvent, public_url: str | None, *, errors: bool) -> EventAnswer:
    return EventAnswer(
        seq=event.notice.seq,
        summary=summary(event.notice),
        silenced=event.silenced,
        notice=payload(event.notice, public_url),
        deliveries=[
            DeliveryAnswer(
                sink=row.sink,
                state=row.state,
                attempts=row.attempts,
                error=row.error if errors or row.error is None else HIDDEN,
                next_at=row.next_at if row.state == Delivery.WAITING else None,
                ended_at=row.ended_at,
            )
            for row in event.deliveries
        ],
    )


def silence_answer(silence: Silence, now: datetime) -> SilenceAnswer:
    """A silence as it is answered."""
    return SilenceAnswer(
        id=silence.number,
        rule=silence.rule,
        group=dict(silence.group),
        reason=silence.reason,
        created_by=silence.created_by,
        created_at=silence.created_at,
        ends_at=silence.ends_at,
        active=silence.ends_at > now,
    )


def rule_of(policy: Policy, tenant: str, name: str) -> AlertRule | None:
    """A tenant's rule by name."""
    return next((rule for rule in policy.alert_rules if rule.name == name and rule.is_of(tenant)), None)
