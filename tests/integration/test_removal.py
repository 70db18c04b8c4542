"""Removal: texts go, offsets and scores stay, and no rate changes by it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from models.types import NotApplicable, NotApplicableReason, Outcome
from service.core.db import Database
from service.core.label_tables import Rating
from service.core.rates import Bucket, Question, make_buckets
from service.core.store.feedback import NewFeedback, upsert_feedback
from service.core.store.rates import Stretch, Unit, read_counted
from service.core.store.removal import By, Depth, Removal, Removed, count_due, next_tenant, remove_batch
from service.core.store.samples import NewSample, read_sample
from service.core.store.taking import Finished, Taken, finish, give_up
from service.core.tables import Kept, claims, samples, scores
from tests.integration.support import (
    BY,
    NOW,
    finish_pending,
    new_sample,
    row_of,
    scored,
    statements,
    states,
    store,
    take,
    take_one_alone,
)

CONTEXTS = [
    {"id": "doc", "text": "secret-context", "score": 0.1234567890123456},
    {"id": "1", "text": "", "score": None},
]
DETAILS = {"samples": ["secret-alternative"], "tags": {"plan": "gold"}, "session_id": "u-1", "features": {"n": 0.1}}
BOTH = list(Depth)


def full_sample(sample_id: str, **changes: Any) -> NewSample:
    values = {
        "question": "secret-question",
        "contexts": CONTEXTS,
        "response": "secret-response",
        "details": DETAILS,
        "session_id": "u-1",
        "release": "r1",
    }
    return new_sample(sample_id, **values | changes)


def removal(depth: Depth = Depth.TEXTS, by: By = By.REQUEST, **changes: Any) -> Removal:
    return Removal(**{"tenant": "default", "depth": depth, "by": by} | changes)


def remove(database: Database, wanted: Removal, limit: int = 1_000) -> Removed:
    with database.write() as connection:
        return remove_batch(connection, wanted, NOW, limit)


def everything_stored(database: Database) -> str:
    """All of the samples' columns, as one text."""
    with database.read() as connection:
        rows = connection.execute(select(samples)).all()
    return json.dumps([[str(value) for value in row] for row in rows])


def rates(database: Database, unit: Unit = Unit.RESPONSE) -> list[Bucket]:
    start, end = NOW.replace(hour=0), NOW.replace(hour=23)
    stretch = Stretch(tenant="default", start=start, end=end, width_s=60, group_by=("release", "stratum"))
    with database.read() as connection:
        counted = read_counted(connection, stretch, unit)
    return make_buckets(Question(stretch=stretch, unit=unit), counted)


class TestPromise:
    @pytest.mark.parametrize("mode", ["none", "hash"])
    @pytest.mark.parametrize("outcome", [scored(), NotApplicable(reason=NotApplicableReason.REFUSAL)])
    def test_the_text_goes_with_the_finish(self, database: Database, mode: str, outcome: Outcome) -> None:
        """What is not to be stored is there while pending, and gone in the transaction that ends it."""
        store(database, full_sample("a", store_text=mode))
        (taken,) = take(database)
        assert taken.response == "secret-response"
        with database.write() as connection:
            finish(connection, [Finished(taken=taken, outcome=outcome)], BY, NOW)
        row = row_of(database, "a")
        assert (row.question, row.response, row.text_removed_by) == (None, None, "policy")
        assert row.text_removed_at == NOW
        assert "secret" not in everything_stored(database)

    def test_ids_labels_and_numbers_stay(self, database: Database) -> None:
        """Without their texts, contexts keep ids and scores to the last digit, and details all that is no text."""
        store(database, full_sample("a", store_text="none"))
        finish_pending(database)
        row = row_of(database, "a")
        assert row.contexts == [{**context, "text": None} for context in CONTEXTS]
        assert row.details == {name: value for name, value in DETAILS.items() if name != "samples"}

    def test_digests_stay_where_they_were_promised(self, database: Database) -> None:
        """`hash` keeps the digests that intake made; `none` has none."""
        digests = {"question": None, "contexts": ["c"], "response": "r", "samples": []}
        store(database, full_sample("a", store_text="hash", text_digests=digests), full_sample("b", store_text="none"))
        finish_pending(database)
        assert (row_of(database, "a").kept, row_of(database, "a").text_digests) == (Kept.DIGEST, digests)
        assert (row_of(database, "b").kept, row_of(database, "b").text_digests) == (Kept.ROW, None)

    def test_a_body_digest_stays_only_if_it_has_a_key(self, database: Database) -> None:
        """A plain digest of a short text could be guessed, so it goes with the text."""
        keyed = "k" + "d" * 63
        store(database, full_sample("a", store_text="none", body_digest=keyed), full_sample("b", store_text="none"))
        finish_pending(database)
        assert (row_of(database, "a").body_digest, row_of(database, "b").body_digest) == (keyed, "")

    def test_giving_up_keeps_the_promise(self, database: Database) -> None:
        """A row that failed alone too often loses its text too; one with `full` does not."""
        store(database, full_sample("a", store_text="none"), full_sample("b"))
        with database.write() as connection:
            connection.execute(samples.update().values(attempt=4, alone_attempts=3))
            assert give_up(connection, NOW) == 2
        assert (row_of(database, "a").response, row_of(database, "b").response) == (None, "secret-response")

    def test_full_is_kept(self, database: Database) -> None:
        """The default stores what was sent."""
        store(database, full_sample("a"))
        finish_pending(database)
        assert (row_of(database, "a").response, row_of(database, "a").kept) == ("secret-response", Kept.TEXT)


class TestRates:
    def test_rates_are_the_same_to_the_last_digit(self, database: Database) -> None:
        """Whatever is removed of finished samples, every bucket stays exactly as it was."""
        rows = [
            full_sample(
                f"s-{n}",
                received_at=NOW + timedelta(seconds=7.3 * n),
                release=f"r{n % 3}",
                inclusion_probability=(0.05, 0.5)[n % 2],
                in_rate=n % 7 != 0,
                store_text=("full", "none", "hash")[n % 3],
            )
            for n in range(60)
        ]
        store(database, *rows)

        def answer(taken: Taken) -> Outcome:
            if taken.seq % 5 == 0:
                return NotApplicable(reason=NotApplicableReason.NO_CLAIMS)
            return scored(flagged=taken.seq % 4 == 0, checked=1 + taken.seq % 3)

        finish_pending(database, answer)
        before = {unit: rates(database, unit) for unit in Unit}
        assert len(before[Unit.RESPONSE]) > 20
        for depth in BOTH:
            assert remove(database, removal(depth)).samples == {Depth.TEXTS: 40, Depth.ROWS: 60}[depth]
            assert {unit: rates(database, unit) for unit in Unit} == before

    @pytest.mark.parametrize("depth", BOTH)
    def test_a_pending_sample_becomes_unscored(self, database: Database, depth: Depth) -> None:
        """Its count moves from pending to unscored: both are unknown, so rate and bounds stay."""
        store(database, full_sample("a"))
        finish_pending(database)
        store(database, full_sample("b"))
        (before,) = rates(database)
        assert remove(database, removal(depth)) == Removed(samples=2, texts=2, ended=1)
        (after,) = rates(database)
        assert (before.counts.pending, after.counts.pending, after.counts.unscored) == (1, 0, 1)
        assert (before.flagged, before.bound_low, before.bound_high, before.counts.submitted) == (
            after.flagged,
            after.bound_low,
            after.bound_high,
            after.counts.submitted,
        )


class TestDepth:
    def test_texts(self, database: Database) -> None:
        """The id, labels, numbers, scores and claims' offsets stay; no text and no digest does."""
        store(database, full_sample("a", text_digests={"response": "secret-digest"}))
        finish_pending(database)
        assert remove(database, removal()) == Removed(samples=1, texts=1, ended=0)
        assert "secret" not in everything_stored(database)
        with database.read() as connection:
            stored = read_sample(connection, "default", "a")
        assert stored is not None
        assert (stored.sample.kept, stored.sample.body_digest, stored.sample.text_removed_by) == ("row", "", "request")
        assert (len(stored.scores), len(stored.claims)) == (1, 3)

    def test_rows(self, database: Database) -> None:
        """Nothing that names anyone stays: no id, session, tag, exact time, length of the texts or claim."""
        store(database, full_sample("person-7", received_at=NOW + timedelta(seconds=31.5), tokens=137))
        finish_pending(database, now=NOW + timedelta(seconds=33.25))
        remove(database, removal(Depth.ROWS))
        stored = everything_stored(database)
        assert [word for word in ("secret", "person-7", "u-1", "gold", "doc") if word in stored] == []
        with database.read() as connection:
            assert read_sample(connection, "default", "person-7") is None
            assert connection.execute(select(func.count()).select_from(claims)).scalar_one() == 0
            assert connection.execute(select(samples.c.received_at, samples.c.tokens)).one() == (NOW, 0)
            assert connection.execute(select(scores.c.created_at)).scalar_one() == NOW

    @pytest.mark.parametrize("depth", BOTH)
    def test_twice_changes_nothing(self, database: Database, depth: Depth) -> None:
        """What is gone is not found again."""
        store(database, full_sample("a"))
        finish_pending(database)
        remove(database, removal(depth))
        before = everything_stored(database)
        assert remove(database, removal(depth)) == Removed()
        assert everything_stored(database) == before

    def test_rows_after_texts(self, database: Database) -> None:
        """A sample without texts can still lose the rest; it counts as no text."""
        store(database, full_sample("a"))
        remove(database, removal())
        assert remove(database, removal(Depth.ROWS)) == Removed(samples=1, texts=0, ended=0)


class TestWhich:
    def test_by_tenant(self, database: Database) -> None:
        """Another tenant's samples are never touched."""
        store(database, full_sample("a"), full_sample("a", tenant="other"))
        remove(database, removal(tenant="other"))
        assert row_of_tenant(database, "default").response == "secret-response"
        assert row_of_tenant(database, "other").response is None

    def test_by_age(self, database: Database) -> None:
        """Only what was received before; the moment itself is not before."""
        store(database, *[full_sample(f"s-{n}", received_at=NOW + timedelta(hours=n)) for n in range(4)])
        assert remove(database, removal(before=NOW + timedelta(hours=2))).samples == 2
        assert [row_of(database, f"s-{n}").response is None for n in range(4)] == [True, True, False, False]

    def test_by_id_and_by_session(self, database: Database) -> None:
        """One sample, or those of one session."""
        store(database, full_sample("a", session_id="x"), full_sample("b", session_id="y"), full_sample("c"))
        assert remove(database, removal(sample_id="c")).samples == 1
        assert remove(database, removal(session_id="y")).samples == 1
        assert row_of(database, "a").response == "secret-response"

    def test_batches_begin_with_the_oldest(self, database: Database) -> None:
        """A batch takes so many and no more, oldest first; the batches together take each once."""
        store(database, *[full_sample(f"s-{n}", received_at=NOW - timedelta(hours=n)) for n in range(5)])
        assert remove(database, removal(), limit=2).samples == 2
        assert [row_of(database, f"s-{n}").response is None for n in range(5)] == [False] * 3 + [True] * 2
        assert [remove(database, removal(), limit=2).samples for _ in range(3)] == [2, 1, 0]

    @pytest.mark.parametrize("depth", BOTH)
    def test_the_count_says_what_will_go(self, database: Database, depth: Depth) -> None:
        """Counted before and removed after are the same, and counting removes nothing."""
        store(database, *[full_sample(f"s-{n}", store_text=("full", "none")[n % 2]) for n in range(6)])
        finish_pending(database)
        store(database, full_sample("pending"))
        with database.read() as connection:
            counted = count_due(connection, removal(depth))
        assert counted == remove(database, removal(depth))

    def test_tenants_are_walked_in_order(self, database: Database) -> None:
        """Each tenant once, then none."""
        store(database, *[full_sample(str(n), tenant=name) for n, name in enumerate(("b", "a", "b", "c"))])
        with database.read() as connection:
            assert [next_tenant(connection, after) for after in ("", "a", "b", "c")] == ["a", "b", "c", None]

    def test_one_whose_answers_were_never_sampled(self, database: Database) -> None:
        """It has feedback alone: that has an age too."""
        store(database, new_sample("1", tenant="c"))
        new = NewFeedback(tenant="b", sample_id="x", trace_id="", rating=Rating.DOWN, identifier="", comment="secret")
        with database.write() as connection:
            upsert_feedback(connection, new, NOW)
        with database.read() as connection:
            assert [next_tenant(connection, after) for after in ("", "b", "c")] == ["b", "c", None]


def row_of_tenant(database: Database, tenant: str) -> Any:
    with database.read() as connection:
        return connection.execute(select(samples).where(samples.c.tenant == tenant)).one()


class TestTaken:
    def test_a_request_ends_what_a_worker_holds(self, database: Database) -> None:
        """A sample deleted while a worker scores it is never scored: the late finish writes nothing."""
        store(database, full_sample("a"))
        (taken,) = take(database)
        assert remove(database, removal()).ended == 1
        with database.write() as connection:
            assert finish(connection, [Finished(taken=taken, outcome=scored())], BY, NOW) == []
            assert connection.execute(select(func.count()).select_from(claims)).scalar_one() == 0
        assert states(database) == {"a": ("unscored", "erased")}
        assert "secret" not in everything_stored(database)
        assert (take(database), take_one_alone(database)) == ([], [])

    def test_retention_waits_for_the_worker(self, database: Database) -> None:
        """What a worker holds is left to it; without a lease it expires."""
        store(database, full_sample("a"), full_sample("b"))
        wanted = removal(by=By.RETENTION, spare_taken=True)
        with database.write() as connection:
            connection.execute(samples.update().where(samples.c.id == "b").values(priority=9))
        (taken, *_) = take(database)
        with database.write() as connection:
            connection.execute(samples.update().where(samples.c.id == "b").values(lease_until=None))
        assert remove(database, wanted) == Removed(samples=1, texts=1, ended=1)
        assert states(database) == {"a": ("pending", None), "b": ("unscored", "expired")}
        with database.write() as connection:
            assert len(finish(connection, [Finished(taken=taken, outcome=scored())], BY, NOW)) == 1


def test_a_batch_costs_the_same_however_many_wait(database: Database, cost: Callable[[int], list[str]]) -> None:
    """The number of statements of a batch does not grow with what is left."""
    assert cost(10) == cost(200)


@pytest.fixture
def cost(database: Database) -> Callable[[int], list[str]]:
    def measured(number: int) -> list[str]:
        store(database, *[full_sample(f"{number}-{n}") for n in range(number)])
        with statements(database) as seen:
            remove(database, removal(), limit=5)
        return [statement.split()[0] for statement in seen]

    return measured
