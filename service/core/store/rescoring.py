"""Rescoring: samples that have a score get another one, by the scorer of now; the old one stays.

As in `taking`, a row is held under a lease and its attempt number is the fencing token. One score for each sample, scorer
and fingerprint is what the table allows, and only the one that was written counts: nothing is counted twice.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, delete, exists, func, insert, literal, or_, select, type_coerce, update

from models.types import Scored
from service.core.clock import database_now
from service.core.store.rollups import ENDED, add_deltas, scored_place, sums_of
from service.core.store.scores import ScoredBy, write_scores
from service.core.store.taking import Finished, TakeLimits, Taken
from service.core.tables import Kept, State, rescores, samples, scores

MOST_ATTEMPTS = 4  # after which a row is given up: one in company, which may be to blame, and three alone
_FREE = or_(rescores.c.lease_until.is_(None), database_now() > type_coerce(rescores.c.lease_until, BigInteger))


def request_rescores(  # noqa: PLR0913, PLR0917 - whose, when, and where to go on
    connection: Connection, tenant: str, start: datetime, end: datetime, now: datetime, after: int, limit: int
) -> tuple[int, int]:
    """Asks for samples received in this time to be scored again; the next so many, numbered over `after`.

    Returns how many were found and the number of the last, 0 if there was none. One that was asked for already is asked
    for once. Samples whose text is gone cannot be scored again.
    """
    due = (
        select(samples.c.seq)
        .where(
            samples.c.tenant == tenant,
            samples.c.received_at >= start,
            samples.c.received_at < end,
            samples.c.state == State.SCORED,
            samples.c.kept == Kept.TEXT,
            samples.c.seq > after,
        )
        .order_by(samples.c.seq)
        .limit(limit)
    )
    seqs = list(connection.execute(due).scalars())
    there = set(connection.execute(select(rescores.c.sample_seq).where(rescores.c.sample_seq.in_(seqs))).scalars())
    rows = [
        {"sample_seq": seq, "tenant": tenant, "requested_at": now, "attempt": 0} for seq in seqs if seq not in there
    ]
    if rows:
        connection.execute(insert(rescores), rows)
    return len(seqs), seqs[-1] if seqs else 0


def count_rescores(connection: Connection, tenant: str) -> int:
    """How many samples wait to be scored again."""
    statement = select(func.count()).select_from(rescores).where(rescores.c.tenant == tenant)
    return int(connection.execute(statement).scalar_one())


def any_rescores(connection: Connection) -> bool:
    """Whether any is under no lease."""
    return connection.execute(select(rescores.c.sample_seq).where(_FREE).limit(1)).first() is not None


def drop_done(connection: Connection, by: ScoredBy) -> int:
    """Drops requests for samples that this scorer has scored already, and those that were given up; returns these."""
    done = exists().where(
        scores.c.sample_seq == rescores.c.sample_seq,
        scores.c.scorer == by.scorer,
        scores.c.fingerprint == by.fingerprint,
    )
    gone = exists().where(samples.c.seq == rescores.c.sample_seq, samples.c.kept != Kept.TEXT)
    connection.execute(delete(rescores).where(_FREE, or_(done, gone)))
    given_up = delete(rescores).where(_FREE, rescores.c.attempt >= MOST_ATTEMPTS)
    return int(connection.execute(given_up).rowcount)


def take_rescores(connection: Connection, limits: TakeLimits, *, alone: bool) -> list[Taken]:
    """Takes rows, oldest samples first, up to the limits; one that was taken before goes alone."""
    before = rescores.c.attempt > 0 if alone else rescores.c.attempt == 0
    candidates = (
        select(rescores.c.sample_seq, samples.c.tokens)
        .join(samples, samples.c.seq == rescores.c.sample_seq)
        .where(_FREE, before, rescores.c.attempt < MOST_ATTEMPTS, samples.c.kept == Kept.TEXT)
        .order_by(rescores.c.sample_seq)
        .limit(1 if alone else limits.rows)
        .with_for_update(of=rescores, skip_locked=True)
    )
    held: list[int] = []
    tokens = 0
    for row in connection.execute(candidates):
        tokens += row.tokens
        if held and tokens > limits.tokens:
            break
        held.append(row.sample_seq)
    if not held:
        return []
    until = database_now() + literal(int(limits.lease_s * 1_000_000), BigInteger())
    values: dict[Any, Any] = {rescores.c.attempt: rescores.c.attempt + 1, rescores.c.lease_until: until}
    connection.execute(update(rescores).where(rescores.c.sample_seq.in_(held)).values(values))
    names = ("seq", "question", "contexts", "response", "received_at", "store_text")
    statement = (
        select(*(samples.c[name] for name in names), rescores.c.attempt)
        .join(rescores, rescores.c.sample_seq == samples.c.seq)
        .where(samples.c.seq.in_(held))
        .order_by(samples.c.seq)
    )
    return [Taken(alone=alone, **row._asdict()) for row in connection.execute(statement)]


def release_rescores(connection: Connection, rows: Sequence[Taken], *, failed: bool) -> None:
    """Gives rows back at once; unless they failed, the take counts for nothing."""
    for row in rows:
        values: dict[str, Any] = {"lease_until": None}
        if not failed:
            values["attempt"] = row.attempt - 1
        connection.execute(update(rescores).where(_held_by(row)).values(values))


def _held_by(row: Taken) -> Any:
    return (rescores.c.sample_seq == row.seq) & (rescores.c.attempt == row.attempt)


def finish_rescores(connection: Connection, rows: Sequence[Finished], by: ScoredBy, now: datetime) -> int:
    """Writes the scores of rows that are still held and drops the requests; returns how many scores were written.

    An outcome that is no score changes nothing: the sample keeps what it has.
    """
    held = [row for row in rows if connection.execute(delete(rescores).where(_held_by(row.taken))).rowcount]
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
