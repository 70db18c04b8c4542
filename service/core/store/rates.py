"""What rates are made of: counts and sums by bucket, group and fingerprint, read from the rollups."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    case,
    func,
    literal,
    literal_column,
    select,
    type_coerce,
    union_all,
)

from service.core.clock import to_microseconds
from service.core.store.rollups import SUMS, WIDTHS_S, Sums, pieces
from service.core.tables import SCORES, Outcome, State, rollup_deltas, rollups, samples

Match = tuple[tuple[str, tuple[str, ...]], ...]  # dimensions and the values of each that count; all of the others
DIMENSIONS = ("model", "release", "prompt_version", "route", "stratum")
_PENDING = samples.c.state == literal_column("'pending'")  # the partial index's predicate


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
    match: Match = ()

    def of(self, table: Any) -> ColumnElement[bool]:
        """Whose rows of a table with a tenant and the dimensions are meant, as SQL; whatever their time."""
        wanted = (table.c[name].in_(values) for name, values in self.match)
        return and_(table.c.tenant == self.tenant, *wanted)

    @property
    def widest_s(self) -> int:
        """The widest stretches of the rollups of which every bucket is made up; the widest of all if it is one bucket."""
        if (self.end - self.start).total_seconds() <= self.width_s:
            return max(WIDTHS_S)
        begin = int(self.start.timestamp())
        return max(width_s for width_s in WIDTHS_S if self.width_s % width_s == 0 == begin % width_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class StateRow:
    """Submissions in one state or with one outcome."""

    bucket: int
    group: tuple[str, ...]
    outcome: str  # a State or an Outcome
    inclusion_probability: float
    submissions: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRow:
    """Sums over scored samples that count in rates."""

    bucket: int
    group: tuple[str, ...]
    fingerprint: str
    inclusion_probability: float
    sums: Sums


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """What became of a stretch's submissions, and the sums over their scores."""

    states: Sequence[StateRow]
    scores: Sequence[ScoreRow]

    @property
    def scored(self) -> int:
        """Scores of the stretch; a sample that two fingerprints scored has two."""
        return sum(row.sums.number for row in self.scores)


NEEDED: dict[Unit, tuple[str, ...]] = {
    Unit.RESPONSE: ("number", "flagged", "score_sum", "score_squares"),
    Unit.CLAIM: tuple(name for name in SUMS if not name.startswith("score_")),
}


def read_counted(
    connection: Connection, stretch: Stretch, unit: Unit = Unit.RESPONSE, limit: int | None = None
) -> Counted:
    """Every submission of the stretch by what became of it, and the sums that the unit's rate needs; two statements.

    With a limit, no more rows than that of what has ended: as many as that, and there may be more.
    """
    states, scores = [], []
    names = NEEDED[unit]
    for row in connection.execute(_folded_and_not(stretch, names).limit(limit)):
        place: dict[str, Any] = {
            "bucket": int(row[0]),
            "group": tuple(row[1 : 1 + len(stretch.group_by)]),
            "inclusion_probability": float(row.inclusion_probability),
        }
        if row.outcome != SCORES:
            states.append(StateRow(**place, outcome=row.outcome, submissions=int(row.number)))
        elif row.number:
            # Sums of whole numbers come as decimals from PostgreSQL.
            sums = Sums(**{name: _KINDS[name](getattr(row, name)) for name in names})
            scores.append(ScoreRow(**place, fingerprint=row.fingerprint, sums=sums))
    return Counted(states=states + _read_pending(connection, stretch), scores=scores)


_KINDS: dict[str, Any] = {name: float if name.startswith("score_") else int for name in SUMS}


def _folded_and_not(stretch: Stretch, sums: tuple[str, ...]) -> Select[Any]:
    parts = [
        _part(rollups, stretch, piece.start, piece.end, sums).where(rollups.c.width_s == piece.width_s)
        for piece in pieces(stretch.start, stretch.end, stretch.widest_s)
    ]
    every = union_all(*parts, _part(rollup_deltas, stretch, stretch.start, stretch.end, sums)).subquery()
    keys = [every.c[name] for name in ("bucket", *stretch.group_by, "outcome", "fingerprint", "inclusion_probability")]
    return select(*keys, *(func.sum(every.c[name]).label(name) for name in sums)).group_by(*keys)


def _part(table: Table, stretch: Stretch, start: datetime, end: datetime, sums: tuple[str, ...]) -> Select[Any]:
    names = dict.fromkeys((*stretch.group_by, "outcome", "fingerprint", "inclusion_probability"))
    columns = [table.c[name] for name in (*names, *sums)]
    return select(bucket_of(table.c.start, stretch).label("bucket"), *columns).where(
        stretch.of(table), table.c.start >= start, table.c.start < end
    )


def _read_pending(connection: Connection, stretch: Stretch) -> list[StateRow]:
    moment = samples.c.received_at
    keys = [bucket_of(moment, stretch).label("bucket"), *(samples.c[name] for name in stretch.group_by)]
    # A sample that is only scored because a caller waits for it was left out by the hash.
    outcome = case((samples.c.in_rate, State.PENDING.value), else_=Outcome.SAMPLED_OUT.value).label("outcome")
    keys += [outcome, samples.c.inclusion_probability]
    statement = (
        select(*keys, func.count().label("number"))
        .where(_PENDING, stretch.of(samples), moment >= stretch.start, moment < stretch.end)
        .group_by(*keys)
    )
    size = len(stretch.group_by)
    return [
        StateRow(
            bucket=int(row[0]),
            group=tuple(row[1 : 1 + size]),
            outcome=row.outcome,
            inclusion_probability=float(row.inclusion_probability),
            submissions=int(row.number),
        )
        for row in connection.execute(statement)
    ]


def bucket_of(moment: Any, stretch: Stretch) -> Any:
    """The number of the bucket that a moment lies in, as SQL."""
    since = type_coerce(moment, BigInteger) - literal(to_microseconds(stretch.start), BigInteger())
    # Integers on both sides: both databases then divide without a remainder.
    return since // literal(stretch.width_s * 1_000_000, BigInteger())
