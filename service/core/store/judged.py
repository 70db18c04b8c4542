"""What a judge said of scored samples, as estimates need it: read as rows, up to so many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, select

from service.core.estimate import Estimand
from service.core.review_tables import Reviewer, reviews
from service.core.store.clusters import Series, cluster_of, read_cluster_totals
from service.core.store.rates import Stretch, Unit, bucket_of
from service.core.tables import samples, scores

MAX_REVIEWS = 50_000  # of a judge, in a stretch; beyond it the answer would grow with them
MAX_COUNTED = 1_000_000  # scored samples of a stretch, beyond which the uncovered ones are not counted
_SKEW = timedelta(hours=1)  # a review is made after its sample came, by another machine's clock


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
    totals: Mapping[tuple[Series, str], tuple[float, float]] = field(default_factory=dict)  # F and M of their clusters
    uncovered: Mapping[Series, int] | None = field(default_factory=dict)  # None: too many samples to count them
    reason: Literal["too_many_reviews"] | None = None  # why nothing was read although there is something


def read_reviewed(
    connection: Connection,
    stretch: Stretch,
    estimand: Estimand,
    scored: int,
    *,
    clustered: bool,
    most: int = MAX_REVIEWS,
) -> Reviewed:
    """The judge's reviews of a stretch's samples; one statement where there are none since, else up to four.

    Args:
        connection: to read with.
        stretch: whose, of when.
        estimand: what belongs together by it.
        scored: scores of the stretch.
        clustered: whether what belongs together is to be respected.
        most: reviews that are read.
    """
    if not scored or connection.execute(_any(stretch)).first() is None:
        return Reviewed()
    found = connection.execute(_rows(stretch, estimand).limit(most + 1)).all()
    if len(found) > most:
        return Reviewed(reason="too_many_reviews")
    size = 1 + len(stretch.group_by)
    rows = [
        ReviewedRow(
            bucket=int(row[0]),
            group=tuple(row[1:size]),
            **{name: getattr(row, name) for name in ReviewedRow.__slots__[2:]},
        )
        for row in found
    ]
    return Reviewed(
        rows=rows,
        totals=read_cluster_totals(connection, stretch, Unit.RESPONSE, estimand, reviews) if rows and clustered else {},
        uncovered=_uncovered(connection, stretch) if rows and scored <= MAX_COUNTED else None,
    )


def _by_judge(stretch: Stretch) -> ColumnElement[bool]:
    return and_(
        reviews.c.tenant == stretch.tenant,
        reviews.c.reviewer == Reviewer.JUDGE.value,
        reviews.c.created_at >= stretch.start - _SKEW,
    )


def _any(stretch: Stretch) -> Select[Any]:
    return select(literal(1)).where(_by_judge(stretch)).limit(1)


def _rows(stretch: Stretch, estimand: Estimand) -> Select[Any]:
    return (
        select(
            *_place(stretch),
            samples.c.seq.label("sample_seq"),
            cluster_of(estimand).label("cluster"),
            samples.c.inclusion_probability,
            scores.c.score.label("f"),
            reviews.c.probability,
            reviews.c.state,
            reviews.c.fingerprint.label("judge"),
            reviews.c.flagged,
        )
        .select_from(reviews)
        .join(samples, samples.c.seq == reviews.c.sample_seq)
        .join(scores, scores.c.sample_seq == samples.c.seq)
        .where(_by_judge(stretch), *_inside(stretch))
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
