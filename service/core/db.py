"""The database: engine, transactions, schema check and upgrade."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy import exc as sa_exc

from service.core.errors import SchemaMismatchError, SchemaNewerError, SettingsInvalidError, StoreUnavailableError

READ_ONLY = {"assay_read_only": True}
CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_MS = 20_000
BUSY_TIMEOUT_MS = 10_000
FOLD_TIMEOUT_MS = 250
_REFUSED = ("22", "23", "54")  # SQLSTATE classes: the data is refused, however often it is sent
_UNAVAILABLE = (sa_exc.OperationalError, sa_exc.InterfaceError, sa_exc.InternalError)
MEND = (
    "Retry with the same id once an operator has mended this; GET /readyz tells when the database takes writes again."
)
_FULL = "The database has no room left on its disk."
_READ_ONLY = "The database takes no writes: it is read-only."
_FORBIDDEN = "The database forbids this to its user."
_REASONS = {
    "53100": _FULL,
    "SQLITE_FULL": _FULL,
    "SQLITE_IOERR": "The database cannot read or write its file: the disk is full or failing.",
    "25006": _READ_ONLY,
    "SQLITE_READONLY": _READ_ONLY,
    "42501": _FORBIDDEN,
    "SQLITE_PERM": _FORBIDDEN,
    "SQLITE_CANTOPEN": "The database's file cannot be opened.",
    "SQLITE_CORRUPT": "The database's file is damaged.",
    "SQLITE_NOTADB": "The database's file is no database.",
}


class Database:
    """Opens transactions; the only holder of an engine in a process."""

    def __init__(self, url: str) -> None:
        """Makes the engine; connects to nothing yet. Raises SettingsInvalidError."""
        self.engine = _make_engine(url)
        # One snapshot for all statements of a read; SQLite's transactions have it anyway.
        snapshot = {"isolation_level": "REPEATABLE READ"} if self.dialect == "postgresql" else {}
        self._write_failed_at: float | None = None
        self._reader = self.engine.execution_options(**READ_ONLY, **snapshot)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, committed at the end. Raises StoreUnavailableError."""
        try:
            with _translated(), self.engine.begin() as connection:
                yield connection
        except StoreUnavailableError:
            self._write_failed_at = time.monotonic()
            raise
        self._write_failed_at = None

    @property
    def write_failed_ago_s(self) -> float | None:
        """Seconds since the last write, if it failed; None if it did not."""
        failed_at = self._write_failed_at
        return None if failed_at is None else time.monotonic() - failed_at

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One read-only transaction, which waits for no writer. Raises StoreUnavailableError."""
        with _translated(), self._reader.begin() as connection:
            yield connection

    def fold_log(self) -> bool:
        """SQLite: moves the write-ahead log into the file and empties it, so that neither holds what was removed.

        False where another transaction still needs the log; PostgreSQL has nothing to do here.
        """
        if self.dialect != "sqlite":
            return True
        connection = self.engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={FOLD_TIMEOUT_MS}")  # writers wait meanwhile
            busy, *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        except sqlite3.OperationalError:
            return False
        finally:
            connection.close()
        return int(busy) == 0

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sa_exc.TimeoutError as error:
        raise StoreUnavailableError("No connection to the database became free in time.") from error
    except sa_exc.DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None) or ""
        if (reason := _reason(state)) is not None:
            raise StoreUnavailableError(reason, next_step=MEND) from error
        if error.connection_invalidated:
            raise StoreUnavailableError("The database closed the connection.") from error
        if isinstance(error, _UNAVAILABLE) and state[:2] not in _REFUSED:
            raise StoreUnavailableError(f"The database did not answer: {type(error).__name__}.") from error
        raise


def _reason(state: str) -> str | None:
    """What an operator has to mend, by SQLSTATE or SQLite's name."""
    return next((reason for prefix, reason in _REASONS.items() if state.startswith(prefix)), None)


def _make_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            _make_folder(Path(parsed.database).parent)
        arguments: dict[str, Any] = {"timeout": 10, "check_same_thread": False}
        engine = create_engine(parsed, connect_args=arguments, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    options = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC"
    arguments = {"connect_timeout": CONNECT_TIMEOUT_S, "options": options, "application_name": "assay"}
    return create_engine(
        parsed, connect_args=arguments, hide_parameters=True, pool_pre_ping=True, pool_timeout=5, pool_size=10
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsInvalidError(f"ASSAY_DATABASE_URL: cannot make the folder {folder}: {error.strerror}.") from None


def _prepare_sqlite(connection: sqlite3.Connection, record: object) -> None:
    del record
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by the driver
    pragmas = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}")
    for pragma in (*pragmas, "secure_delete=ON"):  # what is deleted is overwritten
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE: a transaction that reads first and writes later could otherwise fail at the write.
    read_only = connection.get_execution_options().get("assay_read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _alembic(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    attributes: dict[str, Any] = config.attributes
    attributes["connection"] = connection
    return config


def head_revision() -> str:
    """The schema revision that this version needs."""
    return ScriptDirectory.from_config(_alembic()).get_current_head() or ""


def current_revision(database: Database) -> str | None:
    """The schema revision that the database has; None for an empty one."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def schema_mismatch(current: str | None) -> SchemaMismatchError | None:
    """Why a database of this schema cannot be used, with what mends it; None where it can be."""
    head = head_revision()
    if current == head:
        return None
    if current is not None and not _is_known(current):
        return SchemaNewerError(
            f"The database has schema {current}, which a newer version of Assay made; this version needs {head}."
        )
    held = f"The database has schema {current}" if current else "The database has no schema yet"
    return SchemaMismatchError(f"{held}; this version needs {head}.")


def _is_known(revision: str) -> bool:
    return any(script.revision == revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions())


def upgrade(database: Database) -> None:
    """Brings the schema to head. Safe beside another upgrade: the second waits and finds nothing to do.

    Raises SchemaNewerError where a newer version has been here.
    """
    with database.write() as connection:  # SQLite: BEGIN IMMEDIATE is the lock
        if database.dialect == "postgresql":
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4207849484)")
        mismatch = schema_mismatch(MigrationContext.configure(connection).get_current_revision())
        if isinstance(mismatch, SchemaNewerError):
            raise mismatch
        command.upgrade(_alembic(connection), "head")


def require_current(database: Database) -> None:
    """Raises SchemaMismatchError unless the schema is the one this version needs."""
    mismatch = schema_mismatch(current_revision(database))
    if mismatch is not None:
        raise mismatch
