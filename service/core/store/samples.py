"""Samples: accepted once each, read back whole."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, func, literal_column, select, tuple_
from sqlalchemy.sql.dml import ReturningInsert

from service.core.store.dialect import insert_many, many
from service.core.store.review_rows import StoredReview, read_reviews
from service.core.tables import NORMAL, URGENT, Kept, State, StoreText, claims, samples, scores


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSample:
    """A row to accept; the columns of `samples` that a submission fills."""

    tenant: str
    id: str
    body_digest: str
    received_at: datetime
    decision: str
    reason: str
    stratum: str
    inclusion_probability: float
    policy_version: str
    in_rate: bool
    model: str
    release: str
    prompt_version: str
    route: str
    question: str | None
    contexts: list[dict[str, Any]]
    response: str
    details: dict[str, Any]
    urgent: bool  # a caller waits for it
    tokens: int
    session_id: str | None = None
    trace_id: str | None = None
    label_key: float | None = None
    store_text: str = StoreText.FULL.value
    redacted: dict[str, int] | None = None
    text_digests: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is stored of a sample that was sent before: enough to answer as the first time."""

    body_digest: str
    decision: str
    reason: str
    stratum: str
    inclusion_probability: float
    policy_version: str

    def same_body(self, digest: str) -> bool:
        """Whether the body is the one of then; where its digest went with the text, the id alone decides."""
        return self.body_digest in {digest, ""}


# The literal matches the partial index's predicate; a bound parameter would not.
_PENDING = samples.c.state == literal_column("'pending'")
_FRESH = {"state": State.PENDING.value, "attempt": 0, "returns": 0, "alone_attempts": 0}
_SENT = tuple(field.name for field in fields(NewSample))
_KNOWN = ("body_digest", "decision", "reason", "stratum", "inclusion_probability", "policy_version")


def accept(connection: Connection, rows: Sequence[NewSample]) -> dict[tuple[str, str], Known]:
    """Inserts rows, distinct by (tenant, id), as pending; returns those that were there before.

    One statement if all are new, two if any is known.
    """
    dialect, values = connection.dialect.name, [columns_of(row) for row in rows]
    found = connection.execute(_accepting(dialect, tuple(values[0])), many(dialect, values))
    inserted = {(row.tenant, row.id) for row in found}
    known = [row for row in rows if (row.tenant, row.id) not in inserted]
    return find_known(connection, known) if known else {}


@cache
def _accepting(dialect: str, names: tuple[str, ...]) -> ReturningInsert[Any]:
    """The statement of `accept`, made once and not for each sample."""
    statement = insert_many(dialect, samples, names).on_conflict_do_nothing(index_elements=["tenant", "id"])
    return statement.returning(samples.c.tenant, samples.c.id)


def find_known(connection: Connection, rows: Sequence[NewSample]) -> dict[tuple[str, str], Known]:
    """Those of the rows, by (tenant, id), that were accepted before; one statement."""
    keys = [(row.tenant, row.id) for row in rows]
    found = connection.execute(
        select(samples.c.tenant, samples.c.id, *(samples.c[name] for name in _KNOWN)).where(
            tuple_(samples.c.tenant, samples.c.id).in_(keys)
        )
    )
    return {(r.tenant, r.id): Known(**{name: getattr(r, name) for name in _KNOWN}) for r in found}


def columns_of(row: NewSample) -> dict[str, Any]:
    """The row as columns of `samples`: pending, never taken."""
    values = {name: getattr(row, name) for name in _SENT}
    values["priority"] = URGENT if values.pop("urgent") else NORMAL
    return values | _FRESH


def count_pending(connection: Connection, limit: int) -> int:
    """Pending rows, counted no further than `limit`."""
    pending = select(literal_column("1")).select_from(samples).where(_PENDING).limit(limit).subquery()
    return int(connection.execute(select(func.count()).select_from(pending)).scalar_one())


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredSample:
    """A sample with its scores, oldest first, the claims of the newest, and what further scorers made of it."""

    sample: Row[Any]
    scores: Sequence[Row[Any]]
    claims: Sequence[Row[Any]]
    reviews: Sequence[StoredReview]


def read_sample(connection: Connection, tenant: str, sample_id: str) -> StoredSample | None:
    """The sample of that id, or None."""
    sample = connection.execute(
        select(samples).where(samples.c.tenant == tenant, samples.c.id == sample_id, samples.c.kept != Kept.ANONYMOUS)
    ).one_or_none()
    return None if sample is None else _with_scores(connection, sample)


def read_sample_of(connection: Connection, seq: int) -> StoredSample:
    """The sample of that number."""
    return _with_scores(connection, connection.execute(select(samples).where(samples.c.seq == seq)).one())


def _with_scores(connection: Connection, sample: Row[Any]) -> StoredSample:
    score_rows = connection.execute(
        select(scores).where(scores.c.sample_seq == sample.seq).order_by(scores.c.seq)
    ).all()
    claim_rows: Sequence[Row[Any]] = ()
    if score_rows:
        claim_rows = connection.execute(
            select(claims).where(claims.c.score_seq == score_rows[-1].seq).order_by(claims.c.position)
        ).all()
    return StoredSample(
        sample=sample, scores=score_rows, claims=claim_rows, reviews=read_reviews(connection, sample.seq)
    )


def read_state(connection: Connection, tenant: str, sample_id: str) -> str | None:
    """The state of the sample of that id, or None; one statement."""
    return connection.execute(
        select(samples.c.state).where(
            samples.c.tenant == tenant, samples.c.id == sample_id, samples.c.kept != Kept.ANONYMOUS
        )
    ).scalar_one_or_none()
