"""The backlog: how many samples wait, and for how long."""

from datetime import datetime

from sqlalchemy import Connection

from service.collectors.source import Found, Gauges
from service.core.store.taking import backlog


def read_backlog(connection: Connection, now: datetime) -> Found:
    """One statement; no age where nothing waits."""
    gauges, held = Gauges(), backlog(connection)
    gauges.set("assay_pending_samples", held.pending)
    if held.oldest_received_at is not None:
        age = (now - held.oldest_received_at).total_seconds()
        gauges.set("assay_oldest_pending_seconds", max(0.0, age))  # the clock may have been set back
    return Found(gauges=gauges)
