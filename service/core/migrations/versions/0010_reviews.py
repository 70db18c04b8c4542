"""Reviews: further scorers' work on samples, their calls, what they cost."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PENDING = sa.text("state = 'pending'")
OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    """Makes the tables, empty; no sample so far was considered for a judge."""
    op.add_column("samples", sa.Column("judge_probability", sa.Float(), nullable=True))
    _reviews()
    _calls()


def _reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("sample_seq", KEY, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("reviewer", sa.String(length=16), nullable=False),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_reason", sa.String(length=64), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("flagged", sa.Boolean(), nullable=True),
        sa.Column("threshold", sa.Float(), nullable=True),
        sa.Column("claims_checked", sa.Integer(), nullable=True),
        sa.Column("claims_flagged", sa.Integer(), nullable=True),
        sa.Column("entropy", sa.Float(), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=True),
        sa.Column("votes", sa.Integer(), nullable=True),
        sa.Column("variance", sa.Float(), nullable=True),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_pico", sa.BigInteger(), nullable=False),
        sa.Column("estimate_pico", sa.BigInteger(), nullable=False),
        sa.Column("drawn", sa.JSON(), nullable=True),
        sa.Column("transcript", sa.JSON(), nullable=True),
        sa.Column("place", sa.String(length=8), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("probability > 0 AND probability <= 1", name="ck_reviews_probability"),
        sa.ForeignKeyConstraint(["sample_seq"], ["samples.seq"], name="fk_reviews_sample_seq"),
        sa.PrimaryKeyConstraint("seq", name="pk_reviews"),
        sa.UniqueConstraint("sample_seq", "reviewer", name="uq_reviews_sample_seq_reviewer"),
    )
    op.create_index("ix_reviews_tenant", "reviews", ["tenant", "reviewer", "created_at"], unique=False)
    op.create_index(
        "ix_reviews_pending",
        "reviews",
        ["place", "seq"],
        unique=False,
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    )
    op.create_table(
        "review_claims",
        sa.Column("review_seq", KEY, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("evidence_context", sa.Integer(), nullable=True),
        sa.Column("evidence_start", sa.Integer(), nullable=True),
        sa.Column("evidence_end", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["review_seq"], ["reviews.seq"], name="fk_review_claims_review_seq"),
        sa.PrimaryKeyConstraint("review_seq", "position", name="pk_review_claims"),
    )


def _calls() -> None:
    op.create_table(
        "llm_calls",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("review_seq", KEY, nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cost_pico", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["review_seq"], ["reviews.seq"], name="fk_llm_calls_review_seq"),
        sa.PrimaryKeyConstraint("seq", name="pk_llm_calls"),
    )
    op.create_index("ix_llm_calls_day", "llm_calls", ["tenant", "day", "rule"], unique=False)
    op.create_index("ix_llm_calls_review", "llm_calls", ["review_seq"], unique=False)
    op.create_index(
        "ix_llm_calls_open", "llm_calls", ["started_at"], unique=False, sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_table(
        "llm_spend",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cost_pico", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "day", name="pk_llm_spend"),
    )
    op.create_table(
        "llm_budgets",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("level_pico", sa.BigInteger(), nullable=False),
        sa.Column("filled_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_llm_budgets"),
    )
    op.create_table(
        "llm_circuits",
        sa.Column("endpoint", sa.String(length=200), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "holder", name="pk_llm_circuits"),
    )
