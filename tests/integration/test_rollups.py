"""Rollups: folded or not, by minute, hour or day, sums are those of the rows; nothing is counted twice or lost."""

import random
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select

from models.types import NotApplicable, NotApplicableReason, Outcome, Unscored, UnscoredReason
from service.core.clock import utc_now
from service.core.db import Database
from service.core.rates import Bucket, Question, make_buckets
from service.core.store import rollups as store_rollups
from service.core.store.ledger import Flush, add_flush
from service.core.store.rates import Stretch, Unit, read_counted
from service.core.store.recount import add_deltas_of_rows
from service.core.store.rollups import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    OTHER,
    Place,
    Sums,
    add_deltas,
    fold,
    forget_minutes,
    pieces,
)
from service.core.store.scores import ScoredBy
from service.core.tables import Outcome as Counted
from service.core.tables import rollup_deltas, rollups
from tests.integration.support import NOW, finish_pending, in_threads, new_sample, scored, store

PLACE = Place(minute=NOW, tenant="default", outcome=Counted.SAMPLED_OUT, stratum="default", inclusion_probability=0.5)


def folded(database: Database, limit: int = 10_000) -> int:
    with database.write() as connection:
        return fold(connection, limit)


def number(database: Database, width_s: int) -> int:
    statement = select(func.coalesce(func.sum(rollups.c.number), 0)).where(rollups.c.width_s == width_s)
    with database.read() as connection:
        return int(connection.execute(statement).scalar_one())


def waiting(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(rollup_deltas)).scalar_one())


def buckets(database: Database, width: timedelta, unit: Unit = Unit.RESPONSE) -> list[Bucket]:
    start, end = NOW - timedelta(days=3), NOW + timedelta(days=3)
    stretch = Stretch(
        tenant="default",
        start=start,
        end=end,
        width_s=int(width.total_seconds()),
        group_by=("release", "route"),
    )
    with database.read() as connection:
        return make_buckets(Question(stretch=stretch, unit=unit), read_counted(connection, stretch, unit))


def fill(database: Database, seed: int) -> None:
    """Four days of samples that ended in every way, and counts of what has no row."""
    draw = random.Random(seed)
    outcomes: list[Outcome] = [
        scored(0.9, checked=3),
        scored(0.2, flagged=False, checked=1),
        Unscored(reason=UnscoredReason.NOT_FINITE),
        NotApplicable(reason=NotApplicableReason.REFUSAL),
    ]
    rows = [
        new_sample(
            f"s-{n}",
            received_at=NOW + timedelta(minutes=draw.randrange(-3_000, 3_000), seconds=draw.random() * 60),
            inclusion_probability=draw.choice([0.05, 0.5]),
            release=draw.choice(["r1", "r2"]),
            route=draw.choice(["", "a", "b"]),
            in_rate=draw.random() < 0.9,
        )
        for n in range(80)
    ]
    store(database, *rows[:60])
    by = ScoredBy(scorer="told", fingerprint=draw.choice(["f1", "f2"]), attributes={})
    finish_pending(database, lambda _: draw.choice(outcomes), by)
    store(database, *rows[60:])
    counts = {PLACE._replace(minute=NOW + timedelta(minutes=draw.randrange(-3_000, 3_000))): n for n in range(1, 9)}
    with database.write() as connection:
        add_flush(connection, Flush(replica="r", sequence=seed, counts=counts), NOW)


@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("width", [timedelta(minutes=15), timedelta(hours=6), timedelta(days=2), timedelta(days=6)])
def test_folding_changes_no_rate(database: Database, width: timedelta, unit: Unit) -> None:
    """Not folded, half folded or folded, at every width: the same buckets."""
    fill(database, 1)
    before = buckets(database, width, unit)
    assert sum(bucket.counts.scored for bucket in before) > 5
    assert folded(database, waiting(database) // 2) > 0
    assert buckets(database, width, unit) == before
    folded(database)
    assert waiting(database) == 0
    assert buckets(database, width, unit) == before


def test_deltas_are_what_a_recount_finds(database: Database) -> None:
    """What was written with each end is what the rows say when they are counted again."""
    fill(database, 3)
    written = buckets(database, timedelta(days=6))
    with database.write() as connection:
        connection.execute(delete(rollup_deltas).where(rollup_deltas.c.release != ""))  # all that has a row
        add_deltas_of_rows(connection, 0)
    assert buckets(database, timedelta(days=6)) == written


def test_two_that_fold_count_once(database: Database) -> None:
    """Whoever deletes a delta counts it, however many fold at once."""
    for n in range(40):
        with database.write() as connection:
            add_deltas(connection, [(PLACE._replace(route=f"r{n % 7}"), Sums(number=1)) for _ in range(3)])
    done: list[int] = []
    lock = threading.Lock()

    def fold_all(_: int) -> None:
        while moved := folded(database, 5):
            with lock:
                done.append(moved)

    in_threads(4, fold_all)
    while moved := folded(database):
        done.append(moved)
    assert sum(done) == 40
    assert [number(database, width_s) for width_s in (MINUTE_S, HOUR_S, DAY_S)] == [120, 120, 120]


def test_a_fold_that_fails_leaves_all(database: Database) -> None:
    """Taking and adding are one transaction."""
    with database.write() as connection:
        add_deltas(connection, [(PLACE, Sums(number=3))])
    with database.engine.connect() as connection:
        assert fold(connection, 10) == 1
        connection.rollback()
    assert (waiting(database), number(database, DAY_S)) == (1, 0)


def test_made_up_labels_become_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many groups of a tenant and day the rest is one group; no count is lost, other days have room."""
    monkeypatch.setattr(store_rollups, "MAX_GROUPS", 3)
    for day in (0, 1):
        for n in range(5):
            place = PLACE._replace(route=f"made-up-{n}", minute=NOW + timedelta(days=day))
            with database.write() as connection:
                add_deltas(connection, [(place, Sums(number=n + 1))])
            folded(database)
    with database.read() as connection:
        rows = connection.execute(
            select(rollups.c.route, func.sum(rollups.c.number))
            .where(rollups.c.width_s == DAY_S)
            .group_by(rollups.c.route)
        )
        found = {row[0]: int(row[1]) for row in rows}
    assert found == {
        "made-up-0": 2,
        "made-up-1": 4,
        "made-up-2": 6,
        OTHER: 18,
    }


def test_minutes_are_forgotten_hours_stay(database: Database) -> None:
    """Sums by minute go when no query cuts there any more; sums by hour and day stay."""
    now = utc_now()
    for age in (timedelta(days=1), timedelta(days=2, hours=3)):
        with database.write() as connection:
            minute = (now - age).replace(second=0, microsecond=0)
            add_deltas(connection, [(PLACE._replace(minute=minute), Sums(number=1))])
    folded(database)
    with database.write() as connection:
        assert forget_minutes(connection, now, 100) == 1
        assert forget_minutes(connection, now, 100) == 0
    assert [number(database, width_s) for width_s in (MINUTE_S, HOUR_S, DAY_S)] == [1, 2, 2]


@pytest.mark.parametrize("widest_s", [MINUTE_S, HOUR_S, DAY_S])
@pytest.mark.parametrize(
    ("start", "minutes"),
    [("2026-11-01T22:31", 1), ("2026-11-01T00:00", 4_320), ("2026-11-01T22:59", 4_000), ("2026-11-02T05:00", 59)],
)
def test_pieces_cover_each_minute_once(start: str, minutes: int, widest_s: int) -> None:
    """Pieces follow each other without a gap, each on whole multiples of its width, and are few."""
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    end = begin + timedelta(minutes=minutes)
    found = list(pieces(begin, end, widest_s))
    assert [piece.start for piece in found] == [begin, *(piece.end for piece in found[:-1])]
    assert found[-1].end == end
    assert len(found) <= 5
    for piece in found:
        assert piece.width_s <= widest_s
        assert piece.start.timestamp() % piece.width_s == piece.end.timestamp() % piece.width_s == 0


def test_a_sample_accepted_without_an_end_is_in_no_delta(database: Database) -> None:
    """What waits is read from its row; accepting costs no statement for rates."""
    store(database, new_sample("a"))
    assert waiting(database) == 0
    (bucket,) = buckets(database, timedelta(days=6))
    assert (bucket.counts.pending, bucket.counts.submitted) == (1, 1)


def test_a_sample_received_long_ago_that_ends_now_counts_then(database: Database) -> None:
    """A sample counts where it was received, however late it ends."""
    store(database, new_sample("a", received_at=NOW - timedelta(days=2)))
    finish_pending(database)
    (bucket,) = buckets(database, timedelta(days=1))
    assert bucket.start <= NOW - timedelta(days=2) < bucket.end
    assert bucket.counts.scored == 1
