"""POST /score/batch: one result per item, in order; a bad item fails alone."""

import json
from collections.abc import Callable

import pytest

from service.core.db import Database
from tests.integration.conftest import Start
from tests.integration.support import id_at, states, submission

NDJSON = {"Content-Type": "application/x-ndjson"}


def statuses(answer: dict[str, list[dict[str, object]]]) -> list[object]:
    return [result["status"] for result in answer["results"]]


def test_results_come_in_order(start: Start, database: Database) -> None:
    """The n-th result is the n-th item's, sampled or not."""
    names = [id_at(0.5, inside=n % 3 == 0, prefix=f"b{n}") for n in range(30)]
    answer = start(0.5).client.post("/score/batch", json=[submission(name) for name in names])
    assert answer.status_code == 200
    decisions = [result["decision"] for result in answer.json()["results"]]
    assert [decision["id"] for decision in decisions] == names
    assert [decision["decision"] == "sampled" for decision in decisions] == [n % 3 == 0 for n in range(30)]
    assert set(states(database)) == set(names[::3])


@pytest.mark.parametrize(
    "lines",
    [
        lambda items: "\n".join(map(json.dumps, items)),
        lambda items: "\r\n".join(map(json.dumps, items)) + "\r\n\r\n",
    ],
    ids=["lf", "crlf and empty lines"],
)
def test_ndjson_is_a_batch(start: Start, lines: Callable[[list[object]], str]) -> None:
    """One submission a line; empty lines are none."""
    body = lines([submission("a"), submission("b")])
    answer = start(1.0).client.post("/score/batch", content=body, headers=NDJSON).json()
    assert [result["decision"]["id"] for result in answer["results"]] == ["a", "b"]


def test_a_bad_item_fails_alone(start: Start, database: Database) -> None:
    """Its place holds a problem that names the field; its neighbours are stored."""
    items = [submission("a"), {"id": "b"}, 7, submission("c", latency_ms=-1), submission("d")]
    answer = start(1.0).client.post("/score/batch", json=items)
    assert answer.status_code == 200
    assert statuses(answer.json()) == [202, 422, 422, 422, 202]
    results = answer.json()["results"]
    assert results[1]["decision"] is None
    assert results[1]["problem"]["field"] == "response"
    assert results[3]["problem"]["field"] == "latency_ms"
    assert set(states(database)) == {"a", "d"}


@pytest.mark.parametrize("lines", [False, True], ids=["array", "ndjson"])
def test_an_item_with_nul_fails_alone(start: Start, database: Database, lines: bool) -> None:  # noqa: FBT001 - a parameter
    """U+0000, which PostgreSQL cannot store, costs only the item that holds it."""
    items = [submission("a"), submission("b", response="x\0y"), submission("c")]
    body = "\n".join(map(json.dumps, items)) if lines else json.dumps(items)
    answer = start(1.0).client.post("/score/batch", content=body, headers=NDJSON if lines else {})
    assert statuses(answer.json()) == [202, 422, 202]
    assert answer.json()["results"][1]["problem"]["field"] == "response"
    assert set(states(database)) == {"a", "c"}


def test_a_bad_line_fails_alone(start: Start) -> None:
    """A line that is no JSON fails by itself."""
    body = "\n".join([json.dumps(submission("a")), '{"id": ', json.dumps(submission("c"))])
    answer = start(1.0).client.post("/score/batch", content=body, headers=NDJSON).json()
    assert statuses(answer) == [202, 422, 202]


def test_duplicates_inside_a_batch(start: Start, database: Database) -> None:
    """The first of an id is stored; the same body again gets its answer, another body a conflict."""
    items = [submission("a"), submission("a"), submission("a", response="It is red."), submission("b")]
    results = start(1.0).client.post("/score/batch", json=items).json()["results"]
    assert [result["status"] for result in results] == [202, 202, 409, 202]
    assert results[0]["decision"] == results[1]["decision"]
    assert results[2]["problem"]["code"] == "sample_conflict"
    assert set(states(database)) == {"a", "b"}


def test_a_batch_sent_twice_is_stored_once(start: Start, database: Database) -> None:
    """A retry of a whole batch answers as the first time."""
    client = start(1.0).client
    items = [submission(f"s-{n}") for n in range(300)]
    first, second = (client.post("/score/batch", json=items).json() for _ in range(2))
    assert second == first
    assert len(states(database)) == 300


def test_overload_fails_the_items_beyond(start: Start, database: Database) -> None:
    """The limit holds inside one batch: what still fits is stored, the rest is rejected, in order."""
    items = [submission(f"s-{n}") for n in range(8)]
    results = start(1.0, max_pending=3).client.post("/score/batch", json=items).json()["results"]
    decisions = [result["decision"]["decision"] for result in results]
    assert decisions == ["sampled"] * 3 + ["rejected_overload"] * 5
    assert set(states(database)) == {"s-0", "s-1", "s-2"}


def test_an_empty_batch_has_no_results(start: Start) -> None:
    """Nothing in, nothing out."""
    assert start(1.0).client.post("/score/batch", json=[]).json() == {"results": []}


@pytest.mark.parametrize("body", ['{"response": "x"}', '"x"', "", "[", "null"])
def test_what_is_no_batch_is_refused(start: Start, body: str) -> None:
    """A body that is no array is refused as a whole."""
    assert start(1.0).client.post("/score/batch", content=body).status_code == 422


def test_too_many_items_are_refused_whole(start: Start, database: Database) -> None:
    """One item beyond the limit, and none is stored."""
    client = start(1.0, max_batch_items=3).client
    answer = client.post("/score/batch", json=[submission(f"s-{n}") for n in range(4)])
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert states(database) == {}
    assert client.post("/score/batch", json=[submission(f"s-{n}") for n in range(3)]).status_code == 200
