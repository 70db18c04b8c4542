"""The health check of a sidecar."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from service import probe
from service.core.config import Settings
from tests.servers import free_port

BUSY = {"/readyz": 503}


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(BUSY.get(self.path, 200))
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """A server that is alive and not ready."""
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def ask(monkeypatch: pytest.MonkeyPatch, port: int, *arguments: str) -> None:
    monkeypatch.setenv("ASSAY_PORT", str(port))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setattr("sys.argv", ["probe", *arguments])
    probe.main()


def test_alive(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Success ends quietly, and no proxy is asked."""
    ask(monkeypatch, port)


def test_not_ready(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """An answer that is no success fails the check and says which."""
    with pytest.raises(SystemExit, match="503"):
        ask(monkeypatch, port, "/readyz")


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """So does no answer."""
    with pytest.raises(SystemExit, match="/healthz"):
        ask(monkeypatch, free_port())


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("10.1.2.3", "10.1.2.3"),
        ("[::1]", "[::1]"),
        ("::1", "[::1]"),
    ],
)
def test_the_address_is_the_sidecars(monkeypatch: pytest.MonkeyPatch, host: str, expected: str) -> None:
    """A sidecar bound to every address is asked on loopback, one bound to a single address there."""
    monkeypatch.setenv("ASSAY_HOST", host)
    assert probe.url("/healthz") == f"http://{expected}:8000/healthz"


def test_the_default_port_is_the_settings() -> None:
    """The check knows the port without loading the settings."""
    assert int(probe.DEFAULT_PORT) == Settings().port
