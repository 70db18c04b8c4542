"""A finding: what is wrong with a golden set, or weak about it."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"  # a run over the set would say something wrong, or nothing at all
    WARNING = "warning"  # the set says less than it could


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is wrong."""

    severity: Severity
    item: str  # its id; empty: of the whole set, or of a line that cannot be read
    field: str  # such as claims.0.evidence.1; empty: of the whole item
    sentence: str


def error(item: str, field: str, sentence: str) -> Finding:
    """A finding that must be mended."""
    return Finding(severity=Severity.ERROR, item=item, field=field, sentence=sentence)


def warning(item: str, field: str, sentence: str) -> Finding:
    """A finding to know of."""
    return Finding(severity=Severity.WARNING, item=item, field=field, sentence=sentence)
