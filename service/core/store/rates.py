"""What rates are made of: weighted counts by bucket, group and fingerprint."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Connection, Integer, Table, and_, cast, func, literal, select, type_coerce

from service.core.clock import to_microseconds
from service.core.tables import ledger, samples, scores

DIMENSIONS = ("model", "release", "prompt_version", "route", "stratum")


class Unit(StrEnum):
    """What a rate is a share of."""

    RESPONSE = "response"
    CLAIM = "claim"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Whose submissions, received when, and how they are divided."""

    tenant: str
    start: datetime  # inclusive, on a whole minute
    end: datetime  # exclusive, on a whole minute
    width_s: int  # of a bucket; whole minutes
    group_by: tuple[str, ...]  # of DIMENSIONS


@dataclass(frozen=True, kw_only=True, slots=True)
class StateRow:
    """Submissions in one state or with one outcome."""

    bucket: int
    group: tuple[str, ...]
    outcome: str  # a State or an Outcome
    in_rate: bool
    inclusion_probability: float
    submissions: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRow:
    """Sums over scored samples that count in rates."""

    bucket: int
    group: tuple[str, ...]
    fingerprint: str
    inclusion_probability: float
    scored: int
    k: int
    m: int
    kk: int
    km: int
    mm: int


def _bucket(moment: Any, stretch: Stretch) -> Any:
    since = type_coerce(moment, BigInteger) - literal(to_microseconds(stretch.start), BigInteger())
    # Integers on both sides: both databases then divide without a remainder.
    return since // literal(stretch.width_s * 1_000_000, BigInteger())


def _within(table: Table, moment: Any, stretch: Stretch) -> Any:
    return and_(table.c.tenant == stretch.tenant, moment >= stretch.start, moment < stretch.end)


def _columns(table: Table, moment: Any, stretch: Stretch) -> list[Any]:
    groups = [table.c[name] for name in stretch.group_by]
    return [_bucket(moment, stretch).label("bucket"), *groups]


def read_states(connection: Connection, stretch: Stretch) -> list[StateRow]:
    """Every submission of the stretch by what became of it; two statements."""
    size = 1 + len(stretch.group_by)
    keys = _columns(samples, samples.c.received_at, stretch)
    by_row = select(*keys, samples.c.state, samples.c.in_rate, samples.c.inclusion_probability, func.count()).where(
        _within(samples, samples.c.received_at, stretch)
    )
    by_row = by_row.group_by("bucket", *keys[1:], samples.c.state, samples.c.in_rate, samples.c.inclusion_probability)
    rows = [_state_row(row, size) for row in connection.execute(by_row)]
    keys = _columns(ledger, ledger.c.minute, stretch)
    by_count = select(
        *keys, ledger.c.outcome, literal(1), ledger.c.inclusion_probability, func.sum(ledger.c.submissions)
    ).where(_within(ledger, ledger.c.minute, stretch))
    by_count = by_count.group_by("bucket", *keys[1:], ledger.c.outcome, ledger.c.inclusion_probability)
    return rows + [_state_row(row, size) for row in connection.execute(by_count)]


def _state_row(row: Sequence[Any], size: int) -> StateRow:
    outcome, in_rate, probability, count = row[size:]
    return StateRow(
        bucket=int(row[0]),
        group=tuple(row[1:size]),
        outcome=outcome,
        in_rate=bool(in_rate),
        inclusion_probability=float(probability),
        submissions=int(count),
    )


def read_scores(connection: Connection, stretch: Stretch, unit: Unit) -> list[ScoreRow]:
    """Sums over the scored samples of the stretch that count in rates; one statement."""
    size = 1 + len(stretch.group_by)
    if unit is Unit.CLAIM:
        k: Any = type_coerce(scores.c.claims_flagged, BigInteger)
        m: Any = type_coerce(scores.c.claims_checked, BigInteger)
    else:
        k, m = cast(cast(scores.c.flagged, Integer), BigInteger), literal(1, BigInteger())
    keys = [
        *_columns(samples, samples.c.received_at, stretch),
        scores.c.fingerprint,
        samples.c.inclusion_probability,
    ]
    sums = [func.sum(value) for value in (k, m, k * k, k * m, m * m)]
    statement = (
        select(*keys, func.count(), *sums)
        .join(scores, scores.c.sample_seq == samples.c.seq)
        .where(_within(samples, samples.c.received_at, stretch), samples.c.in_rate)
        .group_by("bucket", *keys[1:])
    )
    return [_score_row(row, size) for row in connection.execute(statement)]


def _score_row(row: Sequence[Any], size: int) -> ScoreRow:
    fingerprint, probability, *counts = row[size:]
    scored, k, m, kk, km, mm = (int(value) for value in counts)
    return ScoreRow(
        bucket=int(row[0]),
        group=tuple(row[1:size]),
        fingerprint=fingerprint,
        inclusion_probability=float(probability),
        scored=scored,
        k=k,
        m=m,
        kk=kk,
        km=km,
        mm=mm,
    )
