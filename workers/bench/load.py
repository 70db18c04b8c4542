"""The load generator: requests at a constant rate from a process of its own. Standard library only.

Each request is due at a moment that does not depend on the answers before it, and its latency counts from that moment:
a server that stalls is charged for every request that it keeps waiting. Reads a `Load` as JSON from standard input and
writes a `Sent` to standard output.
"""

import json
import selectors
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

READ_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What to send, where, how often and for how long."""

    port: int
    path: str
    content_type: str
    item: tuple[str, str]  # one submission, before and after its id
    wrap: tuple[str, str, str]  # of a request's items: what opens, divides and closes them
    items: int  # in one request
    run: str  # begins every id
    rate: float | None  # requests a second; None offers more than any server answers
    connections: int
    warm_s: float  # not counted
    seconds: float
    patience_s: float = 5.0  # for what is still due when the time is over


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What came back."""

    per_s: float  # requests answered a second
    p50_ms: float
    p99_ms: float
    statuses: dict[str, int]
    unanswered: int  # of those that were due, sent or not


class Requests:
    """Makes the bytes of one request after the other; no id comes twice."""

    def __init__(self, load: Load) -> None:
        """Prepares what all requests share."""
        self._items = load.items
        self._numbers = count()
        before, after = (text.encode() for text in load.item)
        opening, dividing, closing = (text.encode() for text in load.wrap)
        self._before = before + load.run.encode()
        self._between = after + dividing + self._before
        self._end = after + closing
        self._opening = opening + self._before
        length = len(self._body())
        self._head = (
            f"POST {load.path} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\nContent-Type: {load.content_type}\r\n"
            f"Content-Length: {length}\r\n\r\n"
        ).encode()

    def _body(self) -> bytes:
        numbers = [b"%010d" % next(self._numbers) for _ in range(self._items)]
        return self._opening + self._between.join(numbers) + self._end

    def make(self) -> bytes:
        """The next request."""
        return self._head + self._body()


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    due: float = 0.0
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    answer: bytes = b""


class Generator:
    """Sends one load."""

    def __init__(self, load: Load) -> None:
        """Opens the connections."""
        self._load = load
        self._requests = Requests(load)
        self._selector = selectors.DefaultSelector()
        self._idle = [self._connect() for _ in range(load.connections)]
        self._latencies: list[float] = []
        self._statuses: Counter[str] = Counter()
        self._in_time = 0

    def _connect(self) -> _Connection:
        made = socket.create_connection(("127.0.0.1", self._load.port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.settimeout(0)
        connection = _Connection(made)
        self._selector.register(made, selectors.EVENT_READ, connection)
        return connection

    def run(self) -> Sent:
        """Sends until the time is over; closes the connections."""
        load, idle = self._load, self._idle
        interval = 1.0 / load.rate if load.rate else 0.0
        start = time.perf_counter()
        self._counted_from = start + load.warm_s
        self._counted_to = self._counted_from + load.seconds
        due, last_due = start, self._counted_to
        while (now := time.perf_counter()) < last_due + load.patience_s:
            while idle and due <= min(now, last_due):
                self._send(idle.pop(), due)
                due += interval
            if now > last_due and (not load.rate or due > last_due):
                break
            # Awake all the time: a timer would round the next due moment up to a millisecond.
            self._answers(0 if idle else 0.1)
        self._await_rest(last_due + load.patience_s)
        self._close()
        unsent = max(0, int((last_due - due) * load.rate) + 1) if load.rate and due <= last_due else 0
        return self._sent(load.connections - len(idle) + unsent)

    def _await_rest(self, until: float) -> None:
        while len(self._idle) < self._load.connections and time.perf_counter() < until:
            self._answers(0.1)

    def _close(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()

    def _send(self, connection: _Connection, due: float) -> None:
        connection.due = due
        connection.unsent = memoryview(self._requests.make())
        self._write(connection)
        if connection.unsent:
            self._selector.modify(connection.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)

    def _write(self, connection: _Connection) -> None:
        try:
            connection.unsent = connection.unsent[connection.socket.send(connection.unsent) :]
        except BlockingIOError:
            return

    def _answers(self, timeout: float) -> None:
        for key, events in self._selector.select(timeout):
            connection: _Connection = key.data
            if events & selectors.EVENT_WRITE:
                self._write(connection)
                if not connection.unsent:
                    self._selector.modify(connection.socket, selectors.EVENT_READ, connection)
            if events & selectors.EVENT_READ:
                self._read(connection)

    def _read(self, connection: _Connection) -> None:
        received = connection.socket.recv(READ_BYTES)
        if not received:
            raise ConnectionError("the server closed a connection")
        connection.answer += received
        head, found, body = connection.answer.partition(b"\r\n\r\n")
        if found and len(body) >= _content_length(head):
            now = time.perf_counter()
            self._statuses[head[9:12].decode()] += 1
            if connection.due >= self._counted_from:
                self._latencies.append(now - connection.due)
            self._in_time += self._counted_from <= now <= self._counted_to
            connection.answer = b""
            self._idle.append(connection)

    def _sent(self, unanswered: int) -> Sent:
        ordered = sorted(self._latencies) or [float("inf")]
        return Sent(
            per_s=self._in_time / self._load.seconds,
            p50_ms=ordered[len(ordered) // 2] * 1_000,
            p99_ms=ordered[int(len(ordered) * 0.99)] * 1_000,
            statuses=dict(self._statuses),
            unanswered=unanswered,
        )


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ConnectionError("an answer without a length")


def main() -> None:
    """Sends what standard input says."""
    given: dict[str, Any] = json.load(sys.stdin)
    sent = Generator(Load(**given)).run()
    json.dump(asdict(sent), sys.stdout)


if __name__ == "__main__":
    main()
