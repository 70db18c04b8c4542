"""An index of the pending rows that were taken before: looking for them no longer walks the whole backlog."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TOUCHED = sa.text("state = 'pending' AND attempt > returns")


def upgrade() -> None:
    """Adds the index; it holds few rows at any time."""
    op.create_index(
        "ix_samples_touched",
        "samples",
        ["priority", "seq"],
        unique=False,
        sqlite_where=TOUCHED,
        postgresql_where=TOUCHED,
    )
