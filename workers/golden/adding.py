"""Adding to a set on disk: what is there already is said and not written twice, and other lines keep their bytes."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from service.core.errors import StartRefusedError
from service.core.golden.item import GoldenItem
from service.core.golden.sets import ITEMS, SHIPPED, scan_items

LINES = frozenset({".jsonl", ".ndjson"})
ID_CHARS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """An item that was not added, and the one of the set that stands in its way."""

    item: GoldenItem
    other: str  # its id


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """What became of items."""

    path: Path
    added: list[GoldenItem] = field(default_factory=list)
    there: list[Standing] = field(default_factory=list)  # the same texts and the same label
    otherwise: list[Standing] = field(default_factory=list)  # the same texts with another label
    taken: list[Standing] = field(default_factory=list)  # other texts under the same id


def content_key(item: GoldenItem) -> str:
    """Digest of question, contexts and response: two items with the same one are the same case."""
    texts = [item.question, [context.text for context in item.contexts], item.response]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def stable_id(key: str) -> str:
    """The id of an item that has none, by its content key: the same on every import."""
    return f"item-{key[:ID_CHARS]}"


def item_line(item: GoldenItem) -> bytes:
    """One line of items.jsonl, with its end; what is left out is what the format takes for granted."""
    return item.model_dump_json(exclude_defaults=True).encode() + b"\n"


def items_file(name: str) -> Path:
    """Where the items of a set lie that may not be there yet. Raises StartRefusedError for one that comes with Assay."""
    path = Path(name)
    if name in SHIPPED and not path.exists():
        raise StartRefusedError(
            f"The set {name!r} comes with Assay, and an upgrade would overwrite what is added to it.",
            next_step="Add to a folder of your own; one run takes several sets.",
        )
    alone = path.is_file() or (path.suffix in LINES and not path.is_dir())
    return path if alone else path / ITEMS


def add_items(name: str, wanted: Sequence[GoldenItem]) -> Added:
    """Adds those items to a set that are not there; makes the set if it is not there either.

    Raises StartRefusedError where the set has lines that cannot be read: what they hold might be added twice.
    """
    path = items_file(name)
    if not wanted:
        return Added(path=path)
    with _locked(path):
        before = _held(path)
        found = _sorted_out(path, before, wanted)
        if found.added:
            old = path.read_bytes() if path.exists() else b""
            end = b"\n" if old and not old.endswith(b"\n") else b""
            write_whole(path, old + end + b"".join(map(item_line, found.added)))
    return found


def _held(path: Path) -> list[GoldenItem]:
    if not path.exists():
        return []
    held, problems = scan_items(path)
    if problems:
        raise StartRefusedError(problems[0], next_step="Mend it first; `assay golden lint` lists all.")
    return held


def _sorted_out(path: Path, before: Sequence[GoldenItem], wanted: Sequence[GoldenItem]) -> Added:
    found = Added(path=path)
    by_key = {content_key(item): item for item in before}
    ids = {item.id for item in before}
    for item in wanted:
        other = by_key.get(key := content_key(item))
        if other is None and item.id in ids:
            found.taken.append(Standing(item=item, other=item.id))
        elif other is None:
            by_key[key] = item
            ids.add(item.id)
            found.added.append(item)
        elif other.hallucinated == item.hallucinated or item.hallucinated is None:
            found.there.append(Standing(item=item, other=other.id))
        else:
            found.otherwise.append(Standing(item=item, other=other.id))
    return found


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Makes the folder, and keeps others who add to it out meanwhile."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise _cannot(path, error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_whole(path: Path, content: bytes) -> None:
    """Replaces a file at once: whoever reads or is cut off meets the old one or the new one. Raises StartRefusedError."""
    target = path.resolve()  # a link stays one
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as stream:
            made = Path(stream.name)
            try:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
                _keep_mode(target, made)
                made.replace(target)
            except BaseException:
                made.unlink(missing_ok=True)
                raise
        _sync_folder(target.parent)
    except OSError as error:
        raise _cannot(path, error) from None


def _keep_mode(target: Path, made: Path) -> None:
    """A temporary file is its maker's alone; a set is read by whoever may read the old one, or any new file."""
    if target.exists():
        shutil.copymode(target, made)
        return
    mask = os.umask(0)
    os.umask(mask)
    made.chmod(0o666 & ~mask)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _cannot(path: Path, error: OSError) -> StartRefusedError:
    return StartRefusedError(f"{path} cannot be written: {error.strerror}.", next_step="Check the path and its rights.")
