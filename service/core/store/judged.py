"""What a judge said of scored samples, as estimates need it: read as rows, up to so many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, and_, func, literal, select

from service.core.estimate import Estimand
from service.core.review_tables import Reviewer, reviews
from service.core.store.clusters import Series, cluster_of, read_shared_totals
from service.core.store.rates import Stretch, bucket_of
from service.core.tables import samples, scores

MAX_REVIEWS = 50_000  # of a judge, in a stretch: what is read and estimated takes a second or so
MAX_LOOKED_AT = 200_000  # rows that are looked at to find them, and scored samples to count those that are uncovered
_SKEW = timedelta(hours=1)  # a review is made after its sample came, by another machine's clock


@dataclass(frozen=True, kw_only=True, slots=True)
class Most:
    """What a query may read."""

    reviews: int = MAX_REVIEWS
    looked_at: int = MAX_LOOKED_AT


MOST = Most()


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewedRow:
    """A scored sample in its place, that was chosen to be judged."""

    bucket: int
    group: tuple[str, ...]
    scorer: str  # the first score's fingerprint
    sample_seq: int
    cluster: str  # its session, or its trace, or itself
    inclusion_probability: float
    probability: float  # of being judged
    f: float  # the first score
    state: str  # a State, of the review
    judge: str | None  # its fingerprint
    flagged: bool | None  # None unless scored


@dataclass(frozen=True, kw_only=True, slots=True)
class Reviewed:
    """What a judge was asked in a stretch, and what it could not be."""

    rows: Sequence[ReviewedRow] = ()
    # F and M of the clusters of several samples; None: clusters are not respected
    totals: Mapping[tuple[Series, str], tuple[float, float]] | None = None
    uncovered: Mapping[Series, int] | None = field(default_factory=dict)  # None: too many samples to count them
    reason: Literal["too_many_reviews"] | None = None  # why nothing was read although there is something


def read_reviewed(
    connection: Connection,
    stretch: Stretch,
    estimand: Estimand,
    scored: int,
    *,
    clustered: bool,
    most: Most = MOST,
) -> Reviewed:
    """The judge's reviews of a stretch's samples; one statement where there are none since, else up to four.

    They are found by whichever are fewer, the reviews since the stretch began or the samples in it; where both are more
    than may be looked at, nothing is read.

    Args:
        connection: to read with.
        stretch: whose, of when.
        estimand: what belongs together by it.
        scored: scores of the stretch.
        clustered: whether what belongs together is to be respected.
        most: what is read.
    """
    least = min(scored, most.looked_at)
    since = _number_since(connection, stretch, least) if scored else 0
    if not since:
        return Reviewed()
    if since >= least and scored > most.looked_at:
        return Reviewed(reason="too_many_reviews")
    statement = _rows(stretch, estimand, by_sample=since >= least).limit(most.reviews + 1)
    found = connection.execute(statement).all()
    if len(found) > most.reviews:
        return Reviewed(reason="too_many_reviews")
    size = 1 + len(stretch.group_by)
    names = ReviewedRow.__slots__[2:]
    return Reviewed(
        rows=[
            ReviewedRow(bucket=int(row[0]), group=tuple(row[1:size]), **dict(zip(names, row[size:], strict=True)))
            for row in found
        ],
        totals=read_shared_totals(connection, stretch, estimand) if found and clustered else None,
        uncovered=_uncovered(connection, stretch) if found and scored <= most.looked_at else None,
    )


def _by_judge(stretch: Stretch) -> ColumnElement[bool]:
    return and_(
        reviews.c.tenant == stretch.tenant,
        reviews.c.reviewer == Reviewer.JUDGE.value,
        reviews.c.created_at >= stretch.start - _SKEW,
    )


def _number_since(connection: Connection, stretch: Stretch, most: int) -> int:
    """How many reviews were made since the stretch began; at most so many are counted, by the index alone."""
    some = select(literal(1).label("one")).where(_by_judge(stretch)).limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def _rows(stretch: Stretch, estimand: Estimand, *, by_sample: bool) -> Select[Any]:
    moment: Any = samples.c.received_at
    wanted = [reviews.c.reviewer == Reviewer.JUDGE.value, stretch.of(samples)]
    if not by_sample:
        # No index has this: SQLite would go through the samples, however many more they are.
        moment = func.coalesce(samples.c.received_at, literal(0, BigInteger()))
        wanted = [_by_judge(stretch), stretch.of(samples)]
    return (
        select(
            *_place(stretch),
            samples.c.seq.label("sample_seq"),
            cluster_of(estimand).label("cluster"),
            samples.c.inclusion_probability,
            reviews.c.probability,
            scores.c.score.label("f"),
            reviews.c.state,
            reviews.c.fingerprint.label("judge"),
            reviews.c.flagged,
        )
        .select_from(reviews)
        .join(samples, samples.c.seq == reviews.c.sample_seq)
        .join(scores, scores.c.sample_seq == samples.c.seq)
        .where(*wanted, moment >= stretch.start, moment < stretch.end, samples.c.in_rate)
    )


def _place(stretch: Stretch) -> list[ColumnElement[Any]]:
    return [
        bucket_of(samples.c.received_at, stretch).label("bucket"),
        *(samples.c[name] for name in stretch.group_by),
        scores.c.fingerprint.label("scorer"),
    ]


def _inside(stretch: Stretch) -> list[ColumnElement[bool]]:
    moment = samples.c.received_at
    return [stretch.of(samples), moment >= stretch.start, moment < stretch.end, samples.c.in_rate]


def _uncovered(connection: Connection, stretch: Stretch) -> Mapping[Series, int]:
    """Scored samples that could not be judged as their tenant's money was spent."""
    place = _place(stretch)
    statement = (
        select(*place, func.count().label("number"))
        .select_from(samples)
        .join(scores, scores.c.sample_seq == samples.c.seq)
        .where(samples.c.judge_probability == 0, *_inside(stretch))
        .group_by(*place)
    )
    size = 1 + len(stretch.group_by)
    return {(int(row[0]), tuple(row[1:size]), row.scorer): int(row.number) for row in connection.execute(statement)}
