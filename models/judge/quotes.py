"""The quote: where a text says what a judge claims that it says.

A quote counts if the text holds it to the letter, or but for what copying changes: whitespace, case, typographic quotes
and dashes, compatibility forms (NFKD of each character), invisible characters, and punctuation around the whole of it.
"""

import re
import unicodedata
from array import array
from collections.abc import Sequence
from functools import lru_cache

# Bytes that the letters and digits of a quote must fill in UTF-8, unless it is the whole text: two words, or three
# Chinese characters. Shorter ones stand in many texts by chance and prove nothing.
LEAST_QUOTE = 8

# Characters between two parts that a quote joins by an ellipsis: more is not one passage.
MOST_GAP = 300
_MOST_PARTS = 4
_MOST_JOINED = 5_000  # characters of a quote with an ellipsis: bounds the time of looking for its parts

_QUOTE_MARKS = frozenset("'\"`´‘’‚‛“”„‟«»‹›′″‴「」『』〝〞〟")
_MINUS = "\u2212"
_EDGES = " '.,;:!?()[]*_-"
_ELLIPSIS = re.compile(r"[\[(]?\.{3,}[\])]?")
_ONE_BYTE, _TWO_BYTES = 0x80, 0x800


class Passage:
    """One text in which quotes are looked up, read no more than once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._read: tuple[str, Sequence[int]] | None = None

    def find(self, quote: str) -> tuple[int, int] | None:
        """The first place [start, end) of the quote in code points of the text; None if it is nowhere, or too short.

        An ellipsis joins up to four parts in order, each long enough by itself and at most MOST_GAP characters after
        the one before; the place is then from the first to the last. A place that begins or ends within a ligature
        takes the whole of it. Time grows with the length of the text.
        """
        wanted = normalised(quote)
        if not _is_enough(wanted) and not self._is(wanted):
            return None
        bare = quote.strip()
        start = self.text.find(bare)
        if start >= 0:
            return start, start + len(bare)
        plain, _ = self._normal
        for form in (wanted, wanted.strip(_EDGES)):
            at = plain.find(form) if form else -1
            if at >= 0 and (_is_enough(form) or self._is(wanted)):
                return self._place(at, at + len(form))
        return self._joined(wanted)

    def _is(self, wanted: str) -> bool:
        """Whether this is all that the text says."""
        return _weight(wanted) > 0 and self._normal[0].strip(_EDGES) == wanted.strip(_EDGES)

    @property
    def _normal(self) -> tuple[str, Sequence[int]]:
        if self._read is None:
            self._read = _normal(self.text)
        return self._read

    def _place(self, start: int, end: int) -> tuple[int, int]:
        _, origins = self._normal
        return origins[start], origins[end - 1] + 1

    def _joined(self, wanted: str) -> tuple[int, int] | None:
        parts = [part for part in (each.strip(_EDGES) for each in _ELLIPSIS.split(wanted)) if part]
        if not 1 < len(parts) <= _MOST_PARTS or len(wanted) > _MOST_JOINED or not all(map(_is_enough, parts)):
            return None
        plain, _ = self._normal
        start = plain.find(parts[0])
        while start >= 0:
            end = start + len(parts[0])
            for part in parts[1:]:
                at = plain.find(part, end, end + MOST_GAP + len(part))
                if at < 0:
                    break
                end = at + len(part)
            else:
                return self._place(start, end)
            start = plain.find(parts[0], start + len(parts[0]))
        return None


def find_quote(quote: str, text: str) -> tuple[int, int] | None:
    """The first place of the quote in the text, as Passage.find says it."""
    return Passage(text).find(quote)


def normalised(text: str) -> str:
    """What of a text is compared: lower case, decomposed, plain marks, single spaces, nothing invisible."""
    return _normal(text)[0].strip()


def _normal(text: str) -> tuple[str, Sequence[int]]:
    """The form that is compared, and of each of its characters the position of the one that it came from."""
    characters: list[str] = []
    origins = array("L")
    spaced = True
    for position, character in enumerate(text):
        for form in _form(character):
            if form == " " and spaced:
                continue
            spaced = form == " "
            characters.append(form)
            origins.append(position)
    return "".join(characters), origins


@lru_cache(maxsize=4_096)
def _form(character: str) -> str:
    """What one character is compared as. By itself, so that places can be told in the text as it was sent."""
    if character in _QUOTE_MARKS:
        return "'"
    category = unicodedata.category(character)
    if category == "Cf" or "\ufe00" <= character <= "\ufe0f" or character == "\u034f":
        return ""  # shows nothing: zero-width, direction, variation, joiner
    if category == "Pd" or character == _MINUS:
        return "-"
    if character.isspace():
        return " "
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return "".join("'" if part in _QUOTE_MARKS else part for part in folded)


def _is_enough(form: str) -> bool:
    return _weight(form) >= LEAST_QUOTE


def _weight(form: str) -> int:
    return sum(
        1 if ord(character) < _ONE_BYTE else 2 if ord(character) < _TWO_BYTES else 3
        for character in unicodedata.normalize("NFC", form)
        if character.isalnum()
    )
