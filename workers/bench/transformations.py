"""The transformation: an item whose contexts are told another way, by which no claim should lose its support."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from models.sentences import split_sentences
from models.types import Context, Item

PARAGRAPH, SPACE = "\n\n", " "
LEAST_WORDS = 6  # of a sentence that is split within

# Texts of the contexts, irrelevant passages (two), a seeded draw -> texts; None where there is nothing to transform.
Apply = Callable[[Sequence[str], Sequence[str], Random], list[str] | None]


class Kind(StrEnum):
    """What a transformation does to the sentences of a context."""

    ADDED = "added"  # text beside them: it only adds windows, so that not one score may rise
    JOINED = "joined"  # text in their line: where a sentence ends may be read otherwise
    PARTED = "parted"  # something between two of them: what two say only together is said no longer
    CUT = "cut"  # one of them is in two contexts


@dataclass(frozen=True, kw_only=True, slots=True)
class Transformation:
    """One way to tell contexts otherwise."""

    name: str
    kind: Kind
    about: str
    apply: Apply


def with_contexts(item: Item, texts: Sequence[str]) -> Item:
    """The item with these contexts in place of its own."""
    return replace(item, contexts=tuple(Context(id=str(index), text=text) for index, text in enumerate(texts)))


def transform(item: Item, transformation: Transformation, passages: Sequence[str], draw: Random) -> Item | None:
    """The item, transformed; None where the transformation finds nothing to work on."""
    texts = transformation.apply([context.text for context in item.contexts], passages, draw)
    return None if texts is None else with_contexts(item, texts)


def _append(mark: str) -> Apply:
    return lambda texts, passages, _: [text + mark + passages[0] for text in texts]


def _prepend(mark: str) -> Apply:
    return lambda texts, passages, _: [passages[0] + mark + text for text in texts]


def _insert(mark: str) -> Apply:
    def apply(texts: Sequence[str], passages: Sequence[str], draw: Random) -> list[str] | None:
        halves = _halves(texts, draw)
        if halves is None:
            return None
        return [first.rstrip() + mark + passages[0] + mark + second for first, second in halves]

    return apply


def _merge(mark: str) -> Apply:
    return lambda texts, passages, draw: [mark.join(_shuffled([*texts, *passages], draw))]


def _split_between(texts: Sequence[str], _: Sequence[str], draw: Random) -> list[str] | None:
    halves = _halves(texts, draw)
    return None if halves is None else [half for pair in halves for half in pair if half]


def _split_within(texts: Sequence[str], _: Sequence[str], draw: Random) -> list[str] | None:
    """Cuts the longest context at a space inside a sentence."""
    longest = max(range(len(texts)), key=lambda index: len(texts[index]))
    text = texts[longest]
    cuts = [
        [
            at
            for at in range(start + 1, end - 1)
            if text[at] == " " and text[at - 1].isalnum() and text[at + 1].isalnum()
        ]
        for start, end in split_sentences(text)
        if len(text[start:end].split()) >= LEAST_WORDS
    ]
    cuts = [inside for inside in cuts if inside]
    if not cuts:
        return None
    at = draw.choice(draw.choice(cuts))
    return [*texts[:longest], text[:at], text[at + 1 :], *texts[longest + 1 :]]


def _shuffle(texts: Sequence[str], passages: Sequence[str], draw: Random) -> list[str]:
    return _shuffled([*texts, *passages], draw)


def _halves(texts: Sequence[str], draw: Random) -> list[tuple[str, str]] | None:
    """Each text in two, cut where a sentence ends; a text of one sentence stays whole. None if all are."""
    halves = []
    for text in texts:
        ends = [end for _, end in split_sentences(text) if text[:end].strip() and text[end:].strip()]
        at = draw.choice(ends) if ends else len(text)
        halves.append((text[:at], text[at:]))
    return halves if any(second for _, second in halves) else None


def _shuffled(texts: Sequence[str], draw: Random) -> list[str]:
    return draw.sample(texts, len(texts))


TRANSFORMATIONS = (
    Transformation(
        name="append_context",
        kind=Kind.ADDED,
        about="an irrelevant context after it",
        apply=lambda texts, passages, _: [*texts, passages[0]],
    ),
    Transformation(
        name="prepend_context",
        kind=Kind.ADDED,
        about="an irrelevant context before it",
        apply=lambda texts, passages, _: [passages[0], *texts],
    ),
    Transformation(
        name="append_paragraph",
        kind=Kind.ADDED,
        about="an irrelevant passage in the same context, after a blank line",
        apply=_append(PARAGRAPH),
    ),
    Transformation(
        name="prepend_paragraph",
        kind=Kind.ADDED,
        about="an irrelevant passage in the same context, before a blank line",
        apply=_prepend(PARAGRAPH),
    ),
    Transformation(
        name="shuffle",
        kind=Kind.ADDED,
        about="the context among two irrelevant ones, in any order",
        apply=_shuffle,
    ),
    Transformation(
        name="duplicate",
        kind=Kind.ADDED,
        about="the context twice",
        apply=lambda texts, _, __: [*texts, *texts],
    ),
    Transformation(
        name="merge_paragraphs",
        kind=Kind.ADDED,
        about="the context and two irrelevant ones merged into one in any order, blank lines between",
        apply=_merge(PARAGRAPH),
    ),
    Transformation(
        name="append_space",
        kind=Kind.JOINED,
        about="an irrelevant passage in the same context, after a space",
        apply=_append(SPACE),
    ),
    Transformation(
        name="prepend_space",
        kind=Kind.JOINED,
        about="an irrelevant passage in the same context, before a space",
        apply=_prepend(SPACE),
    ),
    Transformation(
        name="merge_space",
        kind=Kind.JOINED,
        about="the context and two irrelevant ones merged into one in any order, spaces between",
        apply=_merge(SPACE),
    ),
    Transformation(
        name="insert_paragraph",
        kind=Kind.PARTED,
        about="an irrelevant paragraph between two of its sentences",
        apply=_insert(PARAGRAPH),
    ),
    Transformation(
        name="insert_space",
        kind=Kind.PARTED,
        about="an irrelevant passage between two of its sentences, in the same line",
        apply=_insert(SPACE),
    ),
    Transformation(
        name="split_between",
        kind=Kind.PARTED,
        about="the context split in two between two of its sentences",
        apply=_split_between,
    ),
    Transformation(
        name="split_within",
        kind=Kind.CUT,
        about="the context split in two within one of its sentences",
        apply=_split_within,
    ),
)
