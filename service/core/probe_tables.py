"""The table of probe rounds: what each worker's scorer made of the known-answer probes. It holds no user's data."""

from sqlalchemy import JSON, Column, Float, Index, Integer, String, Table

from service.core.clock import UtcTime
from service.core.tables import Key, metadata

probe_rounds = Table(
    "probe_rounds",
    metadata,
    Column("seq", Key, primary_key=True, autoincrement=True),
    Column("worker", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("runtime", String(64), nullable=False),  # digest of the scorer's attributes: scores are compared within it
    Column("at", UtcTime, nullable=False),  # by the worker's clock
    Column("interval_s", Float, nullable=False),  # to the worker's next round
    Column("set_digest", String(64), nullable=False),  # as `service.core.golden.item.set_digest`
    Column("items_right", Integer, nullable=False),
    Column("items_wrong", Integer, nullable=False),
    Column("items_unknown", Integer, nullable=False),
    Column("scores", JSON, nullable=False),  # {item's id: score, or null}
    Index("ix_probe_rounds_at", "at"),
    sqlite_autoincrement=True,
)
