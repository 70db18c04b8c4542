"""When each release was first seen; those of before from their samples."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table and fills it."""
    op.create_table(
        "releases",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("release", sa.String(length=200), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "release", name="pk_releases"),
    )
    op.create_index("ix_releases_first_seen", "releases", ["first_seen"], unique=False)
    op.execute(
        "INSERT INTO releases (tenant, release, first_seen) "
        "SELECT tenant, release, min(received_at) FROM samples WHERE release <> '' GROUP BY tenant, release"
    )
