"""Alerts by state, and the error budgets of the policy's objectives."""

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, func, select

from service.collectors.source import Found, Gauges, Source
from service.collectors.window import MAX_TENANTS
from service.core.alert_tables import alert_states
from service.core.alerting.machine import State
from service.core.alerting.wording import one_unit
from service.core.policy import Policy
from service.core.slo_answer import budget, read_window
from service.core.store.busiest import read_busiest
from service.core.store.outbox import count_waiting

ENOUGH_S = 2.0  # of reading: what is left is counted, and asked for by GET /slos
SLOS_FRESH_S = 20.0  # a period of weeks changes little in that time
MAX_SERIES = 12_000  # tenants times rules


def alert_sources(policy: Callable[[], Policy]) -> tuple[Source, ...]:
    """What needs the policy in force."""
    return (
        Source(name="alerts", read=_read_alerts, fresh_s=5.0),
        Source(name="slos", read=partial(_read_slos, policy), fresh_s=SLOS_FRESH_S),
    )


def _read_alerts(connection: Connection, now: datetime) -> Found:
    """How many groups of each rule are in which state, and how old the last look is."""
    gauges = Gauges()
    columns = (alert_states.c.tenant, alert_states.c.rule, alert_states.c.state)
    statement = select(*columns, func.count().label("groups")).group_by(*columns).order_by(*columns)
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in connection.execute(statement):
        found.setdefault((row.tenant, row.rule), {})[row.state] = row.groups
    most = MAX_SERIES // len(State)
    for (tenant, rule), states in list(found.items())[:most]:
        for state in State:
            gauges.set("assay_alert_groups", states.get(state, 0), tenant=tenant, rule=rule, state=state.value)
    last = connection.execute(select(func.max(alert_states.c.evaluated_at))).scalar_one()
    if last is not None:
        gauges.set("assay_alert_evaluation_age_seconds", max(0.0, (now - last).total_seconds()))
    gauges.set("assay_alert_deliveries_waiting", count_waiting(connection))
    return Found(gauges=gauges, left_out={"rule": max(0, len(found) - most)})


def _read_slos(policy: Callable[[], Policy], connection: Connection, now: datetime) -> Found:
    """Budgets with their intervals, and burn rates over every window of the objectives' rules."""
    gauges, left = Gauges(), 0
    slos, begun = policy().slos, time.monotonic()
    tenants, others = read_busiest(connection, now, MAX_TENANTS) if slos else ([], 0)
    for slo in slos:
        left += others
        for tenant in tenants:
            if slo.tenants and tenant not in slo.tenants:
                continue
            if time.monotonic() - begun > ENOUGH_S:
                left += 1
                continue
            bad, names = slo.target.bad, {"tenant": tenant, "slo": slo.name}
            gauges.set("assay_slo_objective", slo.objective, **names)
            spent = read_window(connection, slo, tenant, slo.period, now)
            gauges.set("assay_slo_budget_left", budget(spent.value, bad), **names)
            gauges.set("assay_slo_budget_left_low", budget(spent.high, bad), **names)
            gauges.set("assay_slo_budget_left_high", budget(spent.low, bad), **names)
            for window in sorted({w for burn in slo.burn_alerts() for w in (burn.rule.long, burn.rule.short)}):
                rate = read_window(connection, slo, tenant, window, now).value
                burn_rate = None if rate is None else rate / bad
                gauges.set("assay_slo_burn_rate", burn_rate, window=one_unit(window), **names)
    return Found(gauges=gauges, left_out={"slo": left})
