"""Linting: what is wrong with a golden set on disk, or weak about it, before a run is believed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from service.core.errors import StartRefusedError
from service.core.golden.item import GoldenItem
from service.core.golden.sets import ITEMS, QUARANTINE, items_path, read_quarantine, scan_items
from workers.golden.linting_finding import Finding, Severity, error, warning
from workers.golden.linting_items import lint_item
from workers.golden.linting_sets import lint_together


@dataclass(frozen=True, kw_only=True, slots=True)
class Linted:
    """A set that was looked at."""

    path: Path  # of its items
    items: int  # that can be read
    findings: tuple[Finding, ...]  # errors first

    @property
    def errors(self) -> int:
        """How many findings must be mended."""
        return sum(finding.severity is Severity.ERROR for finding in self.findings)


def lint(name: str, today: date) -> Linted:
    """Everything about the set of that name, or at that path.

    Args:
        name: a shipped set, a folder with items.jsonl, or a file of items.
        today: against which quarantine expires.

    Raises GoldenSetUnknownError, or StartRefusedError where the file cannot be read at all.
    """
    path = items_path(name)
    items, problems = scan_items(path)
    found = [error("", "", problem) for problem in problems]
    if not items and not problems:
        found.append(error("", "", "The set has no items."))
    for item in items:
        found += lint_item(item)
    found += lint_together(items)
    if path.name == ITEMS:
        found += _quarantine(path.with_name(QUARANTINE), items, today)
    ordered = sorted(found, key=lambda finding: finding.severity is not Severity.ERROR)
    return Linted(path=path, items=len(items), findings=tuple(ordered))


def _quarantine(path: Path, items: Sequence[GoldenItem], today: date) -> Iterator[Finding]:
    try:
        entries = read_quarantine(path)
    except StartRefusedError as problem:
        yield error("", QUARANTINE, problem.detail)
        return
    known = {item.id for item in items}
    for name, number in Counter(entry.id for entry in entries).items():
        if number > 1:
            yield warning(name, QUARANTINE, f"{number} entries name this item.")
    for entry in entries:
        if entry.id not in known:
            yield error(entry.id, QUARANTINE, "The quarantine names an item that is not there: what was meant counts.")
        elif entry.until <= today:
            yield warning(
                entry.id,
                QUARANTINE,
                f"The quarantine ended on {entry.until}: the item counts again. Mend it, or remove the entry.",
            )
