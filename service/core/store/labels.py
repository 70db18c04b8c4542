"""Labels in the store: written once for each annotator and identifier; drawn, handed out, read for estimates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, case, exists, func, or_, select, tuple_, update

from service.core.clock import EPOCH
from service.core.label_tables import WHOLE, Annotator, Verdict, label_tasks, labels
from service.core.store.dialect import insert
from service.core.tables import Kept, claims, samples, scores

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
