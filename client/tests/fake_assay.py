"""An Assay of one class on a real socket: it stores, counts and misbehaves as a test tells it."""

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

POLICY = {
    "policy_version": "v1",
    "domain": "assay.sampling.v1",
    "salt": "",
    "default": {"stratum": "default", "rate": 1.0},
    "rules": [],
    "tenant": "default",
    "refresh_s": 30,
}


@dataclass
class Fault:
    """What to do with one request instead of answering it."""

    status: int = 0  # 0: never answer
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    after: bool = False  # handle it first, so that only the answer is lost
    hang_up: bool = False  # close the connection without an answer


@dataclass
class FakeAssay:
    """Its state is open to the test."""

    port: int = 0
    policy: dict[str, Any] | None = field(default_factory=lambda: dict(POLICY))
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrivals: Counter[str] = field(default_factory=Counter)
    batches: list[list[str]] = field(default_factory=list)
    counted: dict[tuple[str, int], list[dict[str, Any]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)
    faults: dict[str, deque[Fault]] = field(default_factory=dict)  # by path, each used once
    always: dict[str, Fault] = field(default_factory=dict)  # by path
    also: dict[str, Callable[[], object]] = field(default_factory=dict)  # paths of the test's own
    item_status: Callable[[dict[str, Any]], int] = field(default=lambda _: 202)
    max_body_bytes: int = 10**9
    result: dict[str, Any] | None = None  # of POST /score?wait=
    delay_s: float = 0.0
    released: threading.Event = field(default_factory=threading.Event)

    def start(self) -> "FakeAssay":
        """Listens."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_GET(self) -> None:
                fake.handle(self, b"")

            def do_POST(self) -> None:
                fake.handle(self, self.rfile.read(int(self.headers["content-length"])))

            def log_message(self, *args: object) -> None:
                del args

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 128

            def handle_error(self, request: object, client_address: object) -> None:
                del request, client_address  # the client under test hung up

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Stops listening; requests that hang are let go."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        path = handler.path.partition("?")[0]
        self.requests.append(path)
        self.authorizations.add(handler.headers.get("authorization"))
        waiting = self.faults.get(path)
        fault = waiting.popleft() if waiting else self.always.get(path)
        if fault is None or fault.after:
            status, document = self._respond(path, body)
            if fault is None:
                time.sleep(self.delay_s)
                self._send(handler, status, {}, json.dumps(document).encode())
                return
        if fault.hang_up:
            handler.close_connection = True
        elif fault.status:
            self._send(handler, fault.status, fault.headers, fault.body)
        else:
            self.released.wait(20)
            handler.close_connection = True

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> None:
        handler.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def _respond(self, path: str, body: bytes) -> tuple[int, Any]:
        if path in self.also:
            self.also[path]()
            return 200, {}
        if path == "/sampling":
            return (404, {"code": "client_sampling_off"}) if self.policy is None else (200, self.policy)
        if path == "/counts":
            sent = json.loads(body)
            place = (sent["client"], sent["sequence"])
            new = self.counted.setdefault(place, sent["counts"]) is sent["counts"]
            return 200, {"counted": new}
        if path == "/score":
            sent = json.loads(body)
            self.stored[sent["id"]] = sent
            return (202, {"id": sent["id"]}) if self.result is None else (200, {"id": sent["id"], **self.result})
        if len(body) > self.max_body_bytes:
            return 413, {"code": "body_too_large"}
        items = [json.loads(line) for line in body.splitlines()]
        self.batches.append([item["id"] for item in items])
        return 200, {"results": [self._store(item) for item in items]}

    def _store(self, item: dict[str, Any]) -> dict[str, Any]:
        self.arrivals[item["id"]] += 1
        status = self.item_status(item)
        if status == 202:
            self.stored[item["id"]] = item
            return {"status": 202, "decision": {"id": item["id"]}}
        return {"status": status, "problem": {"code": "some_code", "field": "response"}}

    def counts(self, outcome: str) -> int:
        """Submissions counted with this outcome."""
        return sum(e["submissions"] for entries in self.counted.values() for e in entries if e["outcome"] == outcome)
