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


def insert_many(connection: Connection, table: Table, rows: Rows) -> tuple[Insert, Any]:
    """An INSERT of rows that all name the same columns, and the parameters to execute it with.

    PostgreSQL gets them as one JSON text: thousands of parameters cost its driver more than the server's own work,
    and a statement whose text never changes is planned once.
    """
    if connection.dialect.name != "postgresql":
        return sqlite.insert(table), rows
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"), default=to_microseconds)
    return _insert_recordset(table, tuple(rows[0])), {"rows": text}


@cache
def _insert_recordset(table: Table, names: tuple[str, ...]) -> postgresql.Insert:
    recordset = func.json_to_recordset(cast(bindparam("rows", type_=Text()), JSON))
    given = recordset.table_valued(*(column(name, table.c[name].type) for name in names)).render_derived(
        name="given", with_types=True
    )
    return postgresql.insert(table).from_select(names, select(*(given.c[name] for name in names)))
