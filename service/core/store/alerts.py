"""Alerts: what is remembered of each rule and group, and what was decided."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, or_, select

from service.core.alert_tables import Delivery, alert_deliveries, alert_events, alert_examples, alert_states
from service.core.alerting.change import Change, Held
from service.core.alerting.machine import Event, Memory, Reading, State
from service.core.alerting.notice import Notice, from_json_if_known, to_json
from service.core.alerting.reading import Group
from service.core.alerting.rule import AlertRule
from service.core.store.alert_examples import add_examples, read_examples
from service.core.store.dialect import insert, insert_many, many

_MEMORY = ("since", "bad_since", "missing_since", "last_bad", "opened", "told")
_PLACE = ("tenant", "rule", "group_digest")
_READING = ("value", "low", "high", "effective_n", "coverage")


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where a rule and a group stand, with the last reading."""

    held: Held
    group: Mapping[str, str]  # by the dimensions that the rule had then
    verdict: str
    reading: Reading
    evaluated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PastEvent:
    """An event, and what became of telling each sink."""

    notice: Notice
    silenced: bool
    deliveries: Sequence[Any]  # sink, state, attempts, next_at, error, ended_at


def group_digest(group: Group) -> str:
    """What a group is found by: its values may be too long for an index."""
    return hashlib.sha256(json.dumps(group).encode()).hexdigest()


def incident_of(tenant: str, rule: str, group: Group) -> str:
    """The name of a rule's and group's incidents, always the same: whoever opened one by it closes it by it."""
    return f"assay/{tenant}/{rule}/{group_digest(group)[:16]}"


def read_standings(connection: Connection, tenant: str, rules: Collection[str] | None = None) -> list[Standing]:
    """All of a tenant, by rule; of some rules if they are named."""
    statement = select(alert_states).where(alert_states.c.tenant == tenant)
    if rules is not None:
        statement = statement.where(alert_states.c.rule.in_(rules))
    statement = statement.order_by(alert_states.c.rule, alert_states.c.group_digest)
    return [_standing(row) for row in connection.execute(statement)]


def _standing(row: Any) -> Standing:
    memory = Memory(state=State(row.state), **{name: getattr(row, name) for name in _MEMORY})
    return Standing(
        held=Held(rule=row.rule, group=tuple(row.group.values()), rule_digest=row.rule_digest, memory=memory),
        group=row.group,
        verdict=row.verdict,
        reading=Reading(**{name: getattr(row, name) for name in _READING}),
        evaluated_at=row.evaluated_at,
    )


def next_alert_tenant(connection: Connection, after: str) -> str | None:
    """The next tenant, by name, of whom something is remembered."""
    following = select(func.min(alert_states.c.tenant)).where(alert_states.c.tenant > after)
    found: str | None = connection.execute(following).scalar_one()
    return found


def remembered_rules(connection: Connection, tenant: str) -> set[str]:
    """The names of the rules of which something is remembered."""
    names = select(alert_states.c.rule).where(alert_states.c.tenant == tenant).distinct()
    return set(connection.execute(names).scalars())


def write_standings(connection: Connection, tenant: str, changed: Iterable[Change], now: datetime) -> None:
    """Remembers, or forgets, rules and groups; few statements, as writers may be waiting."""
    rows, gone = [], []
    for change in changed:
        place = {"tenant": tenant, "rule": change.name, "group_digest": group_digest(change.group)}
        if change.memory is None or change.rule is None:
            gone.append({f"old_{name}": value for name, value in place.items()})
        else:
            rows.append(place | _values(change, change.memory, change.rule, now))
    if gone:
        where = (alert_states.c[name] == bindparam(f"old_{name}") for name in _PLACE)
        connection.execute(delete(alert_states).where(*where), gone)
    if rows:
        dialect = connection.dialect.name
        statement = insert_many(dialect, alert_states, tuple(rows[0]))
        rewritten = {name: statement.excluded[name] for name in rows[0] if name not in _PLACE}
        statement = statement.on_conflict_do_update(index_elements=_PLACE, set_=rewritten)
        connection.execute(statement, many(dialect, rows))


def _values(change: Change, memory: Memory, rule: AlertRule, now: datetime) -> dict[str, Any]:
    return {
        "group": dict(zip(rule.group_by, change.group, strict=False)),
        "rule_digest": rule.digest,
        "state": memory.state,
        "verdict": change.verdict,
        "evaluated_at": now,
        **{name: getattr(memory, name) for name in _MEMORY},
        **{name: getattr(change.reading, name) for name in _READING},
    }


def add_event(connection: Connection, notice: Notice, sinks: Iterable[str], *, silenced: bool) -> int:
    """Writes an event, what was known then, and who is to be told; returns its number, which is the notice's `seq`."""
    seq = int(
        connection.execute(
            insert(connection, alert_events)
            .values(
                tenant=notice.tenant,
                rule=notice.rule,
                incident=notice.incident,
                event=notice.event,
                at=notice.at,
                silenced=silenced,
                notice=to_json(notice),
            )
            .returning(alert_events.c.seq)
        ).scalar_one()
    )
    rows = [
        {
            "event_seq": seq,
            "sink": sink,
            "incident": notice.incident,
            "state": Delivery.WAITING,
            "attempts": 0,
            "next_at": notice.at,
        }
        for sink in sinks
    ]
    if rows:
        connection.execute(insert(connection, alert_deliveries), rows)
    add_examples(connection, seq, notice.examples)
    return seq


def read_told(connection: Connection, incident: str) -> tuple[Notice | None, list[str]]:
    """The last notice of what is open, and the sinks that are told of it.

    By number, not by time: after a clock was set back the end of another incident may lie ahead of this one's begin.
    """
    events = alert_events.c
    ended = select(func.max(events.seq)).where(events.incident == incident, events.event == Event.RESOLVED)
    mine = and_(events.incident == incident, events.seq > func.coalesce(ended.scalar_subquery(), 0))
    last = connection.execute(
        select(events.notice).where(mine).order_by(events.seq.desc()).limit(1)
    ).scalar_one_or_none()
    sinks = (
        select(alert_deliveries.c.sink)
        .join(alert_events, events.seq == alert_deliveries.c.event_seq)
        .where(mine)
        .distinct()
        .order_by(alert_deliveries.c.sink)
    )
    return (from_json_if_known(last) if last is not None else None), list(connection.execute(sinks).scalars())


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """Which events are wanted, newest first."""

    tenant: str
    start: datetime  # inclusive
    end: datetime  # exclusive
    rule: str | None = None
    before: int | None = None  # only those behind that one: the next page
    limit: int = 100


def read_events(connection: Connection, past: Past) -> list[PastEvent]:
    """Events with what became of telling each sink."""
    events = alert_events.c
    conditions = [events.tenant == past.tenant, events.at >= past.start, events.at < past.end]
    if past.rule is not None:
        conditions.append(events.rule == past.rule)
    if past.before is not None:
        conditions.append(_earlier(connection, past.tenant, past.before))
    # By time, along the index, however many there are.
    statement = select(alert_events).where(*conditions).order_by(events.at.desc(), events.seq.desc())
    rows = connection.execute(statement.limit(past.limit)).all()
    deliveries: dict[int, list[Any]] = {row.seq: [] for row in rows}
    examples = read_examples(connection, list(deliveries))
    if rows:
        of_these = select(alert_deliveries).where(alert_deliveries.c.event_seq.in_(deliveries))
        for row in connection.execute(of_these.order_by(alert_deliveries.c.sink)):
            deliveries[row.event_seq].append(row)
    return [
        PastEvent(
            notice=replace(notice, seq=row.seq, examples=examples.get(row.seq, ())),
            silenced=bool(row.silenced),
            deliveries=deliveries[row.seq],
        )
        for row in rows
        if (notice := from_json_if_known(row.notice)) is not None
    ]


def _earlier(connection: Connection, tenant: str, number: int) -> ColumnElement[bool]:
    """Events that stand behind that one, newest first; where it is no more, those of lower numbers."""
    events = alert_events.c
    known = select(events.at).where(events.seq == number, events.tenant == tenant)
    at = connection.execute(known).scalar_one_or_none()
    if at is None:
        return events.seq < number
    return or_(events.at < at, and_(events.at == at, events.seq < number))


def forget_events(connection: Connection, before: datetime, limit: int) -> int:
    """Deletes events from before that time of which nothing is still to be told, at most so many; returns how many."""
    waiting = select(alert_deliveries.c.event_seq).where(alert_deliveries.c.state == Delivery.WAITING)
    old = select(alert_events.c.seq).where(alert_events.c.at < before, alert_events.c.seq.not_in(waiting))
    seqs = list(connection.execute(old.order_by(alert_events.c.at).limit(limit)).scalars())
    if seqs:
        for table in (alert_deliveries, alert_examples):
            connection.execute(delete(table).where(table.c.event_seq.in_(seqs)))
        connection.execute(delete(alert_events).where(alert_events.c.seq.in_(seqs)))
    return len(seqs)
