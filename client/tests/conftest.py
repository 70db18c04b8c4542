"""Fixtures: an Assay on a socket, and clients that are closed after the test."""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from assay_client import AssayClient, Settings
from fake_assay import FakeAssay

QUICK = {"flush_interval_s": 0.02, "counts_interval_s": 0.05, "request_timeout_s": 0.5, "exit_timeout_s": 2.0}


@pytest.fixture
def assay() -> Iterator[FakeAssay]:
    """A running FakeAssay."""
    fake = FakeAssay().start()
    yield fake
    fake.stop()


@pytest.fixture
def make() -> Iterator[Callable[..., AssayClient]]:
    """Makes clients with short intervals."""
    made = []

    def client(url: str, *, api_key: str | None = None, **settings: Any) -> AssayClient:
        made.append(AssayClient(url, api_key=api_key, settings=Settings(**{**QUICK, **settings})))
        return made[-1]

    yield client
    for each in made:
        each.close(0.2)


@pytest.fixture
def nowhere() -> str:
    """A URL where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Polls until the condition gives something true."""

    def wait(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(0.01)
        raise AssertionError(f"not within {seconds} s")

    return wait
