"""Measures what `submit` costs its caller, and writes the table into client/README.md.

Hypothesis: under 20 microseconds at the median, whatever the sidecar does. The sidecar is a process of its own, as in
production: up (answers at once), down (connections are refused), hanging (accepts and never answers). Each case runs in
a fresh process, in two ways: 200 times a second, each after a sleep and a millisecond of other work, as in a request
handler; and in a tight loop, where the sending thread has to fight for the interpreter's lock. What is timed is the
call. Caches are cold after a sleep, which makes any call slower: two calls that everybody knows are timed beside it.

    python client/benchmarks/submit.py
"""

import argparse
import contextlib
import json
import logging
import os
import platform
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from assay_client import AssayClient, Settings

README = Path(__file__).resolve().parents[1] / "README.md"
START, END = "<!-- submit: made by client/benchmarks/submit.py -->", "<!-- /submit -->"
BODY: dict[str, Any] = {
    "question": "How long do I have to return a kettle that I bought in the sale, and who pays for sending it back?",
    "contexts": [("Unused appliances can be returned within thirty days of delivery. " * 13)[:800] for _ in range(4)],
    "response": ("You can return the kettle within thirty days, and the shop pays for the parcel. " * 8)[:600],
    "model": "small-1",
    "release": "2026.3",
    "route": "/answer",
    "tags": {"tier": "gold"},
    "usage": {"input_tokens": 900, "output_tokens": 150},
}
CASES = [
    ("up, 5% sampled", "up", 0.05, 1_000_000),
    ("up, all sampled", "up", 1.0, 1_000_000),
    ("down", "down", 1.0, 1_000_000),
    ("hanging", "hanging", 1.0, 1_000_000),
    ("down, buffer full", "down", 1.0, 100),
    ("(one line of logging)", "one line of logging", 0, 0),
    ("(uuid.uuid4().hex)", "uuid.uuid4().hex", 0, 0),
]
STEADY_PER_S = 200
WORK_S = 0.001


def main() -> None:
    """Runs all cases, prints the table, and writes it where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each steady run")
    parser.add_argument("--loop", type=int, default=20_000, help="calls of each tight loop")
    parser.add_argument("--write", action="store_true", help="write the table into client/README.md")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        _serve()
    elif asked.case:
        print(json.dumps(_measure(json.loads(asked.case), asked.seconds, asked.loop)))
    else:
        table = _table([_run(case, asked.seconds, asked.loop) for case in CASES])
        print(table)
        if asked.write:
            before, _, rest = README.read_text(encoding="utf-8").partition(START)
            README.write_text(f"{before}{START}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def _run(case: tuple[Any, ...], seconds: float, loop: int) -> tuple[str, list[float]]:
    command = [sys.executable, __file__, "--seconds", str(seconds), "--loop", str(loop), "--case", json.dumps(case)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return case[0], json.loads(done.stdout)


def _known(name: str, seconds: float, loop: int) -> list[float]:
    log = logging.getLogger("benchmark")
    log.propagate = False
    log.setLevel(logging.INFO)
    with Path(os.devnull).open("w") as nowhere:
        handler = logging.StreamHandler(nowhere)
        log.addHandler(handler)
        call = {
            "one line of logging": lambda: log.info("answered in %d ms", 12),
            "uuid.uuid4().hex": lambda: uuid4().hex,
        }
        figures = _both(call[name], seconds, loop)
        log.removeHandler(handler)
    return figures


def _measure(case: list[Any], seconds: float, loop: int) -> list[float]:
    _, kind, rate, buffer_items = case
    if not buffer_items:
        return _known(kind, seconds, loop)
    with _sidecar(kind, rate) as url:
        settings = Settings(buffer_items=buffer_items, buffer_bytes=2**30, on_drop=lambda *_: None)
        client = AssayClient(url, settings=settings)
        if kind == "hanging":  # its policy was fetched before it hung
            with _sidecar("up", rate) as other:
                first = AssayClient(other)
                first.submit(**BODY)
                first.flush()
                client.engine.shared.policy = first.engine.shared.policy
                first.close()
        for _ in range(200):
            client.submit(**BODY)
        time.sleep(1.0)
        figures = _both(lambda: client.submit(**BODY), seconds, loop)
        client.close(0.1)
    return figures


def _both(call: Callable[[], object], seconds: float, loop: int) -> list[float]:
    steady = list(_steady(call, seconds))
    return [*_figures(steady), *_figures([_timed(call) for _ in range(loop)])]


def _steady(call: Callable[[], object], seconds: float) -> Iterator[float]:
    due = time.perf_counter()
    for _ in range(int(seconds * STEADY_PER_S)):
        due += 1 / STEADY_PER_S
        time.sleep(max(0.0, due - WORK_S - time.perf_counter()))
        while time.perf_counter() < due:
            json.loads(json.dumps(BODY))
        yield _timed(call)


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - started) / 1_000


def _figures(times: list[float]) -> list[float]:
    ordered = sorted(times)
    return [statistics.median(ordered), ordered[int(len(ordered) * 0.99)]]


def _table(rows: list[tuple[str, list[float]]]) -> str:
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    lines = [
        f"Microseconds per call, on a shared machine of {machine}:",
        "",
        f"| sidecar | {STEADY_PER_S}/s: median | p99 | tight loop: median | p99 |",
        "|---|---|---|---|---|",
    ]
    for name, figures in rows:
        cells = [f"{figure:.0f}" if figure >= 10 else f"{figure:.1f}" for figure in figures]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


@contextlib.contextmanager
def _sidecar(kind: str, rate: float) -> Iterator[str]:
    if kind == "up":
        environment = {**os.environ, "RATE": str(rate)}
        server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, env=environment)
        assert server.stdout
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.terminate()
        server.wait()
        server.stdout.close()
        return
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if kind == "hanging":
            listener.listen(128)
            threading.Thread(target=_hold, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _hold(listener: socket.socket) -> None:
    held = []
    while True:
        try:
            held.append(listener.accept())
        except OSError:
            return


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        default = {"stratum": "default", "rate": float(os.environ["RATE"])}
        policy = {"policy_version": "v", "domain": "assay.sampling.v1", "salt": "s", "default": default, "rules": []}
        self._answer(policy)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        results = [{"status": 202}] * (body.count(b"\n") + 1)
        self._answer({"results": results, "counted": True})

    def _answer(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(httpx.codes.OK)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def _serve() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
