"""Removal: texts go, or all that names anyone; what rates are made of stays, so that no rate ever changes.

Intervals may: without session and trace nothing tells any more which responses belong together.
A pending sample whose text goes cannot be scored any more: it becomes `unscored`, with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    case,
    cast,
    delete,
    func,
    literal,
    null,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from service.core.clock import database_now
from service.core.label_draw import CENSUS
from service.core.label_tables import feedback, label_tasks, labels
from service.core.store.forgetting import forget_reviews
from service.core.store.labelled import read_counting
from service.core.store.rollups import ENDED, Sums, add_deltas, ended
from service.core.tables import Kept, State, StoreText, claims, rescores, samples, scores

# The ratios of erased tasks: labels that count go on to, and those that were waiting for their turn never will.
FIRST, NEVER = 0.0, CENSUS
MINUTE_US = 60_000_000
KEYED = "k"  # what the digest of a body begins with if it was made with a key


class Depth(StrEnum):
    """How much goes."""

    TEXTS = "texts"  # question, contexts, response, alternative responses, and their digests
    ROWS = "rows"  # these, the id and all metadata but what rates are grouped by; the exact times; the claims


class By(StrEnum):
    """Why texts went."""

    POLICY = "policy"  # `store_text` was `none` or `hash` when the sample was accepted
    RETENTION = "retention"  # older than the policy's `text_days` or `row_days`
    REQUEST = "request"  # DELETE /samples, `assay purge`


END_REASON = {By.RETENTION: "expired", By.REQUEST: "erased"}  # of a sample that was still pending
_GONE: Mapping[Depth, tuple[Kept, ...]] = {Depth.TEXTS: (Kept.ROW, Kept.ANONYMOUS), Depth.ROWS: (Kept.ANONYMOUS,)}
_UNLEASED = or_(
    samples.c.state != State.PENDING,
    samples.c.lease_until.is_(None),
    database_now() > type_coerce(samples.c.lease_until, BigInteger),
)


class _contexts_without_text(GenericFunction[Any]):  # noqa: N801 - reads as the SQL function that it is
    """The JSON list of contexts with each text null; ids and scores stay as they were written."""

    type = JSON()
    inherit_cache = True


@compiles(_contexts_without_text, "postgresql")
def _postgresql_contexts(element: Any, compiler: Any, **kw: Any) -> str:
    column = compiler.process(element.clauses, **kw)
    one = """coalesce(json_agg((c.one::jsonb || '{"text": null}')::json ORDER BY c.place), '[]'::json)"""
    return f"(SELECT {one} FROM json_array_elements({column}) WITH ORDINALITY AS c (one, place))"  # noqa: S608


@compiles(_contexts_without_text, "sqlite")
def _sqlite_contexts(element: Any, compiler: Any, **kw: Any) -> str:
    column = compiler.process(element.clauses, **kw)
    return f"(SELECT json_group_array(json(json_set(value, '$.text', NULL))) FROM json_each({column}))"  # noqa: S608


class _details_without_texts(GenericFunction[Any]):  # noqa: N801 - reads as the SQL function that it is
    """The JSON of details without the alternative responses."""

    type = JSON()
    inherit_cache = True


@compiles(_details_without_texts, "postgresql")
def _postgresql_details(element: Any, compiler: Any, **kw: Any) -> str:
    return f"(({compiler.process(element.clauses, **kw)})::jsonb - 'samples')::json"


@compiles(_details_without_texts, "sqlite")
def _sqlite_details(element: Any, compiler: Any, **kw: Any) -> str:
    return f"json_remove({compiler.process(element.clauses, **kw)}, '$.samples')"


def _texts_gone(now: datetime, by: By) -> dict[str, Any]:
    return {
        "question": null(),
        "contexts": _contexts_without_text(samples.c.contexts),
        "response": null(),
        "details": _details_without_texts(samples.c.details),
        "text_removed_at": func.coalesce(samples.c.text_removed_at, _microseconds(now)),
        "text_removed_by": func.coalesce(samples.c.text_removed_by, by.value),
    }


def _microseconds(now: datetime) -> Any:
    return literal(now, samples.c.text_removed_at.type)


def promised(now: datetime) -> dict[str, Any]:
    """What an UPDATE that finishes rows with `store_text` `none` or `hash` sets, so that their texts go with it."""
    return _texts_gone(now, By.POLICY) | {
        # Without a key it could be guessed. Without it, an id that comes again is answered as known.
        "body_digest": case((samples.c.body_digest.like(f"{KEYED}%"), samples.c.body_digest), else_=""),
        "kept": case((samples.c.store_text == StoreText.HASH, Kept.DIGEST.value), else_=Kept.ROW.value),
    }


def _removed(now: datetime, removal: "Removal") -> dict[str, Any]:
    pending = samples.c.state == State.PENDING
    values = _texts_gone(now, removal.by) | {
        "body_digest": "",
        "text_digests": null(),
        "kept": Kept.ROW.value,
        "state": case((pending, State.UNSCORED.value), else_=samples.c.state),
        "state_reason": case((pending, END_REASON[removal.by]), else_=samples.c.state_reason),
        "finished_at": case((pending, _microseconds(now)), else_=samples.c.finished_at),
        "lease_until": null(),
    }
    if removal.depth is Depth.TEXTS:
        return values
    return values | {
        "id": literal("#") + cast(samples.c.seq, String),  # `#` is in no id that a caller can send
        # Rates are cut at whole minutes, so this moves no sample from one stretch to another.
        "received_at": _whole_minute(samples.c.received_at),
        "finished_at": null(),
        "tokens": 0,  # the texts' length; read of pending rows only
        "contexts": literal([], JSON()),
        "details": literal({}, JSON()),
        "session_id": null(),
        "trace_id": null(),
        "label_key": null(),  # made of the id: whoever knows the salt could find the row by it
        "redacted": null(),
        "text_removed_at": null(),
        "kept": Kept.ANONYMOUS.value,
    }


def _whole_minute(moment: Any) -> Any:
    number = type_coerce(moment, BigInteger)
    return type_coerce(number - number % literal(MINUTE_US, BigInteger()), moment.type)


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """Whose samples lose what."""

    tenant: str
    depth: Depth
    by: By
    sample_id: str | None = None
    session_id: str | None = None
    before: datetime | None = None  # received before
    spare_taken: bool = False  # leave alone what a worker holds at this moment


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """What went."""

    samples: int = 0
    texts: int = 0  # samples that had texts, or digests of them, until now
    ended: int = 0  # samples that were pending, and now are `unscored`
    comments: int = 0  # on samples and answers; with rows, feedback as a whole

    def __bool__(self) -> bool:
        """Whether anything went."""
        return self.samples > 0 or self.comments > 0

    def __add__(self, other: "Removed") -> "Removed":
        """Both together."""
        return Removed(
            samples=self.samples + other.samples,
            texts=self.texts + other.texts,
            ended=self.ended + other.ended,
            comments=self.comments + other.comments,
        )


def remove_batch(connection: Connection, removal: Removal, now: datetime, limit: int) -> Removed:
    """Removes from the oldest samples that are due, at most so many; the caller goes on until none is left.

    One look-up by an index for each kind of what may still be there, so the cost does not grow with the table.
    """
    done = Removed()
    for kept in _still_there(removal.depth):
        due = _due(removal, kept).limit(limit - done.samples)
        if (
            removal.session_id is None and removal.sample_id is None
        ):  # these have indexes of their own, in no such order
            due = due.order_by(samples.c.received_at)
        seqs = [row.seq for row in connection.execute(due)]
        # First, as who scores again has the request's row before the sample's: he then writes nothing.
        connection.execute(delete(rescores).where(rescores.c.sample_seq.in_(seqs)))
        held = _due(removal, kept).where(samples.c.seq.in_(seqs)).order_by(samples.c.seq)
        held = held.with_for_update(skip_locked=removal.spare_taken)
        rows = connection.execute(held).all()
        if rows:
            seqs = [row.seq for row in rows]
            # Before anything goes: with their texts, tasks that nobody has labelled give way to those behind them.
            counting = read_counting(connection, seqs) if removal.depth is Depth.ROWS else set()
            connection.execute(update(samples).where(samples.c.seq.in_(seqs)).values(_removed(now, removal)))
            forget_reviews(connection, seqs, END_REASON[removal.by], now, rows=removal.depth is Depth.ROWS)
            _count_ended(connection, [row.seq for row in rows if row.state == State.PENDING])
            if removal.depth is Depth.ROWS:
                for ratio, which in ((FIRST, counting), (NEVER, set(seqs) - counting)):  # it was made of the id
                    tasks = update(label_tasks).where(label_tasks.c.sample_seq.in_(which))
                    connection.execute(tasks.values(ratio=ratio, held_by=null()))
                # Claims hold offsets and verdicts only; those of labelled samples are what rates of claims stand on.
                labelled = select(labels.c.sample_seq).where(labels.c.sample_seq == scores.c.sample_seq).exists()
                of_samples = select(scores.c.seq).where(scores.c.sample_seq.in_(seqs), ~labelled)
                connection.execute(delete(claims).where(claims.c.score_seq.in_(of_samples)))
                connection.execute(
                    update(scores)
                    .where(scores.c.sample_seq.in_(seqs))
                    .values(created_at=_whole_minute(scores.c.created_at))
                )
            done += Removed(
                samples=len(rows),
                texts=len(rows) if kept in {Kept.TEXT, Kept.DIGEST} else 0,
                ended=sum(row.state == State.PENDING for row in rows),
            )
        if done.samples >= limit:
            break
    return done


def _count_ended(connection: Connection, seqs: list[int]) -> None:
    if seqs:
        rows = connection.execute(select(*ENDED).where(samples.c.seq.in_(seqs)))
        add_deltas(connection, ((ended(row), Sums()) for row in rows))


def count_due(connection: Connection, removal: Removal) -> Removed:
    """What `remove_batch`, repeated, would remove. Counts every row: for a person who asks, not for a loop."""
    done = Removed()
    for kept in _still_there(removal.depth):
        due = _due(removal, kept).subquery()
        pending = func.coalesce(func.sum(case((due.c.state == State.PENDING, 1), else_=0)), 0)
        found, ended = connection.execute(select(func.count(), pending).select_from(due)).one()
        texts = found if kept in {Kept.TEXT, Kept.DIGEST} else 0
        done += Removed(samples=int(found), texts=int(texts), ended=int(ended))
    return done


def _still_there(depth: Depth) -> list[Kept]:
    return [kept for kept in Kept if kept not in _GONE[depth]]


def _due(removal: Removal, kept: Kept) -> Select[Any]:
    due = select(samples.c.seq, samples.c.state).where(meant(removal), samples.c.kept == kept.value)
    return due.where(_UNLEASED) if removal.spare_taken else due


def meant(removal: Removal) -> ColumnElement[bool]:
    """Whose samples, as SQL; whatever is left of them."""
    conditions = [samples.c.tenant == removal.tenant]
    if removal.sample_id is not None:
        conditions.append(samples.c.id == removal.sample_id)
    if removal.session_id is not None:
        conditions.append(samples.c.session_id == removal.session_id)
    if removal.before is not None:
        conditions.append(samples.c.received_at < removal.before)
    return and_(*conditions)


def next_tenant(connection: Connection, after: str) -> str | None:
    """The tenant that follows in order of name; a step along two indexes, however many samples there are."""
    found: list[str] = []
    for table in (samples, feedback):  # end users may have said something of answers none of which was sampled
        statement = select(table.c.tenant).where(table.c.tenant > after).order_by(table.c.tenant).limit(1)
        found += connection.execute(statement).scalars()
    return min(found, default=None)
