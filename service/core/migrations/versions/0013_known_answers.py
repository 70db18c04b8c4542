"""Known answers of golden runs: what the run's scorer makes of the probes."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column, empty: earlier runs' scorers were not asked."""
    op.add_column("golden_runs", sa.Column("known_answers", sa.JSON(), nullable=True))
