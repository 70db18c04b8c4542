"""The pytest plugin: golden sets as a fixture, and which Assay the assertions ask. Nothing starts before a test needs it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assay_client.golden import Golden
from assay_client.golden_run import Place
from assay_client.golden_set import read_golden
from assay_client.starting import started
from assay_client.testing import place_of_environment, where

MARKER = "golden(set): the golden set that the fixture `golden` gives: core, probes, or a path from the root folder."


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where Assay is. Its key comes from ASSAY_API_KEY alone: a command line is seen by all."""
    group = parser.getgroup("assay")
    group.addoption(
        "--assay-url", default=None, help="URL of a running Assay; else ASSAY_URL, or http://127.0.0.1:8000."
    )
    group.addoption(
        "--assay-start",
        action="store_true",
        default=False,
        help="Start an Assay for this session, if a test needs one.",
    )
    parser.addini("assay_url", "URL of a running Assay, where --assay-url does not say.", default="")
    parser.addini("assay_data", "Folder in which a started Assay keeps its runs.", default=".assay/pytest")


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session", autouse=True)
def _assay_of_assertions(pytestconfig: pytest.Config) -> Iterator[None]:
    """Assertions ask the session's Assay; it is started at the first one, and ended with the session."""
    with contextlib.ExitStack() as stack:
        before, where.provide = where.provide, _provider(pytestconfig, stack)
        try:
            yield
        finally:
            where.provide = before


def _provider(config: pytest.Config, stack: contextlib.ExitStack) -> Callable[[], Place]:
    found: list[Place] = []

    def provide() -> Place:
        if not found:
            found.append(_place(config, stack))
        return found[0]

    return provide


def _place(config: pytest.Config, stack: contextlib.ExitStack) -> Place:
    if config.getoption("assay_start"):
        if config.getoption("assay_url"):
            raise pytest.UsageError("Give --assay-url or --assay-start, not both.")
        return stack.enter_context(started(config.rootpath / str(config.getini("assay_data"))))
    place = place_of_environment()
    url = config.getoption("assay_url") or config.getini("assay_url")
    return Place(url=str(url), api_key=place.api_key) if url else place


@pytest.fixture(scope="session")
def assay_place() -> Place:
    """Where Assay is: its URL and key."""
    return where.provide()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """The golden set that `@pytest.mark.golden` names."""
    marker = request.node.get_closest_marker("golden")
    if marker is None or len(marker.args) != 1 or marker.kwargs or not isinstance(marker.args[0], str):
        raise pytest.UsageError('A test with the fixture `golden` names its set: @pytest.mark.golden("core").')
    return read_golden(where.provide(), marker.args[0], Path(request.config.rootpath))
