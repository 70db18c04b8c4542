"""Alerts: states, events, the outbox and silences."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    """Makes the tables, empty."""
    op.create_table(
        "alert_states",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("group_digest", sa.String(length=64), nullable=False),
        sa.Column("group", sa.JSON(), nullable=False),
        sa.Column("rule_digest", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        *(sa.Column(n, sa.BigInteger(), nullable=True) for n in ("bad_since", "missing_since", "last_bad")),
        *(sa.Column(n, sa.BigInteger(), nullable=True) for n in ("opened", "told")),
        *(sa.Column(n, sa.Float(), nullable=True) for n in ("value", "low", "high", "effective_n", "coverage")),
        sa.Column("evaluated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "rule", "group_digest", name="pk_alert_states"),
    )
    op.create_table(
        "alert_events",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("incident", sa.String(length=200), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("silenced", sa.Boolean(), nullable=False),
        sa.Column("notice", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_alert_events"),
    )
    op.create_index("ix_alert_events_tenant", "alert_events", ["tenant", "at"], unique=False)
    op.create_index("ix_alert_events_incident", "alert_events", ["incident", "at"], unique=False)
    op.create_index("ix_alert_events_at", "alert_events", ["at"], unique=False)
    op.create_table(
        "alert_examples",
        sa.Column("event_seq", KEY, autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sample_seq", KEY, nullable=False),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["event_seq"], ["alert_events.seq"], name="fk_alert_examples_event_seq"),
        sa.PrimaryKeyConstraint("event_seq", "place", name="pk_alert_examples"),
    )
    op.create_table(
        "alert_deliveries",
        sa.Column("event_seq", KEY, autoincrement=False, nullable=False),
        sa.Column("sink", sa.String(length=64), nullable=False),
        sa.Column("incident", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["event_seq"], ["alert_events.seq"], name="fk_alert_deliveries_event_seq"),
        sa.PrimaryKeyConstraint("event_seq", "sink", name="pk_alert_deliveries"),
    )
    for name, columns in (
        ("ix_alert_deliveries_waiting", ["next_at"]),
        ("ix_alert_deliveries_order", ["incident", "sink", "event_seq"]),
    ):
        op.create_index(name, "alert_deliveries", columns, unique=False, sqlite_where=WAITING, postgresql_where=WAITING)
    op.create_table(
        "alert_silences",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("group", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_alert_silences"),
    )
    op.create_index("ix_alert_silences_ends", "alert_silences", ["tenant", "ends_at"], unique=False)
