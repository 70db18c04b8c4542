"""Samples that a judge judged, with what the first scorer and people said of them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from service.core.estimate import Estimand
from service.core.review_tables import Reviewer, reviews
from service.core.store.clusters import cluster_of
from service.core.store.combining import Said, inside, read_said
from service.core.store.rates import Stretch
from service.core.tables import State, samples, scores

MOST = 100_000  # judged samples, the newest, that are read


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedSample:
    """One sample, by the three who look at it."""

    cluster: str  # its session, or its trace, or itself
    in_rate: bool  # false: scored on request although the hash left it out, so that it stands for nothing
    inclusion_probability: float
    judge_probability: float  # with which the judge was asked
    judge: str  # its fingerprint
    by_judge: bool  # flagged
    scorer: str | None  # fingerprint of the first score; None: it has none
    by_scorer: bool | None
    people: Said | None  # None: nobody labelled it, or no label decides


def read_judged(connection: Connection, stretch: Stretch, most: int = MOST) -> list[JudgedSample]:
    """The newest samples of a stretch that a judge gave a verdict on, newest first; `most` of them."""
    rows = connection.execute(_statement(stretch).limit(most)).all()
    said = read_said(connection, stretch) if rows else {}
    return [
        JudgedSample(
            cluster=row.cluster,
            in_rate=bool(row.in_rate),
            inclusion_probability=row.inclusion_probability,
            judge_probability=row.probability,
            judge=row.judge,
            by_judge=bool(row.by_judge),
            scorer=row.scorer,
            by_scorer=None if row.by_scorer is None else bool(row.by_scorer),
            people=said.get(row.seq),
        )
        for row in rows
    ]


def _statement(stretch: Stretch) -> Select[Any]:
    earlier = scores.alias("earlier")
    first = (
        select(func.min(earlier.c.seq))
        .where(earlier.c.sample_seq == samples.c.seq)
        .correlate(samples)
        .scalar_subquery()
    )
    return (
        select(
            samples.c.seq,
            cluster_of(Estimand.PROCESS).label("cluster"),
            samples.c.in_rate,
            samples.c.inclusion_probability,
            reviews.c.probability,
            reviews.c.fingerprint.label("judge"),
            reviews.c.flagged.label("by_judge"),
            scores.c.fingerprint.label("scorer"),
            scores.c.flagged.label("by_scorer"),
        )
        .join(reviews, reviews.c.sample_seq == samples.c.seq)
        .outerjoin(scores, and_(scores.c.sample_seq == samples.c.seq, scores.c.seq == first))
        .where(
            *inside(stretch),
            reviews.c.tenant == stretch.tenant,
            reviews.c.reviewer == Reviewer.JUDGE.value,
            reviews.c.state == State.SCORED.value,
            reviews.c.flagged.is_not(None),
            reviews.c.fingerprint.is_not(None),
        )
        .order_by(samples.c.received_at.desc(), samples.c.seq.desc())
    )
