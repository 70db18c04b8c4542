"""Golden runs: sets, runs over them, answers."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PENDING = sa.text("state = 'pending'")
TOUCHED = sa.text("state = 'pending' AND attempt > returns")


def upgrade() -> None:
    """Makes the tables, empty."""
    _sets()
    _runs()
    _answers()


def _sets() -> None:
    op.create_table(
        "golden_sets",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_golden_sets"),
        sa.UniqueConstraint("tenant", "name", "content", name="uq_golden_sets_tenant_name_content"),
        sqlite_autoincrement=True,
    )


def _runs() -> None:
    op.create_table(
        "golden_runs",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("body_digest", sa.String(length=64), nullable=False),
        sa.Column("set_seq", KEY, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("git_commit", sa.Text(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("baseline", sa.String(length=64), nullable=True),
        sa.Column("margin", sa.Float(), nullable=True),
        sa.Column("quarantined", sa.JSON(), nullable=False),
        sa.Column("store_text", sa.String(length=8), nullable=False, server_default="full"),
        sa.Column("origin", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["set_seq"], ["golden_sets.seq"], name="fk_golden_runs_set_seq"),
        sa.PrimaryKeyConstraint("seq", name="pk_golden_runs"),
        sa.UniqueConstraint("tenant", "id", name="uq_golden_runs_tenant_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_golden_runs_set", "golden_runs", ["set_seq"], unique=False)


def _answers() -> None:
    op.create_table(
        "golden_answers",
        sa.Column("run_seq", KEY, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("repeat", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("flagged", sa.Boolean(), nullable=True),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("returns", sa.Integer(), nullable=False),
        sa.Column("alone_attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("response", sa.Text(), nullable=True),
        sa.Column("claims", sa.JSON(), nullable=True),
        sa.CheckConstraint("score >= 0 AND score <= 1", name="ck_golden_answers_score"),
        sa.ForeignKeyConstraint(["run_seq"], ["golden_runs.seq"], name="fk_golden_answers_run_seq"),
        sa.PrimaryKeyConstraint("run_seq", "position", "repeat", name="pk_golden_answers"),
    )
    for name, where in (("pending", PENDING), ("touched", TOUCHED)):
        op.create_index(
            f"ix_golden_answers_{name}",
            "golden_answers",
            ["run_seq", "position", "repeat"],
            unique=False,
            sqlite_where=where,
            postgresql_where=where,
        )
