"""A Redis that answers nonsense, refuses or hangs: it costs latency, never a sample, a thread or a request."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from service.core.config import Settings
from service.core.db import Database
from service.core.metrics import SidecarMetrics, WorkerMetrics
from service.core.queue import Doorbell, connect
from service.core.store.taking import TakeLimits
from service.ringer import Ringer
from tests.integration.conftest import Start
from tests.integration.support import ToldScorer, states, submission
from workers.pipeline import Pipeline
from workers.progress import Progress
from workers.ticker import Ticker

ANSWERS = {
    "an error": b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "no number": b":ten\r\n",
    "a length below none": b"$-7\r\nx\r\n",
    "bytes": bytes(range(256)),
    "no text": b"$4\r\n\xff\xfe\xfd\xfc\r\n",
    "another type": b"*2\r\n+a\r\n*1\r\n:5\r\n",
    "an end": b"",
}


class Nonsense:
    """A server on loopback that answers everything it is sent with the same bytes; None: with silence."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"redis://127.0.0.1:{self._listening.getsockname()[1]}/0"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            while client.recv(65_536):
                if self._answer is not None:
                    client.sendall(self._answer)
                if not self._answer and self._answer is not None:
                    client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        for one in (self._listening, *self._open):
            with suppress(OSError):
                one.close()
        self._thread.join()


@pytest.fixture(params=[*ANSWERS, "silence"])
def redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    server = Nonsense(ANSWERS.get(request.param))
    yield server.url
    server.close()


@pytest.fixture
def database_url(make_url: Callable[[str], str]) -> str:
    """One kind: nothing here depends on the database."""
    return make_url("sqlite")


@pytest.mark.timed
def test_the_sidecar_goes_on(start: Start, database: Database, redis_url: str) -> None:
    """Samples are accepted at once, readyz reports Redis and is ready."""
    client = start(1.0, redis_url=redis_url).client
    started = time.monotonic()
    assert client.post("/score", json=submission("a")).status_code == 202
    assert time.monotonic() - started < 1
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["status"], ready.json()["redis"]) == (200, "ready", "down")
    assert set(states(database)) == {"a"}


def test_the_ringer_lives(redis_url: str) -> None:
    """Whatever a ring raises, the thread goes on to the next."""
    metrics = SidecarMetrics()
    ringer = Ringer(Doorbell(connect(redis_url), "q"), metrics)
    ringer.start()
    ringer.ring(urgent=True)
    deadline = time.monotonic() + 30
    while not metrics.registry.get_sample_value("assay_doorbell_total", {"result": "failed"}):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert ringer.alive
    ringer.stop()
    assert not ringer.alive


def test_the_ticker_drains_all_the_same(start: Start, database: Database, redis_url: str) -> None:
    """The worker that leads rings first; a ring that fails keeps it from nothing."""
    start(1.0).client.post("/score", json=submission("a"))
    progress, metrics, settings = Progress(None), WorkerMetrics(), Settings()
    limits = TakeLimits(rows=settings.take_rows, tokens=settings.take_tokens, lease_s=settings.lease_s)
    Ticker(
        database=database,
        doorbell=Doorbell(connect(redis_url), "q"),
        pipeline=Pipeline(database=database, scorer=ToldScorer(), limits=limits, progress=progress, metrics=metrics),
        progress=progress,
        metrics=metrics,
        interval_s=1,
    ).tick()
    assert states(database) == {"a": ("scored", None)}
