"""What a notice shows besides its rate: the worst groups of the window, and a few flagged claims by their place."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from service.core.alert_reading import read_rule
from service.core.alerting.machine import Reading
from service.core.alerting.notice import Example, Worst, path_of
from service.core.alerting.reading import WHOLE, Group
from service.core.alerting.rule import POINT_ONLY, AlertRule, Metric
from service.core.store.rates import DIMENSIONS
from service.core.tables import Kept, State, claims, samples, scores

MAX_WORST = 3
MAX_EXAMPLES = 3
LEAST_N = 10.0  # effective samples of a group that is named
OF_CLAIMS = frozenset({Metric.FLAGGED_RATE, Metric.CLAIM_RATE, Metric.HALLUCINATION_RATE})


def read_worst(connection: Connection, rule: AlertRule, group: Group, tenant: str, now: datetime) -> tuple[Worst, ...]:
    """The groups within this one that are surest to be bad, over every dimension that the rule does not split by.

    Only those that are worse than it is as a whole.
    """
    if rule.metric in POINT_ONLY:
        return ()
    here = _within(rule, group)
    whole = read_rule(connection, here, tenant, now).get(WHOLE, Reading())
    found: list[Worst] = []
    for dimension in DIMENSIONS:
        if dimension in here.match:
            continue
        split = here.model_copy(update={"group_by": (dimension,)})
        read = read_rule(connection, split, tenant, now)
        told = {key: each for key, each in read.items() if key and _is_worse(rule, each, whole)}
        if len(read) > 1:
            found += [Worst(dimension=dimension, value=key[0], reading=each) for key, each in told.items()]
    return tuple(sorted(found, key=lambda worst: _badness(rule, worst.reading), reverse=True)[:MAX_WORST])


def _within(rule: AlertRule, group: Group) -> AlertRule:
    """The same rule, of one of its groups alone."""
    match = {**rule.match, **dict(zip(rule.group_by, group, strict=False))}
    return rule.model_copy(update={"match": match, "group_by": (), "short_window": None})


def _is_worse(rule: AlertRule, reading: Reading, whole: Reading) -> bool:
    if reading.value is None or whole.value is None or (reading.effective_n or 0.0) < LEAST_N:
        return False
    return reading.value > whole.value if rule.above is not None else reading.value < whole.value


def _badness(rule: AlertRule, reading: Reading) -> float:
    if rule.above is not None:
        return reading.low if reading.low is not None else -1.0
    return -(reading.high if reading.high is not None else 2.0)


def read_examples(
    connection: Connection, rule: AlertRule, group: Group, tenant: str, now: datetime
) -> tuple[Example, ...]:
    """The newest flagged samples of the window, each with its worst claim; none where the rule is of something else."""
    if rule.metric not in OF_CLAIMS or rule.above is None:
        return ()
    flagged = (
        select(samples.c.id, samples.c.seq.label("sample_seq"), scores.c.seq)
        .join(scores, scores.c.sample_seq == samples.c.seq)
        .where(*_in_window(_within(rule, group), tenant, now), scores.c.flagged)
        .order_by(samples.c.received_at.desc(), samples.c.seq.desc())
        .limit(MAX_EXAMPLES)
    )
    found = (_example(connection, row) for row in connection.execute(flagged).all())
    return tuple(each for each in found if each is not None)


def _in_window(rule: AlertRule, tenant: str, now: datetime) -> list[Any]:
    wanted = [samples.c[name].in_(values) for name, values in rule.matching]
    since = now - max(rule.window, timedelta(minutes=1))
    return [
        samples.c.tenant == tenant,
        samples.c.received_at >= since,
        samples.c.in_rate,
        samples.c.state == State.SCORED,
        samples.c.kept != Kept.ANONYMOUS,
        *wanted,
    ]


def _example(connection: Connection, row: Any) -> Example | None:
    worst = (
        select(claims.c.position, claims.c.verdict)
        .where(claims.c.score_seq == row.seq, claims.c.score.is_not(None))
        .order_by(claims.c.score.desc(), claims.c.position)
        .limit(1)
    )
    claim = connection.execute(worst).one_or_none()
    if claim is None:
        return None
    return Example(
        sample_id=row.id,
        claim=claim.position,
        verdict=claim.verdict,
        path=path_of(row.id),
        sample_seq=row.sample_seq,
    )
