"""Ends of reviews that nobody works on: overdue, given up, or not wanted any more."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, select, update

from models.types import ReviewReason
from service.core.review_tables import Place, Reviewer, reviews
from service.core.store.calls import sum_calls
from service.core.store.reviews import (
    FREE,
    MOST_FAILURES,
    NOBODY,
    PENDING,
    ended,
    remove_promised,
)
from service.core.store.spending import refund
from service.core.tables import samples


def end_overdue(connection: Connection, reviewer: Reviewer, before: datetime, now: datetime, limit: int) -> int:
    """Ends reviews that nobody holds and that were made before, as unavailable; returns how many."""
    reason = {
        Reviewer.JUDGE: ReviewReason.JUDGE_UNAVAILABLE,
        Reviewer.CONSISTENCY: ReviewReason.GENERATOR_UNAVAILABLE,
    }[reviewer]
    overdue = and_(reviews.c.reviewer == reviewer.value, reviews.c.created_at < before)
    return _end_all(connection, overdue, reason, now, limit)


def give_up_reviews(connection: Connection, now: datetime, limit: int) -> int:
    """Ends reviews over which workers died again and again; returns how many."""
    return _end_all(connection, reviews.c.failures >= MOST_FAILURES, ReviewReason.FAILED_ALONE, now, limit)


def turn_off(connection: Connection, reviewer: Reviewer, tenants: Sequence[str], now: datetime, limit: int) -> int:
    """Ends what waits for a reviewer that the policy does not want any more, but of these tenants; returns how many."""
    others = and_(
        reviews.c.reviewer == reviewer.value, reviews.c.place == Place.REMOTE.value, reviews.c.tenant.not_in(tenants)
    )
    return _end_all(connection, others, ReviewReason.TURNED_OFF, now, limit)


def _end_all(connection: Connection, which: Any, reason: ReviewReason, now: datetime, limit: int) -> int:
    due = (
        select(reviews.c.seq, reviews.c.sample_seq, reviews.c.tenant, reviews.c.estimate_pico)
        .join(samples, samples.c.seq == reviews.c.sample_seq)
        .where(PENDING, FREE, which)
        .order_by(reviews.c.sample_seq)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(due).all()
    back: dict[str, int] = defaultdict(int)
    for row in rows:
        sums = sum_calls(connection, row.seq)
        values = ended(reason, NOBODY, now) | sums | {"lease_until": None}
        connection.execute(update(reviews).where(reviews.c.seq == row.seq).values(values))
        back[row.tenant] += int(row.estimate_pico) - sums["cost_pico"] if row.estimate_pico else 0
    remove_promised(connection, [row.sample_seq for row in rows], now)
    refund(connection, back)
    return len(rows)
