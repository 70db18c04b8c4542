"""Time: aware UTC everywhere, whole microseconds since 1970 in the database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """This machine's time, aware UTC."""
    return datetime.now(UTC)


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970. Raises ValueError for a naive time."""
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone")
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_microseconds(value: int) -> datetime:
    """The aware UTC time of that many microseconds since 1970."""
    return EPOCH + timedelta(microseconds=value)


class UtcTime(TypeDecorator[datetime]):
    """A time column: BIGINT microseconds since 1970, so that both databases compare and bucket it alike."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Refuses naive times."""
        del dialect
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Gives aware UTC times."""
        del dialect
        return None if value is None else from_microseconds(int(value))


class database_now(ColumnElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """The database's clock in microseconds since 1970; leases compare against nothing else."""

    inherit_cache = True
    type = BigInteger()


@compiles(database_now, "postgresql")
def _postgresql_now(element: database_now, compiler: Any, **kw: Any) -> str:
    del element, compiler, kw
    return "(extract(epoch from clock_timestamp()) * 1000000)::bigint"


@compiles(database_now, "sqlite")
def _sqlite_now(element: database_now, compiler: Any, **kw: Any) -> str:
    del element, compiler, kw
    return "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)"
