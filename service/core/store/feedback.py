"""Feedback in the store: a signal of end users, never taken for truth."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from service.core.label_tables import Rating, feedback
from service.core.store.dialect import insert
from service.core.store.rates import Stretch, bucket_of
from service.core.tables import samples


@dataclass(frozen=True, kw_only=True, slots=True)
class NewFeedback:
    """Feedback to write; a target that was not given is empty, so that the same feedback is found again."""

    tenant: str
    sample_id: str
    trace_id: str
    rating: Rating
    identifier: str
    comment: str | None


def upsert_feedback(connection: Connection, new: NewFeedback, now: datetime) -> bool:
    """Writes it; what is there of the same target and identifier is replaced. Returns whether something was."""
    key = {name: getattr(new, name) for name in ("tenant", "sample_id", "trace_id", "identifier")}
    there = select(func.count()).select_from(feedback).where(*(feedback.c[name] == held for name, held in key.items()))
    replaced = bool(connection.execute(there).scalar_one())
    statement = insert(connection, feedback).values(
        **key, rating=new.rating.value, comment=new.comment, received_at=now
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(key),
            set_={name: statement.excluded[name] for name in ("rating", "comment", "received_at")},
        )
    )
    return replaced


def count_feedback(connection: Connection, stretch: Stretch) -> dict[int, Counter[str]]:
    """How often each rating came, by bucket; one statement."""
    place = bucket_of(feedback.c.received_at, stretch).label("bucket")
    statement = (
        select(place, feedback.c.rating, func.count())
        .where(
            feedback.c.tenant == stretch.tenant,
            feedback.c.received_at >= stretch.start,
            feedback.c.received_at < stretch.end,
        )
        .group_by(place, feedback.c.rating)
    )
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for bucket, rating, number in connection.execute(statement):
        found[int(bucket)][rating] = int(number)
    return found


def is_sampled(connection: Connection, new: NewFeedback) -> bool:
    """Whether the answer that it is about has a row."""
    of_target = samples.c.id == new.sample_id if new.sample_id else samples.c.trace_id == new.trace_id
    statement = select(samples.c.seq).where(samples.c.tenant == new.tenant, of_target).limit(1)
    return connection.execute(statement).first() is not None
