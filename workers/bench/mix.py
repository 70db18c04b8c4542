"""The mix: responses and contexts as a RAG application has them, of the demo's documents and generated filler.

Half of the filler is of the domain that the response is about, as what a retriever brings is on topic.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from models.pairs import Plan
from models.sentences import split_sentences
from models.types import Context, Item
from workers.demo import MADE_UP, TRAFFIC

WORDS = (200, 3_000)  # of all contexts of a response; even in the logarithm
CLAIMS = (1, 8)
MADE_UP_SHARE = 0.05  # of responses: one of their claims is made up
PASSAGE_WORDS = 150  # of a passage of filler
PLAIN_WORDS = 95  # of a passage as a user of the library would cut it


@dataclass(frozen=True, kw_only=True, slots=True)
class _Claim:
    text: str
    made_up: bool
    documents: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Domain:
    documents: dict[str, str]
    claims: tuple[_Claim, ...]


def make_mix(size: int, seed: int) -> list[Item]:
    """That many responses, the same for the same seed."""
    draw = Random(seed)  # noqa: S311 - a draw, no secret
    domains = [_read(file) for file in sorted(TRAFFIC.glob("*.json"))]
    made_up = set(draw.sample(range(size), round(MADE_UP_SHARE * size)))
    return [_make(domains, draw, made_up=index in made_up) for index in range(size)]


def count_words(item: Item) -> int:
    """The words of all contexts."""
    return sum(len(context.text.split()) for context in item.contexts)


def texts_of(item: Item, plan: Plan) -> list[tuple[str, str]]:
    """All (window, claim) pairs of a planned item as text, in the plan's order."""
    return [
        (item.contexts[reading.context_index].text[reading.window.start : reading.window.end], claim.claim.text)
        for claim in plan.claims
        for reading in claim.readings
    ]


def plain_texts_of(item: Item, plan: Plan) -> list[tuple[str, str]]:
    """The pairs that a user of the library would make: passages of whole sentences, none twice, beside each claim."""
    passages = [passage for context in item.contexts for passage in _passages(context.text)]
    return [(passage, claim.claim.text) for claim in plan.claims if claim.ids for passage in passages]


def _passages(text: str) -> Iterator[str]:
    """The text in pieces of about PLAIN_WORDS words, which is about as many tokens as a window may have."""
    held: list[str] = []
    for start, end in split_sentences(text):
        sentence = text[start:end]
        if held and sum(len(each.split()) for each in [*held, sentence]) > PLAIN_WORDS:
            yield "".join(held)
            held = []
        held.append(sentence)
    if held:
        yield "".join(held)


def _read(file: Path) -> _Domain:
    content = json.loads(file.read_text(encoding="utf-8"))
    return _Domain(
        documents={document["id"]: document["text"] for document in content["documents"]},
        claims=tuple(_claims(content["pairs"])),
    )


def _claims(pairs: Sequence[dict[str, Any]]) -> Iterator[_Claim]:
    for pair in pairs:
        for claim in pair["claims"]:
            if claim["truth"] == "supported" or claim["truth"] in MADE_UP:
                yield _Claim(
                    text=claim["text"], made_up=claim["truth"] in MADE_UP, documents=frozenset(pair["documents"])
                )


def _make(domains: Sequence[_Domain], draw: Random, *, made_up: bool) -> Item:
    words = math.exp(draw.uniform(*map(math.log, WORDS)))
    domain = draw.choice(domains)
    chosen = _documents(domain, words, draw)
    claims = [claim for claim in domain.claims if claim.documents <= set(chosen)]
    true = [claim.text for claim in claims if not claim.made_up]
    false = [claim.text for claim in claims if claim.made_up]
    told = draw.sample(true, min(len(true), draw.randint(*CLAIMS)))
    if made_up and false:
        told[draw.randrange(len(told))] = draw.choice(false)
    passages = [domain.documents[name] for name in chosen]
    missing = int(words) - sum(len(passage.split()) for passage in passages)
    passages += _filler(domain, [other for other in domains if other is not domain], missing, draw)
    draw.shuffle(passages)
    return Item(
        response=" ".join(told),
        contexts=tuple(Context(id=str(index), text=passage) for index, passage in enumerate(passages)),
    )


def _documents(domain: _Domain, words: float, draw: Random) -> list[str]:
    """Documents that claims stand on, at least one, as many as have room."""
    named = sorted({claim.documents for claim in domain.claims if not claim.made_up}, key=sorted)
    draw.shuffle(named)
    sizes = {name: len(text.split()) for name, text in domain.documents.items()}
    least = min(named, key=lambda names: sum(sizes[name] for name in names))
    chosen = set(least)
    for names in named:
        if sum(sizes[name] for name in chosen | names) <= words:
            chosen |= names
    return sorted(chosen)


def _filler(domain: _Domain, others: Sequence[_Domain], words: int, draw: Random) -> list[str]:
    """Passages of sentences that stand in no such order anywhere; together about that many words."""
    passages: list[str] = []
    while words > 0:
        sources = (domain, domain, draw.choice(others), draw.choice(others))
        texts = [draw.choice(sorted(source.documents.values())) for source in sources]
        sentences = [text[start:end].strip() for text in texts for start, end in split_sentences(text)]
        draw.shuffle(sentences)
        passage: list[str] = []
        while sentences and sum(len(sentence.split()) for sentence in passage) < min(words, PASSAGE_WORDS):
            passage.append(sentences.pop())
        passages.append(" ".join(passage))
        words -= len(passages[-1].split())
    return passages
