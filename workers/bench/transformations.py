"""The transformation: an item whose contexts are told another way, by which no claim should lose its support."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from models.sentences import split_sentences
from models.types import Context, Item

PARAGRAPH, SPACE = "\n\n", " "
LEAST_WORDS = 6  # of a sentence that is split within

# Texts of the contexts, irrelevant passages (two), a seeded draw -> texts; None where there is nothing to transform.
Apply = Callable[[Sequence[str], Sequence[str], Random], list[str] | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Transformation:
    """One way to tell contexts otherwise."""

    name: str
    about: str
    exact: bool  # it only adds windows, so that not one score may rise
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
        return halves and [first.rstrip() + mark + passages[0] + mark + second for first, second in halves]

    return apply


def _merge(mark: str) -> Apply:
    return lambda texts, passages, draw: [mark.join(_shuffled([*texts, *passages], draw))]


def _split_between(texts: Sequence[str], _: Sequence[str], draw: Random) -> list[str] | None:
    halves = _halves(texts, draw)
    return halves and [half for pair in halves for half in pair if half]


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
        about="an irrelevant passage as another context, after it",
        exact=True,
        apply=lambda texts, passages, _: [*texts, passages[0]],
    ),
    Transformation(
        name="prepend_context",
        about="an irrelevant passage as another context, before it",
        exact=True,
        apply=lambda texts, passages, _: [passages[0], *texts],
    ),
    Transformation(
        name="append_paragraph",
        about="an irrelevant passage in the same context, after a blank line",
        exact=True,
        apply=_append(PARAGRAPH),
    ),
    Transformation(
        name="prepend_paragraph",
        about="an irrelevant passage in the same context, before a blank line",
        exact=True,
        apply=_prepend(PARAGRAPH),
    ),
    Transformation(
        name="shuffle",
        about="the context among two irrelevant ones, in any order",
        exact=True,
        apply=_shuffle,
    ),
    Transformation(
        name="duplicate",
        about="the context twice",
        exact=True,
        apply=lambda texts, _, __: [*texts, *texts],
    ),
    Transformation(
        name="merge_paragraphs",
        about="the context and two irrelevant ones merged into one in any order, blank lines between",
        exact=True,
        apply=_merge(PARAGRAPH),
    ),
    Transformation(
        name="append_space",
        about="an irrelevant passage in the same context, after a space",
        exact=False,
        apply=_append(SPACE),
    ),
    Transformation(
        name="prepend_space",
        about="an irrelevant passage in the same context, before a space",
        exact=False,
        apply=_prepend(SPACE),
    ),
    Transformation(
        name="merge_space",
        about="the context and two irrelevant ones merged into one in any order, spaces between",
        exact=False,
        apply=_merge(SPACE),
    ),
    Transformation(
        name="insert_paragraph",
        about="an irrelevant paragraph between two of its sentences",
        exact=False,
        apply=_insert(PARAGRAPH),
    ),
    Transformation(
        name="insert_space",
        about="an irrelevant passage between two of its sentences, in the same line",
        exact=False,
        apply=_insert(SPACE),
    ),
    Transformation(
        name="split_between",
        about="the context split in two between two of its sentences",
        exact=False,
        apply=_split_between,
    ),
    Transformation(
        name="split_within",
        about="the context split in two within one of its sentences",
        exact=False,
        apply=_split_within,
    ),
)
