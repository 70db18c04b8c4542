"""Readers: the bytes of a file as rows. A row that cannot be read is an error in its place, and the rest goes on."""

import codecs
import contextlib
import csv
import gzip
import io
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import IO, Any

from pydantic_core import from_json

from service.core.errors import PayloadInvalidError, StartRefusedError
from service.core.payload import ALIASES, decode_document, refuse_nul

BOM = b"\xef\xbb\xbf"
LISTS = frozenset({"contexts", "samples", *ALIASES["contexts"]})
OBJECTS = frozenset({"tags", "features", "usage"})
NUMBERS = frozenset({"latency_ms", "ttft_ms", "retrieval_ms", "cost_usd"})
PARQUET_ROWS = 256  # held at once
UNREADABLE = (OSError, EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceRow:
    """One row as it was found."""

    line: int  # the line it ends on; in Parquet the row; from 1
    document: Any = None
    problem: PayloadInvalidError | None = None  # why it could not be read


def read_lines(stream: IO[bytes], limit: int) -> Generator[SourceRow]:
    """JSON Lines: one document a line; blank lines are no rows. `limit`: bytes of the longest line."""
    first = True
    for line, text in _bounded_lines(stream, limit):
        if first and text and text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise _in_utf16()
        if first and text and text.lstrip().startswith(b"["):
            raise StartRefusedError(
                "The input is one JSON array, not one document a line.",
                next_step="Make it lines: jq -c '.[]' FILE > FILE.jsonl",
            )
        first = first and text is not None and not text.strip()
        if text is None:
            message = f"The line is longer than {limit} bytes. Send less, or raise ASSAY_MAX_BODY_BYTES."
            yield SourceRow(line=line, problem=PayloadInvalidError(message, field=""))
        elif text.strip():
            yield _decoded(line, text)


def _in_utf16() -> StartRefusedError:
    return StartRefusedError(
        "The input is UTF-16; UTF-8 is read.", next_step="Convert it: iconv -f UTF-16 -t UTF-8 FILE > FILE.utf8"
    )


def _bounded_lines(stream: IO[bytes], limit: int) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers; None for one that is too long, which is never held whole."""
    number = 0
    while text := stream.readline(limit + 1):
        number += 1
        too_long = len(text) > limit and not text.endswith(b"\n")
        while too_long and text and not text.endswith(b"\n"):
            text = stream.readline(limit)
        yield number, None if too_long else text.removeprefix(BOM) if number == 1 else text


def count_lines(stream: IO[bytes], limit: int) -> int:
    """How many rows `read_lines` would give, without reading them."""
    return sum(1 for _, text in _bounded_lines(stream, limit) if text is None or text.strip())


def _decoded(line: int, text: bytes) -> SourceRow:
    try:
        return SourceRow(line=line, document=decode_document(text))
    except PayloadInvalidError as error:
        return SourceRow(line=line, problem=error)


def read_csv(stream: IO[bytes], limit: int, lists: frozenset[str]) -> Generator[SourceRow]:
    """CSV with a header. An empty cell is absent, but for an empty response, which is a response.

    Cells of contexts and samples that are a JSON list are that list; any other cell of contexts is one context.
    `lists`: further columns of contexts.
    """
    with _csv_reader(stream, limit) as reader:
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                problem = PayloadInvalidError(f"Not valid CSV: {error}.", field="")
                yield SourceRow(line=reader.line_num, problem=problem)
            else:
                yield _row_of_cells(reader.line_num, cells, LISTS | lists)


def csv_columns(stream: IO[bytes], limit: int) -> list[str]:
    """The header. Raises StartRefusedError where it cannot be read."""
    with _csv_reader(stream, limit) as reader:
        return list(reader.fieldnames or ())


@contextlib.contextmanager
def _csv_reader(stream: IO[bytes], limit: int) -> Iterator["csv.DictReader[str]"]:
    # A byte that is not UTF-8 becomes a lone surrogate, for which that row alone is refused.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    csv.field_size_limit(limit)
    reader = csv.DictReader(text)
    try:
        header = "".join(reader.fieldnames or ())
        if "\0" in header:
            raise _in_utf16()
        yield reader
    except csv.Error as error:
        raise StartRefusedError(f"Not valid CSV: {error}.", next_step="Mend the header.") from None
    finally:
        text.detach()  # the stream is its opener's to close


def _row_of_cells(line: int, cells: dict[str | Any, Any], lists: frozenset[str]) -> SourceRow:
    if None in cells:
        problem = PayloadInvalidError("The row has more cells than the header. Quote cells that hold commas.", field="")
        return SourceRow(line=line, problem=problem)
    for name, cell in cells.items():
        if cell and not _is_unicode(cell):
            return SourceRow(line=line, problem=PayloadInvalidError("Not valid UTF-8.", field=ascii(name)[1:-1]))
    keep_empty = {"response", *ALIASES["response"]}
    document = {n: _cell(n, c, lists) for n, c in cells.items() if c or (c is not None and n in keep_empty)}
    return _checked(line, document)


def _is_unicode(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _cell(name: str, cell: str, lists: frozenset[str]) -> Any:
    wanted: Any = list if name in lists else dict if name in OBJECTS else (int, float) if name in NUMBERS else None
    if wanted is None:
        return cell
    try:
        value = from_json(cell, allow_inf_nan=False)
    except ValueError:
        return cell
    return value if isinstance(value, wanted) else cell


def read_parquet(file: Any) -> Generator[SourceRow]:
    """An open `pyarrow.parquet.ParquetFile`; nulls are absent."""
    line = 0
    batches = file.iter_batches(batch_size=PARQUET_ROWS)
    while True:
        try:
            documents = next(batches).to_pylist()
        except StopIteration:
            return
        except ValueError as error:  # pyarrow's errors of content are ValueErrors, those of files OSErrors
            raise OSError(str(error)) from error
        for document in documents:
            line += 1
            yield _checked(line, _without_nulls(document))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(held) for name, held in value.items() if held is not None}
    return [_without_nulls(held) for held in value] if isinstance(value, list) else value


def _checked(line: int, document: dict[str, Any]) -> SourceRow:
    try:
        refuse_nul(document)
    except PayloadInvalidError as error:
        return SourceRow(line=line, problem=error)
    return SourceRow(line=line, document=document)


def open_parquet(stream: IO[bytes]) -> Any:
    """A `pyarrow.parquet.ParquetFile`. Raises StartRefusedError, which says what to install."""
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415 - an extra, loaded only where it is asked for
    except ModuleNotFoundError:
        raise StartRefusedError(
            "Parquet needs pyarrow, which is not installed.", next_step="Install it: pip install 'assay-llm[tables]'."
        ) from None
    try:
        return parquet.ParquetFile(stream)
    except ArrowException as error:
        raise StartRefusedError(f"Not a Parquet file: {error}.", next_step="Give the right --format.") from None
