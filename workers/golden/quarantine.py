"""Quarantine: entries of quarantine.toml added and removed, while all else in the file keeps its bytes.

There is no way to write TOML that keeps comments but to work on its lines. What comes out is read again, and where it does not
say what was meant the file is left alone.
"""

import json
import re
import tomllib
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from service.core.errors import StartRefusedError
from service.core.golden.sets import QUARANTINE, SHIPPED, Quarantined, read_quarantine, read_set
from workers.golden.adding import write_whole

_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # TOML ends lines at this character alone
_TABLE = re.compile(r"\s*\[")
_ENTRY = re.compile(r"\s*\[\[\s*(?:items|\"items\"|'items')\s*\]\]")
_NOTHING = re.compile(r"\s*(?:#.*)?$")  # blank, or a comment
BY_HAND = "Edit the file by hand."


def quarantine_file(name: str) -> Path:
    """Where the quarantine of a set lies. Raises StartRefusedError for a file of items alone, GoldenSetUnknownError."""
    if name in SHIPPED and not Path(name).exists():
        raise StartRefusedError(
            f"The set {name!r} comes with Assay, and an upgrade would overwrite its quarantine.",
            next_step="Copy the set to a folder of your own.",
        )
    folder = read_set(name).folder
    if folder is None:
        raise StartRefusedError(
            f"{name} is a file of items alone, which has no quarantine.",
            next_step=f"Make it a folder: its items in items.jsonl, and {QUARANTINE} beside it.",
        )
    return folder / QUARANTINE


def add_entry(name: str, wanted: Quarantined, today: date) -> bool:
    """Puts an item of a set in quarantine, in place of an entry that it has; returns whether it had one.

    Raises StartRefusedError where the set has no such item or the day is past.
    """
    path = quarantine_file(name)
    if wanted.id not in {item.id for item in read_set(name).items}:
        raise StartRefusedError(f"The set has no item {wanted.id!r}.", next_step="Correct the id.")
    if wanted.until <= today:
        raise StartRefusedError(
            f"{wanted.until} is no later than today: the item would count again at once.", next_step="Give a later day."
        )
    before = read_quarantine(path)
    kept = [entry for entry in before if entry.id != wanted.id]
    lines = _without(_lines(path), wanted.id)
    _write(path, lines + _written(wanted, first=not any(map(str.strip, lines))), [*kept, wanted])
    return len(kept) < len(before)


def remove_entry(name: str, item_id: str) -> None:
    """Ends an item's quarantine. Raises StartRefusedError where it has none."""
    path = quarantine_file(name)
    before = read_quarantine(path)
    kept = [entry for entry in before if entry.id != item_id]
    if len(kept) == len(before):
        raise StartRefusedError(f"{item_id!r} is in no quarantine.", next_step="Name an id that the file has.")
    _write(path, _without(_lines(path), item_id), kept)


def entry_of(item_id: str, until: str, reason: str) -> Quarantined:
    """An entry of what was given. Raises StartRefusedError, which names the option."""
    try:
        return Quarantined.model_validate({"id": item_id, "until": until, "reason": reason})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise StartRefusedError(
            f"{first['loc'][0]}: {first['msg']}.", next_step="Give --until as 2026-12-31, and --reason in words."
        ) from None


def _lines(path: Path) -> list[str]:
    return _LINE.findall(path.read_bytes().decode()) if path.exists() else []


def _written(entry: Quarantined, *, first: bool) -> list[str]:
    table = f"[[items]]\nid = {_text(entry.id)}\nuntil = {entry.until.isoformat()}\nreason = {_text(entry.reason)}\n"
    return [table if first else f"\n{table}"]


def _text(value: str) -> str:
    """A basic string: TOML takes JSON's escapes, and wants one more."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _without(lines: list[str], item_id: str) -> list[str]:
    """The lines without the tables of that item. Comments above the next table are that one's."""
    kept: list[str] = []
    place = 0
    while place < len(lines):
        end = _end_of_entry(lines, place) if _ENTRY.match(lines[place]) else place
        if end > place and _names(lines[place:end], item_id):
            while end < len(lines) and not lines[end].strip() and (not kept or not kept[-1].strip()):
                end += 1  # the blank line that stood between
            place = end
        else:
            kept.append(lines[place])
            place += 1
    return kept


def _end_of_entry(lines: list[str], begin: int) -> int:
    end = next((place for place in range(begin + 1, len(lines)) if _TABLE.match(lines[place])), len(lines))
    while end > begin + 1 and _NOTHING.fullmatch(lines[end - 1].rstrip("\r\n")):
        end -= 1
    return end


def _names(lines: list[str], item_id: str) -> bool:
    try:
        tables = tomllib.loads("".join(lines)).get("items", [])
    except tomllib.TOMLDecodeError:
        return False
    return any(table.get("id") == item_id for table in tables)


def _write(path: Path, lines: list[str], wanted: list[Quarantined]) -> None:
    if lines and len(lines) > 1 and not lines[-2].endswith("\n"):
        lines = [*lines[:-2], lines[-2] + "\n", lines[-1]]
    text = "".join(lines)
    try:
        tables = tomllib.loads(text).get("items", [])
        said = [Quarantined.model_validate(table) for table in tables]
    except (tomllib.TOMLDecodeError, ValidationError):
        said = None
    if said is None or sorted(said, key=_order) != sorted(wanted, key=_order):
        raise StartRefusedError(f"{path} is written in a way that cannot be changed safely.", next_step=BY_HAND)
    write_whole(path, text.encode())


def _order(entry: Quarantined) -> tuple[str, date, str]:
    return entry.id, entry.until, entry.reason
