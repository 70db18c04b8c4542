"""Fixtures: real servers once a session, an empty database a test."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from service.core.db import Database, upgrade
from tests.servers import PostgresServer, RedisServer


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("ASSAY_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """A short path: Unix sockets allow about 100 characters."""
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server(servers_folder: Path) -> Iterator[RedisServer]:
    """A Redis shared by the session; tests use queue names of their own."""
    folder = servers_folder / "r"
    folder.mkdir()
    server = RedisServer(folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def postgres_server(servers_folder: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL shared by the session; tests use databases of their own."""
    folder = servers_folder / "p"
    folder.mkdir()
    server = PostgresServer(folder)
    server.create()
    server.start()
    yield server
    server.stop()


_numbers = count()


@pytest.fixture
def make_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Makes the URL of an empty database of a kind: `sqlite` or `postgresql`."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/assay-{next(_numbers)}.db"
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return server.make_database(f"t{next(_numbers)}")

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, make_url: Callable[[str], str]) -> str:
    """The URL of an empty database; the test runs once on each kind."""
    return make_url(request.param)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the schema."""
    database = Database(database_url)
    upgrade(database)
    yield database
    database.close()
