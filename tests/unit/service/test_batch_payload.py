"""A batch: a bad item fails alone."""

import json
from typing import Any

import pytest

from service.core.config import Settings
from service.core.errors import BodyTooLargeError, PayloadInvalidError
from service.core.payload import parse_batch
from service.core.schemas import Submission

GOOD: dict[str, Any] = {"response": "x"}


def fates(sent: bytes, *, lines: bool) -> list[str]:
    """What became of each item: `ok`, or the field of its refusal."""
    items = parse_batch(sent, Settings(), lines=lines)
    return ["ok" if isinstance(item, Submission) else f"bad {item.field}".strip() for item in items]


def array(*items: Any) -> bytes:
    return json.dumps(items).encode()


def test_array_in_order() -> None:
    """Items come back in the order in which they were sent."""
    items = parse_batch(array(*({"id": f"i{n}", "response": "x"} for n in range(5))), Settings(), lines=False)
    assert [item.id for item in items if isinstance(item, Submission)] == ["i0", "i1", "i2", "i3", "i4"]


def test_bad_item_of_an_array_fails_alone() -> None:
    """An item that is not valid becomes its error, in its place."""
    assert fates(array(GOOD, {"respons": "x"}, 5, None, [], GOOD), lines=False) == [
        "ok",
        "bad response",
        "bad",
        "bad",
        "bad",
        "ok",
    ]


def test_nul_in_an_array_fails_alone() -> None:
    """U+0000 is the fault of the one item that has it."""
    assert fates(array(GOOD, {"response": "a\0"}, GOOD), lines=False) == ["ok", "bad response", "ok"]


@pytest.mark.parametrize("text", [b'"a\\ud800b"', b'"\xff\xfe"', b'"\xed\xa0\x80"'])
@pytest.mark.parametrize("field", ["response", "question", "contexts", "release"])
def test_text_that_is_not_unicode_fails_alone(text: bytes, field: str) -> None:
    """Half a surrogate pair, or bytes that are not UTF-8, are the fault of the one item that has them."""
    bad = b'{"response": "x", "%s": %s}' % (field.encode(), text)
    found = fates(b'[{"response": "x"}, ' + bad + b', {"response": "\\ud83d\\ude00 \xc3\xa9"}]', lines=False)
    assert found == ["ok", "bad", "ok"]


@pytest.mark.parametrize("sent", [b'[{"response": "\xff"}', b'[{"response": "\xff"}]]', b"\xff" + b"[" * 100_000])
def test_what_is_no_json_fails_whole(sent: bytes) -> None:
    """Where the marks are not those of one array there are no items to tell apart."""
    with pytest.raises(PayloadInvalidError, match="Not valid JSON"):
        parse_batch(sent, Settings(), lines=False)


def test_nul_in_a_line_fails_alone() -> None:
    """U+0000 in one line is refused with that line only, by the path within it."""
    sent = b"\n".join(json.dumps(item).encode() for item in (GOOD, {"response": "x", "tags": {"a": "\0"}}, GOOD))
    assert fates(sent, lines=True) == ["ok", "bad tags.a", "ok"]


@pytest.mark.parametrize("line", [b"{", b"5", b'{"response": 5}', b'{"response": "\xff"}', rb'{"response": "\ud800"}'])
def test_bad_line_fails_alone(line: bytes) -> None:
    """A line that is not JSON, or not a submission, becomes its error, in its place."""
    found = fates(b'{"response": "x"}\n' + line + b'\n{"response": "y"}\n', lines=True)
    assert [fate.split()[0] for fate in found] == ["ok", "bad", "ok"]


def test_blank_lines_count_for_nothing() -> None:
    """Blank lines, either line end, and a last line without one are all usual."""
    assert fates(b'\n{"response": "x"}\r\n\r\n  \n{"response": "y"}', lines=True) == ["ok", "ok"]


def test_line_separator_within_a_text_is_text() -> None:
    """U+2028 and U+0085 end no line of NDJSON."""
    sent = '{"response": "a\u2028b"}\n{"response": "a\u0085b"}'.encode()
    assert fates(sent, lines=True) == ["ok", "ok"]


@pytest.mark.parametrize("sent", [b"[]", b""])
def test_empty_batch(sent: bytes) -> None:
    """No items, no results."""
    assert fates(sent, lines=not sent) == []


@pytest.mark.parametrize("sent", [b'{"response": "x"}', b"null", b'"x"', b"5", b"", b"[", b"\xff"])
def test_not_a_list_is_refused_whole(sent: bytes) -> None:
    """What is no array is no batch."""
    with pytest.raises(PayloadInvalidError):
        parse_batch(sent, Settings(), lines=False)


@pytest.mark.parametrize("lines", [False, True])
def test_too_many_items(lines: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """More items than the limit are refused whole, with the limit."""
    sent = b'{"response": "x"}\n' * 3 if lines else array(GOOD, GOOD, GOOD)
    with pytest.raises(BodyTooLargeError, match="at most 2"):
        parse_batch(sent, Settings(max_batch_items=2), lines=lines)
