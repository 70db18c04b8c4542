"""Samples that two scorers scored."""

from collections import defaultdict
from datetime import datetime

from sqlalchemy import Connection, and_, func, select

from service.core.offset import Both
from service.core.tables import samples, scores


def read_fingerprints(connection: Connection, tenant: str, start: datetime, end: datetime) -> list[str]:
    """The fingerprints that scored samples received in this time, the one that came into use last at the end."""
    first_used = func.min(scores.c.created_at)
    statement = (
        select(scores.c.fingerprint)
        .join(samples, samples.c.seq == scores.c.sample_seq)
        .where(
            samples.c.tenant == tenant, samples.c.received_at >= start, samples.c.received_at < end, samples.c.in_rate
        )
        .group_by(scores.c.fingerprint)
        .order_by(first_used, scores.c.fingerprint)
    )
    return list(connection.execute(statement).scalars())


def read_both(
    connection: Connection, tenant: str, start: datetime, end: datetime, first: str, second: str
) -> list[Both]:
    """Counts of the samples that both scored, by inclusion probability and who flags them; one statement."""
    one, two = scores.alias("one"), scores.alias("two")
    keys = (samples.c.inclusion_probability, one.c.flagged.label("first"), two.c.flagged.label("second"))
    statement = (
        select(*keys, func.count().label("number"))
        .join(one, and_(one.c.sample_seq == samples.c.seq, one.c.fingerprint == first))
        .join(two, and_(two.c.sample_seq == samples.c.seq, two.c.fingerprint == second))
        .where(
            samples.c.tenant == tenant, samples.c.received_at >= start, samples.c.received_at < end, samples.c.in_rate
        )
        .group_by(*keys)
    )
    found: dict[float, dict[tuple[bool, bool], int]] = defaultdict(dict)
    for row in connection.execute(statement):
        found[row.inclusion_probability][bool(row.first), bool(row.second)] = int(row.number)
    return [
        Both(
            inclusion_probability=probability,
            neither=counts.get((False, False), 0),
            first=counts.get((True, False), 0),
            second=counts.get((False, True), 0),
            both=counts.get((True, True), 0),
        )
        for probability, counts in found.items()
    ]
