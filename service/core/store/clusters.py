"""Clusters: sums over responses that belong together, read from the rows, where there are not too many."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Float, FromClause, Select, String, case, cast, func, literal, select

from service.core.estimate import Clusters, Estimand
from service.core.label_tables import labels
from service.core.store.rates import Stretch, Unit, bucket_of
from service.core.tables import samples, scores

MAX_SAMPLES = 25_000  # scored, in a stretch; beyond it the query would grow with them
Series = tuple[int, tuple[str, ...], str]  # bucket, group, fingerprint


@dataclass(frozen=True, kw_only=True, slots=True)
class Clustered:
    """A series' sums over clusters, with those of what the scorer predicted: F."""

    clusters: Clusters
    ff: float
    fm: float


def cluster_of(estimand: Estimand, of: FromClause = samples) -> Any:
    """What a response belongs to, as SQL: its session, else its trace, else itself.

    For the traffic itself it is what was chosen as a whole: its trace, else itself.
    """
    own = literal("r") + cast(of.c.seq, String)
    trace = literal("t") + of.c.trace_id
    if estimand is Estimand.TRAFFIC:
        return func.coalesce(trace, own)
    return func.coalesce(literal("s") + of.c.session_id, trace, own)


def read_clusters(
    connection: Connection, stretch: Stretch, unit: Unit, estimand: Estimand
) -> Mapping[Series, Clustered]:
    """Sums over the clusters of each series; one statement, over all scored samples of the stretch."""
    return read_cluster_sums(connection, stretch, _sums(stretch, unit, estimand), estimand)


def read_cluster_sums(
    connection: Connection, stretch: Stretch, sums: Select[Any], estimand: Estimand
) -> Mapping[Series, Clustered]:
    """The same of other sums: one row a series and cluster, with K, M and F, its mean weight and probability, its units."""
    one = sums.subquery()
    left = literal(1.0) if estimand is Estimand.PROCESS else 1.0 - one.c.probability
    keys = [one.c[name] for name in ("bucket", *stretch.group_by, "fingerprint")]
    k, m, f = one.c.k, one.c.m, one.c.f

    def heavy(condition: Any) -> list[Any]:
        weight = case((condition, one.c.weight), else_=0.0)
        return [func.sum(weight), func.sum(weight * weight)]

    products = [func.sum(left * product) for product in (k * k, k * m, m * m, f * f, f * m)]
    statement = select(*keys, *products, *heavy(k > 0), *heavy(k < m - m * 1e-12), func.max(one.c.units)).group_by(
        *keys
    )
    size = 1 + len(stretch.group_by)
    found = {}
    for row in connection.execute(statement):
        kk, km, mm, ff, fm, some, some_squares, rest, rest_squares, largest = row[size + 1 :]
        found[int(row[0]), tuple(row[1:size]), row[size]] = Clustered(
            clusters=Clusters(
                kk=kk,
                km=km,
                mm=mm,
                some=some**2 / some_squares if some_squares else 0.0,
                rest=rest**2 / rest_squares if rest_squares else 0.0,
                single=largest == 1,
            ),
            ff=ff,
            fm=fm,
        )
    return found


def read_cluster_totals(
    connection: Connection, stretch: Stretch, unit: Unit, estimand: Estimand
) -> Mapping[tuple[Series, str], tuple[float, float]]:
    """F and M of the clusters that have a label, in each series that has them; one statement."""
    labelled = samples.alias("labelled")
    wanted = select(cluster_of(estimand, labelled)).join(labels, labels.c.sample_seq == labelled.c.seq)
    wanted = wanted.where(
        labels.c.tenant == stretch.tenant,
        labelled.c.received_at >= stretch.start,
        labelled.c.received_at < stretch.end,
    )
    return _totals(connection, stretch, _sums(stretch, unit, estimand).where(cluster_of(estimand).in_(wanted)))


def read_shared_totals(
    connection: Connection, stretch: Stretch, estimand: Estimand
) -> Mapping[tuple[Series, str], tuple[float, float]]:
    """F and M of the clusters that several responses belong to; one statement, over all scored samples of the stretch."""
    return _totals(connection, stretch, _sums(stretch, Unit.RESPONSE, estimand).having(func.count() > 1))


def _totals(
    connection: Connection, stretch: Stretch, sums: Select[Any]
) -> Mapping[tuple[Series, str], tuple[float, float]]:
    size = 1 + len(stretch.group_by)
    return {
        ((int(row[0]), tuple(row[1:size]), row.fingerprint), row.cluster): (row.f, row.m)
        for row in connection.execute(sums)
    }


def _sums(stretch: Stretch, unit: Unit, estimand: Estimand) -> Select[Any]:
    k: Any
    m: Any
    f: Any
    if unit is Unit.CLAIM:
        k, m, f = scores.c.claims_flagged, scores.c.claims_checked, scores.c.claims_flagged
    else:
        k, m, f = case((scores.c.flagged, 1), else_=0), literal(1), scores.c.score
    weight = 1.0 / samples.c.inclusion_probability
    keys = [
        bucket_of(samples.c.received_at, stretch).label("bucket"),
        *(samples.c[name] for name in stretch.group_by),
        scores.c.fingerprint,
        cluster_of(estimand).label("cluster"),
    ]
    return (
        select(
            *keys,
            func.sum(weight * cast(k, Float)).label("k"),
            func.sum(weight * cast(m, Float)).label("m"),
            func.sum(weight * cast(f, Float)).label("f"),
            func.avg(weight).label("weight"),
            func.avg(samples.c.inclusion_probability).label("probability"),
            func.sum(m).label("units"),
        )
        .join(scores, scores.c.sample_seq == samples.c.seq)
        .where(
            stretch.of(samples),
            samples.c.received_at >= stretch.start,
            samples.c.received_at < stretch.end,
            samples.c.in_rate,
        )
        .group_by(*keys)
    )
