"""The schema: migrations make what the tables say, and a wrong schema refuses the start."""

import warnings

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from service.core.db import Database, current_revision, head_revision, require_current, upgrade
from service.core.errors import SchemaMismatchError
from service.core.tables import metadata


def test_migrations_equal_tables(database: Database) -> None:
    """After all migrations the database has exactly the tables that the code declares."""
    with database.read() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    assert differences == []


def test_upgrade_twice_changes_nothing(database: Database) -> None:
    """An upgrade of a current schema is a no-op."""
    upgrade(database)
    assert current_revision(database) == head_revision()


def test_an_empty_database_refuses_the_start(database_url: str) -> None:
    """The refusal names the command that upgrades."""
    database = Database(database_url)
    with pytest.raises(SchemaMismatchError, match="assay db upgrade"):
        require_current(database)
    database.close()
