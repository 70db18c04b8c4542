"""What a submission costs: statements and calls to Redis, counted."""

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from service.core.config import Auth
from service.core.keys import Scope
from tests.integration.conftest import Start
from tests.integration.support import id_at, submission
from tests.servers import wait_for

QUIET = {"flush_interval_s": 60.0}  # the ledger's own flush is no part of a request


class Listener:
    """A port that knows whether anyone has called; nobody ever answers there."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0)
        self._held: list[socket.socket] = []
        self.url = f"redis://127.0.0.1:{self._socket.getsockname()[1]}/0"

    def was_called(self) -> bool:
        with suppress(BlockingIOError):
            self._held.append(self._socket.accept()[0])
        return bool(self._held)

    def close(self) -> None:
        for held in (self._socket, *self._held):
            held.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def test_a_sample_is_one_insert(start: Start) -> None:
    """Accepting costs exactly one statement once the sidecar knows the backlog."""
    running = start(1.0, **QUIET)
    running.client.post("/score", json=submission("first"))
    with running.statements() as seen:
        running.client.post("/score", json=submission("a"))
    assert len(seen) == 1
    assert seen[0].startswith("INSERT INTO samples")


def test_the_first_sample_counts_the_backlog(start: Start) -> None:
    """A fresh sidecar asks once how many rows are pending."""
    running = start(1.0, **QUIET)
    with running.statements() as seen:
        running.client.post("/score", json=submission("a"))
    assert [statement.split()[0] for statement in seen] == ["SELECT", "INSERT"]


def test_a_duplicate_costs_one_more(start: Start) -> None:
    """A known id is looked up once."""
    running = start(1.0, **QUIET)
    running.client.post("/score", json=submission("a"))
    with running.statements() as seen:
        running.client.post("/score", json=submission("a"))
    assert [statement.split()[0] for statement in seen] == ["INSERT", "SELECT"]


def test_what_is_not_sampled_touches_nothing(start: Start, listener: Listener) -> None:
    """Left out by the hash, a submission runs no statement and does not call Redis."""
    running = start(0.5, redis_url=listener.url, **QUIET)
    with running.statements() as seen:
        for n in range(50):
            name = id_at(0.5, inside=False, prefix=f"o{n}")
            assert running.client.post("/score", json=submission(name)).json()["decision"] == "sampled_out"
    assert seen == []
    assert not listener.was_called()


def test_the_same_with_keys(start: Start, listener: Listener, new_key: Callable[..., str]) -> None:
    """Checking a key costs nothing either: keys are held in memory."""
    headers = {"Authorization": f"Bearer {new_key(Scope.INGEST)}"}
    running = start(0.0, redis_url=listener.url, auth=Auth.REQUIRED, **QUIET)
    with running.statements() as seen:
        for n in range(50):
            assert running.client.post("/score", json=submission(f"s-{n}"), headers=headers).status_code == 202
    assert seen == []
    assert not listener.was_called()


def test_refused_bodies_touch_nothing(start: Start, listener: Listener) -> None:
    """What is not valid costs no statement."""
    running = start(1.0, redis_url=listener.url, **QUIET)
    with running.statements() as seen:
        assert running.client.post("/score", json={"id": "a"}).status_code == 422
    assert seen == []
    assert not listener.was_called()


def test_a_sample_rings(start: Start, listener: Listener) -> None:
    """After its commit a sample calls Redis; one that never answers delays no answer."""
    running = start(1.0, redis_url=listener.url, accept_timeout_s=0.9, **QUIET)
    for n in range(5):
        assert running.client.post("/score", json=submission(f"s-{n}")).elapsed.total_seconds() < 0.9
    wait_for(listener.was_called)


def test_an_unsampled_batch_touches_nothing(start: Start) -> None:
    """A batch costs what its samples cost: nothing, where none is chosen."""
    running = start(0.0, **QUIET)
    with running.statements() as seen:
        running.client.post("/score/batch", json=[submission(f"s-{n}") for n in range(500)])
    assert seen == []


def test_reading_a_sample_costs_at_most_three(start: Start) -> None:
    """The row, its scores, its reviews; a pending one has no claims to read."""
    running = start(1.0, **QUIET)
    running.client.post("/score", json=submission("a"))
    with running.statements() as seen:
        running.client.get("/score/a")
    assert len(seen) == 3
