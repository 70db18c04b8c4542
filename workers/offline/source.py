"""The source: a file of rows, by its format, wherever it lies."""

import contextlib
import gzip
import hashlib
import sys
from collections.abc import Generator, Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, cast

from service.core.config import Settings
from service.core.errors import StartRefusedError
from workers.offline.readers import (
    UNREADABLE,
    SourceRow,
    count_lines,
    csv_columns,
    open_parquet,
    read_csv,
    read_lines,
    read_parquet,
)

STDIN = "-"


class Format(StrEnum):
    """How a file holds rows."""

    JSONL = "jsonl"  # one JSON document a line
    CSV = "csv"  # with a header
    PARQUET = "parquet"


SUFFIXES = {".jsonl": Format.JSONL, ".ndjson": Format.JSONL, ".csv": Format.CSV, ".parquet": Format.PARQUET}


def format_of(path: str, chosen: Format | None) -> Format:
    """The format that was chosen, or that the name's suffix tells. Raises StartRefusedError if it tells none."""
    if chosen is not None:
        return chosen
    if path == STDIN:
        return Format.JSONL
    suffix = Path(path.lower().removesuffix(".gz")).suffix
    if suffix not in SUFFIXES:
        raise StartRefusedError(
            f"The name {path} does not tell its format.", next_step="Add --format jsonl, csv or parquet."
        )
    return SUFFIXES[suffix]


class Source:
    """Rows to be read, as often as needed if it is a file, once if it is standard input."""

    def __init__(self, path: str, chosen: Format | None, settings: Settings, lists: frozenset[str]) -> None:
        """`lists`: columns of contexts beside those that are known. Raises StartRefusedError."""
        self.path = None if path == STDIN else Path(path)
        self.format = format_of(path, chosen)
        self._limit = settings.max_body_bytes
        self._lists = lists
        if self.format is Format.PARQUET and (self.path is None or self.path.suffix == ".gz"):
            raise StartRefusedError(
                "Parquet cannot be read from a pipe or from inside .gz.", next_step="Give the .parquet file itself."
            )
        if self.path is not None and not self.path.is_file():
            raise StartRefusedError(f"There is no file {path}.", next_step="Correct the name; `-` is standard input.")

    def rows(self) -> Iterator[SourceRow]:
        """All rows, in order. Raises StartRefusedError where the file cannot be read on."""
        line = 0
        try:
            with self._opened() as stream, contextlib.closing(self._read(stream)) as rows:
                for row in rows:
                    line = row.line
                    yield row
        except UNREADABLE as error:
            raise StartRefusedError(
                f"The input cannot be read after line {line}: {error}.",
                next_step="Rows so far are kept. Mend the file; a changed file needs another -o or --restart.",
            ) from None

    def count(self) -> int | None:
        """How many rows there are, by a look through the file; None for standard input. Raises StartRefusedError."""
        if self.path is None:
            return None
        with self._readable(), self._opened() as stream:
            if self.format is Format.PARQUET:
                return int(open_parquet(stream).metadata.num_rows)
            if self.format is Format.JSONL:
                return count_lines(stream, self._limit)
            with contextlib.closing(self._read(stream)) as rows:
                return sum(1 for _ in rows)

    def columns(self) -> list[str] | None:
        """The names in the header; None where there is none, or where reading it would use it up."""
        if self.path is None or self.format is Format.JSONL:
            return None
        with self._readable(), self._opened() as stream:
            if self.format is Format.PARQUET:
                return list(open_parquet(stream).schema_arrow.names)
            return csv_columns(stream, self._limit)

    def digest(self) -> str:
        """SHA-256 of the file's bytes; empty for standard input. Raises StartRefusedError."""
        if self.path is None:
            return ""
        with self._readable(), self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def _read(self, stream: IO[bytes]) -> Generator[SourceRow]:
        match self.format:
            case Format.JSONL:
                return read_lines(stream, self._limit)
            case Format.CSV:
                return read_csv(stream, self._limit, self._lists)
            case Format.PARQUET:
                return read_parquet(open_parquet(stream))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        if self.path is None:
            yield sys.stdin.buffer
        elif self.path.suffix == ".gz":
            with gzip.open(self.path, "rb") as stream:
                yield cast("IO[bytes]", stream)
        else:
            with self.path.open("rb") as stream:
                yield stream

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except UNREADABLE as error:
            raise StartRefusedError(
                f"Cannot read {self.path}: {error}.", next_step="Mend the file, or give another."
            ) from None
