"""The outbox of alerts: each sink is told of each event at least once, and of one incident in order.

As in `taking`, a row is held under a lease by the database's clock while somebody tells the sink; whoever dies meanwhile
lets it go. A sink may then be told twice, which the idempotency key shows.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, and_, exists, func, literal, or_, select, type_coerce, update

from service.core.alert_tables import Delivery, alert_deliveries, alert_events
from service.core.alerting.notice import Notice, from_json_if_known
from service.core.clock import database_now
from service.core.store.alert_examples import read_examples

MAX_ERROR = 500
UNREADABLE = "another version of Assay wrote it, and this one cannot read it"


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """What a sink is to be told now."""

    event_seq: int
    sink: str
    attempt: int  # counts takes: the fencing token
    notice: Notice


def take_due(
    connection: Connection, now: datetime, lease_s: float, limit: int, but_not: Collection[str] = ()
) -> list[Due]:
    """Takes what is due, oldest first, at most so many; of one incident and sink only the first that waits.

    Of the sinks in `but_not` nothing is taken.
    """
    chosen = _due(now, lease_s, but_not).limit(limit).with_for_update(skip_locked=True)
    found = []
    for row in connection.execute(chosen).all():
        place = and_(alert_deliveries.c.event_seq == row.event_seq, alert_deliveries.c.sink == row.sink)
        taken = connection.execute(
            update(alert_deliveries)
            .where(place)
            .values(lease_until=database_now() + _microseconds(lease_s), attempts=alert_deliveries.c.attempts + 1)
            .returning(alert_deliveries.c.attempts)
        ).scalar_one()
        stored = connection.execute(
            select(alert_events.c.notice).where(alert_events.c.seq == row.event_seq)
        ).scalar_one()
        examples = read_examples(connection, [row.event_seq]).get(row.event_seq, ())
        known = from_json_if_known(stored)
        if known is None:  # it must not hold up what comes after
            failed = {"state": Delivery.FAILED, "ended_at": now, "error": UNREADABLE, "lease_until": None}
            connection.execute(update(alert_deliveries).where(place).values(**failed))
            continue
        notice = replace(known, seq=row.event_seq, examples=examples)
        found.append(Due(event_seq=row.event_seq, sink=row.sink, attempt=int(taken), notice=notice))
    return found


def is_any_due(connection: Connection, now: datetime, lease_s: float, but_not: Collection[str] = ()) -> bool:
    """Whether it is worth a write to take some."""
    return connection.execute(_due(now, lease_s, but_not).limit(1)).first() is not None


def _due(now: datetime, lease_s: float, but_not: Collection[str]) -> Select[Any]:
    held = alert_deliveries.alias("earlier")
    earlier_waits = exists().where(
        held.c.incident == alert_deliveries.c.incident,
        held.c.sink == alert_deliveries.c.sink,
        held.c.state == Delivery.WAITING,
        held.c.event_seq < alert_deliveries.c.event_seq,
    )
    lease_until = type_coerce(alert_deliveries.c.lease_until, BigInteger)
    free = or_(
        alert_deliveries.c.lease_until.is_(None),
        lease_until < database_now(),
        # Given before the clock was set back.
        lease_until > database_now() + _microseconds(2 * lease_s),
    )
    return (
        select(alert_deliveries.c.event_seq, alert_deliveries.c.sink)
        .where(alert_deliveries.c.state == Delivery.WAITING, alert_deliveries.c.next_at <= now, free, ~earlier_waits)
        .where(alert_deliveries.c.sink.not_in(but_not))
        # What has failed before stands behind: one sink that hangs must not hold up the others.
        .order_by(alert_deliveries.c.attempts, alert_deliveries.c.next_at, alert_deliveries.c.event_seq)
    )


def end_delivery(connection: Connection, due: Due, state: Delivery, now: datetime, error: str | None = None) -> bool:
    """Ends it, delivered or given up; False if another has taken it over since."""
    return _write(connection, due, {"state": state, "ended_at": now, "error": error, "lease_until": None})


def retry_delivery(connection: Connection, due: Due, next_at: datetime, error: str) -> bool:
    """Lets it wait until then; False if another has taken it over since."""
    return _write(connection, due, {"next_at": next_at, "error": error, "lease_until": None})


def count_waiting(connection: Connection) -> int:
    """Deliveries that wait, of all tenants."""
    waiting = alert_deliveries.c.state == Delivery.WAITING
    return int(connection.execute(select(func.count()).select_from(alert_deliveries).where(waiting)).scalar_one())


def _write(connection: Connection, due: Due, values: Mapping[str, Any]) -> bool:
    error = values.get("error")
    mine = and_(
        alert_deliveries.c.event_seq == due.event_seq,
        alert_deliveries.c.sink == due.sink,
        alert_deliveries.c.attempts == due.attempt,
        alert_deliveries.c.state == Delivery.WAITING,
    )
    told = {**values, "error": error[:MAX_ERROR] if error else error}
    return int(connection.execute(update(alert_deliveries).where(mine).values(**told)).rowcount) == 1


def _microseconds(seconds: float) -> Any:
    return literal(int(seconds * 1_000_000), BigInteger())
