"""Labels in the store: written once for each annotator and identifier; drawn, handed out, read for estimates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, case, exists, func, or_, select, tuple_, update

from service.core.clock import EPOCH
from service.core.label_draw import Candidate, Pool, draw, size_of
from service.core.label_tables import WHOLE, Annotator, Verdict, label_pools, label_tasks, labels
from service.core.store.dialect import insert
from service.core.tables import Kept, State, claims, samples, scores

READ_EACH = 20  # candidates of a day for every task that is wanted
HELD = timedelta(minutes=15)  # a task that was handed out is nobody else's for so long


@dataclass(frozen=True, kw_only=True, slots=True)
class NewLabel:
    """A label to write."""

    sample_id: str
    claim: int | None  # position among the newest score's claims; None: the whole response
    annotator: str
    kind: Annotator
    identifier: str
    verdict: Verdict
    comment: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class UnknownTarget:
    """Which label names nothing, and whether the sample or the claim is unknown."""

    position: int
    claim: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Upserted:
    """What became of labels."""

    created: int
    replaced: int


def upsert_labels(
    connection: Connection, tenant: str, wanted: Sequence[NewLabel], now: datetime
) -> Upserted | UnknownTarget:
    """Writes all labels, or none if one of them names nothing; a label that is there already is replaced."""
    held = _samples_of(connection, tenant, {label.sample_id for label in wanted})
    found = {row.id: row.seq for row in held}
    days = {row.seq: (row.received_at - EPOCH).days for row in held}
    spans = _claims_of(connection, [found[x.sample_id] for x in wanted if x.claim is not None and x.sample_id in found])
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for position, label in enumerate(wanted):
        seq = found.get(label.sample_id)
        span = (WHOLE, WHOLE) if label.claim is None else spans.get((seq, label.claim))
        if seq is None or span is None:
            return UnknownTarget(position=position, claim=seq is not None)
        row = {
            "tenant": tenant,
            "sample_seq": seq,
            "day": days[seq],
            "claim_start": span[0],
            "claim_end": span[1],
            "annotator": label.annotator,
            "kind": label.kind.value,
            "identifier": label.identifier,
            "verdict": label.verdict.value,
            "comment": label.comment,
            "created_at": now,
            "updated_at": now,
        }
        rows[tuple(row[name] for name in _TARGET)] = row  # of two that say the same target, the later counts
    before = _there_already(connection, list(rows))
    statement = insert(connection, labels)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(_TARGET),
            set_={name: statement.excluded[name] for name in ("verdict", "comment", "updated_at")},
        ),
        [rows[key] for key in sorted(rows)],
    )
    for annotator in {label.annotator for label in wanted}:  # what they held is done, and free for a second person
        seqs = {row["sample_seq"] for row in rows.values() if row["annotator"] == annotator}
        theirs = and_(label_tasks.c.sample_seq.in_(seqs), label_tasks.c.held_by == annotator)
        connection.execute(update(label_tasks).where(theirs).values(held_by=None, held_until=None))
    return Upserted(created=len(rows) - before, replaced=before)


_TARGET = ("sample_seq", "claim_start", "claim_end", "annotator", "kind", "identifier")


def _samples_of(connection: Connection, tenant: str, wanted: set[str]) -> Sequence[Any]:
    statement = select(samples.c.id, samples.c.seq, samples.c.received_at).where(
        samples.c.tenant == tenant, samples.c.id.in_(wanted), samples.c.kept != Kept.ANONYMOUS
    )
    return connection.execute(statement).all()


def _claims_of(connection: Connection, seqs: list[int]) -> dict[tuple[int | None, int], tuple[int, int]]:
    newest = select(func.max(scores.c.seq)).where(scores.c.sample_seq.in_(seqs)).group_by(scores.c.sample_seq)
    statement = (
        select(scores.c.sample_seq, claims.c.position, claims.c.start, claims.c.end)
        .join(claims, claims.c.score_seq == scores.c.seq)
        .where(scores.c.seq.in_(newest))
    )
    return {(row.sample_seq, row.position): (row.start, row.end) for row in connection.execute(statement)}


def _there_already(connection: Connection, keys: list[tuple[Any, ...]]) -> int:
    columns = tuple_(*(labels.c[name] for name in _TARGET))
    statement = select(func.count()).select_from(labels).where(columns.in_(keys))
    return int(connection.execute(statement).scalar_one())


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Who asks for something to label, received when."""

    tenant: str
    annotator: str
    first_day: int  # since 1970, UTC
    last_day: int


def hand_out(connection: Connection, asked: Asked, now: datetime) -> int | None:
    """Holds the next task for this annotator and returns its sample's number; None if there is none.

    Two people label a task that is marked so; nobody labels one twice. A task that was held and not labelled comes back.
    """
    of_humans = and_(labels.c.sample_seq == label_tasks.c.sample_seq, labels.c.kind == Annotator.HUMAN)
    done = select(func.count(labels.c.annotator.distinct())).where(of_humans).scalar_subquery()
    mine = exists().where(of_humans, labels.c.annotator == asked.annotator)
    free = or_(
        label_tasks.c.held_until.is_(None), label_tasks.c.held_until < now, label_tasks.c.held_by == asked.annotator
    )
    following = (
        select(label_tasks.c.sample_seq)
        .join(samples, samples.c.seq == label_tasks.c.sample_seq)
        .where(
            label_tasks.c.tenant == asked.tenant,
            label_tasks.c.day.between(asked.first_day, asked.last_day),
            samples.c.kept == Kept.TEXT,
            free,
            ~mine,
            done < case((label_tasks.c.twice, 2), else_=1),
        )
        .order_by(label_tasks.c.ratio)
        .limit(1)
        .with_for_update(of=label_tasks, skip_locked=True)
    )
    seq = connection.execute(following).scalar_one_or_none()
    if seq is not None:
        connection.execute(
            update(label_tasks)
            .where(label_tasks.c.sample_seq == seq)
            .values(held_by=asked.annotator, held_until=now + HELD)
        )
    return seq


def draw_tasks(connection: Connection, asked: Asked, wanted: int, now: datetime, twice: float) -> int:
    """Draws more samples of these days for labelling; returns how many came along.

    `twice` is the share that two people label, which the position decides: no chance of the moment.
    """
    cutoffs = _cutoffs(connection, asked)
    read_each = wanted * READ_EACH
    while True:
        pools = [
            _pool(connection, asked.tenant, day, cutoffs.get(day, 0.0), read_each)
            for day in range(asked.first_day, asked.last_day + 1)
        ]
        drawn = draw(pools, wanted)
        if drawn.tasks or all(pool.read_to >= 1 for pool in pools):
            break
        read_each *= 4
    if not drawn.tasks:
        return 0
    tasks = [
        {
            "sample_seq": candidate.seq,
            "tenant": asked.tenant,
            "day": day,
            "size": candidate.size,
            "ratio": candidate.ratio,
            "twice": candidate.position * 1e6 % 1 < twice,
            "drawn_at": now,
        }
        for day, candidate in drawn.tasks
    ]
    connection.execute(insert(connection, label_tasks).on_conflict_do_nothing(), tasks)
    raised = insert(connection, label_pools)
    higher = case((raised.excluded.cutoff > label_pools.c.cutoff, raised.excluded.cutoff), else_=label_pools.c.cutoff)
    connection.execute(
        raised.on_conflict_do_update(index_elements=["tenant", "day"], set_={"cutoff": higher}),
        [{"tenant": asked.tenant, "day": pool.day, "cutoff": drawn.cutoff} for pool in pools if pool.read],
    )
    return len(tasks)


def _cutoffs(connection: Connection, asked: Asked) -> dict[int, float]:
    statement = select(label_pools.c.day, label_pools.c.cutoff).where(
        label_pools.c.tenant == asked.tenant, label_pools.c.day.between(asked.first_day, asked.last_day)
    )
    return {row.day: row.cutoff for row in connection.execute(statement)}


def _pool(connection: Connection, tenant: str, day: int, cutoff: float, limit: int) -> Pool:
    """The first samples of a day by position, those that are tasks already left out."""
    newest = select(scores.c.score).where(scores.c.sample_seq == samples.c.seq).order_by(scores.c.seq.desc()).limit(1)
    statement = (
        select(
            samples.c.seq,
            samples.c.label_key,
            samples.c.inclusion_probability,
            samples.c.kept,
            newest.scalar_subquery().label("score"),
            exists().where(label_tasks.c.sample_seq == samples.c.seq).label("drawn"),
        )
        .where(
            samples.c.tenant == tenant,
            samples.c.label_key >= day,
            samples.c.label_key < day + 1,
            samples.c.in_rate,
            samples.c.state == State.SCORED,
        )
        .order_by(samples.c.label_key)
        .limit(limit)
    )
    rows = connection.execute(statement).all()
    candidates = [_candidate(row, day) for row in rows if row.kept == Kept.TEXT and not row.drawn]
    read_to = rows[-1].label_key - day if len(rows) == limit else 1.0
    return Pool(day=day, cutoff=cutoff, candidates=candidates, read_to=read_to, read=len(rows))


def _candidate(row: Row[Any], day: int) -> Candidate:
    return Candidate(seq=row.seq, position=row.label_key - day, size=size_of(row.score, row.inclusion_probability))
