"""What a rule's window says now, read from the database."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from service.core.alerting.machine import Reading
from service.core.alerting.reading import WHOLE, Group, readings
from service.core.alerting.rule import OF_PROBES, AlertRule, Metric
from service.core.estimate import estimate
from service.core.golden.probes import repeat_variances, worst_accuracy
from service.core.rate_answer import read_known
from service.core.rate_query import widened
from service.core.rates import Bucket, Question, make_buckets
from service.core.store.latencies import read_latencies
from service.core.store.probes import live_rounds, read_rounds
from service.core.store.rates import Stretch, Unit, read_counted
from service.core.tables import State, samples

# Sessions and traces of more scored samples are not read. It is more than a query of rates reads: nobody waits for it, and
# a rule that takes them for independent fires by chance every day (docs/statistics/alarms.md).
MAX_SAMPLES = 200_000


def read_rule(connection: Connection, rule: AlertRule, tenant: str, now: datetime) -> Mapping[Group, Reading]:
    """The readings of each group at this moment, with those of the short window if the rule has one."""
    if rule.metric is Metric.QUEUE_AGE:
        return {WHOLE: Reading(value=_queue_age_s(connection, tenant, now))}
    if rule.metric in OF_PROBES:
        return {WHOLE: Reading(value=_probes(connection, rule, now))}
    found = _read_window(connection, rule, tenant, rule.window, now)
    if rule.short_window is None:
        return found
    recent = _read_window(connection, rule, tenant, rule.short_window, now)
    return {group: replace(reading, short=recent.get(group)) for group, reading in found.items()}


def _read_window(
    connection: Connection, rule: AlertRule, tenant: str, window: timedelta, now: datetime
) -> Mapping[Group, Reading]:
    start, end = widened(now - window, now, now)
    stretch = Stretch(
        tenant=tenant,
        start=start,
        end=end,
        width_s=int((end - start).total_seconds()),
        group_by=rule.group_by,
        match=rule.matching,
    )
    if rule.metric is Metric.SLOW_SHARE:
        return _latencies(connection, rule, stretch)
    return readings(rule, _buckets(connection, rule, stretch))


def _latencies(connection: Connection, rule: AlertRule, stretch: Stretch) -> Mapping[Group, Reading]:
    """Coverage is the share of samples that say how long they took."""
    found = {}
    for group, each in read_latencies(connection, stretch, rule.slow_ms or 0.0, MAX_SAMPLES).items():
        known = sum(cell.scored for cell in each.cells)
        told = estimate(each.cells, rule.confidence, each.clusters if known else None)
        n = told.effective_n if known else 0.0
        found[group] = Reading(
            value=told.rate, low=told.low, high=told.high, effective_n=n, coverage=known / each.samples
        )
    return found or {WHOLE: Reading()}


def _buckets(connection: Connection, rule: AlertRule, stretch: Stretch) -> list[Bucket]:
    """One bucket for each group and fingerprint, by the rule's unit and confidence."""
    unit = Unit.CLAIM if rule.metric is Metric.CLAIM_RATE else Unit.RESPONSE
    corrected = rule.metric is Metric.HALLUCINATION_RATE
    question = Question(stretch=stretch, unit=unit, confidence=rule.confidence, corrected=corrected)
    counted = read_counted(connection, stretch, unit)
    if rule.metric is Metric.UNSCORED_SHARE:  # samples are judged, not their scores
        return make_buckets(question, counted)
    return make_buckets(question, counted, read_known(connection, question, counted, MAX_SAMPLES))


def _queue_age_s(connection: Connection, tenant: str, now: datetime) -> float:
    """Seconds that the tenant's oldest pending sample has waited; 0 where none waits, which is known."""
    waiting = (samples.c.tenant == tenant) & (samples.c.state == State.PENDING)
    oldest = connection.execute(select(func.min(samples.c.received_at)).where(waiting)).scalar_one()
    return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())


def _probes(connection: Connection, rule: AlertRule, now: datetime) -> float | None:
    """What the rounds of the window say of the worst worker, or of the scorer that differs most from itself.

    Workers that are gone do not count for accuracy. A live one of which nothing is known is as bad as no round at all,
    unless another is known to be worse than the rule allows.
    """
    since = now - rule.window
    if rule.metric is Metric.PROBE_VARIANCE:
        return max(repeat_variances(read_rounds(connection, since)).values(), default=None)
    rounds = live_rounds(connection, now, since)
    worst = worst_accuracy(rounds)
    all_known = all(made.accuracy is not None for made in rounds)
    return worst if all_known or (worst is not None and worst < rule.threshold) else None
