"""What a request may hold: every refusal names the field or the parameter, and stores nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from service.core.db import Database
from tests.integration.conftest import Start
from tests.integration.support import states, submission

ONE_KIND = "sqlite"  # nothing here depends on the database: what is refused does not reach it


@pytest.fixture
def database_url(make_url: Callable[[str], str]) -> str:
    return make_url(ONE_KIND)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"response": 5}, "response"),
        ({"response": None}, "response"),
        ({"colour": "blue"}, "colour"),
        ({"id": "a b"}, "id"),
        ({"id": ""}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"contexts": [{"text": 1}]}, "contexts.0.text"),
        ({"contexts": [{"text": "x", "colour": "blue"}]}, "contexts.0.colour"),
        ({"contexts": [{"id": "c", "text": "x"}, {"id": "c", "text": "y"}]}, "contexts"),
        ({"contexts": 7}, "contexts"),
        ({"samples": ["x"] * 21}, "samples"),
        ({"route": "r" * 201}, "route"),
        ({"route": "é" * 101}, "route"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"features": {"f": "many"}}, "features.f"),
        ({"usage": {"input_tokens": -1}}, "usage.input_tokens"),
        ({"occurred_at": "2026-11-01T12:00:00"}, "occurred_at"),
        ({"response": "a\0b"}, "response"),
        ({"tags": {"t": "a\0b"}}, "tags.t"),
        ({"tags": {"a\0b": "t"}}, "tags"),
        ({"contexts": ["x", "a\0b"]}, "contexts.1"),
    ],
)
def test_a_wrong_field_is_named(start: Start, database: Database, changes: dict[str, Any], field: str) -> None:
    """422 names the field by its path, as a problem that says what to do."""
    answer = start(1.0).client.post("/score", json=submission("a") | changes)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"], problem["field"]) == (422, "payload_invalid", field)
    assert problem["next_step"]
    assert states(database) == {}


@pytest.mark.parametrize(
    ("limits", "changes", "field"),
    [
        ({"max_response_chars": 5}, {"response": "x" * 6}, "response"),
        ({"max_response_chars": 5}, {"response": "x", "question": "x" * 6}, "question"),
        ({"max_response_chars": 5}, {"response": "x", "samples": ["x", "x" * 6]}, "samples.1"),
        ({"max_contexts": 2}, {"contexts": ["x"] * 3}, "contexts"),
        ({"max_context_chars": 5}, {"contexts": ["x", "x" * 6]}, "contexts.1.text"),
        ({"max_total_context_chars": 5}, {"contexts": ["xxx", "xxx"]}, "contexts"),
    ],
)
def test_a_limit_names_field_and_setting(
    start: Start, limits: dict[str, int], changes: dict[str, Any], field: str
) -> None:
    """One code point over a limit is refused with the field and the setting to raise."""
    answer = start(1.0, **limits).client.post("/score", json=submission("a") | changes)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert f"ASSAY_{next(iter(limits)).upper()}" in answer.json()["detail"]


def test_limits_count_code_points(start: Start) -> None:
    """A limit is met exactly by as many code points, whatever their bytes."""
    client = start(1.0, max_response_chars=5, max_context_chars=5, max_total_context_chars=5, max_contexts=1).client
    assert client.post("/score", json=submission("a", response="🫖" * 5, contexts=["é" * 5])).status_code == 202


@pytest.mark.parametrize("path", ["/score", "/score/batch"])
def test_a_large_body_is_refused(start: Start, database: Database, path: str) -> None:
    """A body over the limit is 413, also where its length is not announced."""
    client = start(1.0, max_body_bytes=1_024).client

    def parts() -> Any:
        yield b'{"response": "'
        for _ in range(20):
            yield b"x" * 100
        yield b'"}'

    for body in (b" " * 1_025, parts()):
        answer = client.post(path, content=body)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert states(database) == {}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'{"response": "\\ud800"}', b'{"response": "x", "latency_ms": NaN}', b"[1]", b"[" * 5_000],
)
def test_what_is_no_submission_is_refused(start: Start, body: bytes) -> None:
    """Bytes that are no JSON object of valid Unicode are 422, never 500."""
    answer = start(1.0).client.post("/score", content=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "payload_invalid")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"answer": "It is red."}, "response"),
        ({"input": "?", "query": "?"}, "question"),
        ({"context": "x"}, "contexts"),
    ],
)
def test_a_field_given_twice_is_refused(start: Start, given: dict[str, str], field: str) -> None:
    """A name and its alias together, or two aliases, are refused: which one counts is not ours to guess."""
    answer = start(1.0).client.post("/score", json=submission("a") | given)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_problem_does_not_repeat_the_text(start: Start) -> None:
    """An answer about a wrong field does not quote its value."""
    answer = start(1.0).client.post("/score", json=submission("a", latency_ms="secret-words"))
    assert answer.status_code == 422
    assert "secret-words" not in answer.text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/score", 405)])
def test_unknown_paths_and_methods_are_problems(start: Start, method: str, path: str, status: int) -> None:
    """What the framework refuses has the form of every other error."""
    answer = start(1.0).client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("colour=blue", "colour"),
        ("window=0h", "window"),
        ("window=", "window"),
        ("granularity=", "granularity"),
        ("group_by=", "group_by"),
        ("window=5", "window"),
        ("window=999999w", "window"),
        ("from=2026-11-01T12:00:00", "from"),
        ("from=yesterday", "from"),
        ("to=13", "to"),
        ("from=2026-11-01T12:00:00Z&window=1h", "window"),
        ("from=2026-11-01T12:00:00Z&to=2026-11-01T11:00:00Z", "from"),
        ("granularity=90s", "granularity"),
        ("granularity=1m&window=60d", "granularity"),
        ("group_by=colour", "group_by"),
        ("group_by=route,", "group_by"),
        ("unit=word", "unit"),
        ("confidence=1", "confidence"),
        ("confidence=nan", "confidence"),
        ("confidence=0.4", "confidence"),
    ],
)
def test_a_wrong_parameter_is_named(start: Start, query: str, field: str) -> None:
    """A query that is not understood is 400 and names the parameter, never a guess."""
    answer = start().client.get(f"/hallucination-rate?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["field"]) == ("query_invalid", field)
