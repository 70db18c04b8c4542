"""Spending: each call to a language model is booked before it begins, at the most it can cost, and settled after.

A limit holds whatever is killed: what was booked and never settled stays spent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from service.core.clock import EPOCH, utc_now
from service.core.review_tables import CallState, llm_budgets, llm_calls, llm_spend, reviews
from service.core.reviewing.cascade import Bucket, full_bucket
from service.core.store.dialect import insert
from service.core.tables import State

LOST_AFTER = timedelta(minutes=30)  # longer than any call: whoever made it is gone


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A call that is about to begin."""

    review_seq: int | None
    tenant: str
    rule: str
    purpose: str
    model: str
    most_pico: int  # that it can cost
    attempt: int = 0  # of the review: who has it in hand


def open_call(connection: Connection, call: Call, limit_pico: int | None, now: datetime) -> int | None:
    """Books a call at the most it can cost; its number, or None where the day's limit leaves too little: then nothing is.

    One statement decides, so that no number of workers together can pass the limit.
    """
    day = (now - EPOCH).days
    if limit_pico is not None and call.most_pico > limit_pico:
        return None
    statement = insert(connection, llm_spend).values(tenant=call.tenant, day=day, cost_pico=call.most_pico)
    total = llm_spend.c.cost_pico + call.most_pico
    statement = statement.on_conflict_do_update(
        index_elements=["tenant", "day"],
        set_={"cost_pico": total},
        where=None if limit_pico is None else total <= limit_pico,
    )
    if connection.execute(statement.returning(llm_spend.c.day)).first() is None:
        return None
    values = {
        "review_seq": call.review_seq,
        "tenant": call.tenant,
        "rule": call.rule,
        "day": day,
        "purpose": call.purpose,
        "model": call.model,
        "state": CallState.OPEN.value,
        "started_at": now,
        "cost_pico": call.most_pico,
    }
    return int(connection.execute(llm_calls.insert().returning(llm_calls.c.seq), values).scalar_one())


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """What has become of a call."""

    state: CallState
    cost_pico: int | None  # None: nobody can tell, so what was booked stays
    reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


def settle_call(connection: Connection, seq: int, settled: Settlement, now: datetime) -> None:
    """Settles an open call; a second time changes nothing."""
    open_one = llm_calls.c.state == CallState.OPEN.value
    booked = connection.execute(
        select(llm_calls.c.tenant, llm_calls.c.day, llm_calls.c.cost_pico)
        .where(llm_calls.c.seq == seq, open_one)
        .with_for_update()
    ).one_or_none()
    if booked is None:
        return
    cost = booked.cost_pico if settled.cost_pico is None else settled.cost_pico
    values: dict[str, Any] = {
        "state": settled.state.value,
        "reason": settled.reason,
        "ended_at": now,
        "input_tokens": settled.input_tokens,
        "output_tokens": settled.output_tokens,
        "cost_pico": cost,
    }
    connection.execute(update(llm_calls).where(llm_calls.c.seq == seq).values(values))
    if cost != booked.cost_pico:
        spent = update(llm_spend).where(llm_spend.c.tenant == booked.tenant, llm_spend.c.day == booked.day)
        connection.execute(spent.values(cost_pico=llm_spend.c.cost_pico + (cost - booked.cost_pico)))


def end_lost_calls(connection: Connection, now: datetime) -> int:
    """Calls whose worker died stay booked at the most they can have cost, and say so; returns how many."""
    lost = update(llm_calls).where(llm_calls.c.state == CallState.OPEN.value, llm_calls.c.started_at < now - LOST_AFTER)
    return int(connection.execute(lost.values(state=CallState.UNKNOWN.value, reason="lost", ended_at=now)).rowcount)


def spent_on(connection: Connection, tenant: str, now: datetime) -> int:
    """What a tenant's calls of today cost at most; in 1e-12 of the currency."""
    statement = select(llm_spend.c.cost_pico).where(llm_spend.c.tenant == tenant, llm_spend.c.day == (now - EPOCH).days)
    return int(connection.execute(statement).scalar_one_or_none() or 0)


def read_bucket(connection: Connection, tenant: str, limit_pico: int) -> Bucket:
    """A tenant's bucket now, its row held until the transaction ends; a full one before the first sample."""
    now = utc_now()
    full = full_bucket(limit_pico)
    first = insert(connection, llm_budgets).values(tenant=tenant, level_pico=full.level, filled_at=now)
    connection.execute(first.on_conflict_do_nothing())  # so that there is a row to hold
    row = connection.execute(select(llm_budgets).where(llm_budgets.c.tenant == tenant).with_for_update()).one()
    held = Bucket(level=min(int(row.level_pico), full.capacity), capacity=full.capacity)
    return held.filled((now - row.filled_at).total_seconds())


def write_bucket(connection: Connection, tenant: str, bucket: Bucket, now: datetime) -> None:
    """Stores it."""
    statement = insert(connection, llm_budgets).values(tenant=tenant, level_pico=bucket.level, filled_at=now)
    values = {"level_pico": bucket.level, "filled_at": now}
    connection.execute(statement.on_conflict_do_update(index_elements=["tenant"], set_=values))


def refund(connection: Connection, by_tenant: Mapping[str, int]) -> None:
    """Gives back to tenants' buckets what reviews cost less than was expected, or takes what they cost more.

    Buckets are held in order of tenants, and after any samples: whoever takes several must not wait in a circle.
    """
    for tenant, pico in sorted(by_tenant.items()):
        level = llm_budgets.c.level_pico + pico
        connection.execute(update(llm_budgets).where(llm_budgets.c.tenant == tenant).values(level_pico=level))


def is_at_work(connection: Connection, review_seq: int, attempt: int) -> bool:
    """Whether a review still is its holder's: neither ended, nor erased, nor taken by another."""
    statement = select(reviews.c.seq).where(
        reviews.c.seq == review_seq, reviews.c.attempt == attempt, reviews.c.state == State.PENDING.value
    )
    return connection.execute(statement).first() is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What calls of a tenant, rule and day took."""

    tenant: str
    rule: str
    day: int  # since 1970, UTC
    purpose: str
    state: str  # a CallState
    calls: int
    input_tokens: int | None  # that endpoints told of; None where none did
    output_tokens: int | None
    cost_pico: int


def read_spent(connection: Connection, tenant: str, first_day: int, last_day: int) -> list[Spent]:
    """Sums over calls by day, rule, purpose and state; in this order."""
    keys = [llm_calls.c[name] for name in ("tenant", "day", "rule", "purpose", "state")]
    sums = [func.sum(llm_calls.c[name]).label(name) for name in ("input_tokens", "output_tokens", "cost_pico")]
    statement = (
        select(*keys, func.count().label("calls"), *sums)
        .where(llm_calls.c.tenant == tenant, llm_calls.c.day.between(first_day, last_day))
        .group_by(*keys)
        .order_by(*keys[1:])
    )
    numbers = ("calls", "input_tokens", "output_tokens", "cost_pico")

    def whole(row: Row[*tuple[Any, ...]]) -> dict[str, int | None]:  # PostgreSQL sums to decimals
        return {name: None if getattr(row, name) is None else int(getattr(row, name)) for name in numbers}

    return [Spent(**(row._asdict() | whole(row))) for row in connection.execute(statement)]
