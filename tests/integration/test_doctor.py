"""The doctor before real servers: it names what is wrong, and changes nothing."""

import json
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import func, select

from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database, head_revision
from service.core.keys import Scope, make_key
from service.core.store.keys import add_key
from service.core.store.leases import acquire
from service.core.tables import leases
from tests.integration.support import DEAD_REDIS, new_sample, set_revision, store
from tests.servers import RedisServer
from workers.doctor.doorbell import check_redis
from workers.doctor.finding import Level
from workers.doctor.store import check_database
from workers.ticker import LEASE_NAME


def found(database: Database, **settings: Any) -> dict[str, Level]:
    url = database.engine.url.render_as_string(hide_password=False)
    return {finding.check: finding.level for finding in check_database(Settings(database_url=url, **settings))}


def work(database: Database) -> None:
    """A worker holds the ticker's lease."""
    with database.write() as connection:
        acquire(connection, LEASE_NAME, "a worker", 60)


def test_a_healthy_database(database: Database) -> None:
    """With a worker at work nothing fails, and no trace is left."""
    work(database)
    levels = found(database)
    assert {check for check, level in levels.items() if level is not Level.OK} <= {"disk", "permissions"}
    assert {"database", "schema", "writable", "clock", "keys", "workers", "backlog"} <= set(levels)
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(leases)).scalar_one() == 1


def test_no_schema(database_url: str) -> None:
    """An empty database names the command that upgrades it."""
    database = Database(database_url)
    with database.read():
        pass  # SQLite makes the file
    levels = found(database)
    database.close()
    assert levels["schema"] is Level.FAIL
    assert "writable" not in levels


def test_a_schema_of_a_newer_version(database: Database) -> None:
    """The upgrade is not advised: it could not go on from there."""
    set_revision(database, "9999")
    url = database.engine.url.render_as_string(hide_password=False)
    (finding,) = [found for found in check_database(Settings(database_url=url)) if found.check == "schema"]
    set_revision(database, head_revision())
    assert finding.level is Level.FAIL
    assert "newer version" in (finding.fix or "")


def test_a_damaged_file(tmp_path: Path) -> None:
    """A file that is no database is restored, not started."""
    file = tmp_path / "assay.db"
    file.write_bytes(b"nothing that SQLite wrote" * 500)
    (finding,) = [
        found for found in check_database(Settings(database_url=f"sqlite:///{file}")) if found.check == "database"
    ]
    assert finding.level is Level.FAIL
    assert "restore a backup" in (finding.fix or "")
    assert "Start it" not in (finding.fix or "")


def test_no_worker(database: Database) -> None:
    """Without a worker nothing fails until samples wait for one; an old lease is no sign of life."""
    assert found(database)["workers"] is Level.WARN
    with database.write() as connection:
        acquire(connection, LEASE_NAME, "a dead worker", -1)
    store(database, new_sample("a", received_at=utc_now()))
    assert found(database)["workers"] is Level.FAIL


def test_backlog(database: Database) -> None:
    """Rows that wait long are a warning; as many as may wait are a failure, since new ones are rejected."""
    work(database)
    store(database, new_sample("a", received_at=utc_now()))
    assert found(database)["backlog"] is Level.OK
    store(database, new_sample("b", received_at=utc_now() - timedelta(hours=1)))
    assert found(database)["backlog"] is Level.WARN
    assert found(database, max_pending=2)["backlog"] is Level.FAIL


def test_retention_that_nobody_enforces(database: Database, tmp_path: Path) -> None:
    """Texts that are older than the policy allows are there: no worker has the policy. Without ages nothing is said."""
    policy = tmp_path / "policy.toml"
    policy.write_text("[privacy]\ntext_days = 1\n", encoding="utf-8")
    store(database, new_sample("a", received_at=utc_now() - timedelta(hours=24, minutes=30)))
    assert found(database, policy_file=policy)["retention"] is Level.OK
    store(database, new_sample("b", received_at=utc_now() - timedelta(days=2)))
    assert found(database, policy_file=policy)["retention"] is Level.WARN
    assert "retention" not in found(database)


def test_keys_off_loopback(database: Database) -> None:
    """Off loopback a key is needed; a revoked one is none."""
    assert found(database)["keys"] is Level.OK
    assert found(database, host="0.0.0.0")["keys"] is Level.FAIL
    key = make_key(tenant="default", scopes=frozenset({Scope.READ}), note="", now=utc_now())
    with database.write() as connection:
        add_key(connection, key.stored)
    assert found(database, host="0.0.0.0")["keys"] is Level.OK


def test_no_file_is_made(tmp_path: Path) -> None:
    """Looking for a SQLite file makes neither it nor its folder."""
    missing = tmp_path / "folder" / "assay.db"
    (finding,) = check_database(Settings(database_url=f"sqlite:///{missing}"))
    assert (finding.level, missing.parent.exists()) == (Level.FAIL, False)


def test_no_server_and_no_secret() -> None:
    """A database that is away fails; neither its password nor a parameter is told."""
    url = "postgresql+psycopg://me:s3cret@127.0.0.1:1/x?application_name=hidden"
    (finding,) = check_database(Settings(database_url=url))
    assert finding.level is Level.FAIL
    assert "s3cret" not in repr(finding)
    assert "hidden" not in repr(finding)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_file_that_others_may_read(database: Database, tmp_path: Path, mode: int) -> None:
    """A SQLite file in an open folder, which others may read, is a warning."""
    if database.dialect != "sqlite":
        assert "permissions" not in found(database)
        return
    tmp_path.chmod(0o755)
    Path(database.engine.url.database or "").chmod(mode)
    assert found(database)["permissions"] is (Level.OK if mode == 0o600 else Level.WARN)


def test_redis(redis_server: RedisServer) -> None:
    """The embedded Redis answers and evicts nothing; that it keeps nothing, and has no worker, are warnings."""
    settings = Settings(redis_url=redis_server.url, queue_name="doctor")
    assert {finding.check: finding.level for finding in check_redis(settings)} == {
        "redis": Level.OK,
        "redis memory": Level.OK,
        "redis persistence": Level.WARN,
        "redis queue": Level.WARN,
    }


def test_no_redis() -> None:
    """Losing Redis costs latency, never a sample: a warning."""
    (finding,) = check_redis(Settings(redis_url=DEAD_REDIS))
    assert finding.level is Level.WARN


class Ready(BaseHTTPRequestHandler):
    """Answers as a sidecar does whose Redis is up."""

    def do_GET(self) -> None:
        body = json.dumps({"status": "ready", "database": "up", "redis": "up"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


def test_a_redis_that_only_the_sidecar_knows() -> None:
    """Beside a running `assay up` there is nothing to warn of, unless a Redis is named."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Ready) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        unnamed = list(check_redis(Settings(port=server.server_port)))
        (named,) = check_redis(Settings(port=server.server_port, redis_url=DEAD_REDIS))
        server.shutdown()
        thread.join()
    assert unnamed[0].level is Level.OK
    assert named.level is Level.WARN
