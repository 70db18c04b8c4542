"""The document: the sentences of a premise that stands for one, their names, their numbers, their words."""

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.phrases import FUNCTION_WORDS
from models.sentences import split_sentences
from models.training.edits import names_in, numbers_in
from models.training.examples import Example

_WORD = re.compile(r"\w+")
_COMMON = 300  # sentences with a word from which on it tells little and takes long
# Sets whose premises are prose or tables that stand for a document.
_DOCUMENTS = (
    "xquad_swap",
    "infotabs",
    "fever_dev",
    "nli4ct",
    "covidfact",
    "fm2",
    "seminli",
    "scifact_rte",
    "lingnli",
    "taxinli_mnli",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """Sentences in their order."""

    group: str
    sentences: tuple[str, ...]
    names: tuple[str, ...]
    numbers: tuple[str, ...]


def read_documents(examples: Sequence[Example]) -> list[Document]:
    """One for each premise that stands for a document, in a fixed order."""
    seen: dict[str, Example] = {}
    for example in examples:
        if example.source in _DOCUMENTS:
            seen.setdefault(example.premise, example)
    documents = []
    for premise, example in seen.items():
        sentences = tuple(split(premise))
        if sentences:
            documents.append(
                Document(
                    group=example.group,
                    sentences=sentences,
                    names=tuple(dict.fromkeys(names_in(premise))),
                    numbers=tuple(dict.fromkeys(numbers_in(premise))),
                )
            )
    return documents


def split(text: str) -> Iterator[str]:
    """Its sentences, without the space around them."""
    for start, end in split_sentences(text):
        sentence = text[start:end].strip()
        if sentence:
            yield sentence


class Likest:
    """The sentences of all documents, found by the rare words that they share with a text."""

    def __init__(self, sentences: Sequence[str], draw: random.Random) -> None:
        self._sentences, self._draw = sentences, draw
        self._where: defaultdict[str, list[int]] = defaultdict(list)
        for at, sentence in enumerate(sentences):
            for word in content(sentence):
                self._where[word].append(at)

    def to(self, text: str) -> str | None:
        """One of the three that share most with the text and neither hold it nor lie in it."""
        votes: defaultdict[int, float] = defaultdict(float)
        for word in content(text):
            where = self._where.get(word, ())
            if len(where) <= _COMMON:
                for at in where:
                    votes[at] += 1 / (1 + len(where)) ** 0.3
        ranked = [self._sentences[at] for at in sorted(votes, key=lambda at: -votes[at])[:8]]
        close = [sentence for sentence in ranked if sentence not in text and text not in sentence]
        return self._draw.choice(close[:3]) if close else None


def tokens(text: str) -> set[str]:
    """Its words, in small letters."""
    return {word.lower() for word in _WORD.findall(text)}


def content(text: str) -> set[str]:
    """Its words that say what it is about."""
    return tokens(text) - FUNCTION_WORDS
