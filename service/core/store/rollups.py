"""Rollups: sums by minute, hour and day that rates are read from, whatever number of samples lies behind them.

Whatever finishes a sample, or counts a submission that has no row, adds a delta in its own transaction: a plain insert
that waits for nobody. The elected ticker folds deltas into the rollups and deletes them in one transaction. Who reads
adds both up, so that a sum is exact at any moment and counts nothing twice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, select

from models.types import Scored
from service.core.clock import EPOCH
from service.core.store.dialect import insert, insert_many, many
from service.core.tables import SCORES, Outcome, rollup_deltas, rollups, samples

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
WIDTHS_S = (MINUTE_S, HOUR_S, DAY_S)
MINUTES_KEPT = timedelta(days=2)  # older stretches are cut at whole hours
MAX_GROUPS = 1_000  # kinds of group that a tenant may have in a day; what comes after them is OTHER
OTHER = "(other)"
_GROUP = ("model", "release", "prompt_version", "route")


class Place(NamedTuple):
    """What is summed together. A tuple: one is made and hashed for every submission that is not sampled."""

    minute: datetime
    tenant: str
    outcome: str  # an Outcome, a State but `pending`, or SCORES
    stratum: str
    inclusion_probability: float
    model: str = ""
    release: str = ""
    prompt_version: str = ""
    route: str = ""
    fingerprint: str = ""

    def without_groups(self) -> "Place":
        """The same, said of no group."""
        return self._replace(model=OTHER, release=OTHER, prompt_version=OTHER, route=OTHER)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """Sums over submissions, or over scores."""

    number: int = 1
    flagged: int = 0
    claims: int = 0
    claims_flagged: int = 0
    claims_squares: int = 0
    claims_flagged_squares: int = 0
    claims_products: int = 0  # of claims and flagged claims
    some_flagged: int = 0
    some_clean: int = 0
    score_sum: float = 0.0
    score_squares: float = 0.0

    def __add__(self, other: "Sums") -> "Sums":
        """Both together."""
        return Sums(**{name: getattr(self, name) + getattr(other, name) for name in SUMS})


SUMS = tuple(field.name for field in fields(Sums))


ENDED = tuple(
    samples.c[name]
    for name in ("tenant", "received_at", "state", "in_rate", "stratum", "inclusion_probability", *_GROUP)
)


def ended(row: Row[Any]) -> Place:
    """Where a sample counts that has just ended; `row` has the columns ENDED."""
    # What was only scored because a caller waited for it was left out by the hash.
    return _place(row, row.state if row.in_rate else Outcome.SAMPLED_OUT, "")


def scored_place(row: Row[Any], fingerprint: str) -> Place:
    """Where a sample's score counts."""
    return _place(row, SCORES, fingerprint)


def _place(row: Row[Any], outcome: str, fingerprint: str) -> Place:
    return Place(
        minute=floor(row.received_at, MINUTE_S),
        tenant=row.tenant,
        outcome=str(outcome),
        stratum=row.stratum,
        inclusion_probability=row.inclusion_probability,
        model=row.model,
        release=row.release,
        prompt_version=row.prompt_version,
        route=row.route,
        fingerprint=fingerprint,
    )


def sums_of(outcome: Scored) -> Sums:
    """The sums over one score."""
    claims, flagged = outcome.claims_checked, outcome.claims_flagged
    return Sums(
        flagged=int(outcome.flagged),
        claims=claims,
        claims_flagged=flagged,
        claims_squares=claims * claims,
        claims_flagged_squares=flagged * flagged,
        claims_products=claims * flagged,
        some_flagged=int(flagged > 0),
        some_clean=int(flagged < claims),
        score_sum=outcome.score,
        score_squares=outcome.score * outcome.score,
    )


def add_deltas(connection: Connection, counted: Iterable[tuple[Place, Sums]]) -> None:
    """Adds what has happened; one statement."""
    total: dict[Place, Sums] = {}
    for place, sums in counted:
        held = total.get(place)
        total[place] = sums if held is None else held + sums
    rows = [_columns(place, sums) | {"start": place.minute} for place, sums in total.items()]
    if rows:
        dialect = connection.dialect.name
        connection.execute(insert_many(dialect, rollup_deltas, tuple(rows[0])), many(dialect, rows))


def _columns(place: Place, sums: Sums) -> dict[str, Any]:
    values = place._asdict() | {name: getattr(sums, name) for name in SUMS}
    del values["minute"]
    return values


def fold(connection: Connection, limit: int) -> int:
    """Moves at most so many deltas, oldest first, into the rollups; returns how many.

    Deleting them is what takes them: of two that fold at the same time each gets its own.
    """
    oldest = select(rollup_deltas.c.seq).order_by(rollup_deltas.c.seq).limit(limit).with_for_update(skip_locked=True)
    taken = delete(rollup_deltas).where(rollup_deltas.c.seq.in_(oldest)).returning(rollup_deltas)
    rows = connection.execute(taken).all()
    if not rows:
        return 0
    groups = _Groups(connection)
    total: dict[tuple[int, Place], Sums] = {}
    for row in rows:
        names = [name for name in Place._fields if name != "minute"]
        place = groups.bounded(Place(minute=row.start, **{name: getattr(row, name) for name in names}))
        sums = Sums(**{name: getattr(row, name) for name in SUMS})
        for width_s in WIDTHS_S:
            key = (width_s, place._replace(minute=floor(place.minute, width_s)))
            total[key] = total[key] + sums if key in total else sums
    statement = insert(connection, rollups)
    statement = statement.on_conflict_do_update(
        index_elements=[column.name for column in rollups.primary_key.columns],
        set_={name: rollups.c[name] + statement.excluded[name] for name in SUMS},
    )
    # In one order: two that fold must not wait for each other in a circle.
    connection.execute(
        statement,
        [
            _columns(place, total[width_s, place]) | {"width_s": width_s, "start": place.minute}
            for width_s, place in sorted(total)
        ],
    )
    return len(rows)


class _Groups:
    """Which groups a tenant has on a day; callers who make up labels must not make rates slow."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[str, datetime], set[tuple[str, ...]]] = {}

    def bounded(self, place: Place) -> Place:
        """The place, without its groups if they would be too many."""
        known = self._of_day(place.tenant, floor(place.minute, DAY_S))
        group = (place.model, place.release, place.prompt_version, place.route)
        if group not in known:
            if len(known) >= MAX_GROUPS:
                return place.without_groups()
            known.add(group)
        return place

    def _of_day(self, tenant: str, day: datetime) -> set[tuple[str, ...]]:
        if (tenant, day) not in self._known:
            statement = (
                select(*(rollups.c[name] for name in _GROUP))
                .where(rollups.c.tenant == tenant, rollups.c.width_s == DAY_S, rollups.c.start == day)
                .distinct()
            )
            self._known[tenant, day] = {tuple(row) for row in self._connection.execute(statement)}
        return self._known[tenant, day]


def forget_minutes(connection: Connection, now: datetime, limit: int) -> int:
    """Deletes sums by minute that no query reads any more, at most so many tenants' hours; returns how many rows."""
    # An hour's grace: a query that began before must still find what it was promised.
    before = floor(now - MINUTES_KEPT, HOUR_S) - timedelta(hours=1)
    due = (
        select(rollups.c.tenant, rollups.c.start)
        .where(rollups.c.width_s == MINUTE_S, rollups.c.start < before)
        .distinct()
        .limit(limit)
    )
    deleted = 0
    for tenant, start in connection.execute(due).all():
        found = connection.execute(
            delete(rollups).where(rollups.c.tenant == tenant, rollups.c.width_s == MINUTE_S, rollups.c.start == start)
        )
        deleted += found.rowcount
    return deleted


def floor(moment: datetime, width_s: int) -> datetime:
    """The begin of the stretch of that width, counted from 1970 in UTC, that the moment lies in."""
    width = timedelta(seconds=width_s)
    return moment - (moment - EPOCH) % width


class Piece(NamedTuple):
    """Stretches of one width, one beside the other."""

    width_s: int
    start: datetime
    end: datetime


def pieces(start: datetime, end: datetime, widest_s: int) -> Iterator[Piece]:
    """The time from start to end, on whole minutes, in the widest stretches that fit; no wider than `widest_s`."""
    yield from _pieces(start, end, [width_s for width_s in reversed(WIDTHS_S) if width_s <= widest_s])


def _pieces(start: datetime, end: datetime, widths_s: list[int]) -> Iterator[Piece]:
    width_s, *finer = widths_s
    if not finer:
        low, high = start, end
    else:
        low = floor(start + timedelta(seconds=width_s - MINUTE_S), width_s)
        high = floor(end, width_s)
    if low < high:
        if finer:
            yield from _pieces(start, low, finer)
        yield Piece(width_s, low, high)
        if finer:
            yield from _pieces(high, end, finer)
    elif finer and start < end:
        yield from _pieces(start, end, finer)
