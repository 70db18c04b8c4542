"""Rollups, which take the ledger's place, filled from what is stored; the trace of a sample."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PENDING = sa.text("state = 'pending'")
MINUTE = "received_at - received_at % 60000000"
GROUP = "model, release, prompt_version, route, stratum, inclusion_probability"
SUMS = (
    "flagged",
    "claims",
    "claims_flagged",
    "claims_squares",
    "claims_flagged_squares",
    "claims_products",
    "some_flagged",
    "some_clean",
)


def _keys() -> list[sa.Column[Any]]:
    return [
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("release", sa.String(length=200), nullable=False),
        sa.Column("prompt_version", sa.String(length=200), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("stratum", sa.String(length=64), nullable=False),
        sa.Column("inclusion_probability", sa.Float(), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
    ]


def _sums() -> list[sa.Column[Any]]:
    return [
        sa.Column("number", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in SUMS),
        sa.Column("score_sum", sa.Float(), nullable=False),
        sa.Column("score_squares", sa.Float(), nullable=False),
    ]


def upgrade() -> None:
    """Makes the tables, and counts what was finished before as what has happened since they were last folded."""
    op.create_table(
        "rollups",
        sa.Column("width_s", sa.Integer(), autoincrement=False, nullable=False),
        *_keys(),
        *_sums(),
        sa.PrimaryKeyConstraint("width_s", *(column.name for column in _keys()), name="pk_rollups"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup_deltas",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        *_keys(),
        *_sums(),
        sa.PrimaryKeyConstraint("seq", name="pk_rollup_deltas"),
    )
    op.add_column("samples", sa.Column("trace_id", sa.String(length=200), nullable=True))
    op.create_index(
        "ix_samples_waiting",
        "samples",
        ["tenant", "received_at"],
        unique=False,
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    )
    postgresql = op.get_bind().dialect.name == "postgresql"
    trace = "details->>'trace_id'" if postgresql else "json_extract(details, '$.trace_id')"
    op.execute(f"UPDATE samples SET trace_id = {trace} WHERE {trace} IS NOT NULL")  # noqa: S608 - constants
    zeros = ", ".join(["0"] * len(SUMS))
    columns = f"tenant, start, {GROUP}, outcome, fingerprint, number, {', '.join(SUMS)}, score_sum, score_squares"
    op.execute(
        f"INSERT INTO rollup_deltas ({columns}) "  # noqa: S608 - constants
        f"SELECT tenant, minute, {GROUP}, outcome, '', sum(submissions), {zeros}, 0, 0 FROM ledger "
        f"GROUP BY tenant, minute, {GROUP}, outcome"
    )
    outcome = "CASE WHEN in_rate THEN state ELSE 'sampled_out' END"
    op.execute(
        f"INSERT INTO rollup_deltas ({columns}) "  # noqa: S608 - constants
        f"SELECT tenant, {MINUTE}, {GROUP}, {outcome}, '', count(*), {zeros}, 0, 0 FROM samples "
        f"WHERE state <> 'pending' GROUP BY tenant, {MINUTE}, {GROUP}, {outcome}"
    )
    checked, flagged = "CAST(claims_checked AS BIGINT)", "CAST(claims_flagged AS BIGINT)"
    sums_of = ", ".join(
        f"sum({value})"
        for value in (
            "CASE WHEN flagged THEN 1 ELSE 0 END",
            checked,
            flagged,
            f"{checked} * {checked}",
            f"{flagged} * {flagged}",
            f"{checked} * {flagged}",
            "CASE WHEN claims_flagged > 0 THEN 1 ELSE 0 END",
            "CASE WHEN claims_flagged < claims_checked THEN 1 ELSE 0 END",
            "score",
            "score * score",
        )
    )
    op.execute(
        f"INSERT INTO rollup_deltas ({columns}) "  # noqa: S608 - constants
        f"SELECT tenant, {MINUTE}, {GROUP}, 'scores', fingerprint, count(*), {sums_of} "
        f"FROM scores JOIN samples ON samples.seq = scores.sample_seq WHERE in_rate "
        f"GROUP BY tenant, {MINUTE}, {GROUP}, fingerprint"
    )
    op.drop_table("ledger")
