"""The trial: the claims of a set scored again, after something about their items was changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice

from models.calibrate import BALANCED
from models.training.rows import Row
from models.types import Item, Outcome, Scored, Scorer
from workers.bench.attacks import ATTACKS
from workers.bench.corpus import Corpus
from workers.bench.robustness_results import Shift
from workers.bench.shifts import Change, checked, count_shift, score_of
from workers.bench.transformations import PARAGRAPH, SPACE, TRANSFORMATIONS, transform, with_contexts

ITEMS_PER_CALL = 64
PASSAGES = 2
EVERY_ATTACK = "all of these at once"
CONTROL = "an irrelevant passage instead"
OWN_WORDS, OWN_PASSAGE = "own_words", "own_passage"
JOINED = {"append_paragraph": PARAGRAPH, "append_space": SPACE}

Variant = tuple[str, Scored, Item]  # what was changed, the outcome before, the item after


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One set, with what its rows score as they are."""

    name: str
    corpus: Corpus
    scorer: Scorer
    strict: float
    base: Sequence[tuple[Row, Scored]]

    def score(self, items: Sequence[Item]) -> list[Outcome]:
        """What the scorer says of them."""
        return self.scorer.score(items, lambda: None)

    def transformed(self) -> tuple[Shift, ...]:
        """Each transformation."""
        return self._compare([each.name for each in TRANSFORMATIONS], self._transformations())

    def diluted(self, words: Sequence[int], responses: int) -> tuple[Shift, ...]:
        """So many words of irrelevant contexts, of some responses with a claim that is not supported."""
        return self._compare([f"{count:,} words" for count in words], self._dilutions(words, responses))

    def helped(self) -> tuple[Shift, ...]:
        """A passage that repeats the response; the passage of a row labelled supported, beside irrelevant ones."""
        own_words = (
            (OWN_WORDS, before, with_contexts(row.item, [*_texts(row.item), row.item.response]))
            for row, before in self.base
        )
        return self._compare([OWN_WORDS], own_words) + self._compare([OWN_PASSAGE], self._passages_added())

    def attacked(self) -> tuple[Shift, ...]:
        """Each attack as another context, and all of them, of the responses with a claim that is not supported."""
        return self._compare([*ATTACKS, EVERY_ATTACK, CONTROL], self._attacks())

    def injected(self) -> tuple[Shift, ...]:
        """An attack after the response: what becomes of the sentences before it."""
        return self._compare(list(JOINED), self._injections())

    def _compare(self, names: Sequence[str], variants: Iterator[Variant]) -> tuple[Shift, ...]:
        changes: dict[str, list[Change]] = {name: [] for name in names}
        while part := list(islice(variants, ITEMS_PER_CALL)):
            outcomes = self.score([item for _, _, item in part])
            for (name, before, _), after in zip(part, outcomes, strict=True):
                changes[name].append(Change(before=before, after=after))
        return tuple(count_shift(name, found, self.strict) for name, found in changes.items())

    def _transformations(self) -> Iterator[Variant]:
        for index, (row, before) in enumerate(self.base):
            draw = self.corpus.draw(self.name, "transformed", index)
            passages = self.corpus.irrelevant(self.name, PASSAGES, draw)
            for each in TRANSFORMATIONS:
                item = transform(row.item, each, passages, draw)
                if item is not None:
                    yield each.name, before, item

    def _passages_added(self) -> Iterator[Variant]:
        draw = self.corpus.draw(self.name, "helped")
        rows = [row for row, _ in self.base if row.supported]
        items = [with_contexts(row.item, self.corpus.irrelevant(self.name, PASSAGES, draw)) for row in rows]
        for row, item, before in zip(rows, items, self.score(items), strict=True):
            if isinstance(before, Scored):
                yield OWN_PASSAGE, before, with_contexts(item, [*_texts(item), *_texts(row.item)])

    def _attacks(self) -> Iterator[Variant]:
        draw = self.corpus.draw(self.name, "attacked")
        for row, before in self._doubtful():
            added = {attack: [attack] for attack in ATTACKS} | {
                EVERY_ATTACK: list(ATTACKS),
                CONTROL: self.corpus.irrelevant(self.name, 1, draw),
            }
            for name, texts in added.items():
                yield name, before, with_contexts(row.item, [*_texts(row.item), *texts])

    def _dilutions(self, words: Sequence[int], responses: int) -> Iterator[Variant]:
        text = self.corpus.long_text(self.name, max(words), self.corpus.draw(self.name, "diluted")).split(PARAGRAPH)
        for row, before in self._doubtful()[:responses]:
            for count in words:
                yield f"{count:,} words", before, with_contexts(row.item, [*_texts(row.item), *_first(text, count)])

    def _doubtful(self) -> list[tuple[Row, Scored]]:
        """The responses with a claim that is not supported."""
        return [
            (row, before) for row, before in self.base if any(score_of(claim) >= BALANCED for claim in checked(before))
        ]

    def _injections(self) -> Iterator[Variant]:
        draw = self.corpus.draw(self.name, "injected")
        for row, before in self.base:
            attack = draw.choice(ATTACKS)
            for name, mark in JOINED.items():
                yield name, before, replace(row.item, response=row.item.response + mark + attack)


def _texts(item: Item) -> list[str]:
    return [context.text for context in item.contexts]


def _first(passages: Sequence[str], words: int) -> list[str]:
    """As many of the passages as it takes for so many words."""
    totals = accumulate((len(passage.split()) for passage in passages), initial=0)
    return [passage for passage, before in zip(passages, totals, strict=False) if before < words]
