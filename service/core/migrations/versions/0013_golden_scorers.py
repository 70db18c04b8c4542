"""Golden runs know their scorer better: what it makes of the probes, and what it ran on."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns, empty: earlier runs' scorers were not asked."""
    for name in ("known_answers", "runtime"):
        op.add_column("golden_runs", sa.Column(name, sa.JSON(), nullable=True))
