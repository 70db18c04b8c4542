"""Probe rounds: what workers' scorers make of known answers."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes the table, empty."""
    op.create_table(
        "probe_rounds",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("worker", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("runtime", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("interval_s", sa.Float(), nullable=False),
        sa.Column("set_digest", sa.String(length=64), nullable=False),
        sa.Column("items_right", sa.Integer(), nullable=False),
        sa.Column("items_wrong", sa.Integer(), nullable=False),
        sa.Column("items_unknown", sa.Integer(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_probe_rounds"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_probe_rounds_at", "probe_rounds", ["at"], unique=False)
