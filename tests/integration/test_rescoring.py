"""Rescoring: old samples by a new scorer, each once, whoever dies; the old scores stay, and the offset is told."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from models.types import NotApplicable, NotApplicableReason, Outcome
from service.core.db import Database
from service.core.metrics import WorkerMetrics
from service.core.offset import offset
from service.core.rates import Bucket, Question, make_buckets
from service.core.store.both import read_both, read_fingerprints
from service.core.store.rates import Stretch, read_counted
from service.core.store.removal import By, Depth, Removal, remove_batch
from service.core.store.rescoring import (
    Wanted,
    count_rescores,
    finish_rescores,
    give_up,
    release_rescores,
    request_rescores,
    take_rescores,
    withdraw_others,
)
from service.core.store.scores import ScoredBy
from service.core.store.taking import Finished, TakeLimits, Taken
from service.core.tables import Kept, samples, scores
from tests.integration.support import LIMITS, NOW, ToldScorer, finish_pending, in_threads, new_sample, scored, store
from workers.pipeline import Pipeline
from workers.progress import Progress

NEW = ScoredBy(scorer="told", fingerprint="f2", attributes={})
START, END = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


def fill(database: Database, count: int, **changes: Any) -> None:
    store(database, *[new_sample(f"s-{n}", **changes) for n in range(count)])
    finish_pending(database, lambda row: scored(flagged="s-0." in row.response))


def request(database: Database, limit: int = 1_000, fingerprint: str = "f2") -> int:
    asked, after = 0, 0
    wanted = Wanted(tenant="default", start=START, end=END, fingerprint=fingerprint)
    while True:
        with database.write() as connection:
            found, last = request_rescores(connection, wanted, NOW, after, limit)
        asked += found
        if found < limit:
            return asked
        after = last


def take(database: Database, *, alone: bool = False, limits: TakeLimits = LIMITS) -> list[Taken]:
    with database.write() as connection:
        return take_rescores(connection, limits, "f2", alone=alone)


def finish(database: Database, rows: list[Taken], outcome: Outcome | None = None, by: ScoredBy = NEW) -> int:
    with database.write() as connection:
        done = [Finished(taken=row, outcome=outcome or scored()) for row in rows]
        return finish_rescores(connection, done, by, NOW)


def left(database: Database, fingerprint: str = "f2") -> int:
    with database.read() as connection:
        return count_rescores(connection, "default", fingerprint)


def buckets(database: Database) -> list[Bucket]:
    stretch = Stretch(tenant="default", start=START, end=END, width_s=7_200, group_by=())
    with database.read() as connection:
        return make_buckets(Question(stretch=stretch), read_counted(connection, stretch))


def test_new_scores_are_a_series_of_their_own(database: Database) -> None:
    """Every sample is then in both series; nothing that was counted changes."""
    fill(database, 5)
    (before,) = buckets(database)
    assert request(database, limit=2) == 5
    assert finish(database, take(database)) == 5
    old, new = buckets(database)
    assert old == before
    assert (new.fingerprint, new.flagged.rate, new.counts.scored, new.counts.scored_by_others) == ("f2", 1.0, 5, 0)
    assert new.counts.submitted == before.counts.submitted == 5
    assert left(database) == 0


def test_asked_twice_is_asked_once(database: Database) -> None:
    """A request that is there already is not made again."""
    fill(database, 3)
    request(database)
    request(database)
    assert left(database) == 3


def test_what_cannot_be_scored_again_is_left_out(database: Database) -> None:
    """Pending samples, those out of the time, and those whose text is gone."""
    fill(database, 2)
    store(database, new_sample("p"), new_sample("old", received_at=NOW - timedelta(days=1)))
    with database.write() as connection:
        connection.execute(samples.update().where(samples.c.id == "s-1").values(kept=Kept.ROW.value))
    assert request(database) == 1


def test_a_worker_that_was_thought_dead_writes_nothing(database: Database) -> None:
    """Its lease ended and another took the row: one score, counted once."""
    fill(database, 1)
    request(database)
    (late,) = take(database, limits=TakeLimits(rows=9, tokens=10**6, lease_s=-1))
    (taken,) = take(database, alone=True)
    assert finish(database, [taken]) == 1
    assert finish(database, [late]) == 0
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(scores)).scalar_one() == 2
    assert buckets(database)[1].counts.scored == 1


def test_a_row_that_fails_goes_alone_and_is_given_up(database: Database) -> None:
    """Once in company and three times alone; then the request goes, and the sample keeps its old score."""
    fill(database, 2)
    request(database)
    first = take(database)
    assert len(first) == 2
    with database.write() as connection:
        release_rescores(connection, first, "f2", failed=True)
    assert take(database) == []
    for _ in range(3):
        (row, *others) = take(database, alone=True)
        assert others == []
        with database.write() as connection:
            release_rescores(connection, [row], "f2", failed=True)
    with database.write() as connection:
        assert give_up(connection, "f2") == 1
    assert left(database) == 1


def test_a_stop_counts_for_nothing(database: Database) -> None:
    """What was given back untouched is taken in a batch again."""
    fill(database, 3)
    request(database)
    rows = take(database)
    with database.write() as connection:
        release_rescores(connection, rows, "f2", failed=False)
    assert len(take(database)) == 3


def test_the_same_scorer_has_nothing_to_do(database: Database) -> None:
    """Samples that this scorer has scored already are not asked for."""
    fill(database, 3)
    assert request(database, fingerprint="f1") == 0
    assert left(database, "f1") == 0


def test_another_scorer_leaves_requests_alone(database: Database) -> None:
    """A worker that still has the old model takes nothing of what the new one is to do, and drops nothing."""
    fill(database, 3)
    request(database)
    old = Pipeline(
        database=database,
        scorer=ToldScorer(fingerprint="f1"),
        limits=LIMITS,
        progress=Progress(None),
        metrics=WorkerMetrics(),
    )
    assert old.drain() == 0
    assert left(database) == 3


def test_requests_for_a_scorer_that_is_gone_are_withdrawn(database: Database) -> None:
    """Whoever asks for the scorer of now gives up what waited for another; what that one still holds it cannot write."""
    fill(database, 3)
    request(database)
    rows = take(database)
    with database.write() as connection:
        assert withdraw_others(connection, "default", "f3") == 3
        assert withdraw_others(connection, "default", "f3") == 0
    assert finish(database, rows) == 0


@pytest.mark.parametrize("depth", list(Depth))
def test_what_is_removed_is_not_scored_again(database: Database, depth: Depth) -> None:
    """Its request goes with the text; a worker that holds it writes nothing."""
    fill(database, 2)
    request(database)
    rows = take(database)
    with database.write() as connection:
        removal = Removal(tenant="default", depth=depth, by=By.REQUEST, sample_id="s-0")
        assert remove_batch(connection, removal, NOW, 9).samples == 1
    assert left(database) == 1
    assert finish(database, rows) == 1
    assert buckets(database)[1].counts.scored == 1


def test_an_outcome_without_a_score_changes_nothing(database: Database) -> None:
    """The new scorer finds nothing to check: the sample stays as it is, unknown to the new series."""
    fill(database, 1)
    request(database)
    assert finish(database, take(database), NotApplicable(reason=NotApplicableReason.NO_CLAIMS)) == 0
    (bucket,) = buckets(database)
    assert (bucket.fingerprint, bucket.counts.scored, left(database)) == ("f1", 1, 0)


def test_many_take_at_once(database: Database) -> None:
    """Four at a time: each sample gets one new score."""
    fill(database, 40)
    request(database)

    def work(_: int) -> None:
        while rows := take(database, limits=TakeLimits(rows=3, tokens=10**6, lease_s=60)):
            finish(database, rows)

    in_threads(4, work)
    assert buckets(database)[1].counts.scored == 40


def test_the_pipeline_scores_again_after_what_is_new(database: Database) -> None:
    """A worker drains pending samples first, then what was asked for, with its own fingerprint."""
    fill(database, 3)
    request(database)
    store(database, new_sample("fresh"))
    scorer = ToldScorer(fingerprint="f2")
    pipeline = Pipeline(
        database=database, scorer=scorer, limits=LIMITS, progress=Progress(None), metrics=WorkerMetrics()
    )
    assert pipeline.drain() == 4
    _, new = buckets(database)
    assert (new.counts.scored, left(database)) == (4, 0)


def test_the_offset_is_of_the_same_samples(database: Database) -> None:
    """The old scorer flags one of ten, the new one all: 90 points, with an interval; the older fingerprint comes first."""
    fill(database, 10)
    request(database)
    finish(database, take(database))
    with database.read() as connection:
        assert read_fingerprints(connection, "default", START, END) == ["f1", "f2"]
        found = offset(read_both(connection, "default", START, END, "f1", "f2"), 0.95)
    assert found is not None
    assert (found.samples, found.rate_first, found.rate_second) == (10, pytest.approx(0.1), pytest.approx(1.0))
    assert found.change.low < 0.9 <= found.change.high
