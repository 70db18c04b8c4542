"""What a collector is, and what it gives: gauges with closed label sets, absent where nothing is known."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import Connection

from service.collectors.names import GAUGES


class Gauges:
    """Gauges as they are filled."""

    def __init__(self) -> None:
        """None yet."""
        self._families: dict[str, GaugeMetricFamily] = {}
        self._set: set[tuple[str, ...]] = set()

    def set(self, name: str, value: float | None, **labels: str) -> None:
        """Adds a series. What is unknown is left out; of two with the same labels the first counts."""
        known = GAUGES[name]
        values = [labels[label] for label in known.labels]
        key = (name, *values)
        if value is None or not math.isfinite(value) or key in self._set:
            return
        self._set.add(key)
        if name not in self._families:
            self._families[name] = GaugeMetricFamily(name, known.help, labels=known.labels)
        self._families[name].add_metric(values, value)

    @property
    def families(self) -> Iterable[GaugeMetricFamily]:
        """Those that have a series."""
        return self._families.values()


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What one reading gave."""

    gauges: Gauges
    left_out: Mapping[str, int] = field(default_factory=dict)  # by kind: what was beyond the bounds


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A collector: its name, and how it reads. It may raise whatever it likes."""

    name: str
    read: Callable[[Connection, datetime], Found]
    fresh_s: float = 10.0  # how long its gauges are not read again
