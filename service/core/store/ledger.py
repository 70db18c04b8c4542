"""The ledger: counts of submissions that have no row, added exactly once per flush."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from service.core.store.dialect import insert
from service.core.store.rollups import Place, Sums, add_deltas
from service.core.tables import ledger_flushes

REMEMBERED = 1_000  # flushes of one sender


@dataclass(frozen=True, kw_only=True, slots=True)
class Flush:
    """Counts of one stretch of time from one sidecar; (replica, sequence) names it for ever."""

    replica: str
    sequence: int
    counts: Mapping[Place, int]


def add_flush(connection: Connection, flush: Flush, now: datetime) -> bool:
    """Adds the counts; False, and nothing added, if this flush was counted before."""
    first = connection.execute(
        insert(connection, ledger_flushes)
        .values(replica=flush.replica, sequence=flush.sequence, flushed_at=now)
        .on_conflict_do_nothing()
        .returning(ledger_flushes.c.sequence)
    ).first()
    if first is None:
        return False
    # A sender has one flush under way at a time, so what lies far behind is never sent again.
    connection.execute(
        ledger_flushes.delete().where(
            ledger_flushes.c.replica == flush.replica, ledger_flushes.c.sequence < flush.sequence - REMEMBERED
        )
    )
    add_deltas(connection, ((place, Sums(number=number)) for place, number in flush.counts.items()))
    return True


def forget_flushes(connection: Connection, before: datetime) -> int:
    """Forgets flushes from before that time, which no sender sends again; returns how many."""
    return int(connection.execute(ledger_flushes.delete().where(ledger_flushes.c.flushed_at < before)).rowcount)
