"""The tables of alerts: where each rule and group stands, what was decided, what sinks are still to be told, silences."""

from enum import StrEnum

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    text,
)

from service.core.clock import UtcTime
from service.core.tables import Key, metadata


class Delivery(StrEnum):
    """What has become of telling one sink of one event."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"  # given up


# One row a rule and group of a tenant, rewritten at each evaluation.
alert_states = Table(
    "alert_states",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("rule", String(64), primary_key=True),
    Column("group_digest", String(64), primary_key=True),  # the values themselves are too long for an index
    Column("group", JSON, nullable=False),  # {dimension: value}, in the order of the rule's `group_by`
    Column("rule_digest", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("verdict", String(16), nullable=False),  # of the last reading
    Column("since", UtcTime, nullable=False),
    Column("bad_since", UtcTime),
    Column("missing_since", UtcTime),
    Column("last_bad", UtcTime),
    Column("opened", UtcTime),
    Column("told", UtcTime),
    Column("value", Float),
    Column("low", Float),
    Column("high", Float),
    Column("effective_n", Float),
    Column("coverage", Float),
    Column("evaluated_at", UtcTime, nullable=False),
)

# What was decided, with all that was known then. Append-only.
alert_events = Table(
    "alert_events",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("incident", String(200), nullable=False),
    Column("event", String(16), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("silenced", Boolean, nullable=False),  # nobody was told
    Column("notice", JSON, nullable=False),
    Index("ix_alert_events_tenant", "tenant", "at"),
    Index("ix_alert_events_incident", "incident", "at"),
    Index("ix_alert_events_at", "at"),  # to forget the oldest
)

# The outbox: written with the event, in the same transaction.
alert_deliveries = Table(
    "alert_deliveries",
    metadata,
    Column("event_seq", Key, ForeignKey("alert_events.seq"), primary_key=True, autoincrement=False),
    Column("sink", String(64), primary_key=True),
    Column("incident", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcTime, nullable=False),
    Column("lease_until", UtcTime),
    Column("error", String(500)),  # of the last attempt that failed
    Column("ended_at", UtcTime),
    Index(
        "ix_alert_deliveries_waiting",
        "next_at",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
    # Whether an earlier one of the same incident still waits.
    Index(
        "ix_alert_deliveries_order",
        "incident",
        "sink",
        "event_seq",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
)

# Flagged claims that an event's notice shows. Of samples, only the row is kept here: once one is erased, so is its id.
alert_examples = Table(
    "alert_examples",
    metadata,
    Column("event_seq", Key, ForeignKey("alert_events.seq"), primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    # No foreign key: rows of samples are never deleted, and its lock could meet that of an erasure in a circle.
    Column("sample_seq", Key, nullable=False),
    Column("claim", Integer, nullable=False),
    Column("verdict", String(16), nullable=False),
)

alert_silences = Table(
    "alert_silences",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("rule", String(64), nullable=False),  # empty: all rules
    Column("group", JSON, nullable=False),  # {dimension: value} that a group must have; {}: all groups
    Column("reason", String(500), nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),  # moved to the moment at which somebody ended it
    Index("ix_alert_silences_ends", "tenant", "ends_at"),
)
