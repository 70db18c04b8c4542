"""Labels over HTTP: written once, handed out by a known probability, and what they make of a rate."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from service.core.clock import EPOCH
from service.core.config import Auth
from service.core.db import Database
from service.core.keys import Scope
from service.core.tables import Kept, samples
from service.sampling import label_key
from tests.integration.conftest import Start
from tests.integration.labelling import NOW, fill, following, label, post, rate, stored, two_claims
from tests.integration.support import BY, finish_pending, new_sample, store


class TestPost:
    def test_a_label_is_written_once(self, start: Start, database: Database) -> None:
        """The same target, annotator, kind and identifier replaces; another one of these is another label."""
        fill(database, 1)
        running = start()
        assert post(running, label("s-0")).json() == {"created": 1, "replaced": 0}
        assert post(running, label("s-0", "hallucinated", comment="no")).json() == {"created": 0, "replaced": 1}
        assert post(running, label("s-0", identifier="second look")).json() == {"created": 1, "replaced": 0}
        assert post(running, label("s-0", kind="llm"), label("s-0", annotator="jo")).json()["created"] == 2
        assert post(running, label("s-0", claim=1)).json()["created"] == 1
        first, *others = stored(database)
        assert (first.verdict, first.comment, len(others)) == ("hallucinated", "no", 4)

    def test_of_two_in_one_request_the_later_counts(self, start: Start, database: Database) -> None:
        """A repeated target in one request is one label."""
        fill(database, 1)
        assert post(start(), label("s-0"), label("s-0", "hallucinated")).json() == {"created": 1, "replaced": 0}
        (row,) = stored(database)
        assert row.verdict == "hallucinated"

    @pytest.mark.parametrize(
        ("said", "field"),
        [
            (label("nobody"), "labels.1.sample_id"),
            (label("s-0", claim=99), "labels.1.claim"),
        ],
    )
    def test_all_or_nothing(self, start: Start, database: Database, said: dict[str, Any], field: str) -> None:
        """One label that names nothing leaves none written, and is named."""
        fill(database, 1)
        answer = post(start(), label("s-0"), said)
        assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (
            404,
            "label_target_unknown",
            field,
        )
        assert stored(database) == []

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"labels": []}, "labels"),
            ({"labels": [{"sample_id": "a", "annotator": "m"}]}, "labels.0.verdict"),
            ({"labels": [label("a", "wrong")]}, "labels.0.verdict"),
            ({"labels": [label("a", claim=-1)]}, "labels.0.claim"),
            ({"labels": [label("a", annotator="")]}, "labels.0.annotator"),
            ({"labels": [label("a", annotator="x\0")]}, "labels.0.annotator"),
            ({"labels": [label("a", score=1)]}, "labels.0.score"),
            ({"labels": [label("a")] * 1_001}, "labels"),
            ([label("a")], ""),
        ],
    )
    def test_bad_labels_are_named(self, start: Start, body: Any, field: str) -> None:
        """The field is named as it was sent."""
        answer = start().client.post("/labels", json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, field)

    def test_another_tenant_s_sample_is_unknown(
        self, start: Start, database: Database, new_key: Callable[..., str]
    ) -> None:
        """A key labels its own tenant's samples only, and needs the scope."""
        fill(database, 1)
        keys = ((new_key(Scope.LABEL, tenant="other"), 404), (new_key(Scope.READ), 403))
        running = start(auth=Auth.REQUIRED)
        body = {"labels": [label("s-0")]}
        for key, status in keys:
            headers = {"Authorization": f"Bearer {key}"}
            assert running.client.post("/labels", json=body, headers=headers).status_code == status


class TestNext:
    def test_nothing_scored_is_nothing_to_label(self, start: Start, database: Database) -> None:
        """Null, not an error: also while all is pending."""
        store(database, new_sample("p", received_at=NOW, label_key=label_key("p", "default", "", NOW)))
        assert following(start()) is None

    def test_every_sample_comes_once(self, start: Start, database: Database) -> None:
        """Asked on and on, an annotator gets each sample once; nothing of the scorer's verdict comes along."""
        wanted = set(fill(database, 50))
        running, seen = start(), []
        while task := following(running):
            assert {"claim", "start", "end", "text"} == set(task["claims"][0])
            assert not {"score", "flagged", "verdict"} & set(task)
            seen.append(task["sample_id"])
            assert post(running, label(task["sample_id"])).status_code == 200
        assert Counter(seen) == dict.fromkeys(wanted, 1)

    def test_two_people_get_different_samples(self, start: Start, database: Database) -> None:
        """What one holds the other does not get; the same person who asks again gets the same."""
        fill(database, 10)
        running = start()
        first, other = following(running), following(running, "jo")
        assert first is not None
        assert other is not None
        assert first["sample_id"] != other["sample_id"]
        again = following(running)
        assert again == first | {"held_until": again["held_until"] if again else None}

    def test_a_share_goes_to_two(self, start: Start, database: Database) -> None:
        """With `twice = 1` each sample is labelled by two people, by nobody twice."""
        wanted = set(fill(database, 8))
        running = start("[labels]\ntwice = 1.0\n")
        for annotator in ("mira", "jo", "kim"):
            seen = []
            while task := following(running, annotator):
                seen.append(task["sample_id"])
                post(running, label(task["sample_id"], annotator=annotator))
            assert set(seen) == (set() if annotator == "kim" else wanted)

    def test_what_has_no_text_is_not_handed_out(self, start: Start, database: Database) -> None:
        """A sample whose text went can be labelled by nobody."""
        fill(database, 3)
        with database.write() as connection:
            connection.execute(samples.update().where(samples.c.id == "s-1").values(kept=Kept.ROW.value))
        running, seen = start(), set()
        while task := following(running):
            seen.add(task["sample_id"])
            post(running, label(task["sample_id"]))
        assert seen == {"s-0", "s-2"}

    def test_older_samples_are_asked_for_by_window(self, start: Start, database: Database) -> None:
        """A window of days reaches back to the begin of a day."""
        old = NOW - timedelta(days=3)
        store(database, new_sample("old", received_at=old, label_key=(old - EPOCH).days + 0.5))
        finish_pending(database)
        assert following(start(), window="1d") is None
        task = following(start(), window="5d")
        assert task is not None
        assert task["sample_id"] == "old"

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("", "annotator"),
            ("annotator=", "annotator"),
            ("annotator=a&window=93d", "window"),
            ("annotator=a&n=2", "n"),
        ],
    )
    def test_bad_queries_are_named(self, start: Start, query: str, field: str) -> None:
        """400 with the parameter."""
        answer = start().client.get(f"/labels/next?{query}")
        assert (answer.status_code, answer.json()["field"]) == (400, field)


class TestRate:
    def test_too_few_labels_say_how_many_more(self, start: Start, database: Database) -> None:
        """Without labels the hallucination rate is null, with what it needs."""
        fill(database, 40)
        found = rate(start())["hallucination"]
        assert (found["rate"], found["n_labels"], found["labels_needed"], found["borrowed"]) == (None, 0, 30, False)

    def test_labels_correct_the_rate(self, start: Start, database: Database) -> None:
        """The scorer flags a fifth; people who label all say a tenth: the rate is theirs."""
        fill(database, 100)
        running = start()
        while task := following(running):
            number = int(task["sample_id"].removeprefix("s-"))
            post(running, label(task["sample_id"], "hallucinated" if number % 10 == 0 else "faithful"))
        bucket = rate(running)
        assert bucket["flagged"]["rate"] == pytest.approx(0.2)
        found = bucket["hallucination"]
        assert found["rate"] == pytest.approx(0.1)
        assert found["ci_low"] < 0.1 < found["ci_high"] < 0.2 < bucket["flagged"]["ci_high"]
        assert (found["n_labels"], found["labels_needed"]) == (100, 0)

    def test_labels_without_a_draw_correct_nothing(self, start: Start, database: Database) -> None:
        """Whoever picks what to label picks the answer: such labels are kept, counted, and in no estimate."""
        wanted = fill(database, 40)
        running = start()
        post(running, *[label(sample_id, "hallucinated") for sample_id in wanted])
        bucket = rate(running)
        assert bucket["hallucination"]["rate"] is None
        assert bucket["left_out"] == {"not_drawn": 40, "undecided": 0}

    def test_unsure_and_models_decide_nothing(self, start: Start, database: Database) -> None:
        """A label by a model is kept; only people's correct a rate. `unsure` is no verdict."""
        fill(database, 40)
        running = start()
        while task := following(running):
            post(running, label(task["sample_id"], "unsure"), label(task["sample_id"], "hallucinated", kind="llm"))
        bucket = rate(running)
        assert bucket["hallucination"]["rate"] is None
        assert bucket["left_out"] == {"not_drawn": 0, "undecided": 40}

    def test_half_told_claims_decide_nothing(self, start: Start, database: Database) -> None:
        """One claim that is made up would decide at once, one that is not never: only all claims together do."""
        store(database, new_sample("a", received_at=NOW, label_key=label_key("a", "default", "", NOW)))
        finish_pending(database, lambda _: two_claims(), BY)
        running = start()
        task = following(running)
        assert task is not None
        first, second = (claim["claim"] for claim in task["claims"])
        post(running, label("a", "hallucinated", claim=first))
        assert rate(running)["left_out"] == {"not_drawn": 0, "undecided": 1}
        post(running, label("a", "unsure", claim=second))
        assert rate(running)["left_out"] == {"not_drawn": 0, "undecided": 1}
        post(running, label("a", "faithful", claim=second))
        assert rate(running)["left_out"] == {"not_drawn": 0, "undecided": 0}

    def test_claims_labelled_one_by_one(self, start: Start, database: Database) -> None:
        """Labels of every claim make a label of the response, and the rate of claims."""
        fill(database, 60)
        running = start()
        while task := following(running):
            number = int(task["sample_id"].removeprefix("s-"))
            said = "hallucinated" if number % 4 == 0 else "faithful"
            post(running, *[label(task["sample_id"], said, claim=claim["claim"]) for claim in task["claims"]])
        assert rate(running)["hallucination"]["rate"] == pytest.approx(0.25)

    def test_no_group_borrows_from_another(self, start: Start, database: Database) -> None:
        """The scorer may err quite otherwise there: a group with too few labels of its own has no rate."""
        fill(database, 60, "a", route="big")
        fill(database, 8, "b", route="small")
        running = start()
        while task := following(running):
            post(running, label(task["sample_id"], "hallucinated" if task["sample_id"].endswith("0") else "faithful"))
        answer = running.client.get("/hallucination-rate", params={"group_by": "route"}).json()
        big, small = (bucket["hallucination"] for bucket in answer["buckets"])
        assert (big["borrowed"], big["labels_needed"]) == (False, 0)
        (alone,) = running.client.get("/hallucination-rate", params={"route": "big"}).json()["buckets"]
        assert alone["hallucination"] == pytest.approx(big)  # rows come in any order, and sums differ in the last bit
        assert (small["rate"], small["borrowed"], small["n_labels"]) == (None, False, 8)
        assert small["labels_needed"] >= 22

    @pytest.mark.parametrize(("days", "borrowed"), [(3, True), (40, False)])
    def test_a_time_with_few_labels_borrows_from_the_time_before(
        self,
        start: Start,
        database: Database,
        days: int,
        borrowed: bool,  # noqa: FBT001 - expected
    ) -> None:
        """Of the same group, up to 30 days before the query's end; it is marked, and says what it still needs."""
        before = NOW - timedelta(days=days)
        fill(database, 60, "old", route="x", received_at=before, label_key=(before - EPOCH).days + 0.5)
        fill(database, 60, "other", route="y", received_at=before, label_key=(before - EPOCH).days + 0.5)
        fill(database, 8, "new", route="x")
        running = start()
        while task := following(running, window="50d"):
            bad = int(task["sample_id"].split("-")[1]) % 5 == 0
            post(running, label(task["sample_id"], "hallucinated" if bad else "faithful"))
        answer = running.client.get("/hallucination-rate", params={"group_by": "route", "window": "1d"}).json()
        (found,) = (bucket["hallucination"] for bucket in answer["buckets"])
        assert (found["borrowed"], found["rate"] is not None, found["n_labels"]) == (borrowed, borrowed, 8)
        assert found["labels_needed"] >= 22
        assert answer["labels"] == {"not_drawn": 0, "undecided": 0}


class TestAgreement:
    def test_two_people(self, start: Start, database: Database) -> None:
        """Three of four alike, with an interval; what one person labelled says nothing of agreement."""
        fill(database, 5)
        running = start()
        for n, other in enumerate(["faithful", "hallucinated", "hallucinated", "faithful"]):
            said = "faithful" if n in {0, 1} else ("hallucinated" if n == 2 else "faithful")
            post(running, label(f"s-{n}", said), label(f"s-{n}", other, annotator="jo"))
        post(running, label("s-4"))
        found = running.client.get("/labels/agreement").json()
        assert (found["items"], found["agreement"]) == (4, 0.75)
        assert found["kappa_ci_low"] <= found["kappa"] <= found["kappa_ci_high"]

    def test_nothing_to_compare_is_null(self, start: Start) -> None:
        """No number without two people."""
        found = start().client.get("/labels/agreement").json()
        assert (found["items"], found["agreement"], found["kappa"]) == (0, None, None)
