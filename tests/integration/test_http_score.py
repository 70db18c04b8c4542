"""POST /score and GET /score/{id}: what is decided, what is stored, what is answered."""

import random
import threading
import time
from typing import ClassVar

import pytest

from models.types import NotApplicable, NotApplicableReason
from service.core.db import Database
from tests.integration.conftest import Start
from tests.integration.support import (
    finish_pending,
    id_at,
    row_of,
    scored,
    states,
    submission,
)
from tests.servers import wait_for

RULES = """
[sampling]
rate = 0.0
[[sampling.rules]]
name = "support"
rate = 1.0
match = { route = "support", "tags.plan" = ["gold", "silver"] }
"""


class TestDecision:
    def test_a_sample_is_answered_in_full(self, start: Start) -> None:
        """A chosen submission is answered 202 with its decision and where to look."""
        answer = start(1.0).client.post("/score", json=submission("a"))
        assert answer.status_code == 202
        version = answer.json().pop("policy_version")
        assert answer.json() == {
            "id": "a",
            "decision": "sampled",
            "reason": "hash",
            "stratum": "default",
            "inclusion_probability": 1.0,
            "policy_version": version,
            "status_url": "/score/a",
        }

    def test_202_means_that_the_row_is_there(self, start: Start, database: Database) -> None:
        """When the answer arrives, another connection sees the row, pending."""
        start(1.0).client.post("/score", json=submission("a"))
        row = row_of(database, "a")
        assert (row.state, row.decision, row.in_rate, row.priority) == ("pending", "sampled", True, 1)

    def test_what_is_not_sampled_has_no_row(self, start: Start, database: Database) -> None:
        """A submission that is left out is answered 202 without a status URL, and nothing is stored."""
        answer = start(0.0).client.post("/score", json=submission("a"))
        assert answer.status_code == 202
        assert answer.json()["decision"] == "sampled_out"
        assert answer.json()["status_url"] is None
        assert states(database) == {}

    def test_the_hash_decides(self, start: Start, database: Database) -> None:
        """At one rate, the same id is always in or always out."""
        client = start(0.5).client
        inside, outside = id_at(0.5, inside=True), id_at(0.5, inside=False)
        answers = [client.post("/score", json=submission(name)).json() for name in (inside, outside)]
        assert [answer["decision"] for answer in answers] == ["sampled", "sampled_out"]
        assert {answer["inclusion_probability"] for answer in answers} == {0.5}
        assert set(states(database)) == {inside}

    def test_a_trace_is_in_or_out_as_a_whole(self, start: Start) -> None:
        """Submissions of one trace share the decision, whatever their ids."""
        client = start(0.5).client
        trace = id_at(0.5, inside=False, prefix="trace")
        answers = [client.post("/score", json=submission(f"s-{n}", trace_id=trace)).json() for n in range(8)]
        assert {answer["decision"] for answer in answers} == {"sampled_out"}

    def test_the_first_matching_rule_decides(self, start: Start) -> None:
        """A stratum's rate holds for what matches all its fields, the default rate for the rest."""
        client = start(RULES).client
        gold = client.post("/score", json=submission(route="support", tags={"plan": "gold"})).json()
        lead = client.post("/score", json=submission(route="support", tags={"plan": "lead"})).json()
        assert (gold["decision"], gold["stratum"]) == ("sampled", "support")
        assert (lead["decision"], lead["stratum"]) == ("sampled_out", "default")

    def test_an_id_is_made_where_none_is_given(self, start: Start) -> None:
        """A generated id is answered, new each time, and finds the sample."""
        client = start(1.0).client
        first, second = (client.post("/score", json=submission()).json() for _ in range(2))
        assert first["id"] != second["id"]
        assert client.get(first["status_url"]).json()["id"] == first["id"]


class TestLabels:
    # The longest labels that are accepted: 200 bytes, of signs that take four each and do not compress.
    LONG: ClassVar = {
        name: "".join(random.Random(name).choices([chr(0x1F300 + n) for n in range(600)], k=50))
        for name in ("model", "release", "prompt_version", "route")
    }

    def test_the_longest_labels_of_a_sample_are_stored(self, start: Start) -> None:
        """A sample with labels as long as they may be is accepted and found under them."""
        client = start(1.0).client
        assert client.post("/score", json=submission("a", **self.LONG)).status_code == 202
        (bucket,) = client.get("/hallucination-rate", params={"group_by": ",".join(self.LONG)}).json()["buckets"]
        assert bucket["group"] == self.LONG

    def test_the_longest_labels_do_not_stop_the_counts(self, start: Start) -> None:
        """Unsampled submissions are counted whatever labels they have; one cannot hold up those after it."""
        client = start(0.0).client
        client.post("/score", json=submission("a", **self.LONG))
        time.sleep(0.1)
        client.post("/score", json=submission("b"))

        def sampled_out() -> int:
            return sum(b["counts"]["sampled_out"] for b in client.get("/hallucination-rate").json()["buckets"])

        wait_for(lambda: sampled_out() == 2)


class TestIdempotency:
    BODY = submission("a", question="Which?", tags={"x": "1", "y": "2"})

    def test_the_same_body_gets_the_same_answer(self, start: Start) -> None:
        """Sending a sample again answers as the first time."""
        client = start(1.0).client
        first, second = (client.post("/score", json=self.BODY) for _ in range(2))
        assert (second.status_code, second.json()) == (first.status_code, first.json())

    @pytest.mark.parametrize(
        "again",
        [
            dict(reversed(BODY.items())),
            BODY | {"tags": {"y": "2", "x": "1"}},
            BODY | {"contexts": "The kettle is blue."},
            {name: value for name, value in BODY.items() if name != "response"} | {"answer": BODY["response"]},
        ],
        ids=["keys", "nested keys", "one string", "alias"],
    )
    def test_the_way_of_writing_does_not_matter(self, start: Start, again: dict[str, object]) -> None:
        """Order of keys and aliases make no other body."""
        client = start(1.0).client
        first = client.post("/score", json=self.BODY)
        assert client.post("/score", json=again).json() == first.json()

    @pytest.mark.parametrize("changes", [{"response": "It is red."}, {"tags": {"x": "1"}}, {"latency_ms": 5}])
    def test_another_body_is_a_conflict(self, start: Start, database: Database, changes: dict[str, object]) -> None:
        """An accepted id with another body is refused; the first stays."""
        client = start(1.0).client
        client.post("/score", json=self.BODY)
        answer = client.post("/score", json=self.BODY | changes)
        assert answer.status_code == 409
        assert (answer.json()["code"], answer.json()["field"], answer.json()["id"]) == ("sample_conflict", "id", "a")
        assert row_of(database, "a").response == "The kettle is blue."

    def test_the_answer_outlives_policy_and_process(self, start: Start) -> None:
        """A retry after a restart with another policy gets the decision that was made."""
        sample_id = id_at(0.5, inside=True)
        first = start(1.0).client.post("/score", json=submission(sample_id)).json()
        assert start(0.5).client.post("/score", json=submission(sample_id)).json() == first

    def test_a_scored_sample_is_still_known(self, start: Start, database: Database) -> None:
        """Sending a finished sample again neither scores it again nor resets it."""
        client = start(1.0).client
        client.post("/score", json=self.BODY)
        finish_pending(database)
        assert client.post("/score", json=self.BODY).status_code == 202
        assert states(database) == {"a": ("scored", None)}

    def test_a_duplicate_is_counted_beside_the_sum(self, start: Start) -> None:
        """A sample sent three times is one submission and two duplicates."""
        client = start(1.0).client
        for _ in range(3):
            client.post("/score", json=self.BODY)

        def counts() -> dict[str, int]:
            (bucket,) = client.get("/hallucination-rate").json()["buckets"]
            return dict(bucket["counts"])

        wait_for(lambda: counts()["duplicate"] == 2)
        assert counts()["submitted"] == 1
        assert counts()["pending"] == 1

    def test_an_unsampled_submission_sent_twice_counts_twice(self, start: Start) -> None:
        """Without a row there is nothing to know it by."""
        client = start(0.0).client
        for _ in range(2):
            client.post("/score", json=self.BODY)

        def sampled_out() -> int:
            return sum(b["counts"]["sampled_out"] for b in client.get("/hallucination-rate").json()["buckets"])

        wait_for(lambda: sampled_out() == 2)

    def test_a_duplicate_is_known_under_overload_too(self, start: Start) -> None:
        """An accepted sample is answered as the first time even while new ones are rejected."""
        client = start(1.0, max_pending=1).client
        first = client.post("/score", json=self.BODY)
        assert client.post("/score", json=submission("b")).json()["decision"] == "rejected_overload"
        assert client.post("/score", json=self.BODY).json() == first.json()

    def test_a_conflict_is_one_under_overload_too(self, start: Start) -> None:
        """Another body under an accepted id is refused as such even while new samples are rejected."""
        client = start(1.0, max_pending=1).client
        client.post("/score", json=self.BODY)
        assert client.post("/score", json=self.BODY | {"response": "It is red."}).status_code == 409


class TestWait:
    def test_what_the_hash_left_out_is_forced(self, start: Start, database: Database) -> None:
        """A caller that waits gets a row ahead of the queue which counts in no rate; 202 where time ran out."""
        answer = start(0.0).client.post("/score?wait=0.1", json=submission("a"))
        assert answer.status_code == 202
        assert (answer.json()["decision"], answer.json()["reason"]) == ("forced", "wait")
        row = row_of(database, "a")
        assert (row.priority, row.in_rate, row.inclusion_probability) == (0, False, 0.0)

    def test_what_the_hash_chose_counts(self, start: Start, database: Database) -> None:
        """Waiting does not take a sample out of the rate."""
        answer = start(1.0).client.post("/score?wait=0.1", json=submission("a"))
        assert answer.json()["decision"] == "sampled"
        assert (row_of(database, "a").priority, row_of(database, "a").in_rate) == (0, True)

    def test_the_result_is_answered_when_it_is_ready(self, start: Start, database: Database) -> None:
        """Scored in time, the answer is 200 and the same as GET gives."""
        client = start(0.0).client

        def work() -> None:
            wait_for(lambda: states(database))
            finish_pending(database, lambda _row: scored(0.8))

        worker = threading.Thread(target=work)
        worker.start()
        answer = client.post("/score?wait=10", json=submission("a"))
        worker.join()
        assert answer.status_code == 200
        assert answer.json()["score"] == 0.8
        assert answer.json() == client.get("/score/a").json()

    @pytest.mark.parametrize("wait", ["0", "-1", "30.1", "nan", "inf", "soon", ""])
    def test_a_wait_out_of_range_is_refused(self, start: Start, database: Database, wait: str) -> None:
        """The wait is a number of seconds up to 30; otherwise nothing is stored."""
        answer = start(1.0).client.post(f"/score?wait={wait}", json=submission("a"))
        assert (answer.status_code, answer.json()["field"]) == (400, "wait")
        assert states(database) == {}


class TestRead:
    def test_an_unknown_id_is_404(self, start: Start) -> None:
        """What is not stored is not found, as a problem that says why."""
        answer = start(1.0).client.get("/score/nothing")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "sample_unknown"

    @pytest.mark.parametrize("path", ["%00", "a%00b", "%ff", "%F0%9F%AB%96", "x" * 3_000, "a b", "%2e%2e"])
    def test_what_cannot_be_an_id_is_404(self, start: Start, path: str) -> None:
        """No path makes the database fail: not U+0000, which PostgreSQL cannot hold, and nothing overlong."""
        assert start(1.0).client.get(f"/score/{path}").status_code == 404

    def test_a_pending_sample_has_no_score(self, start: Start) -> None:
        """Before it is scored the numbers are null, never 0."""
        client = start(1.0).client
        decision = client.post("/score", json=submission("a")).json()
        answer = client.get("/score/a").json()
        assert (answer["status"], answer["decision"]) == ("pending", decision)
        assert (answer["score"], answer["flagged"], answer["threshold"], answer["claims"]) == (None, None, None, [])

    def test_a_scored_sample_shows_claims_and_evidence(self, start: Start, database: Database) -> None:
        """Claims and evidence come with offsets into the texts as sent, and the texts they select."""
        client = start(1.0).client
        client.post("/score", json=submission("a", contexts=[{"id": "doc", "text": "The kettle is blue."}]))
        finish_pending(database, lambda _row: scored(0.9, checked=1))
        answer = client.get("/score/a").json()
        assert (answer["status"], answer["score"], answer["flagged"]) == ("scored", 0.9, True)
        assert (answer["threshold"], answer["direction"]) == (0.75, "higher_is_worse")
        greeting, claim = answer["claims"]
        assert (greeting["verdict"], greeting["score"], greeting["evidence"]) == ("not_checkable", None, None)
        assert (claim["start"], claim["end"], claim["text"], claim["verdict"]) == (0, 3, "The", "unsupported")
        assert claim["evidence"] == {"context_id": "doc", "start": 4, "end": 10, "text": "kettle"}
        assert claim["probability"]["neutral"] == 0.9
        assert [score["fingerprint"] for score in answer["scores"]] == ["f1"]

    def test_what_could_not_be_checked_says_why(self, start: Start, database: Database) -> None:
        """A sample without a score has a reason."""
        client = start(1.0).client
        client.post("/score", json=submission("a"))
        finish_pending(database, lambda _row: NotApplicable(reason=NotApplicableReason.NO_CLAIMS))
        answer = client.get("/score/a").json()
        assert (answer["status"], answer["reason"], answer["score"]) == ("not_applicable", "no_claims", None)

    @pytest.mark.parametrize("sample_id", ["a/b", "a:b@c+d=e~f", "batch", "a/../b", "..", "."])
    def test_the_status_url_finds_the_sample(self, start: Start, sample_id: str) -> None:
        """Whatever id is accepted, the status URL that was answered leads to it."""
        client = start(1.0).client
        answer = client.post("/score", json=submission(sample_id))
        assert answer.status_code in {202, 422}
        if answer.status_code == 202:
            assert client.get(answer.json()["status_url"]).json().get("id") == sample_id

    def test_contexts_have_ids_of_their_own(self, start: Start, database: Database) -> None:
        """Evidence names its context: no id, given or made from the position, stands for two contexts."""
        contexts = [{"id": "1", "text": "The kettle is blue."}, "The pot is red."]
        answer = start(1.0).client.post("/score", json=submission("a", contexts=contexts))
        assert answer.status_code in {202, 422}
        if answer.status_code == 202:
            names = [context["id"] for context in row_of(database, "a").contexts]
            assert len(set(names)) == 2
