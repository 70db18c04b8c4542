"""Rescoring: samples that have a score get another one, by a scorer that the request names; the old one stays.

As in `taking`, a row is held under a lease and its attempt number is the fencing token. One score for each sample, scorer
and fingerprint is what the table allows, and only the one that was written counts: nothing is counted twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, and_, delete, exists, func, literal, or_, select, type_coerce, update

from models.types import Scored
from service.core.clock import database_now
from service.core.store.dialect import insert
from service.core.store.rollups import ENDED, add_deltas, scored_place, sums_of
from service.core.store.scores import ScoredBy, write_scores
from service.core.store.taking import TAKEN, Finished, TakeLimits, Taken
from service.core.tables import Kept, State, rescores, samples, scores

MOST_ATTEMPTS = 4  # after which a row is given up: one in company, which may be to blame, and three alone
_FREE = or_(rescores.c.lease_until.is_(None), database_now() > type_coerce(rescores.c.lease_until, BigInteger))


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Whose samples of which time are to be scored again, by which scorer."""

    tenant: str
    start: datetime
    end: datetime
    fingerprint: str


def request_rescores(connection: Connection, wanted: Wanted, now: datetime, after: int, limit: int) -> tuple[int, int]:
    """Asks for the next so many samples, numbered over `after`; those that this scorer has scored are left out.

    Returns how many were found and the number of the last, 0 if there was none. One that was asked for already is asked
    for once. Samples whose text is gone cannot be scored again.
    """
    due = (
        select(samples.c.seq)
        .where(
            samples.c.tenant == wanted.tenant,
            samples.c.received_at >= wanted.start,
            samples.c.received_at < wanted.end,
            samples.c.state == State.SCORED,
            samples.c.kept == Kept.TEXT,
            samples.c.seq > after,
            ~exists().where(scores.c.sample_seq == samples.c.seq, scores.c.fingerprint == wanted.fingerprint),
        )
        .order_by(samples.c.seq)
        .limit(limit)
    )
    seqs = list(connection.execute(due).scalars())
    common = {"tenant": wanted.tenant, "fingerprint": wanted.fingerprint, "requested_at": now, "attempt": 0}
    if seqs:
        rows = [{"sample_seq": seq, **common} for seq in seqs]
        connection.execute(insert(connection, rescores).on_conflict_do_nothing(), rows)
    return len(seqs), seqs[-1] if seqs else 0


def withdraw_others(connection: Connection, tenant: str, fingerprint: str) -> int:
    """Drops a tenant's requests that another scorer was to do; returns how many."""
    others = delete(rescores).where(rescores.c.tenant == tenant, rescores.c.fingerprint != fingerprint)
    return int(connection.execute(others).rowcount)


def count_rescores(connection: Connection, tenant: str, fingerprint: str) -> int:
    """How many samples wait to be scored again by this scorer."""
    waiting = (rescores.c.tenant == tenant) & (rescores.c.fingerprint == fingerprint)
    return int(connection.execute(select(func.count()).select_from(rescores).where(waiting)).scalar_one())


def any_rescores(connection: Connection, fingerprint: str) -> bool:
    """Whether any of this scorer is under no lease."""
    statement = select(rescores.c.sample_seq).where(rescores.c.fingerprint == fingerprint, _FREE).limit(1)
    return connection.execute(statement).first() is not None


def give_up(connection: Connection, fingerprint: str) -> int:
    """Drops this scorer's requests that failed too often; returns how many."""
    failed = (rescores.c.fingerprint == fingerprint) & (rescores.c.attempt >= MOST_ATTEMPTS)
    return int(connection.execute(delete(rescores).where(_FREE, failed)).rowcount)


def take_rescores(connection: Connection, limits: TakeLimits, fingerprint: str, *, alone: bool) -> list[Taken]:
    """Takes rows of this scorer, oldest samples first, up to the limits; one that was taken before goes alone."""
    before = rescores.c.attempt > 0 if alone else rescores.c.attempt == 0
    candidates = (
        select(rescores.c.sample_seq, samples.c.tokens, samples.c.kept)
        .join(samples, samples.c.seq == rescores.c.sample_seq)
        .where(rescores.c.fingerprint == fingerprint, _FREE, before, rescores.c.attempt < MOST_ATTEMPTS)
        .order_by(rescores.c.sample_seq)
        .limit(1 if alone else limits.rows)
        .with_for_update(of=rescores, skip_locked=True)
    )
    held: list[int] = []
    tokens = 0
    found = connection.execute(candidates).all()
    gone = [
        row.sample_seq for row in found if row.kept != Kept.TEXT
    ]  # its text was being removed when it was asked for
    if gone:
        connection.execute(delete(rescores).where(rescores.c.sample_seq.in_(gone)))
    for row in found:
        if row.kept != Kept.TEXT:
            continue
        tokens += row.tokens
        if held and tokens > limits.tokens:
            break
        held.append(row.sample_seq)
    if not held:
        return []
    until = database_now() + literal(int(limits.lease_s * 1_000_000), BigInteger())
    values: dict[Any, Any] = {rescores.c.attempt: rescores.c.attempt + 1, rescores.c.lease_until: until}
    mine = (rescores.c.fingerprint == fingerprint) & rescores.c.sample_seq.in_(held)
    connection.execute(update(rescores).where(mine).values(values))
    statement = (
        select(*(samples.c[name] for name in TAKEN), rescores.c.attempt)
        .join(rescores, rescores.c.sample_seq == samples.c.seq)
        .where(mine)
        .order_by(samples.c.seq)
    )
    return [Taken(alone=alone, **row._asdict()) for row in connection.execute(statement)]


def release_rescores(connection: Connection, rows: Sequence[Taken], fingerprint: str, *, failed: bool) -> None:
    """Gives rows back at once; unless they failed, the take counts for nothing."""
    for row in rows:
        values: dict[str, Any] = {"lease_until": None}
        if not failed:
            values["attempt"] = row.attempt - 1
        connection.execute(update(rescores).where(_held_by(row, fingerprint)).values(values))


def _held_by(row: Taken, fingerprint: str) -> Any:
    return and_(
        rescores.c.fingerprint == fingerprint, rescores.c.sample_seq == row.seq, rescores.c.attempt == row.attempt
    )


def finish_rescores(connection: Connection, rows: Sequence[Finished], by: ScoredBy, now: datetime) -> int:
    """Writes the scores of rows that are still held and drops the requests; returns how many scores were written.

    An outcome that is no score changes nothing: the sample keeps what it has.
    """
    held = [
        row for row in rows if connection.execute(delete(rescores).where(_held_by(row.taken, by.fingerprint))).rowcount
    ]
    outcomes = {row.taken.seq: row.outcome for row in held if isinstance(row.outcome, Scored)}
    known = select(scores.c.sample_seq).where(
        scores.c.sample_seq.in_(outcomes), scores.c.scorer == by.scorer, scores.c.fingerprint == by.fingerprint
    )
    for seq in connection.execute(known).scalars():
        del outcomes[seq]
    if not outcomes:
        return 0
    write_scores(connection, outcomes, by, now)
    found = connection.execute(select(samples.c.seq, *ENDED).where(samples.c.seq.in_(outcomes), samples.c.in_rate))
    add_deltas(connection, [(scored_place(row, by.fingerprint), sums_of(outcomes[row.seq])) for row in found])
    return len(outcomes)
