"""Samples in the store: accepted once each, read back whole."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from service.core.db import Database
from service.core.store.samples import accept, count_pending, read_sample, read_state
from service.core.store.taking import Finished, finish
from service.core.tables import samples
from tests.integration.support import BY, NOW, in_threads, new_sample, row_of, scored, statements, store, take


def test_a_new_row_is_pending_and_untaken(database: Database) -> None:
    """An accepted row is pending, under no lease, with no attempt."""
    store(database, new_sample("a"))
    row = row_of(database, "a")
    assert (row.state, row.state_reason, row.lease_until) == ("pending", None, None)
    assert (row.attempt, row.returns, row.alone_attempts) == (0, 0, 0)


def test_a_known_id_is_not_inserted_again(database: Database) -> None:
    """The second row of an id changes nothing; what the first stored is returned."""
    store(database, new_sample("a"))
    with database.write() as connection:
        known = accept(connection, [new_sample("a", body_digest="e" * 64, policy_version="v2"), new_sample("b")])
    assert set(known) == {("default", "a")}
    assert known["default", "a"].body_digest == "d" * 64
    assert known["default", "a"].policy_version == "v1"
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(samples)).scalar_one() == 2


def test_ids_are_unique_within_a_tenant_only(database: Database) -> None:
    """Two tenants may use one id."""
    store(database, new_sample("a", tenant="one"))
    with database.write() as connection:
        assert accept(connection, [new_sample("a", tenant="two")]) == {}


def test_new_rows_cost_one_statement(database: Database) -> None:
    """A whole group of new rows is one INSERT."""
    with statements(database) as seen:
        store(database, *[new_sample(f"s-{n}") for n in range(256)])
    assert len(seen) == 1
    assert seen[0].startswith("INSERT INTO samples")


def test_known_rows_cost_a_second_statement(database: Database) -> None:
    """A group with duplicates is the INSERT and one SELECT, however many there are."""
    store(database, *[new_sample(f"s-{n}") for n in range(100)])
    with statements(database) as seen:
        store(database, *[new_sample(f"s-{n}") for n in range(200)])
    assert [statement.split()[0] for statement in seen] == ["INSERT", "SELECT"]


def test_one_id_from_many_threads_is_accepted_once(database: Database) -> None:
    """Of concurrent transactions with one id exactly one inserts; the others are told that it is known."""
    answers: list[bool] = []

    def send(_number: int) -> None:
        with database.write() as connection:
            answers.append(accept(connection, [new_sample("a")]) == {})

    in_threads(8, send)
    assert sorted(answers) == [False] * 7 + [True]


def test_times_are_stored_to_the_microsecond(database: Database) -> None:
    """A time comes back aware, in UTC and exact."""
    moment = NOW + timedelta(microseconds=123_457)
    store(database, new_sample("a", received_at=moment))
    assert row_of(database, "a").received_at == moment
    assert row_of(database, "a").received_at.tzinfo is not None


def test_a_naive_time_is_refused(database: Database) -> None:
    """A time without a zone never reaches the database."""
    naive = datetime(2026, 11, 1)  # noqa: DTZ001 - the point
    with pytest.raises(Exception, match="a time needs a zone"):
        store(database, new_sample("a", received_at=naive))


def test_text_of_any_script_comes_back(database: Database) -> None:
    """Text is stored as sent, beyond the basic plane too."""
    text = "Ключ — 🫖 is ازرق, 'quoted' \\u0041 \t\n"
    store(database, new_sample("a", response=text, contexts=[{"id": "0", "text": text, "score": None}]))
    row = row_of(database, "a")
    assert row.response == text
    assert row.contexts == [{"id": "0", "text": text, "score": None}]


def test_pending_is_counted_no_further_than_asked(database: Database) -> None:
    """The count stops at its limit, and leaves out what is finished."""
    store(database, *[new_sample(f"s-{n}") for n in range(5)])
    taken = take(database)
    with database.write() as connection:
        finish(connection, [Finished(taken=taken[0], outcome=scored())], BY, NOW)
        assert count_pending(connection, 100) == 4
        assert count_pending(connection, 3) == 3


def test_a_sample_is_read_with_its_scores_and_claims(database: Database) -> None:
    """A scored sample comes with its score and its claims in order."""
    store(database, new_sample("a"))
    (taken,) = take(database)
    with database.write() as connection:
        finish(connection, [Finished(taken=taken, outcome=scored())], BY, NOW)
    with database.read() as connection:
        stored = read_sample(connection, "default", "a")
    assert stored is not None
    assert [score.score for score in stored.scores] == [0.9]
    assert [claim.position for claim in stored.claims] == [0, 1, 2]
    assert [claim.verdict for claim in stored.claims] == ["not_checkable", "unsupported", "unsupported"]


def test_another_tenant_reads_nothing(database: Database) -> None:
    """A sample is found by its tenant only."""
    store(database, new_sample("a", tenant="one"))
    with database.read() as connection:
        assert read_sample(connection, "two", "a") is None
        assert read_state(connection, "two", "a") is None
        assert read_state(connection, "one", "a") == "pending"
