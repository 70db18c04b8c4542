"""Comments: what people wrote of samples goes with their texts, feedback with their rows; verdicts stay, rates stand on them.

By age, feedback goes by its own, whether the answer was sampled or not; all else goes by the sample it is about.
"""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, null, or_, select, update

from service.core.clock import EPOCH
from service.core.label_tables import feedback, labels
from service.core.store.removal import Depth, Removal, meant
from service.core.tables import samples


def remove_comments(connection: Connection, removal: Removal, limit: int) -> int:
    """Removes them, at most so many of each kind; returns how many. The caller goes on until none is left.

    Whether the samples themselves still have texts does not matter: a comment may have come afterwards.
    """
    of_labels = update(labels).where(labels.c.seq.in_(_due_labels(removal).limit(limit))).values(comment=null())
    due = feedback.c.seq.in_(_due_feedback(removal).limit(limit))
    of_feedback = (
        delete(feedback).where(due)
        if removal.depth is Depth.ROWS
        else update(feedback).where(due).values(comment=null())
    )
    return int(connection.execute(of_labels).rowcount + connection.execute(of_feedback).rowcount)


def count_due_comments(connection: Connection, removal: Removal) -> int:
    """What `remove_comments`, repeated, would remove."""
    due: tuple[Select[Any], ...] = (_due_labels(removal), _due_feedback(removal))
    return sum(int(connection.execute(select(func.count()).select_from(each.subquery())).scalar_one()) for each in due)


def _due_labels(removal: Removal) -> Select[tuple[int]]:
    statement = select(labels.c.seq).where(labels.c.tenant == removal.tenant, labels.c.comment.is_not(None))
    if removal.before is not None:
        statement = statement.where(labels.c.day <= (removal.before - EPOCH).days)
    if removal.sample_id is None and removal.session_id is None and removal.before is None:
        return statement
    return statement.join(samples, samples.c.seq == labels.c.sample_seq).where(meant(removal))


def _due_feedback(removal: Removal) -> Select[tuple[int]]:
    statement = select(feedback.c.seq).where(feedback.c.tenant == removal.tenant)
    if removal.depth is Depth.TEXTS:
        statement = statement.where(feedback.c.comment.is_not(None))
    if removal.sample_id is None and removal.session_id is None:
        return statement if removal.before is None else statement.where(feedback.c.received_at < removal.before)
    ids = select(samples.c.id).where(meant(removal))
    traces = select(samples.c.trace_id).where(meant(removal), samples.c.trace_id.is_not(None))
    # It names either an id or a trace; said so, both are found by one index.
    targets: list[ColumnElement[bool]] = [
        feedback.c.sample_id.in_(ids),
        (feedback.c.sample_id == "") & feedback.c.trace_id.in_(traces),
    ]
    if removal.sample_id is not None:
        targets.append(feedback.c.sample_id == removal.sample_id)  # its row may have lost the id
    return statement.where(or_(*targets))
