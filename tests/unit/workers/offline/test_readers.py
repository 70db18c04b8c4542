"""Reading: rows of any format, and errors in their place."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from service.core.config import Settings
from service.core.errors import StartRefusedError
from tests.unit.workers.offline.support import answers, lines, read, scored
from workers.offline.source import Format, Source, format_of


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.jsonl", "jsonl"), ("a.NDJSON", "jsonl"), ("a.csv", "csv"), ("a.parquet", "parquet"), ("a.csv.gz", "csv")],
)
def test_the_name_tells_the_format(name: str, expected: str) -> None:
    """The suffix, in either case and before .gz, tells the format."""
    assert format_of(name, None) == expected


def test_a_name_that_tells_nothing_is_refused() -> None:
    """The refusal names the option."""
    with pytest.raises(StartRefusedError, match="--format"):
        format_of("rows.txt", None)
    assert format_of("rows.txt", Format.CSV) is Format.CSV
    assert format_of("-", None) is Format.JSONL


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    """Lines of space are passed over; a last line needs no end; a byte order mark is no content."""
    file = written(tmp_path, "a.jsonl", b'\xef\xbb\xbf{"a":1}\n\n  \r\n{"a":2}\r\n{"a":3}')
    assert read(file) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_a_bad_line_is_an_error_with_its_number(tmp_path: Path) -> None:
    """What is not JSON, not UTF-8, too long or holds U+0000 fails alone, by its line's number."""
    long = b'{"a":"' + b"x" * 2_000 + b'"}'
    bad = [b'{"a":1}', b"{", b"\xff", b"", long, b'{"a":"\\u0000"}', b'{"a":2}']
    found = read(written(tmp_path, "a.jsonl", lines(bad)), max_body_bytes=1_024)
    assert [row if isinstance(row, dict) else row[0] for row in found] == [{"a": 1}, 2, 3, 5, 6, {"a": 2}]


def test_counts_are_those_of_the_rows(tmp_path: Path) -> None:
    """The progress bar's total is the number of rows that will be read, in each format."""
    file = written(tmp_path, "a.jsonl", b'{"a":1}\n\nx\n{"a":2}')
    table = written(tmp_path, "a.csv", b'a,b\n1,"2\n3"\n4,5\n')
    for path in (file, table):
        source = Source(str(path), None, Settings(), frozenset())
        assert source.count() == len(list(source.rows()))


def test_gzip_is_read(tmp_path: Path) -> None:
    """A .gz is read as what is in it; one that is cut off says after which line."""
    whole = gzip.compress(lines({"a": i, "b": str(i) * 99} for i in range(2_000)))
    assert len(read(written(tmp_path, "a.jsonl.gz", whole))) == 2_000
    with pytest.raises(StartRefusedError, match=r"after line \d"):
        read(written(tmp_path, "b.jsonl.gz", whole[: len(whole) // 2]))


def test_an_array_is_refused_with_the_fix(tmp_path: Path) -> None:
    """One JSON array is no JSON Lines; otherwise each of its lines would be an error."""
    with pytest.raises(StartRefusedError, match="jq"):
        read(written(tmp_path, "a.jsonl", b'\n[{"response": "x"},\n {"response": "y"}]'))


CSV_CASES: list[tuple[str, Any]] = [
    ('["a","b"]', ["a", "b"]),  # a JSON list is the list
    ("[1] says", "[1] says"),  # not JSON: one context
    ('{"price": 1}', '{"price": 1}'),  # not a list: one context, such as data that became text
    ("plain", "plain"),
]


@pytest.mark.parametrize(("cell", "expected"), CSV_CASES)
def test_a_cell_of_contexts(tmp_path: Path, cell: str, expected: Any) -> None:
    """A JSON list is the list, anything else is one context; also in columns that the caller chose."""
    quoted = '"' + cell.replace('"', '""') + '"'
    file = written(tmp_path, "a.csv", f"contexts,premise,response\n{quoted},{quoted},r\n".encode())
    assert read(file, None, "premise") == [{"contexts": expected, "premise": expected, "response": "r"}]


def test_cells_of_numbers_and_objects(tmp_path: Path) -> None:
    """Numbers and objects are read as JSON; texts stay texts, however much they look like numbers."""
    file = written(tmp_path, "a.csv", b'id,latency_ms,tags,response\n7,12.5,"{""a"":""b""}",42\n8,,,\n')
    assert read(file) == [
        {"id": "7", "latency_ms": 12.5, "tags": {"a": "b"}, "response": "42"},
        {"id": "8", "response": ""},
    ]


def test_bad_cells_fail_alone(tmp_path: Path) -> None:
    """A row with too many cells, or with bytes that are not UTF-8, is an error row; its neighbours are scored."""
    content = b"contexts,response\na,The kettle.\na,b,c\n\xff,The kettle.\na,The kettle.\n"
    out = tmp_path / "out.jsonl"
    scored(written(tmp_path, "a.csv", content), out)
    assert [row.get("status", row.get("line")) for row in answers(out)] == ["scored", 3, 4, "scored"]


def test_parquet(tmp_path: Path) -> None:
    """Lists, structs and times of a Parquet file are those of a submission; nulls are absent."""
    rows = [
        {"id": "a", "contexts": [{"id": "d", "text": "x", "score": None}], "response": "r", "question": None},
        {"id": None, "contexts": [], "response": "s", "question": "q"},
    ]
    table = pa.Table.from_pylist(rows).append_column("occurred_at", pa.array([datetime(2026, 1, 2, tzinfo=UTC)] * 2))
    path = tmp_path / "a.parquet"
    parquet.write_table(table, path)
    found = read(path)
    assert [row.pop("occurred_at") for row in found] == [datetime(2026, 1, 2, tzinfo=UTC)] * 2
    assert found == [
        {"id": "a", "contexts": [{"id": "d", "text": "x"}], "response": "r"},
        {"contexts": [], "response": "s", "question": "q"},
    ]


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    """The refusal says so, without a traceback."""
    with pytest.raises(StartRefusedError, match="Parquet"):
        read(written(tmp_path, "a.parquet", json.dumps({}).encode()))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """So is a folder."""
    for path in (tmp_path, tmp_path / "nothing.jsonl"):
        with pytest.raises(StartRefusedError):
            read(path, Format.JSONL)


@pytest.mark.parametrize(
    ("name", "text"), [("in.csv", "contexts,response\na,b\n"), ("in.jsonl", '{"response": "b"}\n')]
)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf16_is_named(tmp_path: Path, name: str, text: str, encoding: str) -> None:
    """One sentence for the file, not an error for each row."""
    file = tmp_path / name
    file.write_bytes(("\ufeff" if encoding == "utf-16-be" else "").encode(encoding) + text.encode(encoding))
    with pytest.raises(StartRefusedError, match="UTF-16"):
        read(file)
