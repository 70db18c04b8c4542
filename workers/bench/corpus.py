"""The corpus: labelled rows of several sets, and for each set the text of the others, which is irrelevant to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from typing import Self

from models.claims import ClaimKind, split_claims
from models.sentences import split_sentences
from models.training.rows import Row, read_rows, set_name
from workers.bench.results import BenchError
from workers.bench.transformations import PARAGRAPH

PASSAGE_CHARACTERS = (200, 1_500)
SENTENCE_WORDS = (6, 60)  # of a sentence that is copied
LONG_SET = 3_000  # median characters of a context, above which a set gives a quarter of the rows
LONG_SET_SHARE = 4
POOL_ROWS = 300  # of each set, for passages


@dataclass(frozen=True, kw_only=True, slots=True)
class Corpus:
    """What a robustness bench reads."""

    rows: Mapping[str, Sequence[Row]]  # by set
    passages: Mapping[str, Sequence[str]]  # by set, each once
    seed: int

    @classmethod
    def read(cls, folder: Path, rows_each: int, seed: int) -> Self:
        """Every `*.jsonl.gz` of the folder, at least two, each with rows and passages. Raises BenchError."""
        pools: dict[str, list[Row]] = {}
        for path in sorted(folder.glob("*.jsonl.gz")):
            try:
                pools[set_name(path)] = read_rows(path, max(POOL_ROWS, rows_each), seed)
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise BenchError(f"{path.name} holds no rows: {type(error).__name__}.") from None
        passages = {name: _passages(rows) for name, rows in pools.items()}
        if len(pools) < 2 or not all(pools.values()) or sum(map(bool, passages.values())) < 2:  # noqa: PLR2004
            raise BenchError(
                f"{folder} has not two sets of rows with contexts of {PASSAGE_CHARACTERS[0]} to "
                f"{PASSAGE_CHARACTERS[1]} characters.",
                next_step="Name a folder of *.jsonl.gz with lines {premise, hypothesis, label}.",
            )
        return cls(
            rows={name: _sample(name, rows, rows_each, seed) for name, rows in pools.items()},
            passages=passages,
            seed=seed,
        )

    def draw(self, *parts: object) -> Random:
        """A draw of its own for whatever these parts name, the same every time."""
        return Random(" ".join(map(str, (self.seed, *parts))))  # noqa: S311 - a draw, no secret

    def irrelevant(self, name: str, count: int, draw: Random) -> list[str]:
        """Passages of other sets; all of them, in another order, where there are not so many."""
        others = [passage for other, passages in self.passages.items() if other != name for passage in passages]
        return draw.sample(others, min(count, len(others)))

    def long_text(self, name: str, words: int, draw: Random) -> str:
        """Paragraphs of other sets, at least so many words; in a small corpus some come again."""
        order, taken, total = self.irrelevant(name, POOL_ROWS * len(self.passages), draw), list[str](), 0
        while total < words:
            passage = order[len(taken) % len(order)]
            taken.append(passage)
            total += len(passage.split())
        return PARAGRAPH.join(taken)

    def last_sentences(self, name: str, draw: Random) -> list[Row]:
        """Rows of the set that are labelled as not supported and state one sentence, in any order."""
        rows = [row for row in self.rows[name] if not row.supported and is_one_sentence(row.item.response)]
        return draw.sample(rows, len(rows))


def is_one_sentence(text: str) -> bool:
    """Whether a response is one checkable claim, begun by a capital as a sentence is."""
    claims = split_claims(text)
    return len(claims) == 1 and claims[0].kind is ClaimKind.CHECKABLE and claims[0].text[0].isupper()


def sentences_of(text: str) -> list[str]:
    """The sentences of a passage that can be copied into a response: whole ones, with their full stop."""
    found = (text[start:end].strip() for start, end in split_sentences(text))
    least, most = SENTENCE_WORDS
    return [
        sentence
        for sentence in found
        if sentence.endswith(".") and is_one_sentence(sentence) and least <= len(sentence.split()) <= most
    ]


def _passages(rows: Sequence[Row]) -> list[str]:
    texts = dict.fromkeys(context.text.strip() for row in rows for context in row.item.contexts)
    least, most = PASSAGE_CHARACTERS
    return [text for text in texts if least <= len(text) <= most]


def _sample(name: str, rows: Sequence[Row], rows_each: int, seed: int) -> list[Row]:
    """So many rows; of a set with long contexts a quarter, drawn alike."""
    lengths = [sum(len(context.text) for context in row.item.contexts) for row in rows]
    count = rows_each if median(lengths) <= LONG_SET else max(1, rows_each // LONG_SET_SHARE)
    draw = Random(f"{seed} {name}")  # noqa: S311 - a draw, no secret
    return draw.sample(rows, min(count, len(rows)))
