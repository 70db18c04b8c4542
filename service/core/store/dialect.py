"""The one place that knows how each database inserts: `ON CONFLICT`, and many rows at once."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import JSON, Connection, Table, Text, bindparam, cast, column, func, select
from sqlalchemy.dialects import postgresql, sqlite

from service.core.clock import to_microseconds

Insert = sqlite.Insert | postgresql.Insert
Rows = Sequence[Mapping[str, Any]]


def insert(connection: Connection, table: Table) -> Insert:
    """An INSERT that can say what to do on a conflict."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


@cache
def insert_many(dialect: str, table: Table, names: tuple[str, ...]) -> Insert:
    """An INSERT of rows that name these columns, to execute with `many(dialect, rows)`; made once.

    PostgreSQL gets the rows as one JSON text: thousands of parameters cost its driver more than the server's own work,
    and a statement whose text never changes is planned once.
    """
    if dialect != "postgresql":
        return sqlite.insert(table)
    recordset = func.json_to_recordset(cast(bindparam("rows", type_=Text()), JSON))
    columns = [column(name, table.c[name].type) for name in names]
    given = recordset.table_valued(*columns).render_derived(name="given", with_types=True)
    return postgresql.insert(table).from_select(names, select(*(given.c[name] for name in names)))


def many(dialect: str, rows: Rows) -> Any:
    """The parameters of `insert_many`; the rows all name the same columns."""
    if dialect != "postgresql":
        return rows
    return {"rows": json.dumps(rows, ensure_ascii=False, separators=(",", ":"), default=to_microseconds)}
