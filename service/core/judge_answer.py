"""The answer about a tenant's judge, as `GET /judge` and `assay judge status` give it."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from service.core.clock import EPOCH
from service.core.db import Database
from service.core.policy import Policy
from service.core.review_schemas import CircuitAnswer, JudgeAnswer, ReviewCountAnswer, SpentAnswer
from service.core.review_tables import reviews
from service.core.reviewing.judge import PICO
from service.core.store.circuits import read_circuits
from service.core.store.spending import read_spent, spent_on

COVERS = (
    "cost: of every call that was begun, by the prices of the policy then in force and the tokens that the endpoint said; "
    "`unknown` calls were lost on the way, and count at the most that they can have cost, as `open` ones do until they "
    "end. Reviews: of samples chosen in these days; those `unscored` have no verdict, whatever they cost"
)


def answer_judge(database: Database, policy: Policy, tenant: str, length: timedelta, now: datetime) -> JudgeAnswer:
    """Reads what happened in the days that `length` before `now` lie in. Raises StoreUnavailableError."""
    start, end = (now - length).date(), now.date()
    judge, generator, spend = policy.judge, policy.consistency.generator, policy.spend
    with database.read() as connection:
        circuits = read_circuits(connection, now)
        found = _reviews(connection, tenant, now - length)
        spent = read_spent(connection, tenant, (start - EPOCH.date()).days, (end - EPOCH.date()).days)
        today = spent_on(connection, tenant, now)
    return JudgeAnswer(
        judge=judge.named if judge else None,
        judged=judge is not None and tenant in judge.tenants,
        generator=generator.model if generator else None,
        currency=spend.currency if spend else None,
        spent_today=today / PICO,
        limit_today=spend.limit_pico(tenant) / PICO if spend else None,
        covers=COVERS,
        circuits=[
            CircuitAnswer(
                endpoint=each.endpoint, worker=each.holder[:12], state=each.state, reason=each.reason, since=each.since
            )
            for each in circuits
        ],
        reviews=found,
        spent=[
            SpentAnswer(
                day=EPOCH.date() + timedelta(days=each.day),
                rule=each.rule,
                purpose=each.purpose,
                state=each.state,
                calls=each.calls,
                input_tokens=each.input_tokens,
                output_tokens=each.output_tokens,
                cost=each.cost_pico / PICO,
            )
            for each in spent
        ],
        start=start,
        end=end,
    )


def _reviews(connection: Connection, tenant: str, start: datetime) -> list[ReviewCountAnswer]:
    keys = (reviews.c.reviewer, reviews.c.state, reviews.c.state_reason)
    statement = (
        select(*keys, func.count().label("number"))
        .where(reviews.c.tenant == tenant, reviews.c.created_at >= start)
        .group_by(*keys)
        .order_by(*keys)
    )
    return [
        ReviewCountAnswer(reviewer=row.reviewer, status=row.state, reason=row.state_reason, reviews=int(row.number))
        for row in connection.execute(statement)
    ]
