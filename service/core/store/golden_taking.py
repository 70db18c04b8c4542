"""Answers of golden runs: taken under a lease, finished once; a run ends with the last of them.

As in `taking`, the attempt number, committed at the take, is the fencing token: a finish counts only while it is still
the row's. Who ends answers holds the rows of their runs first, so that of two that end together one sees the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    tuple_,
    type_coerce,
    update,
)

from models.types import UnscoredReason
from service.core.clock import database_now
from service.core.golden.record import AnswerRecord, AnswerState
from service.core.golden_tables import golden_answers, golden_runs, golden_sets
from service.core.store.golden_scorers import RunScorer, note_scorer
from service.core.store.removal import KEYED
from service.core.store.taking import ALONE_LIMIT, TakeLimits
from service.core.tables import StoreText

PENDING = golden_answers.c.state == literal_column("'pending'")  # the literal matches the partial index's predicate
_LEASE = type_coerce(golden_answers.c.lease_until, BigInteger)
_FREE = or_(golden_answers.c.lease_until.is_(None), database_now() > _LEASE)
_UNTOUCHED = golden_answers.c.attempt == golden_answers.c.returns
_TOUCHED = golden_answers.c.attempt > golden_answers.c.returns
_KEY = (golden_answers.c.run_seq, golden_answers.c.position, golden_answers.c.repeat)


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenAnswer:
    """An answer that this worker holds."""

    run_seq: int
    position: int  # of the item in its set
    repeat: int
    attempt: int
    alone: bool
    response: str | None  # None: the item's own
    seconds: float | None
    set_seq: int
    content: str  # digest of the set's items
    store_text: str  # a StoreText


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedAnswer:
    """A taken answer with what came of it."""

    taken: TakenAnswer
    record: AnswerRecord  # not pending


def _candidates(*conditions: ColumnElement[bool], limit: int) -> Select[Any]:
    return (
        select(*_KEY, golden_answers.c.tokens)
        .where(PENDING, _FREE, *conditions)
        .order_by(*_KEY)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def take_golden(connection: Connection, limits: TakeLimits, *, alone: bool) -> list[TakenAnswer]:
    """Takes answers of the oldest run up to the limits; `alone`: one that was taken before and not finished."""
    conditions = (_TOUCHED, golden_answers.c.alone_attempts < ALONE_LIMIT) if alone else (_UNTOUCHED,)
    held: list[tuple[int, int, int]] = []
    tokens = 0
    for row in connection.execute(_candidates(*conditions, limit=1 if alone else limits.rows)):
        tokens += row.tokens
        if held and tokens > limits.tokens:
            break
        held.append((row.run_seq, row.position, row.repeat))
    return _hold(connection, held, limits.lease_s, alone=alone) if held else []


def _hold(
    connection: Connection, keys: Sequence[tuple[int, int, int]], lease_s: float, *, alone: bool
) -> list[TakenAnswer]:
    values: dict[Any, Any] = {
        golden_answers.c.attempt: golden_answers.c.attempt + 1,
        golden_answers.c.lease_until: database_now() + literal(int(lease_s * 1_000_000), BigInteger()),
    }
    if alone:
        values[golden_answers.c.alone_attempts] = golden_answers.c.alone_attempts + 1
    mine = tuple_(*_KEY).in_(keys)
    connection.execute(update(golden_answers).where(mine).values(values))
    statement = (
        select(
            *_KEY,
            *(golden_answers.c[name] for name in ("attempt", "response", "seconds")),
            golden_runs.c.set_seq,
            golden_runs.c.store_text,
            golden_sets.c.content,
        )
        .join(golden_runs, golden_runs.c.seq == golden_answers.c.run_seq)
        .join(golden_sets, golden_sets.c.seq == golden_runs.c.set_seq)
        .where(mine)
        .order_by(*_KEY)
    )
    return [TakenAnswer(alone=alone, **row._asdict()) for row in connection.execute(statement)]


def release_golden(connection: Connection, rows: Sequence[TakenAnswer], *, failed: bool) -> None:
    """Gives answers back at once; unless they failed, the take counts for nothing."""
    for row in rows:
        values: dict[Any, Any] = {golden_answers.c.lease_until: None}
        if not failed:
            values[golden_answers.c.returns] = golden_answers.c.returns + 1
        if row.alone and not failed:
            values[golden_answers.c.alone_attempts] = golden_answers.c.alone_attempts - 1
        connection.execute(update(golden_answers).where(_held_by(row)).values(values))


def _held_by(row: TakenAnswer) -> ColumnElement[bool]:
    mine = zip(_KEY, (row.run_seq, row.position, row.repeat), strict=True)
    return and_(PENDING, golden_answers.c.attempt == row.attempt, *(column == value for column, value in mine))


def finish_golden(
    connection: Connection, rows: Sequence[FinishedAnswer], by: RunScorer, now: datetime
) -> list[FinishedAnswer]:
    """Ends each answer that is still held, and runs of which it was the last; returns those that counted."""
    seqs = _hold_runs(connection, (row.taken.run_seq for row in rows))
    counted = [row for row in rows if _finish_one(connection, row, by.fingerprint)]
    note_scorer(connection, sorted({row.taken.run_seq for row in counted}), by)
    end_runs(connection, seqs, now)
    return counted


def _finish_one(connection: Connection, row: FinishedAnswer, fingerprint: str) -> bool:
    record = as_promised(row.record, row.taken.store_text)
    values: dict[str, Any] = {
        "state": record.state.value,
        "reason": record.reason,
        "fingerprint": fingerprint,
        "score": record.score,
        "flagged": record.flagged,
        "threshold": record.threshold,
        "claims": claims_of(record),
        "lease_until": None,
    }
    if row.taken.store_text != StoreText.FULL:
        values["response"] = None
    return int(connection.execute(update(golden_answers).where(_held_by(row.taken)).values(values)).rowcount) > 0


def as_promised(record: AnswerRecord, store_text: str) -> AnswerRecord:
    """What is kept of an answer that has ended: without texts, where that was promised; offsets stay."""
    if store_text == StoreText.FULL:
        return record
    claims = tuple(
        claim.model_copy(
            update={"text": None, "evidence": claim.evidence and claim.evidence.model_copy(update={"text": None})}
        )
        for claim in record.claims
    )
    return record.model_copy(update={"response": None, "claims": claims})


def claims_of(record: AnswerRecord) -> list[dict[str, Any]] | None:
    """The claims as a column holds them."""
    return [claim.model_dump(mode="json") for claim in record.claims] or None


def _hold_runs(connection: Connection, seqs: Iterable[int]) -> list[int]:
    wanted = sorted(set(seqs))
    held = select(golden_runs.c.seq).where(golden_runs.c.seq.in_(wanted)).order_by(golden_runs.c.seq).with_for_update()
    return list(connection.execute(held).scalars())


def end_runs(connection: Connection, seqs: Sequence[int], now: datetime) -> None:
    """Ends those of the runs that have no pending answer; the caller holds their rows."""
    mine = golden_answers.c.run_seq == golden_runs.c.seq
    scorers = select(func.count(golden_answers.c.fingerprint.distinct())).where(mine).scalar_subquery()
    one = select(func.min(golden_answers.c.fingerprint)).where(mine).scalar_subquery()
    guessable = (golden_runs.c.store_text != StoreText.FULL) & ~golden_runs.c.body_digest.like(f"{KEYED}%")
    connection.execute(
        update(golden_runs)
        .where(
            golden_runs.c.seq.in_(seqs),
            golden_runs.c.finished_at.is_(None),
            ~select(golden_answers.c.run_seq).where(mine, PENDING).exists(),
        )
        .values(
            finished_at=now,
            fingerprint=case((scorers == 1, one), else_=null()),
            # As of samples: without a key it could be guessed, and an id that comes again is answered as known.
            body_digest=case((guessable, ""), else_=golden_runs.c.body_digest),
        )
    )


def give_up_golden(connection: Connection, now: datetime) -> int:
    """Marks answers that failed alone too often `unscored(failed_alone)`; returns how many."""
    due = (PENDING, _FREE, _TOUCHED, golden_answers.c.alone_attempts >= ALONE_LIMIT)
    seqs = _hold_runs(connection, connection.execute(select(golden_answers.c.run_seq).where(*due)).scalars())
    if not seqs:
        return 0
    values: dict[Any, Any] = {
        golden_answers.c.state: AnswerState.UNSCORED.value,
        golden_answers.c.reason: UnscoredReason.FAILED_ALONE.value,
        golden_answers.c.lease_until: None,
        # What was promised holds here too.
        golden_answers.c.response: case(
            (
                select(golden_runs.c.store_text).where(golden_runs.c.seq == golden_answers.c.run_seq).scalar_subquery()
                == StoreText.FULL,
                golden_answers.c.response,
            ),
            else_=null(),
        ),
    }
    given_up = connection.execute(update(golden_answers).where(*due, golden_answers.c.run_seq.in_(seqs)).values(values))
    end_runs(connection, seqs, now)
    return int(given_up.rowcount)


def end_impossible_golden_leases(connection: Connection, lease_s: float) -> int:
    """As `taking.end_impossible_leases`."""
    latest = database_now() + literal(int(2 * lease_s * 1_000_000), BigInteger())
    statement = update(golden_answers).where(PENDING, _TOUCHED, latest < _LEASE).values(lease_until=None)
    return int(connection.execute(statement).rowcount)


def any_golden(connection: Connection) -> bool:
    """Whether any pending answer is under no lease; cost does not grow with their number."""
    statement = select(golden_answers.c.run_seq).where(PENDING, _FREE).order_by(*_KEY).limit(1)
    return connection.execute(statement).first() is not None


def count_golden(connection: Connection, limit: int) -> int:
    """Pending answers, counted no further than `limit`."""
    pending = select(literal_column("1")).select_from(golden_answers).where(PENDING).limit(limit).subquery()
    return int(connection.execute(select(func.count()).select_from(pending)).scalar_one())
