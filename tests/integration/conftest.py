"""Fixtures: a sidecar in this process, on an empty database, with no Redis unless one is given."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database
from service.core.keys import Scope, make_key
from service.core.store.keys import add_key
from service.state import Sidecar
from tests.integration.support import DEAD_REDIS, statements


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
