"""Golden sets as tests name them: a folder or a file of their own, or one that comes with Assay."""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from assay_client.golden import Golden
from assay_client.golden_run import GoldenError, Place, RefusedError

ITEMS, QUARANTINE = "items.jsonl", "quarantine.toml"


def read_golden(place: Place, name: str, folder: Path) -> Golden:
    """The set at that path, from `folder` on, or the one of that name that comes with Assay. Raises GoldenError."""
    path = folder / name
    if (path / ITEMS).is_file():
        items = list(_lines(path / ITEMS))
        return Golden(
            place=place, name=path.resolve().name, items=items, shipped=False, quarantined=_quarantined(path, items)
        )
    if path.is_file():
        return Golden(place=place, name=path.stem, items=list(_lines(path)), shipped=False)
    try:
        found = place.request("GET", f"/golden-sets/{quote(name, safe='')}")
    except RefusedError as error:
        if error.status != 404:  # noqa: PLR2004 - not found
            raise
        raise GoldenError(
            f"There is no golden set {name!r}: no {path / ITEMS}, no such file, and none comes with Assay."
        ) from None
    return Golden(place=place, name=name, items=found["items"], shipped=True)


def _quarantined(folder: Path, items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Items that quarantine.toml takes out today, as `assay golden run` reads it."""
    path, today = folder / QUARANTINE, datetime.now(UTC).date()
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("items", [])
        held = {entry["id"] for entry in entries if today < _day(entry["until"])}
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise GoldenError(
            f"{path} cannot be read: {type(error).__name__}. `assay golden quarantine` says more."
        ) from None
    return sorted(held & {item["id"] for item in items})


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise GoldenError(f"{path} cannot be read: {error}.") from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                item = json.loads(line)
            except ValueError:
                item = None
            if not isinstance(item, dict) or "id" not in item:
                raise GoldenError(
                    f"{path}, line {number}: not a JSON object with an id. `assay golden lint` says more."
                )
            yield item
