"""Fixtures: a sidecar in this process, on an empty database, with no Redis unless one is given."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg import sql

from service.app import create_app
from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database, upgrade
from service.core.keys import Scope, make_key
from service.core.schema import metadata
from service.core.store.keys import add_key
from service.state import Sidecar
from tests.integration.support import DEAD_REDIS, statements
from tests.servers import PostgresServer


@dataclass(frozen=True)
class Running:
    """A running sidecar."""

    client: TestClient
    sidecar: Sidecar

    def statements(self) -> AbstractContextManager[list[str]]:
        """The statements that the sidecar's own engine runs meanwhile."""
        return statements(self.sidecar.database)


Start = Callable[..., Running]


@pytest.fixture
def policy_file(tmp_path: Path) -> Callable[[float | str], Path]:
    """Writes a policy file: a rate, or the text of the file."""

    def write(policy: float | str) -> Path:
        path = tmp_path / "policy.toml"
        path.write_text(policy if isinstance(policy, str) else f"[sampling]\nrate = {policy}\n")
        return path

    return write


@pytest.fixture(scope="session")
def _upgraded_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the schema, to copy: a migration costs more than most tests."""
    path = tmp_path_factory.mktemp("template") / "assay.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()  # folds the WAL into the file
    return path


@pytest.fixture(scope="session")
def _upgraded_postgres(postgres_server: PostgresServer) -> str:
    """One database with the schema, emptied for each test: hundreds of databases would fill the disk."""
    url = postgres_server.make_database("integration")
    database = Database(url)
    upgrade(database)
    with database.write() as connection:
        connection.exec_driver_sql("ALTER DATABASE integration SET synchronous_commit = off")
    database.close()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, make_url: Callable[[str], str]) -> str:
    """The URL of an empty database; where the test takes `database`, one that has the schema already."""
    kind: str = request.param
    if "database" not in request.fixturenames:
        return make_url(kind)
    if kind == "sqlite":
        url = make_url(kind)
        shutil.copy(request.getfixturevalue("_upgraded_sqlite"), url.removeprefix("sqlite:///"))
        return url
    upgraded: str = request.getfixturevalue("_upgraded_postgres")
    _empty(upgraded)
    return upgraded


def _empty(url: str) -> None:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))


@pytest.fixture(scope="session")
def _breakable(servers_folder: Path) -> Iterator[PostgresServer]:
    folder = servers_folder / "b"
    folder.mkdir()
    server = PostgresServer(folder)
    server.create()
    server.start()
    yield server
    server.stop()


@dataclass
class Outage:
    """Stops and starts a PostgreSQL that no other test uses."""

    server: PostgresServer
    down: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Kills it, with every connection."""
        with self.lock:
            self.server.stop("immediate")
            self.down = True

    def end(self) -> None:
        """Starts it again; of two threads that do, one waits for the other."""
        with self.lock:
            if self.down:
                self.server.start()
                self.down = False


@pytest.fixture
def outage(_breakable: PostgresServer) -> Iterator[Outage]:
    """An outage that has not begun, and is over when the test is."""
    made = Outage(_breakable)
    yield made
    made.end()


@pytest.fixture
def breakable_url(outage: Outage) -> str:
    """The URL of the server that the outage stops: its one database, with the schema, emptied."""
    url = outage.server.url()
    database = Database(url)
    upgrade(database)
    database.close()
    _empty(url)
    return url


@pytest.fixture
def start(database: Database, policy_file: Callable[[float | str], Path]) -> Iterator[Start]:
    """Starts a sidecar on `database`: `start(rate or policy text, setting=value, ...)`."""
    with ExitStack() as stack:

        def run(policy: float | str = 1.0, **settings: Any) -> Running:
            values: dict[str, Any] = {
                "database_url": database.engine.url.render_as_string(hide_password=False),
                "redis_url": DEAD_REDIS,
                "policy_file": policy_file(policy),
                "flush_interval_s": 0.05,
            }
            app = create_app(Settings(**values | settings))
            client = stack.enter_context(TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False))
            return Running(client, app.state.sidecar)

        yield run


@pytest.fixture
def new_key(database: Database) -> Callable[..., str]:
    """Stores an API key and gives its text."""

    def make(*scopes: Scope, tenant: str = "default") -> str:
        key = make_key(tenant=tenant, scopes=frozenset(scopes), note="", now=utc_now())
        with database.write() as connection:
            add_key(connection, key.stored)
        return key.text

    return make
