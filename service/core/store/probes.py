"""Probe rounds as they are stored: written by each worker, read by collectors, alert rules and the doctor."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from service.core.golden.probes import LIVE_INTERVALS, ProbeRound
from service.core.probe_tables import probe_rounds

LONGEST_INTERVAL = timedelta(hours=1)
ROUNDS_KEPT = timedelta(days=30)
MAX_ROUNDS = 2_000  # that one reading looks at: the newest


def add_round(connection: Connection, made: ProbeRound) -> None:
    """Stores a round."""
    connection.execute(
        insert(probe_rounds).values(
            worker=made.worker,
            fingerprint=made.fingerprint,
            runtime=made.runtime,
            at=made.at,
            interval_s=made.interval_s,
            set_digest=made.set_digest,
            items_right=made.right,
            items_wrong=made.wrong,
            items_unknown=made.unknown,
            scores=dict(made.scores),
        )
    )


def live_rounds(connection: Connection, now: datetime, since: datetime | None = None) -> list[ProbeRound]:
    """The latest round of each worker that should be there still, in order of their ends.

    `since`: rounds from before it do not count; the default is as long ago as any round can be live.
    """
    after = since or now - LIVE_INTERVALS * LONGEST_INTERVAL
    latest = select(func.max(probe_rounds.c.seq)).where(probe_rounds.c.at >= after).group_by(probe_rounds.c.worker)
    statement = select(probe_rounds).where(probe_rounds.c.seq.in_(latest)).order_by(probe_rounds.c.seq)
    return [made for row in connection.execute(statement) if (made := _round(row)).is_live(now)]


def read_rounds(connection: Connection, since: datetime) -> list[ProbeRound]:
    """All rounds from then on, the newest first; of very many the newest alone."""
    statement = select(probe_rounds).where(probe_rounds.c.at >= since)
    return [_round(row) for row in connection.execute(statement.order_by(probe_rounds.c.seq.desc()).limit(MAX_ROUNDS))]


def newest_round(connection: Connection) -> ProbeRound | None:
    """The last one that any worker wrote."""
    statement = select(probe_rounds).order_by(probe_rounds.c.at.desc(), probe_rounds.c.seq.desc()).limit(1)
    row = connection.execute(statement).one_or_none()
    return None if row is None else _round(row)


def forget_rounds(connection: Connection, before: datetime) -> int:
    """Forgets rounds that ended before that time; returns how many."""
    return int(connection.execute(delete(probe_rounds).where(probe_rounds.c.at < before)).rowcount)


def _round(row: Any) -> ProbeRound:
    return ProbeRound(
        worker=row.worker,
        fingerprint=row.fingerprint,
        runtime=row.runtime,
        at=row.at,
        interval_s=row.interval_s,
        set_digest=row.set_digest,
        right=row.items_right,
        wrong=row.items_wrong,
        unknown=row.items_unknown,
        scores=row.scores,
    )
