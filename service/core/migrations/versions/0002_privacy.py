"""What was promised of a sample's texts, what is left of them, and indexes that find what is due for removal."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds columns; rows stored before keep their texts in full."""
    for column in (
        sa.Column("session_id", sa.String(length=200), nullable=True),
        sa.Column("store_text", sa.String(length=8), nullable=False, server_default="full"),
        sa.Column("redacted", sa.JSON(), nullable=True),
        sa.Column("text_digests", sa.JSON(), nullable=True),
        sa.Column("kept", sa.String(length=16), nullable=False, server_default="text"),
        sa.Column("text_removed_at", sa.BigInteger(), nullable=True),
        sa.Column("text_removed_by", sa.String(length=16), nullable=True),
    ):
        op.add_column("samples", column)
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("samples", "response", nullable=True)
        op.execute("UPDATE samples SET session_id = details->>'session_id' WHERE details->>'session_id' IS NOT NULL")
    else:
        # SQLite cannot change a column, and samples cannot be made anew while scores refer to it.
        op.execute("ALTER TABLE samples ADD COLUMN response_or_null TEXT")
        op.execute("UPDATE samples SET response_or_null = response, session_id = json_extract(details, '$.session_id')")
        op.execute("ALTER TABLE samples DROP COLUMN response")
        op.execute("ALTER TABLE samples RENAME COLUMN response_or_null TO response")
    op.create_index("ix_samples_kept", "samples", ["tenant", "kept", "received_at"], unique=False)
    op.create_index(
        "ix_samples_session",
        "samples",
        ["tenant", "session_id"],
        unique=False,
        sqlite_where=sa.text("session_id IS NOT NULL"),
        postgresql_where=sa.text("session_id IS NOT NULL"),
    )
