"""Golden sets on disk: a folder with items.jsonl and, beside it, quarantine.toml and floors.toml; or a file of items alone."""

import json
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from service.core.errors import GoldenSetUnknownError, StartRefusedError
from service.core.golden.item import GoldenItem, ItemId

ITEMS, QUARANTINE, FLOORS = "items.jsonl", "quarantine.toml", "floors.toml"
FOLDER = Path(__file__).resolve().parents[3] / "golden_sets"
SHIPPED = ("core", "probes")
MAX_FILE_BYTES = 256 * 1024 * 1024


class Quarantined(BaseModel):
    """One `[[items]]` table of quarantine.toml: an item that counts for nothing until a day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: ItemId
    until: date  # the first day on which it counts again
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Floor(BaseModel):
    """One table of floors.toml: below what a scorer of that fingerprint must not fall on this set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    found: Annotated[float, Field(ge=0, le=1)]  # share of hallucinated items that are flagged
    passed: Annotated[float, Field(ge=0, le=1)]  # share of supported items that are not


class _QuarantineFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    items: tuple[Quarantined, ...] = ()


class _FloorsFile(RootModel[dict[str, Floor]]):
    pass


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldenSet:
    """A set that was read."""

    name: str
    items: tuple[GoldenItem, ...]
    folder: Path | None  # None: a file of items alone
    quarantined: tuple[Quarantined, ...] = ()
    floors: Mapping[str, Floor]  # by fingerprint of the scorer

    def quarantine_on(self, day: date) -> frozenset[str]:
        """Ids of the items that count for nothing on that day."""
        return frozenset(each.id for each in self.quarantined if day < each.until)


def read_set(name: str) -> GoldenSet:
    """The set of that name, or at that path. Raises GoldenSetUnknownError, or StartRefusedError for one that is not valid."""
    path = items_path(name)
    if path == Path(name):
        return GoldenSet(name=path.stem, items=read_items(path), folder=None, floors={})
    return _read_folder(path.parent, path.parent.resolve().name)


def items_path(name: str) -> Path:
    """Where the items of the set of that name, or at that path, are. Raises GoldenSetUnknownError, StartRefusedError."""
    path = Path(name)
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError as error:
        raise StartRefusedError(
            f"{name[:100]} cannot be read: {error.strerror}.", next_step="Check the path."
        ) from None
    if is_folder:
        return path / ITEMS
    if is_file:
        return path
    if name in SHIPPED:
        return _shipped(name) / ITEMS
    raise GoldenSetUnknownError(
        f"There is no golden set {name[:100]!r}.",
        next_step=f"Name a shipped one, {' or '.join(SHIPPED)}, a folder with {ITEMS}, or a file of items; `assay golden "
        "import` makes one of a table.",
    )


def shipped_set(name: str) -> GoldenSet:
    """A set that comes with Assay, whatever lies in the working directory. Raises GoldenSetUnknownError."""
    if name not in SHIPPED:
        raise GoldenSetUnknownError
    return _read_folder(_shipped(name), name)


def _shipped(name: str) -> Path:
    return FOLDER / name


def _read_folder(folder: Path, name: str) -> GoldenSet:
    items = read_items(folder / ITEMS)
    return GoldenSet(
        name=name,
        items=items,
        folder=folder,
        quarantined=read_quarantine(folder / QUARANTINE),
        floors=_read_floors(folder / FLOORS),
    )


def read_items(path: Path) -> tuple[GoldenItem, ...]:
    """The items of a file. Raises StartRefusedError, which names the line and the field."""
    found, problems = scan_items(path)
    if problems:
        more = f" ({len(problems) - 1} more lines)" if len(problems) > 1 else ""
        raise StartRefusedError(problems[0] + more, next_step="`assay golden lint` lists all of them.")
    twice = [name for name, number in Counter(item.id for item in found).items() if number > 1]
    if twice:
        raise StartRefusedError(f"{path}: the id {twice[0]!r} stands there twice.", next_step="Give each item its own.")
    if not found:
        raise StartRefusedError(f"{path} has no items.", next_step="Write one JSON object a line.")
    return tuple(found)


def scan_items(path: Path) -> tuple[list[GoldenItem], list[str]]:
    """The items of a file that can be read, and a sentence on each line that cannot. Raises StartRefusedError."""
    found: list[GoldenItem] = []
    problems: list[str] = []
    for number, line in _lines(path):
        try:
            found.append(GoldenItem.model_validate(json.loads(line)))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            problems.append(f"{path}, line {number}: {field or 'the line'}: {first['msg']}.")
        except (ValueError, RecursionError):
            problems.append(f"{path}, line {number}: not a JSON object.")
    return found, problems


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise StartRefusedError(f"{path} is over {MAX_FILE_BYTES} bytes.", next_step="Split it into several sets.")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise StartRefusedError(f"{path} cannot be read: {error.strerror}.", next_step="Check the path.") from None
    except UnicodeDecodeError:
        raise StartRefusedError(f"{path} is not UTF-8.", next_step="Save it as UTF-8.") from None
    yield from ((number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip())


def read_quarantine(path: Path) -> tuple[Quarantined, ...]:
    """What a quarantine.toml says; nothing where there is none. Raises StartRefusedError."""
    try:
        return _QuarantineFile.model_validate(_toml(path)).items
    except ValidationError as error:
        raise _invalid(path, error) from None


def _read_floors(path: Path) -> dict[str, Floor]:
    try:
        return _FloorsFile.model_validate(_toml(path)).root
    except ValidationError as error:
        raise _invalid(path, error) from None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise StartRefusedError(f"{path} cannot be read: {error}.", next_step="Correct the file.") from None


def _invalid(path: Path, error: ValidationError) -> StartRefusedError:
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return StartRefusedError(f"{path}: {field}: {first['msg']}.", next_step="Correct the file.")
