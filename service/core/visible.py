"""Text of users as a terminal may show it: nothing in it moves the cursor, changes colours or turns the direction."""

import unicodedata

_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, surrogates, separators of lines and paragraphs
_DIRECTIONS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def visible(text: str, limit: int) -> str:
    r"""The text with what a terminal would obey written as `\x1b`, cut with an ellipsis at `limit` code points."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(_escaped(character) if _is_obeyed(character) else character for character in cut)


def _is_obeyed(character: str) -> bool:
    if character == "\n":
        return False
    return unicodedata.category(character) in _CATEGORIES or unicodedata.bidirectional(character) in _DIRECTIONS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
