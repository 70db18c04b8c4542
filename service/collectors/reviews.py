"""Reviews: how many wait and for how long, whether judges are called, what calls cost today."""

from datetime import datetime

from sqlalchemy import BigInteger, Connection, func, literal_column, select, type_coerce

from service.collectors.source import Found, Gauges
from service.core.clock import EPOCH, from_microseconds
from service.core.review_tables import Reviewer, llm_spend, reviews
from service.core.reviewing.judge import PICO
from service.core.store.circuits import read_circuits

MOST_TENANTS = 100  # whose spending is shown, those who spent most first
_PENDING = reviews.c.state == literal_column("'pending'")  # the partial index's predicate


def read_reviews(connection: Connection, now: datetime) -> Found:
    """Three statements."""
    gauges = Gauges()
    oldest = func.min(type_coerce(reviews.c.created_at, BigInteger)).label("oldest")
    waiting = select(reviews.c.reviewer, func.count().label("number"), oldest).where(_PENDING)
    found = {row.reviewer: row for row in connection.execute(waiting.group_by(reviews.c.reviewer))}
    for reviewer in Reviewer:
        row = found.get(reviewer.value)
        gauges.set("assay_pending_reviews", int(row.number) if row else 0, reviewer=reviewer.value)
        if row is not None:
            age = (now - from_microseconds(int(row.oldest))).total_seconds()
            gauges.set("assay_oldest_pending_review_seconds", max(0.0, age), reviewer=reviewer.value)
    for circuit in read_circuits(connection, now):
        worker = circuit.holder[:12]
        gauges.set("assay_llm_circuit_open", float(circuit.state != "closed"), endpoint=circuit.endpoint, worker=worker)
    left = _spent(connection, gauges, now)
    return Found(gauges=gauges, left_out={"tenant": left} if left else {})


def _spent(connection: Connection, gauges: Gauges, now: datetime) -> int:
    """How many tenants are not shown."""
    statement = (
        select(llm_spend.c.tenant, llm_spend.c.cost_pico)
        .where(llm_spend.c.day == (now - EPOCH).days)
        .order_by(llm_spend.c.cost_pico.desc(), llm_spend.c.tenant)
    )
    rows = connection.execute(statement).all()
    for row in rows[:MOST_TENANTS]:
        gauges.set("assay_llm_spend_today", int(row.cost_pico) / PICO, tenant=row.tenant)
    return max(0, len(rows) - MOST_TENANTS)
