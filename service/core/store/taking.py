"""Taking rows: a worker takes pending rows under a lease and finishes them once, whoever else dies.

The attempt number, committed at the take, is the fencing token: a finish counts only while it is still the row's.
"""

from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    type_coerce,
    update,
)

from models.types import Consistent, NotApplicable, Outcome, Scored, Unscored, UnscoredReason
from service.core.clock import database_now, from_microseconds
from service.core.store.removal import promised
from service.core.store.rollups import ENDED, Sums, add_deltas, ended, scored_place, sums_of
from service.core.store.scores import ScoredBy, write_scores
from service.core.tables import State, StoreText, samples

ALONE_LIMIT = 3  # failures alone after which a row is given up

_PENDING = samples.c.state == literal_column("'pending'")
_LEASE = type_coerce(samples.c.lease_until, BigInteger)
_FREE = or_(samples.c.lease_until.is_(None), database_now() > _LEASE)
_UNTOUCHED = samples.c.attempt == samples.c.returns
_TOUCHED = samples.c.attempt > samples.c.returns


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeLimits:
    """How much one take may hold."""

    rows: int
    tokens: int  # estimated pair tokens; the first row is taken whatever it costs
    lease_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """A row that this worker holds."""

    seq: int
    attempt: int
    alone: bool
    tenant: str
    in_rate: bool
    question: str | None
    contexts: list[dict[str, Any]]
    response: str
    details: dict[str, Any]
    received_at: datetime
    store_text: str  # a StoreText


TAKEN = ("seq", "tenant", "in_rate", "question", "contexts", "response", "details", "received_at", "store_text")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """A taken row with its outcome."""

    taken: Taken
    outcome: Outcome
    consistency: Consistent | NotApplicable | Unscored | None = None  # None: it came without alternative responses


def _candidates(*conditions: ColumnElement[bool], limit: int) -> Select[Any]:
    return (
        select(samples.c.seq, samples.c.tokens)
        .where(_PENDING, _FREE, *conditions)
        .order_by(samples.c.priority, samples.c.seq)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def _hold(connection: Connection, seqs: Sequence[int], lease_s: float, *, alone: bool) -> list[Taken]:
    values: dict[Any, Any] = {
        samples.c.attempt: samples.c.attempt + 1,
        samples.c.lease_until: database_now() + literal(int(lease_s * 1_000_000), BigInteger()),
    }
    if alone:
        values[samples.c.alone_attempts] = samples.c.alone_attempts + 1
    statement = (
        update(samples)
        .where(samples.c.seq.in_(seqs))
        .values(values)
        .returning(samples.c.attempt, *(samples.c[name] for name in TAKEN))
    )
    rows = connection.execute(statement).all()
    taken = [Taken(alone=alone, **row._asdict()) for row in rows]
    order = {seq: position for position, seq in enumerate(seqs)}
    return sorted(taken, key=lambda row: order[row.seq])


def take_fresh(connection: Connection, limits: TakeLimits) -> list[Taken]:
    """Takes never-taken rows, those that a caller waits for first, then oldest first, up to the limits."""
    held: list[int] = []
    tokens = 0
    for row in connection.execute(_candidates(_UNTOUCHED, limit=limits.rows)):
        tokens += row.tokens
        if held and tokens > limits.tokens:
            break
        held.append(row.seq)
    return _hold(connection, held, limits.lease_s, alone=False) if held else []


def take_alone(connection: Connection, limits: TakeLimits) -> list[Taken]:
    """Takes one row that was taken before and not finished: alone, so that it can condemn no other."""
    candidates = _candidates(_TOUCHED, samples.c.alone_attempts < ALONE_LIMIT, limit=1)
    held = [row.seq for row in connection.execute(candidates)]
    return _hold(connection, held, limits.lease_s, alone=True) if held else []


def release(connection: Connection, rows: Sequence[Taken], *, failed: bool) -> None:
    """Gives rows back at once; unless they failed, the take counts for nothing."""
    for row in rows:
        values: dict[Any, Any] = {samples.c.lease_until: None}
        if not failed:
            values[samples.c.returns] = samples.c.returns + 1
        if row.alone and not failed:
            values[samples.c.alone_attempts] = samples.c.alone_attempts - 1
        connection.execute(update(samples).where(_held_by(row)).values(values))


def _held_by(row: Taken) -> Any:
    return and_(samples.c.seq == row.seq, samples.c.attempt == row.attempt, _PENDING)


def finish(
    connection: Connection, rows: Sequence[Finished], by: ScoredBy, now: datetime, keep: AbstractSet[int] = frozenset()
) -> list[Finished]:
    """Writes state, score and claims of each row that is still held; returns those that counted.

    Texts go with it that were promised to, but of samples numbered in `keep`: reviews still need them. Few statements however many rows: one for each state, attempt and promise among them, one each for scores, claims and
    rollups.
    """
    alike: dict[tuple[State, str | None, int, bool], list[int]] = defaultdict(list)
    for row in rows:
        stays = row.taken.store_text == StoreText.FULL or row.taken.seq in keep
        alike[*final_state(row.outcome), row.taken.attempt, stays].append(row.taken.seq)
    held: dict[int, Row[Any]] = {}
    for (state, reason, attempt, keep_text), seqs in alike.items():
        statement = (
            update(samples)
            .where(samples.c.seq.in_(seqs), samples.c.attempt == attempt, _PENDING)
            .values(state=state, state_reason=reason, finished_at=now, lease_until=None)
            .returning(samples.c.seq, *ENDED)
        )
        if not keep_text:
            statement = statement.values(promised(now))
        held.update({row.seq: row for row in connection.execute(statement)})
    counted = [row for row in rows if row.taken.seq in held]
    outcomes = {row.taken.seq: row.outcome for row in counted if isinstance(row.outcome, Scored)}
    if outcomes:
        write_scores(connection, outcomes, by, now)
    scores_of = {seq: outcome for seq, outcome in outcomes.items() if held[seq].in_rate}
    add_deltas(
        connection,
        [
            *((ended(row), Sums()) for row in held.values()),
            *((scored_place(held[seq], by.fingerprint), sums_of(outcome)) for seq, outcome in scores_of.items()),
        ],
    )
    return counted


def final_state(outcome: Outcome) -> tuple[State, str | None]:
    """The state and its reason that an outcome ends a row with."""
    match outcome:
        case Scored():
            return State.SCORED, None
        case NotApplicable():
            return State.NOT_APPLICABLE, outcome.reason.value
        case Unscored():
            return State.UNSCORED, outcome.reason.value


def give_up(connection: Connection, now: datetime) -> int:
    """Marks rows that failed alone too often `unscored(failed_alone)`; returns how many."""
    statement = (
        update(samples)
        .where(_PENDING, _FREE, _TOUCHED, samples.c.alone_attempts >= ALONE_LIMIT)
        .values(
            state=State.UNSCORED,
            state_reason=UnscoredReason.FAILED_ALONE.value,
            finished_at=now,
            lease_until=None,
        )
        .returning(samples.c.seq, *ENDED)
    )
    rows = connection.execute(statement).all()
    seqs = [row.seq for row in rows]
    if seqs:
        add_deltas(connection, ((ended(row), Sums()) for row in rows))
        connection.execute(
            update(samples).where(samples.c.seq.in_(seqs), samples.c.store_text != StoreText.FULL).values(promised(now))
        )
    return len(seqs)


def end_impossible_leases(connection: Connection, lease_s: float) -> int:
    """Ends leases that lie twice their length ahead, as they do once the clock was set back; returns how many.

    The rows of a worker that is alive are then taken twice; the attempt number makes one of the two count.
    """
    latest = database_now() + literal(int(2 * lease_s * 1_000_000), BigInteger())
    statement = update(samples).where(_PENDING, _TOUCHED, latest < _LEASE).values(lease_until=None)
    return int(connection.execute(statement).rowcount)


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What is pending."""

    pending: int
    takeable: int  # pending and under no lease
    oldest_received_at: datetime | None  # of the pending rows


def backlog(connection: Connection) -> Backlog:
    """Counts the pending rows; one statement."""
    row = connection.execute(
        select(
            func.count(),
            func.coalesce(func.sum(case((_FREE, 1), else_=0)), 0),
            func.min(type_coerce(samples.c.received_at, BigInteger)),
        ).where(_PENDING)
    ).one()
    oldest = None if row[2] is None else from_microseconds(int(row[2]))
    return Backlog(pending=int(row[0]), takeable=int(row[1]), oldest_received_at=oldest)


def any_takeable(connection: Connection) -> bool:
    """Whether any pending row is under no lease; cost does not grow with the backlog."""
    statement = select(samples.c.seq).where(_PENDING, _FREE).order_by(samples.c.priority, samples.c.seq).limit(1)
    return connection.execute(statement).first() is not None
