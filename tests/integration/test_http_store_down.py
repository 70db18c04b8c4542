"""The database away or busy: a clear 503 with the id to retry with, and no sample twice or lost."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.core.db import Database
from tests.integration.conftest import Outage, Running, Start
from tests.integration.support import id_at, states, submission
from tests.servers import wait_for


class TestAway:
    """A PostgreSQL that is killed, with every connection."""

    @pytest.fixture
    def database_url(self, breakable_url: str) -> str:
        return breakable_url

    def test_everything_that_needs_it_is_503(self, start: Start, outage: Outage) -> None:
        """Submissions, reads and rates say so with a problem and when to come back; readyz turns, healthz does not."""
        client = start(1.0).client
        assert client.get("/readyz").status_code == 200
        outage.begin()
        answers = [
            client.post("/score", json=submission("a")),
            client.get("/score/a"),
            client.get("/hallucination-rate"),
        ]
        for answer in answers:
            _check_problem(answer)
        assert answers[0].json()["id"] == "a"
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["database"]) == (503, "down")
        assert client.get("/healthz").status_code == 200

    def test_a_generated_id_is_told(self, start: Start, outage: Outage) -> None:
        """The problem names the id under which a retry is safe, also where the sidecar made it."""
        client = start(1.0).client
        outage.begin()
        made = client.post("/score", json=submission()).json()["id"]
        assert made
        outage.end()
        assert client.post("/score", json=submission(made)).json()["id"] == made

    def test_each_item_of_a_batch_is_told(self, start: Start, outage: Outage) -> None:
        """A batch is answered 200, each sample in it 503; what is not sampled is decided as ever."""
        client = start(0.5).client
        names = [id_at(0.5, inside=True), id_at(0.5, inside=False)]
        outage.begin()
        results = client.post("/score/batch", json=[submission(name) for name in names]).json()["results"]
        assert [result["status"] for result in results] == [503, 202]
        assert results[0]["problem"]["id"] == names[0]

    def test_it_recovers_by_itself(self, start: Start, outage: Outage, database: Database) -> None:
        """With the database back, the same id is accepted; the sidecar was not restarted."""
        client = start(1.0).client
        outage.begin()
        assert client.post("/score", json=submission("a")).status_code == 503
        outage.end()
        assert client.post("/score", json=submission("a")).status_code == 202
        assert set(states(database)) == {"a"}

    def test_unsampled_counts_are_kept(self, start: Start, outage: Outage) -> None:
        """What was left out meanwhile is answered, and counted exactly once when the database is back."""
        client = start(0.0).client
        outage.begin()
        for n in range(5):
            assert client.post("/score", json=submission(f"s-{n}")).status_code == 202
        time.sleep(0.2)  # some flushes fail
        outage.end()
        for n in range(5):
            assert client.post("/score", json=submission(f"t-{n}")).status_code == 202

        def sampled_out() -> int:
            return sum(b["counts"]["sampled_out"] for b in client.get("/hallucination-rate").json()["buckets"])

        wait_for(lambda: sampled_out() == 10)
        time.sleep(0.2)
        assert sampled_out() == 10

    def test_metrics_say_that_the_backlog_is_unknown(self, start: Start, outage: Outage) -> None:
        """Unknown is not 0: the gauge is absent and the failure counted."""
        client = start(1.0).client
        outage.begin()
        text = client.get("/metrics").text
        assert "assay_pending_samples " not in text
        assert 'assay_scrape_failures_total{collector="backlog"} 1.0' in text

    def test_held_keys_go_on_working(self, start: Start, outage: Outage) -> None:
        """A sidecar that cannot read the keys again keeps those it has."""
        running = start(0.0)
        outage.begin()
        running.sidecar.access.read_again()
        assert running.client.post("/score", json=submission("a")).status_code == 202


class TestBusy:
    """An SQLite file that another process holds for writing."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "busy.db"

    @pytest.fixture
    def database_url(self, path: Path) -> str:
        return f"sqlite:///{path}"

    @pytest.fixture
    def running(self, start: Start) -> Running:
        return start(1.0, accept_timeout_s=0.2)

    @pytest.mark.timed
    def test_it_is_503_within_the_timeout(self, running: Running, path: Path) -> None:
        """A caller waits for the commit no longer than the setting says."""
        with _held(path):
            started = time.monotonic()
            answer = running.client.post("/score", json=submission("a"))
            assert time.monotonic() - started < 2
        _check_problem(answer)
        assert answer.json()["id"] == "a"

    def test_a_retry_stores_it_once(self, running: Running, path: Path, database: Database) -> None:
        """Whether or not the late commit came through, the same id again is accepted, and there is one row."""
        with _held(path):
            assert running.client.post("/score", json=submission("a")).status_code == 503
        wait_for(lambda: running.client.post("/score", json=submission("a")).status_code == 202)
        assert set(states(database)) == {"a"}

    def test_what_was_withdrawn_is_not_stored_later(self, running: Running, path: Path, database: Database) -> None:
        """A row whose commit had not begun when its caller was told 503 stays out."""
        with _held(path):
            for name in ("first", "second"):
                assert running.client.post("/score", json=submission(name)).status_code == 503
        wait_for(lambda: running.client.post("/score", json=submission("third")).status_code == 202)
        assert "second" not in states(database)

    def test_reads_go_on(self, running: Running, path: Path) -> None:
        """A writer blocks no reader."""
        running.client.post("/score", json=submission("a"))
        with _held(path):
            assert running.client.get("/score/a").status_code == 200
            assert running.client.get("/hallucination-rate").status_code == 200


@contextmanager
def _held(path: Path) -> Iterator[None]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def _check_problem(answer: Any) -> None:
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["code"] == "store_unavailable"
    assert "same id" in answer.json()["next_step"]
