"""Backup and restore as docs/operations.md has them, while samples arrive."""

import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
from sqlalchemy import make_url, select

from service.core.db import Database, require_current, upgrade
from service.core.store.samples import accept
from service.core.tables import samples
from tests.deployment.support import ROOT
from tests.integration.support import new_sample, states, take
from tests.servers import PostgresServer, wait_for

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


class Traffic:
    """Accepts sample after sample in a thread, and knows which are committed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.committed: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for(lambda: len(self.committed) > 20)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            rows = [new_sample(f"s-{len(self.committed) + n}", response="The kettle is blue. " * 200) for n in range(5)]
            with self._database.write() as connection:
                accept(connection, rows)
            self.committed += [row.id for row in rows]
            time.sleep(0.001)


def _documented(program: str) -> list[str]:
    """The words of the command in the document that starts so."""
    (line,) = [line for line in TEXT.splitlines() if line.startswith(f"{program} ")]
    return shlex.split(line)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def _plain(url: str) -> str:
    """The URL as PostgreSQL's own programs read it: without the name of a Python driver."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _check(url: str, before: list[str], after: list[str]) -> None:
    """The restored database has all that was committed before, is a prefix of what came, and works."""
    restored = Database(url)
    try:
        require_current(restored)
        with restored.read() as connection:
            found = list(connection.execute(select(samples.c.id).order_by(samples.c.seq)).scalars())
        assert found[: len(before)] == before
        assert found == after[: len(found)]
        with restored.write() as connection:
            accept(connection, [new_sample(before[0]), new_sample("new")])
        assert states(restored)["new"] == ("pending", None)
        assert len(states(restored)) == len(found) + 1
        assert len(take(restored)) > 0
    finally:
        restored.close()


@pytest.fixture
def kind_database(request: pytest.FixtureRequest, make_url: Callable[[str], str]) -> Iterator[Database]:
    """A database of the kind asked for, with the schema and of its own: others are emptied between tests."""
    database = Database(make_url(request.param))
    upgrade(database)
    yield database
    database.close()


@pytest.mark.parametrize("kind_database", ["sqlite"], indirect=True)
def test_sqlite(kind_database: Database, tmp_path: Path) -> None:
    """VACUUM INTO takes a whole copy of a file that is being written, and stops no writer."""
    original = kind_database.engine.url.database or ""
    copy = tmp_path / "copy.db"
    _, option, code = _documented("python3")
    code = code.replace(".assay/assay.db", original).replace("/backup/assay.db", str(copy))
    assert str(copy) in code
    with Traffic(kind_database) as traffic:
        before = list(traffic.committed)
        _run([sys.executable, option, code], tmp_path)
        at_end = len(traffic.committed)
        wait_for(lambda: len(traffic.committed) > at_end)
    _check(f"sqlite:///{copy}", before, traffic.committed)


@pytest.mark.parametrize("kind_database", ["sqlite"], indirect=True)
def test_sqlite_refuses_to_overwrite(kind_database: Database, tmp_path: Path) -> None:
    """An older backup is never replaced by half a new one."""
    copy = tmp_path / "copy.db"
    copy.write_text("an older backup")
    _, option, code = _documented("python3")
    code = code.replace(".assay/assay.db", kind_database.engine.url.database or "")
    code = code.replace("/backup/assay.db", str(copy))
    done = subprocess.run([sys.executable, option, code], capture_output=True, check=False, timeout=60)
    assert done.returncode != 0
    assert copy.read_text() == "an older backup"


@pytest.mark.parametrize("kind_database", ["postgresql"], indirect=True)
def test_postgresql(
    kind_database: Database, make_url: Callable[[str], str], postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """pg_dump takes a consistent copy while samples arrive; pg_restore makes a database that works."""
    restored = make_url("postgresql")
    assert postgres_server.program("pg_dump").exists()

    def command(program: str, url: str) -> list[str]:
        parsed = _plain(url)
        _, *words = _documented(program)
        words = [word.replace("postgresql://assay@localhost/assay", parsed) for word in words]
        words = [word.replace("postgresql://assay@localhost/restored", parsed) for word in words]
        assert any(parsed in word for word in words)
        return [str(postgres_server.program(program)), *words]

    with Traffic(kind_database) as traffic:
        before = list(traffic.committed)
        _run(command("pg_dump", kind_database.engine.url.render_as_string(hide_password=False)), tmp_path)
    _run(command("pg_restore", restored), tmp_path)
    _check(restored, before, traffic.committed)
