"""Rows of a file that other tools wrote, each with the place where it stands: JSON, JSON Lines, CSV or Parquet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from service.core.config import Settings
from service.core.errors import PayloadInvalidError, StartRefusedError
from service.core.golden.sets import MAX_FILE_BYTES
from service.core.payload import refuse_nul
from workers.offline.source import STDIN, Format, Source

JSON_SUFFIX = ".json"
# Under these names files hold their list of rows: DeepEval's test runs and data sets, RAGAS' own model, and what is usual.
LISTS = (
    "goldens",
    "testCases",
    "test_cases",
    "conversationalGoldens",
    "conversational_goldens",
    "conversationalTestCases",
    "conversational_test_cases",
    "samples",
    "data",
    "items",
)
NOT_ROWS = "It is no list of rows."


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundRow:
    """One row as it was found."""

    place: str  # as a person finds it: `line 3`, `row 3`, `testCases 3`
    document: Any = None
    problem: PayloadInvalidError | None = None  # why it could not be read


def read_rows(path: str, settings: Settings, lists: frozenset[str]) -> Iterator[FoundRow]:
    """All rows of a file, in order.

    Args:
        path: `-` is standard input, one JSON document a line.
        settings: the longest line is `max_body_bytes`.
        lists: columns of a CSV file in which a cell may be a JSON list.

    Raises StartRefusedError where the file as a whole cannot be read.
    """
    if path != STDIN and Path(path.lower()).suffix == JSON_SUFFIX:
        document = _document(Path(path))
        if document is not None:
            yield from _rows_of(document)
            return
        source = Source(path, Format.JSONL, settings, lists)  # many a file of lines is called .json
    else:
        source = Source(path, None, settings, lists)
    word = "row" if source.format is Format.PARQUET else "line"
    for row in source.rows():
        yield FoundRow(place=f"{word} {row.line}", document=row.document, problem=row.problem)


def _document(path: Path) -> Any | None:
    """The one document of a file; None where it looks like one document a line."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise StartRefusedError(f"{path} is over {MAX_FILE_BYTES} bytes.", next_step="Split it, or make it lines.")
        body = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise StartRefusedError(f"{path} cannot be read: {error.strerror}.", next_step="Check the path.") from None
    try:
        return from_json(body)  # NaN, which tools write for a missing figure, is no reason to refuse a file
    except ValueError as error:
        first = body.lstrip().split(b"\n", 1)[0]
        if _is_object(first):
            return None
        raise StartRefusedError(f"{path} is not valid JSON: {error}.", next_step="Mend the file.") from None


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(from_json(text), dict)
    except ValueError:
        return False


def _rows_of(document: Any) -> Iterator[FoundRow]:
    if isinstance(document, list):
        yield from _numbered("row", document)
        return
    if not isinstance(document, dict):
        raise StartRefusedError(NOT_ROWS, next_step="Give a JSON list of objects, or an object that holds one.")
    held = [name for name in LISTS if _is_list_of_rows(document.get(name))]
    columns = None if held else _by_columns(document)
    if columns is not None:
        yield from _numbered("row", columns)
    elif held:
        for name in held:
            yield from _numbered(name, document[name])
    else:
        yield _checked("row 1", document)


def _is_list_of_rows(value: Any) -> bool:
    return isinstance(value, list) and (not value or any(isinstance(each, dict) for each in value))


def _by_columns(document: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The rows of a table that was written column by column, as `datasets` and `pandas` do; None: it is no such table."""
    columns = list(document.values())
    if not columns:
        return None
    if all(isinstance(column, dict) for column in columns):
        keys = list(columns[0])
        if any(list(column) != keys for column in columns):
            return None
        return [{name: column[key] for name, column in document.items()} for key in keys]
    if any(not isinstance(column, list) or len(column) != len(columns[0]) for column in columns):
        return None
    # One column alone is the list of contexts of a single row; a table has at least two, and one of texts.
    if not any(isinstance(value, str) for column in columns for value in column[:1]):
        return None
    return [dict(zip(document, values, strict=True)) for values in zip(*columns, strict=True)]


def _numbered(word: str, documents: list[Any]) -> Iterator[FoundRow]:
    for number, document in enumerate(documents, start=1):
        yield _checked(f"{word} {number}", document)


def _checked(place: str, document: Any) -> FoundRow:
    try:
        refuse_nul(document)
    except PayloadInvalidError as error:
        return FoundRow(place=place, problem=error)
    return FoundRow(place=place, document=document)
