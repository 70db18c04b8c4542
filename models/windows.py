"""The window: what the model reads of a context at once, a sentence or a short run of them.

The law that all else stands on: a paragraph or a context that is added before, after or beside a text adds windows and
takes none away, so that it can never take support away from a claim. Which windows there are for a claim follows from each window and
the claim alone: every sentence, and every run of two or three whose first and last sentence each hold a word of the
claim that the rest of the run lacks. A longer run could only repeat what its parts say.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.sentences import split_sentences
from models.tokens import Encoded

# Raise with any change to the rules below: it is part of every scorer's fingerprint.
WINDOWS_VERSION = "4"

LONGEST_RUN = 3  # sentences

# A sentence longer than a window is cut into windows of which each begins in the middle of the one before.
_PIECES_PER_WINDOW = 2


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


def cut_sentences(source: Source, budget: int) -> list[Window]:
    """The sentences of a context as windows of at most `budget` tokens, which together cover every code point.

    A sentence too long for a window becomes several that overlap. Empty exactly when the context has no tokens.
    `budget` is positive.
    """
    ends = (*source.sentences[1:], len(source.encoded.ids)) if source.sentences else ()
    return [
        _window(source, first, last)
        for start, end in zip(source.sentences, ends, strict=True)
        for first, last in _pieces(source.encoded, start, end, budget)
    ]


def join_windows(source: Source, first: Window, last: Window) -> Window:
    """The window from the start of one to the end of another."""
    return _window(source, first.first, last.last)


def make_runs(
    sentences: Sequence[Window], shared: Sequence[frozenset[int]], budget: int
) -> Iterator[tuple[int, int, frozenset[int]]]:
    """Runs of at least two sentences that say more of a claim than their parts: (first, last, what they share).

    `shared` has, for each sentence, the words that it shares with the claim. Pieces of one sentence make no run.
    """
    for first, words in enumerate(shared):
        if not words:
            continue
        inner: frozenset[int] = frozenset()
        for last in range(first + 1, min(first + LONGEST_RUN, len(sentences))):
            if sentences[last].first != sentences[last - 1].last:
                break
            if sentences[last].last - sentences[first].first > budget:
                break
            if shared[last] - words - inner and words - inner - shared[last]:
                yield first, last, words | inner | shared[last]
            inner |= shared[last]


def _pieces(encoded: Encoded, start: int, end: int, budget: int) -> Iterator[tuple[int, int]]:
    """Spans of tokens that cover [start, end), each of at most `budget`, cut after a whole word where one is near."""
    if end - start <= budget:
        yield start, end
        return
    step = max(1, budget // _PIECES_PER_WINDOW)
    at, covered = start, start
    while end - at > budget:
        last = _cut(encoded, at, at + budget)
        if last > covered:  # else it would hold nothing that the one before does not
            yield at, last
            covered = last
        at = _cut(encoded, at, at + step)
    yield at, end


def _cut(encoded: Encoded, at: int, wanted: int) -> int:
    """The last place up to `wanted` where no word is divided, if there is one in the second half of the way."""
    cut = wanted
    while cut > at + (wanted - at) // 2 + 1 and encoded.starts[cut] == encoded.ends[cut - 1]:
        cut -= 1
    return cut if encoded.starts[cut] > encoded.ends[cut - 1] else wanted


def _window(source: Source, first: int, last: int) -> Window:
    """The window of tokens [first, last); characters that have no token go to the window before them."""
    starts = source.encoded.starts
    return Window(
        start=starts[first] if first else 0,
        end=starts[last] if last < len(starts) else source.length,
        first=first,
        last=last,
    )
