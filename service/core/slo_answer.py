"""Objectives as `GET /slos` and `assay alerts slos` answer them: budgets, burn rates, and whether rules can fire."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from service.core.alert_reading import read_rule
from service.core.alert_schemas import BurnAnswer, SloAnswer, SlosAnswer
from service.core.alerting.machine import Reading
from service.core.alerting.objective import BurnAlert, Slo
from service.core.alerting.reading import WHOLE
from service.core.alerting.rule import Metric
from service.core.alerting.slo import check_rule
from service.core.db import Database
from service.core.policy import Policy
from service.core.rate_query import widened
from service.core.store.alerts import read_standings
from service.core.store.rates import Stretch, read_counted

CONFIDENCE = 0.95
LOOKED_BACK = timedelta(days=1)
BUDGET_IS = (
    "what is left of the bad answers that the objective allows of all answers of the period so far: 1 - rate / (1 - "
    "objective); its interval is that of the rate, and covers sampling error only"
)


def answer_slos(database: Database, policy: Policy, tenant: str, now: datetime) -> SlosAnswer:
    """Every objective of the tenant. Raises StoreUnavailableError."""
    with database.read() as connection:
        states = {each.held.rule: str(each.held.memory.state) for each in read_standings(connection, tenant)}
        mine = [slo for slo in policy.slos if not slo.tenants or tenant in slo.tenants]
        slos = [_answer(connection, slo, tenant, states, now) for slo in mine]
    return SlosAnswer(confidence=CONFIDENCE, budget_is=BUDGET_IS, slos=slos)


def _answer(connection: Connection, slo: Slo, tenant: str, states: Mapping[str, str], now: datetime) -> SloAnswer:
    start, end = widened(now - slo.period, now, now)
    reading = read_window(connection, slo, tenant, slo.period, now)
    bad = slo.target.bad
    per_s = _scored_per_s(connection, slo, tenant, now)
    return SloAnswer(
        slo=slo.name,
        metric=slo.metric,
        objective=slo.objective,
        slow_ms=slo.slow_ms,
        period_s=int(slo.period.total_seconds()),
        start=start,
        end=end,
        rate=reading.value,
        ci_low=reading.low,
        ci_high=reading.high,
        budget_left=budget(reading.value, bad),
        budget_left_low=budget(reading.high, bad),
        budget_left_high=budget(reading.low, bad),
        coverage=reading.coverage,
        left_out=[f"{refusal.why} What works: {refusal.instead}" for refusal in slo.refusals()],
        burn=[_burn(connection, slo, each, tenant, states, per_s, now) for each in slo.burn_alerts()],
    )


def budget(rate: float | None, bad: float) -> float | None:
    """The share of the error budget that a rate of bad answers leaves; None where the rate is not known."""
    return None if rate is None else 1 - rate / bad


def read_window(connection: Connection, slo: Slo, tenant: str, window: timedelta, now: datetime) -> Reading:
    """What the objective's metric was over the last so long."""
    return read_rule(connection, slo.rule_over(window, CONFIDENCE), tenant, now)[WHOLE]


def _scored_per_s(connection: Connection, slo: Slo, tenant: str, now: datetime) -> float:
    """What there is to judge by: samples with a score, or with a latency, a second."""
    if slo.metric is Metric.SLOW_SHARE:
        return (read_window(connection, slo, tenant, LOOKED_BACK, now).effective_n or 0.0) / LOOKED_BACK.total_seconds()
    start, end = widened(now - LOOKED_BACK, now, now)
    rule = slo.rule_over(LOOKED_BACK, CONFIDENCE)
    stretch = Stretch(
        tenant=tenant,
        start=start,
        end=end,
        width_s=int((end - start).total_seconds()),
        group_by=(),
        match=rule.matching,
    )
    return read_counted(connection, stretch).scored / stretch.width_s


def _burn(  # noqa: PLR0913, PLR0917 - what a pair of windows is judged by
    connection: Connection,
    slo: Slo,
    burn: BurnAlert,
    tenant: str,
    states: Mapping[str, str],
    per_s: float,
    now: datetime,
) -> BurnAnswer:
    rates = {w: read_window(connection, slo, tenant, w, now).value for w in (burn.rule.long, burn.rule.short)}
    bad = slo.target.bad
    # By the traffic that there is, whatever the policy expects. Where labels decide, samples do not say how many there are.
    seen = None if slo.on == "point" or slo.metric is Metric.HALLUCINATION_RATE else per_s
    refusal = check_rule(burn.rule, slo.target, replace(slo.traffic, samples_per_s=seen))
    long, short = (None if rates[w] is None else (rates[w] or 0.0) / bad for w in (burn.rule.long, burn.rule.short))
    return BurnAnswer(
        rule=burn.alert.name,
        state=states.get(burn.alert.name),
        long_s=int(burn.rule.long.total_seconds()),
        short_s=int(burn.rule.short.total_seconds()),
        fires_at=burn.rule.burn,
        burn_long=long,
        burn_short=short,
        note=burn.note,
        warning=None if refusal is None else f"{refusal.why} What works: {refusal.instead}",
    )
