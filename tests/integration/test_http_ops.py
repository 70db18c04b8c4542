"""Operations: alive, ready, metrics, and the API's own description."""

import re

import pytest

from service.core.db import Database
from tests.integration.conftest import Start
from tests.integration.support import new_sample, store, submission, take
from tests.servers import RedisServer


def value(text: str, name: str) -> float | None:
    """The value of a metric with exactly these labels; None if it is absent."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def test_alive(start: Start) -> None:
    """The process answers."""
    answer = start().client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_ready_with_redis(start: Start, redis_server: RedisServer) -> None:
    """Both dependencies answer."""
    answer = start(redis_url=redis_server.url).client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "database": "up", "redis": "up"}


def test_ready_without_redis(start: Start) -> None:
    """Losing Redis costs latency only: reported, and still ready."""
    answer = start().client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "database": "up", "redis": "down"}


def test_decisions_are_counted(start: Start) -> None:
    """Every answered submission is in one counter, by decision."""
    client = start(1.0, max_pending=1).client
    for name in ("a", "b", "a"):
        client.post("/score", json=submission(name))
    text = client.get("/metrics").text
    found = {
        name: value(text, f'assay_submissions_total{{decision="{name}"}}')
        for name in ("sampled", "rejected_overload", "duplicate", "sampled_out")
    }
    assert found == {"sampled": 1.0, "rejected_overload": 1.0, "duplicate": 1.0, "sampled_out": 0.0}


def test_requests_are_timed_by_template(start: Start) -> None:
    """Routes are labelled by their template, so that ids do not become labels."""
    client = start().client
    client.get("/score/some-id")
    client.get("/no/such/path")
    text = client.get("/metrics").text
    assert value(text, 'assay_request_seconds_count{route="/score/{sample_id:path}",status="404"}') == 1
    assert "some-id" not in text
    assert "/no/such" not in text


def test_the_backlog_is_read_at_the_scrape(start: Start, database: Database) -> None:
    """Pending rows, held ones too, and the age of the oldest."""
    client = start().client
    assert value(client.get("/metrics").text, "assay_pending_samples") == 0
    assert value(client.get("/metrics").text, "assay_oldest_pending_seconds") is None
    store(database, new_sample("a"), new_sample("b"))
    take(database)
    text = client.get("/metrics").text
    assert value(text, "assay_pending_samples") == 2
    assert (value(text, "assay_oldest_pending_seconds") or 0) > 0


def test_metrics_hold_no_text_of_users(start: Start) -> None:
    """Neither texts nor ids nor labels reach the metrics: of what callers choose only releases, and ids of contexts."""
    client = start().client
    client.post("/score", json=submission("my-id", response="my-words", route="my-route", tags={"my-tag": "x"}))
    assert "my-" not in client.get("/metrics").text


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_the_api_describes_itself(start: Start, path: str) -> None:
    """The description is served."""
    assert start().client.get(path).status_code == 200
