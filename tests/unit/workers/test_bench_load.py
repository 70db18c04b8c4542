"""The load generator: what it sends, and what it charges a server that stalls."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.servers import free_port
from workers.bench.load import Generator, Load, Requests
from workers.bench.responder import ANSWER


def load(**changes: Any) -> Load:
    values: dict[str, Any] = {
        "port": 1,
        "path": "/score",
        "content_type": "application/json",
        "item": ('{"id":"', '","response":"é"}'),
        "wrap": ("", "", ""),
        "items": 1,
        "run": "r-",
        "rate": None,
        "connections": 1,
        "warm_s": 0.0,
        "seconds": 0.5,
    }
    return Load(**values | changes)


def body(request: bytes) -> bytes:
    head, _, rest = request.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(rest)}".encode() in head
    return rest


@contextmanager
def answering(wait: Callable[[int], float]) -> Iterator[int]:
    """A server of one connection that waits before each answer as it is told by the number of the request."""
    port = free_port()
    listener = socket.create_server(("127.0.0.1", port))

    def run() -> None:
        # A generator whose patience is over closes its end while answers are under way.
        with listener.accept()[0] as connection, suppress(ConnectionError):
            number = 0
            while connection.recv(65_536):
                time.sleep(wait(number))
                connection.sendall(ANSWER)
                number += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield port
    finally:
        thread.join()
        listener.close()


class TestRequests:
    def test_each_has_an_id_of_its_own(self) -> None:
        """No two requests carry the same id, and the length fits in bytes."""
        requests = Requests(load())
        ids = {json.loads(body(requests.make()))["id"] for _ in range(100)}
        assert len(ids) == 100

    def test_items_of_an_array(self) -> None:
        """An array of so many submissions, each with its own id."""
        items = json.loads(body(Requests(load(wrap=("[", ",", "]"), items=5)).make()))
        assert len({item["id"] for item in items}) == 5

    def test_items_on_lines(self) -> None:
        """One submission a line."""
        lines = body(Requests(load(wrap=("", "\n", "\n"), items=3)).make()).splitlines()
        assert [json.loads(line)["response"] for line in lines] == ["é"] * 3


class TestGenerator:
    def test_it_offers_the_rate_that_it_was_given(self) -> None:
        """A constant arrival rate, however fast the answers come."""
        with answering(lambda _number: 0) as port:
            sent = Generator(load(port=port, rate=200)).run()
        assert 90 <= sum(sent.statuses.values()) <= 101
        assert sent.unanswered == 0

    def test_a_stall_is_charged_for_all_that_were_due(self) -> None:
        """One answer that takes 0.3 s delays the thirty requests due meanwhile; the median shows it."""
        with answering(lambda number: 0.3 if number == 0 else 0) as port:
            sent = Generator(load(port=port, rate=100)).run()
        assert sent.p99_ms > 250
        assert sent.p50_ms > 20

    def test_what_was_due_and_not_sent_is_unanswered(self) -> None:
        """A server that falls behind cannot look fast by being asked less."""
        with answering(lambda _number: 0.1) as port:
            sent = Generator(load(port=port, rate=100, patience_s=0.2)).run()
        assert sum(sent.statuses.values()) + sent.unanswered in (50, 51)
        assert sent.unanswered > 20

    def test_without_a_rate_it_waits_for_answers_only(self) -> None:
        """Offered without end, the server answers as much as it can."""
        with answering(lambda _number: 0.01) as port:
            sent = Generator(load(port=port)).run()
        assert 20 <= sent.per_s <= 101
