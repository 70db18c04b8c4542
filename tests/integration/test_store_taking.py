"""Taking rows: under a lease, in order of urgency, within limits, and finished once by whoever still holds them."""

import time
from dataclasses import replace

from sqlalchemy import func, select

from models.types import NotApplicable, NotApplicableReason, Unscored, UnscoredReason
from service.core.db import Database
from service.core.store.taking import (
    Finished,
    TakeLimits,
    Taken,
    any_takeable,
    backlog,
    finish,
    give_up,
    release,
)
from service.core.tables import claims, scores
from tests.integration.support import (
    BY,
    LIMITS,
    NOW,
    ids,
    new_sample,
    row_of,
    scored,
    states,
    store,
    take,
    take_one_alone,
)

SHORT = TakeLimits(rows=64, tokens=60_000, lease_s=0.2)


def give_back(database: Database, rows: list[Taken], *, failed: bool) -> None:
    with database.write() as connection:
        release(connection, rows, failed=failed)


def end(database: Database, *rows: Finished) -> list[Finished]:
    with database.write() as connection:
        return finish(connection, rows, BY, NOW)


def wait_out_the_lease() -> None:
    time.sleep(SHORT.lease_s + 0.1)


def fail_alone(database: Database, times: int) -> None:
    for _ in range(times):
        give_back(database, take_one_alone(database), failed=True)


def counts(database: Database) -> tuple[int, int]:
    with database.read() as connection:
        return (
            connection.execute(select(func.count()).select_from(scores)).scalar_one(),
            connection.execute(select(func.count()).select_from(claims)).scalar_one(),
        )


class TestFresh:
    def test_a_taken_row_carries_what_was_sent(self, database: Database) -> None:
        """Question, contexts and response reach the worker unchanged."""
        store(database, new_sample("a", question="Which colour?"))
        (taken,) = take(database)
        assert (taken.attempt, taken.alone, taken.question) == (1, False, "Which colour?")
        assert taken.contexts == [{"id": "0", "text": "The kettle is blue.", "score": None}]
        assert taken.received_at == NOW

    def test_a_row_under_a_lease_is_not_taken(self, database: Database) -> None:
        """Nobody takes what another holds, neither fresh nor alone."""
        store(database, new_sample("a"))
        assert len(take(database)) == 1
        assert take(database) == []
        assert take_one_alone(database) == []

    def test_rows_are_limited(self, database: Database) -> None:
        """A take holds no more rows than asked."""
        store(database, *[new_sample(f"s-{n}") for n in range(5)])
        assert ids(take(database, replace(LIMITS, rows=2))) == ["s-0", "s-1"]
        assert ids(take(database)) == ["s-2", "s-3", "s-4"]

    def test_tokens_are_limited(self, database: Database) -> None:
        """A take ends before the row that would pass the token limit; that row stays free."""
        store(database, *[new_sample(f"s-{n}", tokens=100) for n in range(5)])
        assert ids(take(database, replace(LIMITS, tokens=250))) == ["s-0", "s-1"]
        assert ids(take(database, replace(LIMITS, tokens=200))) == ["s-2", "s-3"]

    def test_the_first_row_is_taken_whatever_it_costs(self, database: Database) -> None:
        """A row above the token limit is not left for ever: it is taken with no other."""
        store(database, new_sample("big", tokens=10**6), new_sample("small", tokens=1))
        assert ids(take(database, replace(LIMITS, tokens=10))) == ["big"]

    def test_urgent_rows_come_first_then_the_oldest(self, database: Database) -> None:
        """A row that a caller waits for overtakes the rest; among equals the oldest goes first."""
        store(
            database, new_sample("a"), new_sample("b"), new_sample("now", urgent=True), new_sample("too", urgent=True)
        )
        assert ids(take(database)) == ["now", "too", "a", "b"]

    def test_an_earlier_attempt_excludes_a_row(self, database: Database) -> None:
        """A row that was taken and not finished never joins a batch again."""
        store(database, new_sample("a"), new_sample("b"))
        give_back(database, take(database, replace(LIMITS, rows=1)), failed=True)
        assert ids(take(database)) == ["b"]


class TestAlone:
    def test_only_rows_with_an_earlier_attempt(self, database: Database) -> None:
        """A fresh row is never taken alone."""
        store(database, new_sample("a"))
        assert take_one_alone(database) == []

    def test_one_at_a_time(self, database: Database) -> None:
        """However many rows failed, each is taken by itself."""
        store(database, new_sample("a"), new_sample("b"))
        give_back(database, take(database), failed=True)
        first, second = take_one_alone(database), take_one_alone(database)
        assert (ids(first), ids(second)) == (["a"], ["b"])
        assert first[0].alone
        assert first[0].attempt == 2

    def test_urgent_rows_first(self, database: Database) -> None:
        """Among failed rows too, the one that a caller waits for goes first."""
        store(database, new_sample("a"), new_sample("now", urgent=True))
        give_back(database, take(database), failed=True)
        assert ids(take_one_alone(database)) == ["now"]


class TestLease:
    def test_a_row_of_a_dead_worker_is_taken_again_alone(self, database: Database) -> None:
        """After its lease a row is free, by itself only: it may be what killed the worker."""
        store(database, new_sample("a"))
        take(database, SHORT)
        wait_out_the_lease()
        assert take(database) == []
        assert ids(take_one_alone(database)) == ["a"]

    def test_a_lease_holds_until_its_end(self, database: Database) -> None:
        """The lease lasts as long as asked, by the database's clock."""
        store(database, new_sample("a"))
        take(database, replace(SHORT, lease_s=30))
        wait_out_the_lease()
        assert take_one_alone(database) == []


class TestRelease:
    def test_a_failed_row_is_free_at_once_and_goes_alone(self, database: Database) -> None:
        """A failed take ends the lease; the row is tried alone."""
        store(database, new_sample("a"))
        give_back(database, take(database), failed=True)
        assert take(database) == []
        assert ids(take_one_alone(database)) == ["a"]

    def test_a_returned_row_is_fresh_again(self, database: Database) -> None:
        """A take given back untouched counts for nothing, however often."""
        store(database, new_sample("a"))
        for _ in range(5):
            rows = take(database)
            assert ids(rows) == ["a"]
            give_back(database, rows, failed=False)
        assert row_of(database, "a").alone_attempts == 0
        assert ids(take(database)) == ["a"]

    def test_a_take_alone_given_back_is_not_counted(self, database: Database) -> None:
        """Stopped workers never use up a row's attempts alone; it still goes alone."""
        store(database, new_sample("a"))
        give_back(database, take(database), failed=True)
        for _ in range(5):
            give_back(database, take_one_alone(database), failed=False)
        assert row_of(database, "a").alone_attempts == 0
        assert take(database) == []
        assert ids(take_one_alone(database)) == ["a"]

    def test_a_stale_holder_releases_nothing(self, database: Database) -> None:
        """A worker whose lease ran out cannot end the lease of the one that took over."""
        store(database, new_sample("a"))
        stale = take(database, SHORT)
        wait_out_the_lease()
        take_one_alone(database)
        give_back(database, stale, failed=False)
        assert take(database) == []
        assert take_one_alone(database) == []

    def test_a_finished_row_is_not_released(self, database: Database) -> None:
        """A release after the finish changes nothing."""
        store(database, new_sample("a"))
        rows = take(database)
        end(database, Finished(taken=rows[0], outcome=scored()))
        give_back(database, rows, failed=False)
        assert states(database) == {"a": ("scored", None)}
        assert row_of(database, "a").returns == 0


class TestFinish:
    def test_a_score_and_its_claims_are_written(self, database: Database) -> None:
        """A scored row gets its state, one score row and one row a claim."""
        store(database, new_sample("a"))
        (taken,) = take(database)
        finished = Finished(taken=taken, outcome=scored())
        assert end(database, finished) == [finished]
        row = row_of(database, "a")
        assert (row.state, row.finished_at, row.lease_until) == ("scored", NOW, None)
        assert counts(database) == (1, 3)

    def test_a_second_finish_writes_nothing(self, database: Database) -> None:
        """Finishing twice is finishing once."""
        store(database, new_sample("a"))
        (taken,) = take(database)
        finished = Finished(taken=taken, outcome=scored())
        end(database, finished)
        assert end(database, finished) == []
        assert counts(database) == (1, 3)

    def test_a_stale_holder_writes_nothing(self, database: Database) -> None:
        """The attempt number is the fence: who lost the row to another finishes nothing, before or after him."""
        store(database, new_sample("a"))
        (stale,) = take(database, SHORT)
        wait_out_the_lease()
        (holder,) = take_one_alone(database)
        assert end(database, Finished(taken=stale, outcome=scored(0.1, flagged=False))) == []
        assert states(database) == {"a": ("pending", None)}
        assert len(end(database, Finished(taken=holder, outcome=scored(0.9)))) == 1
        assert end(database, Finished(taken=stale, outcome=scored(0.1, flagged=False))) == []
        assert counts(database) == (1, 3)

    def test_a_lease_that_ran_out_unnoticed_still_finishes(self, database: Database) -> None:
        """While nobody else took the row, a late finish counts: its attempt number is still the row's."""
        store(database, new_sample("a"))
        (taken,) = take(database, SHORT)
        wait_out_the_lease()
        assert len(end(database, Finished(taken=taken, outcome=scored()))) == 1

    def test_one_stale_row_does_not_stop_its_neighbours(self, database: Database) -> None:
        """Of a batch, exactly the rows still held are written."""
        store(database, new_sample("a"), new_sample("b"))
        first, second = take(database)
        stale = replace(first, attempt=0)
        finished = [Finished(taken=row, outcome=scored()) for row in (stale, second)]
        assert end(database, *finished) == finished[1:]
        assert states(database) == {"a": ("pending", None), "b": ("scored", None)}

    def test_what_is_not_scored_has_a_reason_and_no_score(self, database: Database) -> None:
        """Not applicable and unscored rows keep their reason; no score is invented."""
        store(database, new_sample("a"), new_sample("b"))
        first, second = take(database)
        end(
            database,
            Finished(taken=first, outcome=NotApplicable(reason=NotApplicableReason.REFUSAL)),
            Finished(taken=second, outcome=Unscored(reason=UnscoredReason.NOT_FINITE)),
        )
        assert states(database) == {"a": ("not_applicable", "refusal"), "b": ("unscored", "not_finite")}
        assert counts(database) == (0, 0)


class TestGiveUp:
    def test_three_failures_alone(self, database: Database) -> None:
        """A row that failed alone three times is unscored(failed_alone), and not taken again."""
        store(database, new_sample("a"))
        give_back(database, take(database), failed=True)
        fail_alone(database, 3)
        assert take_one_alone(database) == []
        with database.write() as connection:
            assert give_up(connection, NOW) == 1
        assert states(database) == {"a": ("unscored", "failed_alone")}

    def test_two_failures_alone_are_not_enough(self, database: Database) -> None:
        """A row keeps its third chance."""
        store(database, new_sample("a"))
        give_back(database, take(database), failed=True)
        fail_alone(database, 2)
        with database.write() as connection:
            assert give_up(connection, NOW) == 0
        assert ids(take_one_alone(database)) == ["a"]

    def test_failures_in_a_batch_do_not_count(self, database: Database) -> None:
        """A row that died with its batch and then came back untouched has no failure alone."""
        store(database, new_sample("a"), new_sample("b"))
        give_back(database, take(database), failed=True)
        for _ in range(4):
            give_back(database, take_one_alone(database), failed=False)
        with database.write() as connection:
            assert give_up(connection, NOW) == 0

    def test_a_row_that_is_held_is_not_given_up(self, database: Database) -> None:
        """While the third attempt alone runs, its lease protects the row."""
        store(database, new_sample("a"))
        give_back(database, take(database), failed=True)
        fail_alone(database, 2)
        (last,) = take_one_alone(database)
        with database.write() as connection:
            assert give_up(connection, NOW) == 0
        assert len(end(database, Finished(taken=last, outcome=scored()))) == 1
        assert states(database) == {"a": ("scored", None)}

    def test_dead_workers_count_as_failures_alone(self, database: Database) -> None:
        """A row that kills every worker that takes it alone is given up as well."""
        store(database, new_sample("a"))
        take(database, SHORT)
        for _ in range(3):
            wait_out_the_lease()
            assert ids(take_one_alone(database, SHORT)) == ["a"]
        wait_out_the_lease()
        assert take_one_alone(database) == []
        with database.write() as connection:
            assert give_up(connection, NOW) == 1


class TestBacklog:
    def test_it_counts_pending_and_takeable(self, database: Database) -> None:
        """Held rows are pending but not takeable; finished rows are neither."""
        store(database, *[new_sample(f"s-{n}") for n in range(3)])
        first, _ = take(database, replace(LIMITS, rows=2))
        end(database, Finished(taken=first, outcome=scored()))
        with database.read() as connection:
            held = backlog(connection)
        assert (held.pending, held.takeable, held.oldest_received_at) == (2, 1, NOW)

    def test_an_empty_table_has_none(self, database: Database) -> None:
        """Over nothing the counts are 0 and there is no oldest row."""
        with database.read() as connection:
            held = backlog(connection)
            assert not any_takeable(connection)
        assert (held.pending, held.takeable, held.oldest_received_at) == (0, 0, None)

    def test_a_held_row_is_not_takeable(self, database: Database) -> None:
        """Whether there is something to take turns with the lease."""
        store(database, new_sample("a"))
        with database.read() as connection:
            assert any_takeable(connection)
        take(database, SHORT)
        with database.read() as connection:
            assert not any_takeable(connection)
        wait_out_the_lease()
        with database.read() as connection:
            assert any_takeable(connection)
