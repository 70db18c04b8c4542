"""Labels, the draw of what to label, and feedback; rows of before get a position by chance."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DAY_US = 86_400_000_000


def upgrade() -> None:
    """Adds tables, and the columns by which samples are drawn."""
    op.create_table(
        "labels",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("sample_seq", KEY, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("claim_start", sa.Integer(), nullable=False),
        sa.Column("claim_end", sa.Integer(), nullable=False),
        sa.Column("annotator", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("identifier", sa.String(length=200), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["sample_seq"], ["samples.seq"], name="fk_labels_sample_seq"),
        sa.PrimaryKeyConstraint("seq", name="pk_labels"),
        sa.UniqueConstraint(
            "sample_seq",
            "claim_start",
            "claim_end",
            "annotator",
            "kind",
            "identifier",
            name="uq_labels_target",
        ),
    )
    op.create_index("ix_labels_day", "labels", ["tenant", "day"], unique=False)
    op.create_table(
        "label_pools",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cutoff", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "day", name="pk_label_pools"),
    )
    op.create_table(
        "label_tasks",
        sa.Column("sample_seq", KEY, autoincrement=False, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
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
        "feedback",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("sample_id", sa.String(length=200), nullable=False),
        sa.Column("trace_id", sa.String(length=200), nullable=False),
        sa.Column("rating", sa.String(length=8), nullable=False),
        sa.Column("identifier", sa.String(length=200), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_feedback"),
        sa.UniqueConstraint(
            "tenant", "sample_id", "trace_id", "identifier", name="uq_feedback_tenant_sample_id_trace_id_identifier"
        ),
    )
    op.create_index("ix_feedback_received", "feedback", ["tenant", "received_at"], unique=False)
    op.add_column("samples", sa.Column("label_key", sa.Float(), nullable=True))
    postgresql = op.get_bind().dialect.name == "postgresql"
    chance = "random()" if postgresql else "abs(random() % 9007199254740992) / 9007199254740992.0"
    op.execute(f"UPDATE samples SET label_key = received_at / {DAY_US} + {chance}")  # noqa: S608 - constants
    op.create_index("ix_samples_label_key", "samples", ["tenant", "label_key"], unique=False)
    traced = sa.text("trace_id IS NOT NULL")
    op.create_index(
        "ix_samples_trace",
        "samples",
        ["tenant", "trace_id"],
        unique=False,
        sqlite_where=traced,
        postgresql_where=traced,
    )
