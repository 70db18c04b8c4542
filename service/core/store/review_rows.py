"""The reviews of a sample, read whole."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from service.core.review_tables import review_claims, reviews


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredReview:
    """A review and its claims, in order of the response."""

    review: Row[Any]
    claims: Sequence[Row[Any]]


def read_reviews(connection: Connection, sample_seq: int) -> list[StoredReview]:
    """A sample's reviews, oldest first; one statement where there are none, else two."""
    rows = connection.execute(select(reviews).where(reviews.c.sample_seq == sample_seq).order_by(reviews.c.seq)).all()
    if not rows:
        return []
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    statement = (
        select(review_claims)
        .where(review_claims.c.review_seq.in_([row.seq for row in rows]))
        .order_by(review_claims.c.review_seq, review_claims.c.position)
    )
    for claim in connection.execute(statement):
        found[claim.review_seq].append(claim)
    return [StoredReview(review=row, claims=found[row.seq]) for row in rows]
