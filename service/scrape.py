"""A scrape: what the process counts of itself, and what collectors read from the database.

One thread reads at a time, and what it read serves every scraper for some seconds: the cost does not grow with their
number. What a collector cannot read is absent, and counted.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from service.collectors.backlog import read_backlog
from service.collectors.claims import read_claims
from service.collectors.names import KINDS
from service.collectors.rates import read_rates
from service.collectors.reviews import read_reviews
from service.collectors.source import Found, Gauges, Source
from service.core.clock import utc_now
from service.core.db import Database
from service.core.log import log, where
from service.core.metrics import SidecarMetrics

OLDEST_S = 30.0  # older gauges are not shown
PATIENCE_S = 3.0  # for another thread that is reading, where there is nothing to show without it
ENOUGH_S = 4.0  # of reading in one scrape: what is due still is read at the next
REST = 10.0  # times as long as a failure took is that collector left alone
SOURCES = (
    Source(name="backlog", read=read_backlog, fresh_s=0.0),
    Source(name="rates", read=read_rates),
    Source(name="claims", read=read_claims),
    Source(name="reviews", read=read_reviews),
)


@dataclass(frozen=True, slots=True)
class _Held:
    found: Found
    read_at: float


class Scrape:
    """Holds what its collectors read last."""

    def __init__(
        self,
        database: Database,
        metrics: SidecarMetrics,
        sources: Sequence[Source] = SOURCES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads nothing yet."""
        self._database = database
        self._metrics = metrics
        self._sources = sources
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._rests: dict[str, float] = {}  # until when those that failed are left alone
        self._reading = threading.Lock()
        for source in sources:
            metrics.scrape_failures.labels(source.name)

    def text(self, tenant: str | None) -> bytes:
        """Prometheus' text format. With a tenant, of what tenants do only its own."""
        self._refresh()
        now, own, left = self._clock(), Gauges(), dict.fromkeys(KINDS, 0)
        families: list[Metric] = []
        for source in self._sources:
            held = self._held.get(source.name)
            if held is None or now - held.read_at > OLDEST_S:
                self._metrics.scrape_failures.labels(source.name).inc()
                continue
            families += held.found.gauges.families
            left |= held.found.left_out
            own.set("assay_metrics_age_seconds", max(0.0, now - held.read_at), collector=source.name)
        for kind, number in left.items():
            own.set("assay_metrics_left_out", number, kind=kind)
        registry = CollectorRegistry()
        registry.register(_Families([*_of(families, tenant), *own.families]))
        return generate_latest(registry) + generate_latest(self._metrics.registry)

    def _refresh(self) -> None:
        if not self._due(within_s=None):
            return
        # Who finds another reading is content with what is held, unless that is too old to be shown.
        patience_s = PATIENCE_S if self._due(within_s=OLDEST_S) else 0.0
        if not self._reading.acquire(timeout=patience_s):
            return
        try:
            began = self._clock()
            for source in sorted(self._due(within_s=None), key=self._turn):
                if self._clock() - began > ENOUGH_S:
                    break
                self._read(source)
        finally:
            self._reading.release()

    def _turn(self, source: Source) -> tuple[bool, float]:
        """What failed comes last, as it may take long to fail again; else what was read longest ago comes first."""
        held = self._held.get(source.name)
        return source.name in self._rests, held.read_at if held else float("-inf")

    def _due(self, within_s: float | None) -> list[Source]:
        """Those that have nothing younger than so many seconds, or than what is fresh for each, and do not rest."""
        now = self._clock()
        return [
            source
            for source in self._sources
            if now >= self._rests.get(source.name, now)
            and (
                (held := self._held.get(source.name)) is None
                or now - held.read_at >= (source.fresh_s if within_s is None else within_s)
            )
        ]

    def _read(self, source: Source) -> None:
        began = self._clock()
        try:
            with self._database.read() as connection:
                found = source.read(connection, utc_now())
        except Exception as error:  # noqa: BLE001 - one collector must not take the others with it
            log.warning("collector_failed", collector=source.name, error=where(error))
            self._held.pop(source.name, None)
            failed = self._clock()
            self._rests[source.name] = failed + max(source.fresh_s, REST * (failed - began))
        else:
            self._held[source.name] = _Held(found, began)
            self._rests.pop(source.name, None)


def _of(families: Iterable[Metric], tenant: str | None) -> Iterator[Metric]:
    """The families; with a tenant, without the series of others."""
    for family in families:
        kept = Metric(family.name, family.documentation, family.type)
        kept.samples = [s for s in family.samples if tenant is None or s.labels.get("tenant", tenant) == tenant]
        if kept.samples:
            yield kept


class _Families(Collector):
    """Families that are there already."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def describe(self) -> Iterator[Metric]:
        yield from ()

    def collect(self) -> Iterable[Metric]:
        return self._families
