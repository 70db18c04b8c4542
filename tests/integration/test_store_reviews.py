"""Reviews: made with the first score's end, taken under a lease, ended once, with what their calls cost."""

import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from models.types import (
    Judged,
    NotApplicable,
    NotApplicableReason,
    ReviewReason,
    Unscored,
    UnscoredReason,
)
from service.core.clock import utc_now
from service.core.db import Database
from service.core.review_tables import CallState, Reviewer, llm_budgets, review_claims
from service.core.reviewing.judge import PICO
from service.core.store.removal import By, Depth, Removal, remove_batch
from service.core.store.review_ends import end_overdue, give_up_reviews, turn_off
from service.core.store.reviews import MOST_FAILURES, TakenReview, finish_review, release_review
from service.core.store.spending import Call, Settlement, open_call, settle_call
from service.core.store.taking import Finished
from tests.integration.reviewing import (
    JUDGED_BY,
    Always,
    end,
    end_taken,
    probabilities,
    reviewing_by,
    rows_of,
    take_for,
    written,
)
from tests.integration.support import new_sample, row_of, scored, store, take

UNSURE, SURE = scored(0.5), scored(0.95)


def judgement(score: float = 1.0) -> Judged:
    return Judged(scored=scored(score), votes=3, variance=0.25)


def finished(database: Database, row: TakenReview, outcome: Judged | ReviewReason) -> bool:
    with database.write() as connection:
        return finish_review(connection, row, outcome, JUDGED_BY, utc_now(), [{"reply": "?", "problem": "!"}])


def spend(database: Database, row: TakenReview, most: int, cost: int | None) -> None:
    call = Call(review_seq=row.seq, tenant="default", rule="default", purpose="judge", model="m", most_pico=most)
    state = CallState.UNKNOWN if cost is None else CallState.ANSWERED
    with database.write() as connection:
        number = open_call(connection, call, None, utc_now())
        assert number is not None
        settle_call(
            connection, number, Settlement(state=state, cost_pico=cost, input_tokens=7, output_tokens=3), utc_now()
        )


class TestMade:
    def test_the_band_is_judged_and_the_rest_by_the_floor(self, database: Database, tmp_path: Path) -> None:
        """Uncertain scores, and what could not be read, get the band's probability; the others the floor's."""
        by = reviewing_by(written(tmp_path))
        outcomes = [UNSURE, SURE, Unscored(reason=UnscoredReason.LANGUAGE), Unscored(reason=UnscoredReason.NOT_FINITE)]
        end(database, by, [*outcomes, NotApplicable(reason=NotApplicableReason.REFUSAL)])
        assert probabilities(database) == [1.0, 0.0, 1.0, None, None]
        assert [(row.sample, row.why, row.state) for row in rows_of(database)] == [
            ("s0", "band", "pending"),
            ("s2", "band", "pending"),
        ]

    def test_chance_decides_with_the_stored_probability(self, database: Database, tmp_path: Path) -> None:
        """A sample is chosen when the draw is below its probability, which is stored either way."""
        policy = written(tmp_path, Path(written(tmp_path)._path).read_text().replace("floor = 0.0", "floor = 0.25"))
        end(database, reviewing_by(policy, Always(0.24)), [SURE])
        end(database, reviewing_by(policy, Always(0.25)), [SURE])
        assert probabilities(database) == [0.25, 0.25]
        assert [(row.sample, row.why, row.probability) for row in rows_of(database)] == [("s0", "floor", 0.25)]

    def test_only_tenants_that_opted_in(self, database: Database, tmp_path: Path) -> None:
        """Another tenant's sample is never given to the judge, and says that nothing was decided."""
        end(database, reviewing_by(written(tmp_path)), [UNSURE], tenant="other")
        assert (rows_of(database), probabilities(database)) == ([], [None])

    def test_spent_money_shrinks_probabilities_and_ends_in_uncovered(self, database: Database, tmp_path: Path) -> None:
        """What is chosen is taken from the bucket at once: probabilities fall, never to 0 before it is empty."""
        text = Path(written(tmp_path)._path).read_text().replace("cost = 100", "cost = 0.04")
        policy = written(tmp_path, text)
        for _ in range(12):
            end(database, reviewing_by(policy), [UNSURE])
        found = [value for value in probabilities(database) if value is not None]
        assert found == sorted(found, reverse=True)
        assert (found[0], found[-1]) == (1.0, 0.0)
        assert any(0 < value < 1 for value in found)
        chosen = rows_of(database)
        assert sum(row.estimate_pico for row in chosen) <= 0.01 * PICO
        assert len(chosen) == sum(value > 0 for value in found)

    def test_a_fenced_row_gets_no_review(self, database: Database, tmp_path: Path) -> None:
        """What another worker has ended meanwhile is not chosen a second time."""
        by = reviewing_by(written(tmp_path))
        store(database, new_sample("a"))
        late = [Finished(taken=row, outcome=UNSURE) for row in take(database)]
        assert len(end_taken(database, by, late)) == 1
        assert end_taken(database, by, late) == []
        assert len(rows_of(database)) == 1


class TestTaken:
    @pytest.fixture
    def row(self, database: Database, tmp_path: Path) -> TakenReview:
        end(database, reviewing_by(written(tmp_path)), [UNSURE])
        [row] = take_for(database)
        return row

    def test_one_holder_at_a_time(self, database: Database, row: TakenReview) -> None:
        """It carries the texts and the sample's rule, and nobody else gets it."""
        assert (row.response, row.rule, row.reviewer) == ("The kettle is blue, says s0.", "default", Reviewer.JUDGE)
        assert take_for(database) == []

    def test_reviewers_take_their_own(self, database: Database, tmp_path: Path) -> None:
        """A generator's worker does not take what waits for the judge."""
        end(database, reviewing_by(written(tmp_path)), [UNSURE])
        assert take_for(database, reviewer=Reviewer.CONSISTENCY) == []
        assert len(take_for(database, reviewer=Reviewer.JUDGE)) == 1

    def test_it_ends_once_with_all_that_its_calls_cost(self, database: Database, row: TakenReview) -> None:
        """Calls of every attempt are summed, lost ones at the most they can have cost; a second end changes nothing."""
        spend(database, row, most=100, cost=40)
        spend(database, row, most=100, cost=None)
        assert finished(database, row, judgement())
        assert not finished(database, row, ReviewReason.JUDGE_UNAVAILABLE)
        [stored] = rows_of(database)
        assert (stored.state, stored.score, stored.votes, stored.variance) == ("scored", 1.0, 3, 0.25)
        assert (stored.calls, stored.cost_pico, stored.input_tokens, stored.fingerprint) == (2, 140, 14, "j1")
        with database.read() as connection:
            assert len(connection.execute(select(review_claims)).all()) == 3

    def test_what_it_cost_less_than_expected_flows_back(self, database: Database, row: TakenReview) -> None:
        """The bucket is charged what the review cost, not what it was thought to."""
        with database.read() as connection:
            before = connection.execute(select(llm_budgets.c.level_pico)).scalar_one()
        estimate = rows_of(database)[0].estimate_pico
        spend(database, row, most=estimate, cost=estimate // 4)
        finished(database, row, judgement())
        with database.read() as connection:
            after = connection.execute(select(llm_budgets.c.level_pico)).scalar_one()
        assert after - before == estimate - estimate // 4

    def test_a_late_end_is_fenced(self, database: Database, tmp_path: Path) -> None:
        """Whose lease is over does not write what the next holder writes."""
        end(database, reviewing_by(written(tmp_path)), [UNSURE])
        [early] = take_for(database, lease_s=0.05)
        time.sleep(0.1)
        [late] = take_for(database)
        assert not finished(database, early, judgement())
        assert finished(database, late, judgement())

    def test_given_back_it_counts_for_nothing(self, database: Database, row: TakenReview) -> None:
        """Any number of takes that were given back does not bring it nearer to being given up."""
        for _ in range(MOST_FAILURES + 1):
            with database.write() as connection:
                release_review(connection, row)
            [row] = take_for(database)
        assert finished(database, row, judgement())

    def test_workers_that_die_over_it_end_it(self, database: Database, tmp_path: Path) -> None:
        """After three takes whose lease ended by itself it is `unscored(failed_alone)`."""
        end(database, reviewing_by(written(tmp_path)), [UNSURE])
        for _ in range(MOST_FAILURES):
            assert len(take_for(database, lease_s=0.02)) == 1
            time.sleep(0.05)
        assert take_for(database) == []
        with database.write() as connection:
            assert give_up_reviews(connection, utc_now(), 10) == 1
        assert [(row.state, row.state_reason) for row in rows_of(database)] == [("unscored", "failed_alone")]


class TestEnds:
    def test_what_waits_too_long_is_unavailable(self, database: Database, tmp_path: Path) -> None:
        """With nobody to judge it, a review ends with that reason, and its estimate flows back."""
        end(database, reviewing_by(written(tmp_path)), [UNSURE, UNSURE])
        [held, *_rest] = take_for(database)
        with database.write() as connection:
            release_review(connection, held)
            assert end_overdue(connection, Reviewer.JUDGE, utc_now() - timedelta(hours=1), utc_now(), 10) == 0
            assert end_overdue(connection, Reviewer.JUDGE, utc_now() + timedelta(seconds=1), utc_now(), 10) == 1
        assert sorted(row.state_reason or "" for row in rows_of(database)) == ["", "judge_unavailable"]

    def test_a_tenant_that_opts_out_is_not_sent(self, database: Database, tmp_path: Path) -> None:
        """What waits for a judge that the policy does not want any more ends, unsent."""
        end(database, reviewing_by(written(tmp_path)), [UNSURE])
        with database.write() as connection:
            assert turn_off(connection, Reviewer.JUDGE, ["default"], utc_now(), 10) == 0
            assert turn_off(connection, Reviewer.JUDGE, [], utc_now(), 10) == 1
        assert [row.state_reason for row in rows_of(database)] == ["turned_off"]


class TestTexts:
    def test_a_promised_text_stays_for_the_review_and_goes_with_it(self, database: Database, tmp_path: Path) -> None:
        """`store_text = "none"`: the text goes when the last scorer that needs it is done, with what the judge said of it."""
        end(database, reviewing_by(written(tmp_path)), [UNSURE, SURE], store_text="none")
        assert row_of(database, "s0").response is not None
        assert row_of(database, "s1").response is None
        [row] = take_for(database)
        finished(database, row, ReviewReason.JUDGE_UNPARSEABLE)
        assert row_of(database, "s0").response is None
        assert [row.transcript for row in rows_of(database)] == [None]

    def test_a_kept_text_keeps_the_transcript(self, database: Database, tmp_path: Path) -> None:
        """Where texts are kept, what was not understood can be read."""
        end(database, reviewing_by(written(tmp_path)), [UNSURE])
        [row] = take_for(database)
        finished(database, row, ReviewReason.JUDGE_UNPARSEABLE)
        assert [row.transcript for row in rows_of(database)] == [[{"reply": "?", "problem": "!"}]]

    @pytest.mark.parametrize("depth", list(Depth))
    def test_erasure_ends_it_and_fences_who_is_at_it(self, database: Database, tmp_path: Path, depth: Depth) -> None:
        """A verdict on a text that was erased meanwhile is not written; what it cost stays counted."""
        end(database, reviewing_by(written(tmp_path)), [UNSURE])
        [row] = take_for(database)
        spend(database, row, most=10, cost=10)
        with database.write() as connection:
            remove_batch(connection, Removal(tenant="default", depth=depth, by=By.REQUEST), utc_now(), 10)
        assert not finished(database, row, judgement())
        [stored] = rows_of(database)
        assert (stored.state, stored.state_reason, stored.score) == ("unscored", "erased", None)
