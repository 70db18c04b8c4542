"""The schema: migrations make what the tables say, and a wrong schema refuses the start."""

import warnings
from datetime import timedelta

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from service.core.clock import EPOCH
from service.core.db import Database, _alembic, current_revision, head_revision, require_current, upgrade
from service.core.errors import SchemaMismatchError, SchemaNewerError
from service.core.rates import Question, make_buckets
from service.core.schema import metadata
from service.core.store.rates import Stretch, read_counted
from service.core.store.rollups import fold
from service.core.store.samples import read_sample
from tests.integration.support import set_revision

OLD_ROWS = (
    (
        "INSERT INTO samples (seq, tenant, id, body_digest, received_at, decision, reason, stratum, inclusion_probability,"
        " policy_version, in_rate, model, release, prompt_version, route, contexts, response, details, state, priority,"
        " tokens, attempt, returns, alone_attempts) VALUES (1, 'default', 'a', 'd', 0, 'sampled', 'hash', 'default', 1.0,"
        " 'v1', true, '', '', '', '', '[]', 'It is blue.', '{\"session_id\": \"s1\"}', 'scored', 1, 1, 1, 0, 0)"
    ),
    (
        "INSERT INTO scores (seq, sample_seq, scorer, fingerprint, score, flagged, threshold, claims_checked,"
        " claims_flagged, pairs, attributes, created_at) VALUES (1, 1, 'nli', 'f', 0.5, false, 0.7, 1, 0, 1, '{}', 0)"
    ),
)


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


def test_a_schema_of_a_newer_version_is_left_alone(database: Database) -> None:
    """After a rollback of the program neither start nor upgrade goes on, nor does the advice name the upgrade."""
    set_revision(database, "9999")
    for attempt in (require_current, upgrade):
        with pytest.raises(SchemaNewerError, match="newer version again") as refused:
            attempt(database)
        assert "db upgrade" not in str(refused.value)
    assert current_revision(database) == "9999"
    set_revision(database, head_revision())


def test_rows_of_the_first_schema_stay_whole(database_url: str) -> None:
    """An upgrade keeps samples with their scores; their texts count as promised in full."""
    database = Database(database_url)
    with database.write() as connection:
        command.upgrade(_alembic(connection), "0001")
        for statement in OLD_ROWS:
            connection.exec_driver_sql(statement)
    upgrade(database)
    with database.read() as connection:
        stored = read_sample(connection, "default", "a")
    assert stored is not None
    row = stored.sample
    assert (row.response, row.session_id, row.store_text, row.kept) == ("It is blue.", "s1", "full", "text")
    assert (row.text_removed_at, row.redacted, len(stored.scores)) == (None, None, 1)
    database.close()


def test_rates_of_before_the_rollups_stay(database_url: str) -> None:
    """What was counted and scored under an older schema is in the rates of the new one, before and after a fold."""
    database = Database(database_url)
    with database.write() as connection:
        command.upgrade(_alembic(connection), "0003")
        for statement in OLD_ROWS:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(
            "INSERT INTO ledger (minute, tenant, outcome, stratum, inclusion_probability, policy_version, model, release,"
            " prompt_version, route, submissions) VALUES (0, 'default', 'sampled_out', 'default', 1.0, 'v1', '', '', '',"
            " '', 9), (0, 'default', 'sampled_out', 'default', 1.0, 'v2', '', '', '', '', 1)"
        )
    upgrade(database)
    stretch = Stretch(
        tenant="default", start=EPOCH, end=EPOCH + timedelta(days=1), width_s=86_400, group_by=("stratum",)
    )
    for _ in range(2):
        with database.write() as connection:
            (bucket,) = make_buckets(Question(stretch=stretch), read_counted(connection, stretch))
            fold(connection, 100)
        assert (bucket.counts.submitted, bucket.counts.sampled_out, bucket.counts.scored) == (11, 10, 1)
        assert (bucket.fingerprint, bucket.flagged.rate) == ("f", 0.0)
    database.close()
