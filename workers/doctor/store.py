"""Checks of the database: reachable, current, writable, with room; and what its rows say of the workers."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, make_url, select

from service.core.clock import database_now, utc_now
from service.core.config import Settings
from service.core.db import Database, current_revision, schema_mismatch
from service.core.errors import AssayError, StartRefusedError
from service.core.keys import require_valid_key
from service.core.store.keys import all_keys
from service.core.store.leases import acquire, seconds_left
from service.core.store.taking import backlog
from workers.doctor.alerts import check_alerts
from workers.doctor.finding import Finding, examined, fail, masked, ok, warn
from workers.doctor.judge import check_judge
from workers.doctor.probes import check_probes
from workers.doctor.retention import check_retention
from workers.sqlite_file import sqlite_file
from workers.ticker import LEASE_NAME

MIB = 1024 * 1024
LITTLE_BYTES, TOO_LITTLE_BYTES = 1024 * MIB, 100 * MIB
CLOCK_WARN_S, CLOCK_FAIL_S = 2.0, 30.0
OLD_S = 600.0  # a pending row of this age says that workers do not keep up


class _UndoneError(Exception):
    """Ends a transaction that must leave no trace."""


def check_database(settings: Settings) -> Iterator[Finding]:
    """Everything that can be asked of the database; nothing is made, and nothing stays changed."""
    url = settings.database_url.get_secret_value()
    file = sqlite_file(settings)
    if file is not None:
        if not file.is_file():  # connecting would make it
            yield fail("database", f"there is no file {file}", "Run `assay db upgrade`, which makes it.")
            return
        yield from examined("disk", lambda: _check_file(file))
    with contextlib.closing(Database(url)) as database:
        try:
            revision = current_revision(database)
        except AssayError as error:
            reason = _first_line(error, url)
            fix = "Start it, or correct ASSAY_DATABASE_URL."
            if file is not None:
                fix = "Correct ASSAY_DATABASE_URL, or the file's rights; a damaged file: restore a backup (docs/operations.md)."
            yield fail("database", f"{masked(url)} does not answer: {reason}", fix)
            return
        yield ok("database", f"{masked(url)} answers")
        mismatch = schema_mismatch(revision)
        if mismatch is not None:
            yield fail("schema", mismatch.detail, mismatch.next_step)
            return
        yield ok("schema", f"{revision}, current")
        yield from _check_content(settings, database)


def _check_content(settings: Settings, database: Database) -> Iterator[Finding]:
    yield from examined("writable", lambda: _check_writable(database))
    if database.dialect == "sqlite":
        yield from examined("journal", lambda: _check_journal(database))
    yield from examined("clock", lambda: _check_clock(database))
    yield from examined("keys", lambda: _check_keys(settings, database))
    yield from examined("backlog", lambda: _check_backlog(settings, database))
    yield from examined("retention", lambda: check_retention(settings, database))
    yield from examined("alerts", lambda: check_alerts(settings, database))
    yield from examined("judge", lambda: check_judge(settings, database))
    yield from examined("probes", lambda: check_probes(settings, database))


def _first_line(error: AssayError, url: str) -> str:
    """What the driver said, without a secret of the URL should it quote one."""
    cause = getattr(error.__cause__, "orig", None) or error
    said = (str(cause).strip().splitlines() or ["no reason given"])[0]
    parsed = make_url(url)
    for secret in (parsed.password, *parsed.query.values()):
        said = said.replace(str(secret), "***") if secret else said
    return said


def _check_file(file: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(file.parent).free
    room, fix = f"{free / MIB:,.0f} MiB free beside {file}", "Make room, or move the file."
    yield (
        fail("disk", room, fix)
        if free < TOO_LITTLE_BYTES
        else warn("disk", room, fix)
        if free < LITTLE_BYTES
        else ok("disk", room)
    )
    mode = file.stat().st_mode & 0o777
    closed = file.parent.stat().st_mode & 0o077 == 0
    if mode & 0o077 and not closed:
        yield warn("permissions", f"others may read {file} (mode {mode:o})", f"chmod 600 {file}*")
    else:
        yield ok("permissions", f"only its owner reaches {file}")


def _check_writable(database: Database) -> Iterator[Finding]:
    try:
        with contextlib.suppress(_UndoneError), database.write() as connection:
            acquire(connection, f"doctor-{uuid4().hex[:8]}", "doctor", 1)
            raise _UndoneError
    except AssayError as error:
        cause = getattr(error.__cause__, "orig", error)
        yield fail("writable", f"cannot be written: {cause}", "Give the process's user the right to write.")
    else:
        yield ok("writable", "yes")


def _check_journal(database: Database) -> Iterator[Finding]:
    with database.read() as connection:
        mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
    if mode == "wal":
        yield ok("journal", "write-ahead log")
    else:
        fix = "Keep the file on a local disk: shared folders have no write-ahead log."
        yield fail("journal", f"journal mode is {mode}, not wal", fix)


def _check_clock(database: Database) -> Iterator[Finding]:
    with database.read() as connection:
        before = time.time()
        theirs = int(connection.execute(select(database_now())).scalar_one()) / 1e6
        apart = theirs - (before + time.time()) / 2
    text = f"the database's clock is {abs(apart):.2f} s {'ahead of' if apart > 0 else 'behind'} this machine's"
    fix = "Set both clocks by NTP: times of receipt come from here, leases from there."
    if abs(apart) > CLOCK_FAIL_S:
        yield fail("clock", text, fix)
    elif abs(apart) > CLOCK_WARN_S:
        yield warn("clock", text, fix)
    else:
        yield ok("clock", text)


def _check_keys(settings: Settings, database: Database) -> Iterator[Finding]:
    with database.read() as connection:
        keys = all_keys(connection)
    valid = sum(key.revoked_at is None for key in keys)
    try:
        if settings.keys_required:
            require_valid_key(keys, settings.host)
    except StartRefusedError as error:
        yield fail("keys", error.detail, error.next_step)
    else:
        need = "needed" if settings.keys_required else "not needed on loopback"
        yield ok("keys", f"{valid} valid, {need}")


def _check_backlog(settings: Settings, database: Database) -> Iterator[Finding]:
    with database.read() as connection:
        held = backlog(connection)
        ticking = _ticking(connection)
    if ticking:
        yield ok("workers", "a worker holds the ticker's lease")
    elif held.pending:
        yield fail("workers", f"no worker is alive, and {held.pending:,} samples wait", "Run `assay worker`.")
    else:
        yield warn("workers", "no worker is alive", "Run `assay worker`; samples would wait.")
    age = (utc_now() - held.oldest_received_at).total_seconds() if held.oldest_received_at else 0.0
    text = f"{held.pending:,} pending" + (f", the oldest for {age:,.0f} s" if held.pending else "")
    if held.pending >= settings.max_pending:
        yield fail(
            "backlog", f"{text}: new samples are rejected", "Add workers, sample less, or raise ASSAY_MAX_PENDING."
        )
    elif age > OLD_S:
        yield warn("backlog", text, "Add workers, or sample less.")
    else:
        yield ok("backlog", text)


def _ticking(connection: Connection) -> bool:
    left = seconds_left(connection, LEASE_NAME)
    return left is not None and left > 0
