"""Drawing: which samples are to be labelled next, by closed parts of days whose draws have known probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, case, exists, func, literal_column, select, type_coerce

from service.core.clock import EPOCH, from_microseconds
from service.core.db import Database
from service.core.label_draw import CENSUS, Candidate, Drawn, Pool, draw, size_of
from service.core.label_tables import label_pools, label_tasks
from service.core.store.dialect import insert
from service.core.store.labels import Asked
from service.core.tables import Kept, State, samples, scores

READ_EACH = 20  # candidates of a part for every task that is wanted
SETTLED = timedelta(seconds=30)  # after receipt: until then a sample may not be committed yet
READ_AT_ONCE = 500
LEAST_PART = timedelta(minutes=10)  # unless nothing else is left to draw: every part is read at every draw
SHORT = timedelta(hours=6)  # a part that is shorter is read by time, a longer one by position


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A closed part of a day: all that was received in it has ended."""

    day: int
    part: int
    begin: datetime
    until: datetime
    cutoff: float


def draw_tasks(database: Database, asked: Asked, wanted: int, now: datetime, twice: float) -> int:
    """Draws more samples of these days for labelling; returns how many came along. Reads first, then writes shortly.

    Two that draw at once choose the same: positions are fixed, and a higher cutoff holds what a lower one does. `twice`
    is the share that two people label, which the position decides: no chance of the moment.
    """
    with database.read() as connection:
        for least in (LEAST_PART, timedelta(0)):
            parts = _parts(connection, asked, now, least)
            drawn = _draw(connection, asked.tenant, parts, wanted)
            if drawn.tasks:
                break
    if not drawn.tasks:
        return 0
    tasks = [
        {
            "sample_seq": candidate.seq,
            "tenant": asked.tenant,
            "day": pool.day,
            "part": pool.part,
            "size": candidate.size,
            "ratio": candidate.ratio,
            "twice": candidate.position * 1e6 % 1 < twice,
            "drawn_at": now,
        }
        for pool, candidate in sorted(drawn.tasks, key=lambda each: each[1].seq)  # locks in one order
    ]
    try:
        with database.write() as connection:
            tasks = still_there(connection, tasks)
            _raise_cutoffs(connection, asked.tenant, parts, drawn.cutoff)
            if tasks:
                connection.execute(insert(connection, label_tasks).on_conflict_do_nothing(), tasks)
    except _OvertakenError:
        return 0  # another draw has just closed a part: what it drew is there to be handed out
    return len(tasks)


def _draw(connection: Connection, tenant: str, parts: Sequence[Part], wanted: int) -> Drawn:
    read_each = wanted * READ_EACH
    while True:
        pools = [_pool(connection, tenant, part, read_each) for part in parts]
        drawn = draw(pools, wanted)
        if drawn.tasks or all(pool.read_to >= 1 for pool in pools):
            return drawn
        read_each *= 4


def still_there(connection: Connection, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those whose text was not removed since they were read: of an erased sample nothing made of its id is written."""
    seqs = [task["sample_seq"] for task in tasks]
    kept: set[int] = set()
    for at in range(0, len(seqs), READ_AT_ONCE):
        statement = (
            select(samples.c.seq)
            .where(samples.c.seq.in_(seqs[at : at + READ_AT_ONCE]), samples.c.kept == Kept.TEXT)
            .order_by(samples.c.seq)
            .with_for_update(read=True, key_share=True)
        )
        kept |= set(connection.execute(statement).scalars())
    return [task for task in tasks if task["sample_seq"] in kept]


class _OvertakenError(Exception):
    """A part of that number was made meanwhile, with another end."""


def _parts(connection: Connection, asked: Asked, now: datetime, least: timedelta) -> list[Part]:
    """The parts that were made before and have something left, and of each day what has ended since as one part more.

    A part of a day that goes on is at least so long, unless it is the first. Of a part of which all were drawn nothing
    is left.
    """
    statement = (
        select(label_pools)
        .where(label_pools.c.tenant == asked.tenant, label_pools.c.day.between(asked.first_day, asked.last_day))
        .order_by(label_pools.c.day, label_pools.c.part)
    )
    parts = [
        Part(day=row.day, part=row.part, begin=row.begin, until=row.until, cutoff=row.cutoff)
        for row in connection.execute(statement)
    ]
    ended = _ended(connection, asked.tenant, now)
    for day in range(asked.first_day, asked.last_day + 1):
        of_day = [part for part in parts if part.day == day]
        begin = of_day[-1].until if of_day else EPOCH + timedelta(days=day)
        until = min(ended, EPOCH + timedelta(days=day + 1))
        ended_day = until == EPOCH + timedelta(days=day + 1)
        if until > begin and (not of_day or ended_day or until - begin >= least):
            parts.append(Part(day=day, part=len(of_day), begin=begin, until=until, cutoff=0.0))
    return [part for part in parts if part.cutoff < CENSUS]


def _ended(connection: Connection, tenant: str, now: datetime) -> datetime:
    """Until when nothing waits to be scored any more."""
    oldest = select(func.min(type_coerce(samples.c.received_at, BigInteger))).where(
        samples.c.tenant == tenant,
        samples.c.state == literal_column("'pending'"),  # the partial index's predicate
    )
    waiting = connection.execute(oldest).scalar_one()
    settled = now - SETTLED
    return settled if waiting is None else min(settled, from_microseconds(int(waiting)))


def _pool(connection: Connection, tenant: str, part: Part, limit: int) -> Pool:
    """The first samples of a part by position, those that are tasks or have no text left out."""
    # The first score: a size that changed when a sample is scored again would give it two chances and one weight.
    first = select(scores.c.score).where(scores.c.sample_seq == samples.c.seq).order_by(scores.c.seq).limit(1)
    position: Any = samples.c.label_key
    statement = select(
        samples.c.seq, samples.c.label_key, samples.c.inclusion_probability, first.scalar_subquery().label("score")
    ).where(
        samples.c.tenant == tenant,
        samples.c.received_at >= part.begin,
        samples.c.received_at < part.until,
        samples.c.in_rate,
        samples.c.state == State.SCORED,
        samples.c.kept == Kept.TEXT,
        ~exists().where(label_tasks.c.sample_seq == samples.c.seq),
    )
    if part.until - part.begin < SHORT:
        statement = statement.where(samples.c.label_key.is_not(None))
        position = samples.c.label_key + 0  # no index has this: the few rows are found by time, and sorted
    else:
        statement = statement.where(samples.c.label_key >= part.day, samples.c.label_key < part.day + 1)
    rows = connection.execute(statement.order_by(position).limit(limit)).all()
    return Pool(
        day=part.day,
        part=part.part,
        cutoff=part.cutoff,
        candidates=[_candidate(row, part.day) for row in rows],
        read_to=rows[-1].label_key - part.day if len(rows) == limit else 1.0,
    )


def _candidate(row: Any, day: int) -> Candidate:
    return Candidate(seq=row.seq, position=row.label_key - day, size=size_of(row.score, row.inclusion_probability))


def _raise_cutoffs(connection: Connection, tenant: str, parts: Sequence[Part], cutoff: float) -> None:
    raised = insert(connection, label_pools)
    higher = case((raised.excluded.cutoff > label_pools.c.cutoff, raised.excluded.cutoff), else_=label_pools.c.cutoff)
    connection.execute(
        raised.on_conflict_do_update(index_elements=["tenant", "day", "part"], set_={"cutoff": higher}),
        [
            {
                "tenant": tenant,
                "day": part.day,
                "part": part.part,
                "begin": part.begin,
                "until": part.until,
                "cutoff": max(cutoff, part.cutoff),
            }
            for part in sorted(parts, key=lambda each: (each.day, each.part))  # locks in one order
        ],
    )
    days = {part.day for part in parts}
    there = select(label_pools.c.day, label_pools.c.part, label_pools.c.until).where(
        label_pools.c.tenant == tenant, label_pools.c.day.between(min(days), max(days))
    )
    until = {(row.day, row.part): row.until for row in connection.execute(there)}
    if any(until[part.day, part.part] != part.until for part in parts):
        raise _OvertakenError
