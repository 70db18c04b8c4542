"""The ledger: counts of submissions that have no row, added exactly once per flush."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection

from service.core.store.dialect import insert
from service.core.tables import Outcome, ledger, ledger_flushes


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerKey:
    """What is counted together."""

    minute: datetime
    tenant: str
    outcome: Outcome
    stratum: str
    inclusion_probability: float
    policy_version: str
    model: str = ""
    release: str = ""
    prompt_version: str = ""
    route: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flush:
    """Counts of one stretch of time from one sidecar; (replica, sequence) names it for ever."""

    replica: str
    sequence: int
    counts: Mapping[LedgerKey, int]


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
    statement = insert(connection, ledger)
    statement = statement.on_conflict_do_update(
        index_elements=[column.name for column in ledger.primary_key.columns],
        set_={"submissions": ledger.c.submissions + statement.excluded.submissions},
    )
    # One order for all flushes: two sidecars that add to the same rows must not wait for each other in a circle.
    keys = sorted(flush.counts, key=lambda key: tuple(map(str, asdict(key).values())))
    connection.execute(statement, [asdict(key) | {"submissions": flush.counts[key]} for key in keys])
    return True
