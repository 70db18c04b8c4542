"""The items of a JSON array that cannot be read as a whole: found by the marks between them, so that one fails alone."""

import re
from collections.abc import Iterator

# A string, the start of one that never ends, or a mark outside strings. Possessive: linear in the body.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)
_OPENS, _CLOSES = b"[{", b"]}"


def split_array(body: bytes) -> list[bytes] | None:
    """The bytes of each item; None where the marks are not those of one array."""
    bare = body.strip(b" \t\r\n")
    if not (bare.startswith(b"[") and bare.endswith(b"]")):
        return None
    cuts = list(_cuts(bare))
    if not cuts or cuts[-1] != len(bare) - 1:
        return None
    items = [bare[start + 1 : end].strip(b" \t\r\n") for start, end in zip([0, *cuts], cuts, strict=False)]
    return items if all(items) else None


def _cuts(bare: bytes) -> Iterator[int]:
    """Where the commas of the outermost array are, and its end; ends early where brackets do not match."""
    opened = bytearray()
    for token in _TOKEN.finditer(bare):
        mark = token[0]
        if mark == b'"' or (not opened and token.start()):
            return
        if mark in _OPENS:
            opened += mark
        elif mark in _CLOSES:
            if _OPENS.index(opened.pop()) != _CLOSES.index(mark):
                return
            if not opened:
                yield token.start()
        elif mark == b"," and len(opened) == 1:
            yield token.start()
