"""What a tenant's traffic looks like at this time: new releases, disliked answers, what was spent of a budget."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, func, select

from service.core.label_tables import Rating, feedback
from service.core.store.dialect import insert
from service.core.store.rates import Stretch, read_counted
from service.core.store.rollups import MINUTE_S, floor
from service.core.tables import Outcome, State, releases, samples

MAX_RELEASES = 1_000  # of a tenant, the newest; one that is older counts as new if it comes again
MAX_DISLIKED = 10_000  # the newest thumbs down that are read
CHOSEN = frozenset({State.PENDING, State.SCORED, State.NOT_APPLICABLE, State.UNSCORED})
LOOKED_AT = timedelta(minutes=10)  # the traffic that says how many samples are wanted


def note_releases(connection: Connection, seen: Iterable[tuple[str, str]], now: datetime) -> None:
    """Notes that these releases (tenant, release) have been seen; of those that were before nothing changes."""
    rows = [{"tenant": tenant, "release": release, "first_seen": now} for tenant, release in sorted(seen)]
    if rows:
        connection.execute(insert(connection, releases).on_conflict_do_nothing(), rows)


def read_releases(connection: Connection) -> dict[tuple[str, str], datetime]:
    """When each release was first seen, by tenant and release; old ones too, or they would count as never seen."""
    place = func.row_number().over(partition_by=releases.c.tenant, order_by=releases.c.first_seen.desc())
    numbered = select(releases, place.label("place")).subquery()
    statement = select(numbered).where(numbered.c.place <= MAX_RELEASES)
    return {(row.tenant, row.release): row.first_seen for row in connection.execute(statement)}


def read_disliked(connection: Connection, since: datetime) -> frozenset[tuple[str, str]]:
    """Ids, traces and sessions, each with its tenant, that end users signalled as bad since then."""
    down = (
        select(feedback.c.tenant, feedback.c.sample_id, feedback.c.trace_id)
        .where(feedback.c.rating == Rating.DOWN, feedback.c.received_at >= since)
        .order_by(feedback.c.received_at.desc())
        .limit(MAX_DISLIKED)
        .subquery()
    )
    found = set()
    for row in connection.execute(select(down)):
        found |= {(row.tenant, name) for name in (row.sample_id, row.trace_id) if name}
    # By id and by trace, each along its own index: joined by either, every sample would be looked at.
    for is_target in (
        samples.c.id == down.c.sample_id,
        and_(down.c.trace_id != "", samples.c.trace_id == down.c.trace_id, samples.c.trace_id.is_not(None)),
    ):
        sessions = (
            select(samples.c.tenant, samples.c.session_id)
            .select_from(down)
            .join(samples, and_(samples.c.tenant == down.c.tenant, is_target))
            .where(samples.c.session_id.is_not(None))
            .limit(MAX_DISLIKED)
        )
        found |= {(row.tenant, row.session_id) for row in connection.execute(sessions)}
    return frozenset(found)


def count_chosen(connection: Connection, tenant: str, since: datetime, now: datetime) -> int:
    """Samples of rates that were received since then; what was only scored because a caller waited is not among them."""
    counted = read_counted(connection, _stretch(tenant, since, now))
    return sum(row.submissions for row in counted.states if row.outcome in CHOSEN)


def read_arrivals(connection: Connection, tenant: str, now: datetime) -> dict[str, float]:
    """Submissions a second of each stratum in the last minutes, sampled or not."""
    start = now - LOOKED_AT
    counted = read_counted(connection, _stretch(tenant, start, now, "stratum"))
    found: dict[str, float] = {}
    for row in counted.states:
        if row.outcome != Outcome.DUPLICATE:
            found[row.group[0]] = found.get(row.group[0], 0.0) + row.submissions / LOOKED_AT.total_seconds()
    return found


def _stretch(tenant: str, start: datetime, now: datetime, *group_by: str) -> Stretch:
    begin, end = floor(start, MINUTE_S), floor(now, MINUTE_S) + timedelta(minutes=1)
    width_s = int((end - begin).total_seconds())
    return Stretch(tenant=tenant, start=begin, end=end, width_s=width_s, group_by=group_by)
