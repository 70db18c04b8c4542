"""Claims by verdict, and the context documents that contradict most."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from models.types import Verdict
from service.collectors.source import Found, Gauges
from service.collectors.window import LONG, MAX_TENANTS, WINDOWS, Allowance, most_scored, stretch_of
from service.core.store.busiest import read_busiest
from service.core.store.rates import read_counted
from service.core.store.verdicts import read_contradicting, read_verdicts
from service.core.visible import visible

MAX_ROWS = 50_000  # scored samples whose claims one reading looks at
MAX_CONTRADICTED = 5_000  # contradicted claims whose contexts it looks at, which are long texts
MOST_CONTEXTS = 10
CONTEXT_CHARS = 64


def read_claims(connection: Connection, now: datetime) -> Found:
    """The gauges of all tenants, the busiest first, as far as the bounds allow."""
    tenants, _ = read_busiest(connection, now, MAX_TENANTS)
    reading = _Reading(connection, now)
    for tenant in tenants:
        for window in WINDOWS:
            reading.add(tenant, window)
    return Found(gauges=reading.gauges, left_out=reading.left_out)


class _Reading:
    """Fills the gauges, and counts what it leaves out."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._rows, self._contradicted = Allowance(MAX_ROWS), Allowance(MAX_CONTRADICTED)
        self.gauges = Gauges()
        self.left_out = Counter({"claims": 0, "contexts": 0})

    def add(self, tenant: str, window: str) -> None:
        """One tenant and window."""
        stretch = stretch_of(tenant, self._now, window)
        counted = read_counted(self._connection, stretch)
        fingerprint = most_scored(counted)
        if not self._rows.take(counted.scored):
            self.left_out.update({"claims": 1, "contexts": int(window == LONG)})
            return
        found = read_verdicts(self._connection, stretch, fingerprint) if fingerprint else {}
        for verdict in Verdict:
            number = found.get(verdict, 0)
            self.gauges.set("assay_window_claims", number, tenant=tenant, window=window, verdict=verdict.value)
        contradicted = found.get(Verdict.CONTRADICTED, 0)
        if window != LONG or fingerprint is None or not contradicted:
            return
        if not self._contradicted.take(contradicted):
            self.left_out["contexts"] += 1
            return
        contexts = read_contradicting(self._connection, stretch, fingerprint, 10 * MOST_CONTEXTS)
        for name, number in _shown(contexts)[:MOST_CONTEXTS]:
            self.gauges.set("assay_contradicted_claims", number, tenant=tenant, window=window, context=name)


def _shown(contexts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The documents as they are named, most first; those that a short name makes one are one."""
    total: Counter[str] = Counter()
    for name, number in contexts.items():
        total[visible(name, CONTEXT_CHARS).replace("\n", " ")] += number
    return total.most_common()
