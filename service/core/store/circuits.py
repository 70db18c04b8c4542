"""Circuits: whether each judge worker calls its endpoint, and why it does not, for everybody to see."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from service.core.review_tables import llm_circuits
from service.core.store.dialect import insert

SILENT_AFTER = timedelta(minutes=1)  # a worker that has not told of itself for so long is gone


@dataclass(frozen=True, kw_only=True, slots=True)
class Circuit:
    """That of one judge worker's calls to one endpoint."""

    endpoint: str  # its purpose and host
    holder: str  # the worker
    state: str  # closed, open, half_open
    reason: str | None  # of what opened it
    since: datetime
    seen_at: datetime


def write_circuit(connection: Connection, circuit: Circuit) -> None:
    """Stores it, in place of what the same worker told before, and forgets workers that are gone."""
    values = {name: getattr(circuit, name) for name in ("state", "reason", "since", "seen_at")}
    statement = insert(connection, llm_circuits).values(endpoint=circuit.endpoint, holder=circuit.holder, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["endpoint", "holder"], set_=values))
    gone = llm_circuits.c.seen_at < circuit.seen_at - SILENT_AFTER
    connection.execute(delete(llm_circuits).where(gone))


def remove_circuits(connection: Connection, holder: str) -> None:
    """Forgets a worker that ends."""
    connection.execute(delete(llm_circuits).where(llm_circuits.c.holder == holder))


def read_circuits(connection: Connection, now: datetime) -> list[Circuit]:
    """Those of the workers that are there, in order of endpoint and worker."""
    statement = (
        select(llm_circuits)
        .where(llm_circuits.c.seen_at >= now - SILENT_AFTER)
        .order_by(llm_circuits.c.endpoint, llm_circuits.c.holder)
    )
    return [Circuit(**row._asdict()) for row in connection.execute(statement)]
