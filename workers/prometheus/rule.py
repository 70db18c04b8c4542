"""Rules as Prometheus takes them, and what of them can be chosen. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How soon somebody should look."""

    CRITICAL = "critical"  # now: nothing is measured, or samples are lost
    WARNING = "warning"  # today


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A series that is computed once and read often."""

    record: str
    expr: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """What somebody is told, and what there is to do."""

    name: str
    expr: str
    for_: str  # how long it must hold
    severity: Severity
    summary: str
    description: str  # says what to do


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What differs between installations."""

    sidecar_job: str = "assay-sidecar"
    worker_job: str = "assay-worker"
    flagged_above: float = 0.05
    flagged_window: str = "1h"  # or 24h
    flagged_for: str = "30m"
    queue_older_s: int = 600
    unscored_above: float = 0.01
    for_: str = "10m"
