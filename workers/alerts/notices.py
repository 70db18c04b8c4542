"""Notices: what sinks are told of a change, as far as it is known when it is decided. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from service.core.alerting.change import Change, Told
from service.core.alerting.machine import Event
from service.core.alerting.notice import Example, Notice, Worst
from service.core.alerting.reading import Group
from service.core.alerting.rule import AlertRule
from service.core.store.alerts import incident_of

Evidence = Mapping[tuple[str, Group], tuple[tuple[Worst, ...], tuple[Example, ...]]]  # by rule and group


def notice_of(
    tenant: str, change: Change, told: Told, now: datetime, evidence: Evidence, before: Notice | None
) -> Notice | None:
    """What is told; of a rule that was removed, as it was told last. None where it never was."""
    rule = change.rule
    if rule is None:
        return (
            None
            if before is None
            else replace(before, event=told.event, at=now, reason=told.reason, worst=(), examples=())
        )
    worst, examples = evidence.get((change.name, change.group), ((), ()))
    return Notice(
        seq=0,
        incident=incident_of(tenant, change.name, change.group),
        event=told.event,
        at=now,
        since=told.since,
        reason=told.reason,
        tenant=tenant,
        rule=rule.name,
        group=_group(rule, change, before),
        match=dict(rule.matching),
        severity=rule.severity,
        metric=rule.metric,
        above=rule.above,
        below=rule.below,
        by_bound=rule.by_bound,
        confidence=rule.confidence,
        window=rule.window,
        slow_ms=rule.slow_ms,
        reading=change.reading,
        worst=worst,
        examples=examples,
    )


def _group(rule: AlertRule, change: Change, before: Notice | None) -> Mapping[str, str]:
    """An end is told of the group that was told of, though the rule may be split by something else by now."""
    if before is not None and change.told is not None and change.told.event is Event.RESOLVED:
        return before.group
    return dict(zip(rule.group_by, change.group, strict=False))
