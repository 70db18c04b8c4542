"""Golden runs over HTTP: sent once, scored by a worker, read, compared and removed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from service.core.config import Auth
from service.core.db import Database
from service.core.golden import run_payload
from service.core.golden.item import GoldenItem
from service.core.golden.record import RunRecord
from service.core.golden.sets import GoldenSet, Quarantined
from service.core.golden_tables import golden_answers, golden_runs, golden_sets
from service.core.keys import Scope
from service.core.metrics import WorkerMetrics
from service.core.store.golden import store_record
from tests.integration.conftest import Running, Start
from tests.integration.support import LIMITS, ToldScorer, scored
from workers.pipeline import Pipeline
from workers.progress import Progress

CONTEXT = {"id": "0", "text": "The kettle is blue."}


def item(number: int, **changes: Any) -> dict[str, Any]:
    """The odd ones are hallucinated, and the told scorer flags what says `wrong`."""
    made = {
        "id": f"i-{number}",
        "question": f"Question {number}?",
        "contexts": [CONTEXT],
        "response": f"It is {'wrong' if number % 2 else 'blue'}, {number}.",
        "hallucinated": number % 2 == 1,
        "category": "colours",
    }
    return made | changes


def run(run_id: str | None = "r", count: int = 4, **changes: Any) -> dict[str, Any]:
    made = {"set": "kettles", "items": [item(n) for n in range(count)], "target": "scorer"}
    return ({} if run_id is None else {"id": run_id}) | made | changes


def application(run_id: str = "app", count: int = 4, said: str = "It is blue.", **changes: Any) -> dict[str, Any]:
    repeats = changes.get("repeats", 1)
    answers = [{"item": f"i-{n}", "responses": [said] * repeats} for n in range(count)]
    return run(run_id, count, target="application", **{"answers": answers} | changes)


def post(running: Running, body: dict[str, Any], **options: Any) -> httpx.Response:
    return running.client.post("/golden-runs", json=body, **options)


def get(running: Running, path: str = "r", **options: Any) -> Any:
    return running.client.get(f"/golden-runs/{path}", **options).raise_for_status().json()


def work(database: Database, scorer: ToldScorer | None = None) -> None:
    """A worker scores all that waits."""
    made = Pipeline(
        database=database,
        scorer=scorer or ToldScorer(),
        limits=LIMITS,
        progress=Progress(None),
        metrics=WorkerMetrics(),
    )
    made.drain()


class TestPost:
    def test_a_run_is_accepted_scored_and_read(self, start: Start, database: Database) -> None:
        """202 with where to look; then its counts, rates and, if asked for, all of it."""
        running = start()
        answer = post(running, run(repeats=2, release="2026.3", git_commit="abc", name="bundled"))
        assert answer.status_code == 202
        assert answer.json() == {"id": "r", "state": "pending", "answers": 8, "status_url": "/golden-runs/r"}
        assert get(running)["answers"]["pending"] == 8
        work(database)
        told = get(running)
        assert (told["state"], told["answers"]["scored"], told["fingerprint"]) == ("finished", 8, "f1")
        assert (told["target"], told["release"], told["git_commit"], told["record"]) == (
            "bundled",
            "2026.3",
            "abc",
            None,
        )
        assert [(each["name"], each["items"], each["rate"]) for each in told["summary"]["endpoints"]] == [
            ("missed", 2, 0.0),
            ("false_alarms", 2, 0.0),
        ]
        record = RunRecord.model_validate(get(running, "r?record=true")["record"])
        assert [each.item for each in record.items] == [GoldenItem.model_validate(item(n)) for n in range(4)]

    def test_the_same_body_is_one_run(self, start: Start, database: Database) -> None:
        """The order of fields means nothing; another body is a conflict; without an id each is a run of its own."""
        running = start()
        first, again = post(running, run()), post(running, dict(reversed(run().items())))
        assert (first.status_code, again.status_code, again.json()) == (202, 202, first.json())
        work(database)
        assert post(running, run()).json() == first.json() | {"state": "finished"}
        other = post(running, run(repeats=2))
        assert (other.status_code, other.json()["code"], other.json()["field"]) == (409, "golden_run_conflict", "id")
        made = {post(running, run(None)).json()["id"] for _ in range(2)}
        assert len(made) == 2
        assert {each["id"] for each in running.client.get("/golden-runs").json()["runs"]} == made | {"r"}

    def test_an_application_s_answers_come_along(self, start: Start, database: Database) -> None:
        """Text, text with seconds, or why there is none, in any order of items; nobody is called."""
        answers = [
            {"item": "i-1", "responses": [{"failed": "timeout", "seconds": 30.0}]},
            {"item": "i-0", "responses": [{"text": "It is wrong.", "seconds": 1.5}]},
            {"item": "i-2", "responses": [""]},
        ]
        running = start()
        assert post(running, application("r", 3, answers=answers)).json()["state"] == "pending"
        work(database, ToldScorer(answer=lambda each: scored(flagged="wrong" in each.response)))
        told = get(running, "r?record=true")
        assert told["answers"] == {"pending": 0, "scored": 2, "not_applicable": 0, "unscored": 0, "failed": 1}
        assert told["summary"]["reasons"] == {"failed: timeout": 1}
        first, second, third = (each["answers"][0] for each in told["record"]["items"])
        assert (first["response"], first["flagged"], first["seconds"]) == ("It is wrong.", True, 1.5)
        assert (second["state"], second["reason"], second["seconds"]) == ("failed", "timeout", 30.0)
        assert (third["response"], third["flagged"]) == ("", False)

    def test_nothing_but_failures_has_ended(self, start: Start) -> None:
        """There is nothing to wait for."""
        failed = [{"item": "i-0", "responses": [{"failed": "refused"}]}]
        assert post(start(), application(count=1, answers=failed)).json()["state"] == "finished"

    def test_a_question_is_answered_once(self, start: Start) -> None:
        """The two of a minimal pair ask the same: the first stands for both, and the second is refused by name."""
        running = start()
        twins = [item(0), item(1, question="Question 0?")]
        one = [{"item": "i-0", "responses": ["Blue."]}]
        assert post(running, application(items=twins, answers=one)).json()["answers"] == 1
        both = [*one, {"item": "i-1", "responses": ["Blue."]}]
        answer = post(running, application("b", items=twins, answers=both))
        assert (answer.status_code, answer.json()["field"]) == (422, "answers.1.item")
        assert "asks the same" in answer.json()["detail"]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ([], ""),
            ({}, "set"),
            (run(target="https://example.org"), "target"),
            (run(url="https://example.org"), "url"),
            (run("a/b"), "id"),
            (run("none"), "id"),
            (run(items=[]), "items"),
            (run(items=[item(0), item(1), item(0)]), "items.2.id"),
            (run(items=[item(0), item(1, contexts=[{"id": "0"}])]), "items.1.contexts.0.text"),
            (run(items=[item(0, hallucinated=1)]), "items.0.hallucinated"),
            (run(items=[item(0, response=None)]), "items"),
            (run(items=[item(0, hallucinated=None)]), "items"),
            (run(items=[item(0, question="x\0")]), "items.0.question"),
            (run(items=[item(0, response="x" * 200_001)]), "items.0.response"),
            (run(items=[item(0, contexts=[CONTEXT] * 101)]), "items.0.contexts"),
            (run(items=[item(0, claims=[1] * 1_001)]), "items.0.claims"),
            (run(items=[1] * 10_001), "items"),
            (run(repeats=0), "repeats"),
            (run(repeats=101), "repeats"),
            (run(repeats="2"), "repeats"),
            (run(margin=1.5), "margin"),
            (run(quarantined=["a b"]), "quarantined.0"),
            (run(release=""), "release"),
            (run(answers=[]), "answers"),
            (run(target="application"), "answers"),
            (application(items=[item(0, question=None)]), "items"),
            (application(answers=[]), "answers"),
            (application(count=2, answers=application(count=3)["answers"]), "answers.2.item"),
            (application(count=1, answers=application(count=1)["answers"] * 2), "answers"),
            (application(repeats=2, answers=application()["answers"]), "answers.0.responses"),
            (application(count=1, answers=[{"item": "i-0", "responses": [{}]}]), "answers.0.responses.0"),
            (application(count=1, answers=[{"item": "i-0", "responses": [1]}]), "answers.0.responses.0"),
            (application(count=1, said="x\0"), "answers.0.responses.0"),
            (application(count=1, said="x" * 200_001), "answers.0.responses.0"),
            (
                application(count=1, answers=[{"item": "i-0", "responses": [{"text": "x", "failed": "y"}]}]),
                "answers.0.responses.0",
            ),
        ],
    )
    def test_what_is_wrong_is_named(self, start: Start, database: Database, body: Any, field: str) -> None:
        """422 with the field as it was sent; nothing is stored."""
        answer = start().client.post("/golden-runs", json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
        with database.read() as connection:
            assert connection.execute(select(golden_sets.c.seq)).all() == []

    def test_a_run_has_its_limit(self, start: Start) -> None:
        """Items times repeats are bounded."""
        answer = post(start(), run(items=[item(n) for n in range(1_001)], repeats=100))
        assert (answer.status_code, answer.json()["field"]) == (422, "repeats")

    def test_too_many_waiting_are_refused(self, start: Start, database: Database) -> None:
        """429 with when to try again; a run that is known is answered all the same."""
        running = start(max_pending=5)
        assert post(running, run()).status_code == 202
        full = post(running, run("s"))
        assert (full.status_code, full.json()["code"], "retry-after" in full.headers) == (429, "overloaded", True)
        assert post(running, run()).status_code == 202
        work(database)
        assert post(running, run("s")).status_code == 202

    def test_a_baseline_must_fit(self, start: Start, database: Database) -> None:
        """One that is not there, or of another kind or set, is refused before anything is scored."""
        running = start()
        post(running, run("base"))
        assert post(running, run(baseline="base")).status_code == 202
        for body, status in ((run("x", baseline="no"), 404), (application(baseline="base"), 409)):
            answer = post(running, body)
            assert (answer.status_code, answer.json()["field"]) == (status, "baseline")
        assert post(running, run("y", set="pots", baseline="base")).status_code == 409
        assert running.client.delete("/golden-runs/base").status_code == 200
        assert post(running, run(baseline="base")).status_code == 202  # as the first time
        work(database)
        told = get(running)
        assert (told["comparison"], "not stored here" in told["notes"][0]) == (None, True)

    def test_a_shipped_set_needs_no_items(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its items and its quarantine are those that come along; another name without items is unknown."""
        items = tuple(GoldenItem.model_validate(item(n)) for n in range(3))
        asleep = Quarantined.model_validate({"id": "i-1", "until": "9999-01-01", "reason": "unclear"})
        golden = GoldenSet(name="core", items=items, folder=Path(), quarantined=(asleep,), floors={})
        running = start()
        body = {"id": "r", "set": "core", "target": "scorer"}
        unknown = post(running, body | {"set": "../core"})
        assert (unknown.status_code, unknown.json()["code"], unknown.json()["field"]) == (
            404,
            "golden_set_unknown",
            "set",
        )
        monkeypatch.setattr(run_payload, "shipped_set", lambda _name: golden)
        assert post(running, body).json()["answers"] == 3
        assert get(running)["quarantined"] == ["i-1"]
        post(running, body | {"id": "s", "quarantined": []})
        assert get(running, "s")["quarantined"] == []


class TestRead:
    def test_the_list_is_narrowed_and_paged(self, start: Start) -> None:
        """Newest first; set, kind and release narrow; `next_before` goes on."""
        running = start()
        for number in range(3):
            post(running, run(f"r-{number}", release=f"v{number}"))
        post(running, application(set="pots"))

        listed = running.client.get("/golden-runs?limit=3").json()
        assert [each["id"] for each in listed["runs"]] == ["app", "r-2", "r-1"]
        rest = running.client.get("/golden-runs", params={"before": listed["next_before"], "limit": "3"}).json()
        assert ([each["id"] for each in rest["runs"]], rest["next_before"]) == (["r-0"], None)
        for query, found in (("set=pots", ["app"]), ("kind=application", ["app"]), ("release=v1", ["r-1"])):
            runs = running.client.get(f"/golden-runs?{query}").json()["runs"]
            assert [each["id"] for each in runs] == found

    @pytest.mark.parametrize(
        ("path", "field"),
        [
            ("?kind=model", "kind"),
            ("?limit=0", "limit"),
            ("?limit=501", "limit"),
            ("?before=x", "before"),
            ("?set=%00", "set"),
            ("?state=pending", "state"),
            ("/r?record=yes", "record"),
            ("/r?margin=2", "margin"),
            ("/r?margin=nan", "margin"),
            ("/r?baseline=%00", "baseline"),
            ("/r?base=x", "base"),
        ],
    )
    def test_a_wrong_query_is_named(self, start: Start, path: str, field: str) -> None:
        """400 with the parameter."""
        answer = start().client.get(f"/golden-runs{path}")
        assert (answer.status_code, answer.json()["field"]) == (400, field)

    @pytest.mark.parametrize("name", ["none", "a%00b", "x" * 300])
    def test_an_unknown_run_is_404(self, start: Start, name: str) -> None:
        """Read or removed, whatever the name."""
        client = start().client
        for answer in (client.get(f"/golden-runs/{name}"), client.delete(f"/golden-runs/{name}")):
            assert (answer.status_code, answer.json()["code"]) == (404, "golden_run_unknown")


class TestCompared:
    def test_with_the_stored_baseline_another_or_none(self, start: Start, database: Database) -> None:
        """The query's baseline and margin stand before the stored ones."""
        running = start()
        post(running, run("a", 40))
        work(database)
        post(running, run("b", 40, baseline="a", margin=0.2))
        work(database, ToldScorer(answer=lambda _each: scored(flagged=False)))
        stored = get(running, "b")["comparison"]
        assert (stored["baseline_id"], stored["margin"], stored["verdict"]) == ("a", 0.2, "worse")
        assert len(stored["flipped"]) == 20
        assert get(running, "b?margin=0.5")["comparison"]["margin"] == 0.5
        assert get(running, "b?baseline=b")["comparison"]["flipped"] == []
        assert get(running, "b?baseline=none")["comparison"] is None
        assert get(running, "a")["comparison"] is None

    def test_what_cannot_be_compared_is_409(self, start: Start) -> None:
        """Two kinds of target; and a baseline that is not there is 404."""
        running = start()
        post(running, run())
        post(running, application())
        answer = running.client.get("/golden-runs/r?baseline=app")
        assert (answer.status_code, answer.json()["code"]) == (409, "golden_runs_differ")
        assert running.client.get("/golden-runs/r?baseline=gone").status_code == 404

    def test_quarantined_items_count_for_nothing(self, start: Start, database: Database) -> None:
        """Those that came with the run."""
        running = start()
        post(running, run("a"))
        post(running, run("b", quarantined=["i-1", "i-2"], baseline="a"))
        work(database)
        told = get(running, "b")
        assert told["comparison"]["left_out"]["quarantined"] == told["quarantined"] == ["i-1", "i-2"]
        assert [each["items"] for each in told["comparison"]["endpoints"]] == [1, 1]

    def test_a_run_by_two_scorers_tells_and_decides_nothing(self, start: Start, database: Database) -> None:
        """Whichever of the two it is, and although two fingerprints that are null look alike."""
        running = start()
        for name in ("a", "b"):
            post(running, run(name, 40))
            with database.write() as connection:
                seq = connection.execute(select(golden_runs.c.seq).where(golden_runs.c.id == name)).scalar_one()
            work(database)
            with database.write() as connection:
                first = (golden_answers.c.run_seq == seq) & (golden_answers.c.position == 0)
                connection.execute(golden_answers.update().where(first).values(fingerprint="f2"))
        told = get(running, "b?baseline=a")
        assert (told["fingerprint"], told["scored_by"], len(told["notes"])) == (None, ["f1", "f2"], 1)
        assert (told["comparison"]["verdict"], len(told["comparison"]["notes"])) == ("cannot_tell", 2)

    def test_a_run_that_waits_cannot_tell(self, start: Start, database: Database) -> None:
        """Before anything is scored there is no talk of two scorers."""
        running = start()
        post(running, application("a"))
        work(database)
        post(running, application("b", baseline="a"))
        comparison = get(running, "b")["comparison"]
        assert comparison["verdict"] == "cannot_tell"
        assert not any("Two scorers" in note for note in comparison["notes"])


class TestKept:
    def test_tenants_and_scopes(self, start: Start, new_key: Callable[..., str]) -> None:
        """`label` sends, `read` reads, `admin` removes; nobody sees another tenant's."""
        label, read, admin = (new_key(scope) for scope in (Scope.LABEL, Scope.READ, Scope.ADMIN))
        foreign = new_key(Scope.READ, Scope.LABEL, Scope.ADMIN, tenant="other")
        running = start(auth=Auth.REQUIRED)

        def status(method: str, key: str, path: str = "/golden-runs/r") -> int:
            body = run() if method == "POST" else None
            headers = {"Authorization": f"Bearer {key}"}
            return running.client.request(method, path, json=body, headers=headers).status_code

        assert status("POST", read, "/golden-runs") == 403
        assert status("POST", label, "/golden-runs") == 202
        assert (status("GET", foreign), status("DELETE", foreign), status("GET", read)) == (404, 404, 200)
        assert (status("DELETE", label), status("DELETE", admin), status("GET", read)) == (403, 200, 404)
        assert status("POST", "none", "/golden-runs") == 401

    def test_removal_ends_it(self, start: Start, database: Database) -> None:
        """A run that waits is never scored; its items go with it."""
        running = start()
        post(running, run())
        assert running.client.delete("/golden-runs/r").json() == {"id": "r", "answers": 4}
        scorer = ToldScorer()
        work(database, scorer)
        assert scorer.calls == []
        assert running.client.delete("/golden-runs/r").status_code == 404

    def test_what_the_policy_promises_holds(self, start: Start, database: Database) -> None:
        """`store_text = "none"`: what an application said is gone once it is scored; rules are applied before."""
        running = start('[sampling]\nrate = 1.0\n[privacy]\nstore_text = "none"\nredact = ["email"]\n')
        post(running, application("r", 1, "Write to mira@example.org."))
        scorer = ToldScorer()
        work(database, scorer)
        assert "mira@example.org" not in scorer.calls[0][0]
        told = get(running, "r?record=true")
        (answer,) = told["record"]["items"][0]["answers"]
        assert (answer["response"], answer["state"]) == (None, "scored")
        assert {claim["text"] for claim in answer["claims"]} == {None}
        assert told["record"]["items"][0]["item"]["contexts"] == [CONTEXT]

    def test_a_run_of_the_command_line_is_shown(self, start: Start, database: Database) -> None:
        """What it stores is read, listed and compared like any other."""
        running = start()
        post(running, run())
        work(database)
        record = RunRecord.model_validate_json(json.dumps(get(running, "r?record=true")["record"]))
        with database.write() as connection:
            store_record(connection, "default", record.model_copy(update={"id": "c"}), baseline="r", margin=None)
        told = get(running, "c")
        assert (told["origin"], told["comparison"]["baseline_id"], told["answers"]["scored"]) == ("cli", "r", 4)
