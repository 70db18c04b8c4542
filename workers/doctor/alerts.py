"""Checks of alerts: somebody evaluates the policy's rules, and sinks take what they are told."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, func, or_, select

from service.core.alert_answer import STALE_LOOKS
from service.core.alert_tables import Delivery, alert_deliveries, alert_states
from service.core.alerting.rule import AlertRule
from service.core.alerting.wording import one_line, span
from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database
from service.core.errors import PolicyInvalidError
from service.core.policy import read_policy
from service.core.store.removal import next_tenant
from workers.doctor.finding import Finding, ok, warn

RECENT = timedelta(days=1)  # what was given up before is history
MAX_ERROR_CHARS = 200


def check_alerts(settings: Settings, database: Database) -> Iterator[Finding]:
    """Rules are evaluated, and sinks told; silent where there is neither a rule nor anything that went wrong."""
    try:
        rules = read_policy(settings.policy_file).alert_rules
    except PolicyInvalidError:  # its own check says so
        return
    now = utc_now()
    with database.read() as connection:
        if rules:
            yield _evaluated(connection, rules, now, settings.alert_interval_s)
        yield from _deliveries(connection, now)


def _evaluated(connection: Connection, rules: Sequence[AlertRule], now: datetime, interval_s: float) -> Finding:
    last: datetime | None = connection.execute(select(func.max(alert_states.c.evaluated_at))).scalar_one()
    number = f"{len(rules)} rule{'s' * (len(rules) != 1)}"
    if last is None and not _anybody_sent(connection, rules):
        return ok("alerts", f"{number}; nothing to evaluate was sent yet")
    if last is not None and now - last <= STALE_LOOKS * timedelta(seconds=interval_s):
        return ok("alerts", f"{number}, evaluated {span(now - last)} ago")
    since = "were never evaluated" if last is None else f"were last evaluated {span(now - last)} ago"
    fix = "Start a worker with this policy file in ASSAY_POLICY_FILE; until then nobody is told of anything."
    return warn("alerts", f"{number} {since}", fix)


def _anybody_sent(connection: Connection, rules: Sequence[AlertRule]) -> bool:
    """Whether any tenant of a rule is there: workers look at no others."""
    tenant: str | None = ""
    while (tenant := next_tenant(connection, tenant or "")) is not None:
        if any(rule.is_of(tenant) for rule in rules):
            return True
    return False


def _deliveries(connection: Connection, now: datetime) -> Iterator[Finding]:
    """What sinks did not take: a finding each for what still waits, and for what was given up."""
    told = alert_deliveries.c
    waiting = and_(told.state == Delivery.WAITING, told.error.is_not(None))
    given_up = and_(told.state == Delivery.FAILED, told.ended_at >= now - RECENT)
    troubled = (
        select(told.sink, told.state, func.count().label("number"), func.max(told.event_seq).label("newest"))
        .where(or_(waiting, given_up))
        .group_by(told.sink, told.state)
        .order_by(told.sink, told.state)
    )
    for row in connection.execute(troubled).all():
        newest = select(told.error).where(told.sink == row.sink, told.event_seq == row.newest)
        error = one_line(connection.execute(newest).scalar_one() or "no reason given", MAX_ERROR_CHARS)
        notices = f"{row.number:,} notice{'s' * (row.number != 1)}"
        was = "was" if row.number == 1 else "were"
        what = "could not be told yet" if row.state == Delivery.WAITING else f"{was} given up in the last day"
        text = f"{row.sink}: {notices} {what}; the newest: {error}"
        fix = (
            f"Correct the sink, then `assay alerts test {row.sink}`; `assay alerts history` lists what it was not told."
        )
        yield warn("alert sinks", text, fix)
