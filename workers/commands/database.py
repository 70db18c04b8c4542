"""`assay db status`: which schema the database has, and what to do."""

import typer

from service.core.db import current_revision, schema_mismatch
from service.core.errors import SchemaNewerError
from workers.commands.entry import explained, logged_settings, opened_database
from workers.sqlite_file import sqlite_file

EXIT_NOT_CURRENT = 1


def db_status() -> None:
    """Says which schema the database has and which this version needs. Exit status: 0 if they are the same, else 1."""
    current = None
    with explained():
        settings = logged_settings()
        file = sqlite_file(settings)
        if file is None or file.is_file():  # connecting would make the file
            with opened_database(settings) as database:
                current = current_revision(database)
    mismatch = schema_mismatch(current)
    if mismatch is None:
        typer.echo(f"The database has schema {current}, which this version needs.")
        return
    typer.echo(mismatch.detail)
    newer = isinstance(mismatch, SchemaNewerError)
    typer.echo(
        mismatch.next_step
        if newer
        else "Run `assay db upgrade`; it is safe to run more than once, also at the same time."
    )
    raise typer.Exit(EXIT_NOT_CURRENT)
