"""Samples of before as a policy would have met them: what it could have known, and what they turned out to be."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from service.core.label_tables import Rating, feedback
from service.core.tables import releases, samples, scores

READ_AT_ONCE = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class PastSample:
    """A sample in a rate, as it is stored."""

    row: Any  # id, time, probability, labels, texts as far as they are stored
    flagged: bool | None  # by its newest score; None: not scored


def read_past(connection: Connection, tenant: str, start: datetime, end: datetime, limit: int) -> Iterator[PastSample]:
    """The samples in rates that were received in this time, newest first, at most so many."""
    newest = select(scores.c.flagged).where(scores.c.sample_seq == samples.c.seq).order_by(scores.c.seq.desc()).limit(1)
    names = ("id", "received_at", "inclusion_probability", "model", "release", "route", "session_id", "trace_id")
    statement = (
        select(
            *(samples.c[name] for name in (*names, "response", "contexts", "details")),
            newest.scalar_subquery().label("newest_flagged"),
        )
        .where(
            samples.c.tenant == tenant, samples.c.received_at >= start, samples.c.received_at < end, samples.c.in_rate
        )
        .order_by(samples.c.received_at.desc())
        .limit(limit)
    )
    rows = connection.execution_options(yield_per=READ_AT_ONCE).execute(statement)
    for row in rows:
        flagged = None if row.newest_flagged is None else bool(row.newest_flagged)
        yield PastSample(row=row, flagged=flagged)


def first_received(connection: Connection, tenant: str) -> datetime | None:
    """When the tenant's oldest stored sample came; None if there is none. Before it nobody was watched."""
    oldest = select(samples.c.received_at).where(samples.c.tenant == tenant).order_by(samples.c.received_at).limit(1)
    found: datetime | None = connection.execute(oldest).scalar_one_or_none()
    return found


def read_first_seen(connection: Connection, tenant: str) -> dict[tuple[str, str], datetime]:
    """When each release of the tenant was first seen."""
    statement = select(releases).where(releases.c.tenant == tenant)
    return {(row.tenant, row.release): row.first_seen for row in connection.execute(statement)}


def read_dislikes(connection: Connection, tenant: str, start: datetime) -> dict[str, list[datetime]]:
    """When end users signalled something as bad since then, by id or trace."""
    statement = select(feedback.c.sample_id, feedback.c.trace_id, feedback.c.received_at).where(
        feedback.c.tenant == tenant, feedback.c.received_at >= start, feedback.c.rating == Rating.DOWN
    )
    found: dict[str, list[datetime]] = defaultdict(list)
    for row in connection.execute(statement):
        for name in (row.sample_id, row.trace_id):
            if name:
                found[name].append(row.received_at)
    return found
