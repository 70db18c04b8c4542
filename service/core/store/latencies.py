"""Latencies: which of a stretch's samples took too long, by what callers say of them; read from rows."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Float, and_, case, cast, func, literal, select

from service.core.errors import QueryInvalidError
from service.core.estimate import Cell, Clusters, Estimand, responses
from service.core.store.clusters import cluster_of, read_cluster_sums
from service.core.store.rates import Stretch
from service.core.tables import samples

GOLDEN, WORD = 2_654_435_769, 2**32  # 2^32 over the golden ratio
MAX_ROWS = 5_000  # groups, times the probabilities in each
NONE = Clusters(kk=0.0, km=0.0, mm=0.0, some=0.0, rest=0.0)
_LATENCY = samples.c.details["latency_ms"].as_float()


@dataclass(frozen=True, kw_only=True, slots=True)
class Latencies:
    """What the samples of a group say."""

    cells: tuple[Cell, ...]  # `k`: slow ones; of those that say how long they took
    clusters: Clusters
    samples: int  # whether they say it or not


def read_latencies(
    connection: Connection, stretch: Stretch, slow_ms: float, most: int
) -> Mapping[tuple[str, ...], Latencies]:
    """By group, of the samples in rates; of more than about `most` every second, third and so on is read.

    Three statements. They are chosen by the golden ratio's multiples of their numbers (Knuth, The Art of Computer
    Programming 3, section 6.4), which no pattern in the traffic meets. Raises QueryInvalidError beyond MAX_ROWS groups.
    """
    here = _in(stretch)
    number = connection.execute(select(func.count()).select_from(samples).where(here)).scalar_one()
    thin = max(1, -(-int(number) // most))
    small = samples.c.seq % literal(2**31, BigInteger())  # so that the product fits into 63 bits
    mixed = small * literal(GOLDEN, BigInteger()) % literal(WORD, BigInteger())
    chosen = and_(here, mixed < literal(WORD // thin, BigInteger())) if thin > 1 else here
    slow = case((slow_ms < _LATENCY, 1), else_=0)
    cells: dict[tuple[str, ...], list[Cell]] = defaultdict(list)
    every: dict[tuple[str, ...], int] = defaultdict(int)
    keys = [samples.c[name] for name in stretch.group_by]
    statement = (
        select(*keys, samples.c.inclusion_probability, func.count(), func.count(_LATENCY), func.sum(slow))
        .where(chosen)
        .group_by(*keys, samples.c.inclusion_probability)
        .limit(MAX_ROWS + 1)
    )
    rows_read = connection.execute(statement).all()
    if len(rows_read) > MAX_ROWS:
        raise QueryInvalidError("Too many groups.", field="group_by")
    for row in rows_read:
        *group, probability, rows, known, over = row
        every[tuple(group)] += int(rows)
        cells[tuple(group)].append(responses(float(probability) / thin, int(known), int(over or 0)))
    clusters = _clusters(connection, stretch, and_(chosen, _LATENCY.is_not(None)), slow, thin)
    return {
        group: Latencies(cells=tuple(found), clusters=clusters.get(group, NONE), samples=every[group])
        for group, found in cells.items()
    }


def _in(stretch: Stretch) -> ColumnElement[bool]:
    moment = samples.c.received_at
    return and_(stretch.of(samples), moment >= stretch.start, moment < stretch.end, samples.c.in_rate)


def _clusters(
    connection: Connection, stretch: Stretch, chosen: ColumnElement[bool], slow: Any, thin: int
) -> Mapping[tuple[str, ...], Clusters]:
    weight = thin / samples.c.inclusion_probability
    k = func.sum(weight * cast(slow, Float)).label("k")
    keys = [
        literal(0).label("bucket"),
        *(samples.c[name] for name in stretch.group_by),
        literal("").label("fingerprint"),
        cluster_of(Estimand.PROCESS).label("cluster"),
    ]
    sums = select(
        *keys,
        k,
        func.sum(weight).label("m"),
        k.element.label("f"),
        func.avg(weight).label("weight"),
        func.avg(samples.c.inclusion_probability).label("probability"),
        func.count().label("units"),
    ).where(chosen)
    grouped = sums.group_by(*keys)
    found = read_cluster_sums(connection, stretch, grouped, Estimand.PROCESS)
    return {group: clustered.clusters for (_, group, _), clustered in found.items()}
