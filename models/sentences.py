"""The sentence: where one ends and the next begins, for responses and contexts alike.

Spans are code points; the spans of one text lie end to end and together are the whole text, whitespace included.
"""

import re
from collections.abc import Iterator
from importlib.metadata import version
from itertools import pairwise

import sentencex

# Raise with any change to the rules below: it is part of every scorer's fingerprint.
_RULES = "3"
_LANGUAGE = "en"

# A list marker: "- ", "* ", "1. ", "2) ", "(3) ", "a) ".
MARKER = r"(?:[-*+•·‣▪◦●–—]|\(?\d{1,3}[.)]|\(?[A-Za-z]\))"
_OPENS_ITEM = re.compile(rf"\s*(?:{MARKER}\s|#{{1,6}}\s|\||>)")
_LONE_MARKER = re.compile(rf"\s*{MARKER}\s*\Z")
_ENDS_SENTENCE = re.compile(r"[.!?:;|。！？…][\"'”’)\]*_]*\s*\Z")

# A line at least this long that does not end a sentence was broken by a margin, not by its author.
_WRAPPED_LINE_CHARACTERS = 60

_STRETCH_CHARACTERS = 10_000
# Text of hardly anything but quote marks, which no author writes, is read in short stretches.
_QUOTE = re.compile("[\"'`´\u2018-\u201f«»‹›「-』〝-〟\uff02\uff07]")
# A straight mark behind a digit while none is open: inches or seconds. sentencex would take it for one that opens.
_STRAIGHT = re.compile('"')
_PRIME = "\u2033"
_DENSE_QUOTES = 1_000
_DENSE_STRETCH_CHARACTERS = 500


def splitter_version() -> str:
    """Name and version of everything that decides where sentences end."""
    return f"sentencex {version('sentencex')} {_LANGUAGE}, lines {_RULES}"


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Spans (start, end) of the sentences of `text`, in order; they partition it. Empty for an empty text."""
    cuts = [0]
    for start, end in _blocks(text):
        block = text[start:end]
        bare = block.strip()
        # Nothing to divide: texts of a million short lines are read in a second.
        if not bare or bare.isalnum() or _LONE_MARKER.match(bare):
            cuts.append(end)
        else:
            cuts.extend(start + cut for cut in _cuts(block))
    return [(start, end) for start, end in pairwise(cuts) if start < end]


def _cuts(block: str) -> list[int]:
    """Ends of the sentences of one block; the last is the block's own end. A lone marker joins what follows it."""
    cuts: list[int] = []
    start = 0
    for end in _boundaries(_primed(block)):
        if end > start and not _LONE_MARKER.match(block, start, end):
            cuts.append(end)
            start = end
    return [*cuts, len(block)]


def _primed(block: str) -> str:
    """The block with marks of inches and seconds as primes, which quote nothing; as long as it was."""
    quotes = 0

    def mark(found: re.Match[str]) -> str:
        nonlocal quotes
        if quotes % 2 == 0 and block[found.start() - 1 : found.start()].isdigit():
            return _PRIME
        quotes += 1
        return '"'

    return _STRAIGHT.sub(mark, block)


def _boundaries(block: str) -> Iterator[int]:
    """Where sentencex ends sentences inside the block, read in stretches, each begun where a sentence begins.

    sentencex takes quadratic time over quote marks: a megabyte of them at once would take minutes.
    """
    start = dense_until = 0
    while block[start : start + _STRETCH_CHARACTERS].strip():
        stretch = block[start : start + _STRETCH_CHARACTERS]
        if start >= dense_until and len(_QUOTE.findall(stretch)) > _DENSE_QUOTES:
            dense_until = start + len(stretch)
        if start < dense_until:
            stretch = stretch[:_DENSE_STRETCH_CHARACTERS]
        ends = [start + int(found["end_index"]) for found in sentencex.get_sentence_boundaries(_LANGUAGE, stretch)]
        if start + len(stretch) >= len(block):
            yield from (end for end in ends if end < len(block))
            return
        # The last sentence may go on past the stretch; alone it is longer than any claim or window, and cut.
        kept = [end for end in ends if start < end < start + len(stretch)] or [start + len(stretch)]
        yield from kept
        start = kept[-1]


def _blocks(text: str) -> list[tuple[int, int]]:
    """Lines, with those that continue the line before them joined to it; the blocks partition the text.

    Sentences do not cross list items or headings, which seldom end in a full stop; sentencex alone runs them together.
    """
    blocks: list[tuple[int, int]] = []
    start = end = 0
    previous = ""
    for line in text.splitlines(keepends=True):
        if end > start and not _continues(previous, line):
            blocks.append((start, end))
            start = end
        end += len(line)
        previous = line
    blocks.append((start, end))
    return blocks


def _continues(previous: str, line: str) -> bool:
    """Whether `line` goes on with the sentence that `previous` left open."""
    first = line.lstrip()[:1]
    if not first or not previous.strip() or _OPENS_ITEM.match(line) or _ENDS_SENTENCE.search(previous[-20:]):
        return False
    if previous.lstrip().startswith("#"):
        return False
    return first.islower() or first.isdigit() or len(previous) >= _WRAPPED_LINE_CHARACTERS
