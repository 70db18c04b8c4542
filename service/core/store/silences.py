"""Silences: whose alerts nobody is told of, until when, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from service.core.alert_tables import alert_silences
from service.core.store.dialect import insert

MAX_SILENCES = 500  # of a tenant that are not over; and shown of those that are, newest first


@dataclass(frozen=True, kw_only=True, slots=True)
class Silence:
    """A stretch of time in which sinks are not told of a rule's alerts. They are evaluated and recorded all the same."""

    rule: str | None  # None: all rules
    group: Mapping[str, str]  # what a group must have; empty: all groups
    reason: str
    created_by: str
    created_at: datetime
    ends_at: datetime
    number: int = 0  # as stored

    def covers(self, rule: str, group: Mapping[str, str]) -> bool:
        """Whether it is of this rule and group; whatever the time."""
        if self.rule is not None and self.rule != rule:
            return False
        return all(group.get(name) == value for name, value in self.group.items())


def add_silence(connection: Connection, tenant: str, silence: Silence) -> Silence:
    """Stores it; returns it with its number."""
    number = connection.execute(
        insert(connection, alert_silences)
        .values(
            tenant=tenant,
            rule=silence.rule or "",
            group=dict(silence.group),
            reason=silence.reason,
            created_by=silence.created_by,
            created_at=silence.created_at,
            ends_at=silence.ends_at,
        )
        .returning(alert_silences.c.seq)
    ).scalar_one()
    return _silence(connection.execute(select(alert_silences).where(alert_silences.c.seq == number)).one())


def read_silences(connection: Connection, tenant: str, after: datetime | None) -> list[Silence]:
    """A tenant's, newest first: the last few; or all that end after that time, if it is given."""
    statement = select(alert_silences).where(alert_silences.c.tenant == tenant).order_by(alert_silences.c.seq.desc())
    limited = statement.limit(MAX_SILENCES) if after is None else statement.where(alert_silences.c.ends_at > after)
    return [_silence(row) for row in connection.execute(limited)]


def end_silence(connection: Connection, tenant: str, number: int, now: datetime) -> Silence | None:
    """Ends it now; one that is over stays as it was. None if the tenant has none of this number."""
    mine = (alert_silences.c.seq == number) & (alert_silences.c.tenant == tenant)
    connection.execute(update(alert_silences).where(mine, alert_silences.c.ends_at > now).values(ends_at=now))
    row = connection.execute(select(alert_silences).where(mine)).one_or_none()
    return None if row is None else _silence(row)


def _silence(row: Any) -> Silence:
    return Silence(
        rule=row.rule or None,
        group=row.group,
        reason=row.reason,
        created_by=row.created_by,
        created_at=row.created_at,
        ends_at=row.ends_at,
        number=row.seq,
    )
