"""The window: a span of one context that fits the model's input beside a claim."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.sentences import split_sentences
from models.tokens import Encoded

# Raise with any change to the rules below: it is part of every scorer's fingerprint.
WINDOWS_VERSION = "1"

# A sentence longer than a window is cut into pieces of this share of it, so that its windows overlap too.
_PIECES_PER_WINDOW = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """One window of a context: code points [start, end) and tokens [first, last) of that context."""

    start: int
    end: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A context, split once, from which windows of any size are made."""

    encoded: Encoded
    sentences: tuple[int, ...]  # token positions at which sentences start, increasing; the first is 0 if any
    length: int  # code points of the text


def read_source(text: str, encoded: Encoded) -> Source:
    """Lays the sentences of `text` over its tokens. Linear in the length of the text."""
    sentences: list[int] = []
    token = 0
    for start, _ in split_sentences(text):
        while token < len(encoded.starts) and encoded.starts[token] < start:
            token += 1
        if token < len(encoded.starts) and (not sentences or token > sentences[-1]):
            sentences.append(token)
    return Source(encoded=encoded, sentences=tuple(sentences), length=len(text))


def make_windows(source: Source, budget: int) -> list[Window]:
    """Windows of at most `budget` tokens that together cover every code point of the context.

    They begin and end with sentences and share at least one with the window before, wherever two sentences fit in a
    window; a sentence too long for a window is cut into pieces, which are then treated as sentences are. Each window
    holds something that the one before does not. Empty exactly when the context has no tokens. `budget` is positive.
    """
    edges = _edges(source, budget)
    windows: list[Window] = []
    first, units, reached = 0, len(edges) - 1, 0
    while reached < units:
        last = first + 1
        while last < units and edges[last + 1] - edges[first] <= budget:
            last += 1
        if last > reached:
            windows.append(_window(source, edges[first], edges[last]))
            reached = last
        first = max(last - 1, first + 1)
    return windows


def _edges(source: Source, budget: int) -> list[int]:
    """Token positions between which the text is never cut further; no two neighbours are over `budget` apart."""
    total = len(source.encoded.ids)
    edges = [0]
    for end in (*source.sentences[1:], total):
        if end - edges[-1] > budget:
            edges.extend(_pieces(source.encoded.starts, source.encoded.ends, (edges[-1], end), budget))
        if end > edges[-1]:
            edges.append(end)
    return edges


def _pieces(starts: Sequence[int], ends: Sequence[int], span: tuple[int, int], budget: int) -> list[int]:
    """Cuts inside the long sentence at tokens [first, last), after a whole word where one ends near enough."""
    step = max(1, budget // _PIECES_PER_WINDOW)
    cuts: list[int] = []
    at, last = span
    while last - at > step:
        cut = at + step
        while cut > at + step // 2 + 1 and starts[cut] == ends[cut - 1]:
            cut -= 1
        at = cut if starts[cut] > ends[cut - 1] else at + step
        cuts.append(at)
    return cuts


def _window(source: Source, first: int, last: int) -> Window:
    """The window of tokens [first, last); characters that have no token go to the window before them."""
    starts = source.encoded.starts
    return Window(
        start=starts[first] if first else 0,
        end=starts[last] if last < len(starts) else source.length,
        first=first,
        last=last,
    )
