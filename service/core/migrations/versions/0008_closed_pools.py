"""Pools of labelling that are closed, requests of rescoring that name their scorer, indexes of comments.

What was drawn before had probabilities that later samples made wrong: its labels stay, and are of no draw.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COMMENTED = sa.text("comment IS NOT NULL")


def upgrade() -> None:
    """Makes the three tables anew, empty."""
    for table in ("label_tasks", "label_pools", "rescores"):
        op.drop_table(table)
    op.create_table(
        "label_pools",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("begin", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("cutoff", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "day", "part", name="pk_label_pools"),
    )
    op.create_table(
        "label_tasks",
        sa.Column("sample_seq", KEY, autoincrement=False, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("size", sa.Float(), nullable=False),
        sa.Column("ratio", sa.Float(), nullable=False),
        sa.Column("twice", sa.Boolean(), nullable=False),
        sa.Column("drawn_at", sa.BigInteger(), nullable=False),
        sa.Column("held_by", sa.String(length=200), nullable=True),
        sa.Column("held_until", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("size > 0", name="ck_label_tasks_size"),
        sa.ForeignKeyConstraint(["sample_seq"], ["samples.seq"], name="fk_label_tasks_sample_seq"),
        sa.PrimaryKeyConstraint("sample_seq", name="pk_label_tasks"),
    )
    op.create_index("ix_label_tasks_order", "label_tasks", ["tenant", "day", "ratio"], unique=False)
    op.create_table(
        "rescores",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("sample_seq", KEY, autoincrement=False, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["sample_seq"], ["samples.seq"], name="fk_rescores_sample_seq"),
        sa.PrimaryKeyConstraint("fingerprint", "sample_seq", name="pk_rescores"),
    )
    op.create_index("ix_rescores_attempt", "rescores", ["fingerprint", "attempt"], unique=False)
    op.create_index("ix_rescores_sample", "rescores", ["sample_seq"], unique=False)
    for name, table, column in (
        ("ix_labels_comment", "labels", "day"),
        ("ix_feedback_comment", "feedback", "received_at"),
    ):
        op.create_index(
            name, table, ["tenant", column], unique=False, sqlite_where=COMMENTED, postgresql_where=COMMENTED
        )
