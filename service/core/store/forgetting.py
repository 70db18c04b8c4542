"""Forgetting: what goes of reviews with the texts, or the rows, of their samples. What money was spent on stays counted."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Connection, delete, literal, select, type_coerce, update

from service.core.review_tables import llm_calls, review_claims, reviews
from service.core.store.calls import sum_calls
from service.core.store.spending import refund
from service.core.tables import State

_MINUTE_US = 60_000_000


def forget_reviews(connection: Connection, seqs: Sequence[int], reason: str, now: datetime, *, rows: bool) -> None:
    """Ends reviews of these samples that still wait, removes their texts, and with `rows` their claims and exact times.

    A review that a worker is at is fenced by its end: what it finds is not written.
    """
    of_samples = reviews.c.sample_seq.in_(seqs)
    pending = reviews.c.state == State.PENDING.value
    columns = (reviews.c.seq, reviews.c.tenant, reviews.c.estimate_pico)
    back: dict[str, int] = defaultdict(int)
    for row in connection.execute(select(*columns).where(of_samples, pending).with_for_update()).all():
        sums = sum_calls(connection, row.seq)
        ended = {"state": State.UNSCORED.value, "state_reason": reason, "finished_at": now, "lease_until": None}
        connection.execute(update(reviews).where(reviews.c.seq == row.seq).values(ended | sums))
        back[row.tenant] += int(row.estimate_pico) - sums["cost_pico"] if row.estimate_pico else 0
    connection.execute(update(reviews).where(of_samples).values(drawn=None, transcript=None))
    if rows:
        _forget_rows(connection, of_samples)
    refund(connection, back)


def _forget_rows(connection: Connection, of_samples: ColumnElement[bool]) -> None:
    own = select(reviews.c.seq).where(of_samples)
    connection.execute(delete(review_claims).where(review_claims.c.review_seq.in_(own)))
    connection.execute(update(llm_calls).where(llm_calls.c.review_seq.in_(own)).values(review_seq=None))
    created = type_coerce(reviews.c.created_at, BigInteger)
    whole = type_coerce(created - created % literal(_MINUTE_US, BigInteger()), reviews.c.created_at.type)
    connection.execute(update(reviews).where(of_samples).values(created_at=whole, finished_at=None))
