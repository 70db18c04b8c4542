"""Feedback of end users over HTTP: a signal that is counted, found and erased."""

from typing import Any

import pytest
from sqlalchemy import select

from service.core.db import Database
from service.core.label_tables import feedback
from tests.integration.conftest import Start
from tests.integration.labelling import fill, label, post, stored
from tests.integration.support import finish_pending, new_sample, store


class TestFeedback:
    def test_feedback_is_stored_once(self, start: Start, database: Database) -> None:
        """Of sampled and unsampled answers, by id or trace; the same target again replaces; no rate changes."""
        store(database, new_sample("a", trace_id="t"))
        running = start()
        for body, told in (
            ({"id": "a", "rating": "down"}, {"replaced": False, "sampled": True}),
            ({"id": "a", "rating": "up"}, {"replaced": True, "sampled": True}),
            ({"trace_id": "t", "rating": "down", "comment": "no"}, {"replaced": False, "sampled": True}),
            ({"id": "never-sampled", "rating": "down"}, {"replaced": False, "sampled": False}),
        ):
            answer = running.client.post("/feedback", json=body)
            assert (answer.status_code, answer.json()) == (200, told)

    @pytest.mark.parametrize(
        ("body", "field"), [({"rating": "down"}, ""), ({"id": "a"}, "rating"), ({"id": "a", "rating": "meh"}, "rating")]
    )
    def test_bad_feedback_is_named(self, start: Start, body: Any, field: str) -> None:
        """422 with the field."""
        answer = start().client.post("/feedback", json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, field)

    def test_it_is_counted_by_time(self, start: Start) -> None:
        """For charts: how many up and down, no rate."""
        running = start()
        for n, rating in enumerate(["up", "up", "down"]):
            running.client.post("/feedback", json={"id": f"a{n}", "rating": rating})
        (bucket,) = running.client.get("/feedback/counts", params={"window": "1h"}).json()["buckets"]
        assert (bucket["up"], bucket["down"]) == (2, 1)
        answer = running.client.get("/feedback/counts?rating=up")
        assert (answer.status_code, answer.json()["field"]) == (400, "rating")

    def test_comments_go_with_the_texts(self, start: Start, database: Database) -> None:
        """Erasing a sample's texts takes the comments on it; verdicts and thumbs stay. Erasing its row takes the thumbs."""
        fill(database, 2)
        running = start()
        for sample_id in ("s-0", "s-1"):
            post(running, label(sample_id, comment="secret"))
            running.client.post("/feedback", json={"id": sample_id, "rating": "down", "comment": "secret"})
        assert running.client.delete("/samples/s-0").status_code == 200
        with database.read() as connection:
            said = {row.sample_id: row.comment for row in connection.execute(select(feedback))}
        assert [row.comment for row in stored(database)] == [None, "secret"]
        assert said == {"s-0": None, "s-1": "secret"}
        assert running.client.delete("/samples?all=true&rows=true").status_code == 200
        with database.read() as connection:
            assert connection.execute(select(feedback)).all() == []
        assert [(row.verdict, row.comment) for row in stored(database)] == [("faithful", None)] * 2

    def test_what_was_said_after_the_text_was_gone_goes_too(self, start: Start, database: Database) -> None:
        """Whoever erases a sample again takes the comments that came meanwhile; those of others stay."""
        fill(database, 2)
        running = start()
        assert running.client.delete("/samples/s-0").status_code == 200
        for sample_id in ("s-0", "s-1"):
            post(running, label(sample_id, comment="secret"))
            running.client.post("/feedback", json={"id": sample_id, "rating": "down", "comment": "secret"})
        done = running.client.delete("/samples/s-0").json()
        assert (done["samples"], done["comments_removed"]) == (0, 2)
        assert [row.comment for row in stored(database)] == [None, "secret"]

    def test_what_was_said_of_an_answer_without_a_row(self, start: Start, database: Database) -> None:
        """Feedback on one that was never sampled, or whose row has lost its id, goes by its id; a second time is 404."""
        fill(database, 1)
        running = start()
        assert running.client.delete("/samples/s-0?rows=true").status_code == 200
        for name in ("s-0", "never"):
            running.client.post("/feedback", json={"id": name, "rating": "down", "comment": "secret"})
            assert running.client.delete(f"/samples/{name}?rows=true").json()["comments_removed"] == 1
            assert running.client.delete(f"/samples/{name}?rows=true").status_code == 404
        with database.read() as connection:
            assert connection.execute(select(feedback)).all() == []

    @pytest.mark.parametrize("rows", ["false", "true"])
    def test_a_session_s_comments_are_found_by_id_and_by_trace(
        self, start: Start, database: Database, rows: str
    ) -> None:
        """Feedback names an answer or a trace: both go with the session, whose neighbours keep theirs."""
        store(database, new_sample("a", session_id="s", trace_id="t"), new_sample("b", session_id="r", trace_id="u"))
        finish_pending(database)
        running = start()
        for name in ("a", "b"):
            post(running, label(name, comment="secret"))
            running.client.post("/feedback", json={"id": name, "rating": "down", "comment": "secret"})
        for trace in ("t", "u"):
            running.client.post("/feedback", json={"trace_id": trace, "rating": "down", "comment": "secret"})
        done = running.client.delete("/samples", params={"session_id": "s", "rows": rows}).json()
        assert (done["samples"], done["comments_removed"]) == (1, 3)
        with database.read() as connection:
            kept = {row.sample_id or row.trace_id for row in connection.execute(select(feedback)) if row.comment}
        assert kept == {"b", "u"}
