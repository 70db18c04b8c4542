"""What a scripted judge makes of a prompt: a verdict on each claim by the words that it shares with a context.

The rule: a claim's content words are its words and numbers but for the most common English ones, in lower case. The
best sentence of all contexts is the one with the most of them, the first of equals. The claim is supported where that
is at least 0.6 of them and the sentence has every number of the claim; that sentence is then the quotation, verbatim.
Else the claim is unsupported and nothing is quoted. A claim without content words is unsupported. Sentences of fewer than
eight letters are read only as a whole context, because a quotation so short proves nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workers.judge.scenario import Scenario, draw
from workers.judge.scripted_prompt import Prompt

SUPPORTED_FROM = 0.6  # of a claim's content words
LEAST_LETTERS = 8
MOST_QUOTED = 1_500  # characters, of a sentence that does not end
_WORD = re.compile(r"\w+(?:[.,]\d+)*")
_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been but by for from had has have he her his in into is it its of on or she that the "
        "their them they this to was were which who will with would",
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Best:
    """The sentence that shares most with a claim."""

    context: int
    sentence: str
    found: int  # content words that are in it
    whole: bool  # whether every number is


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order, each a verbatim part of it."""
    return [stripped for part in _BETWEEN_SENTENCES.split(text) if (stripped := part.strip())]


def content_words(text: str) -> list[str]:
    """Its words and numbers but for the most common, in lower case."""
    return [word for word in _WORD.findall(text.casefold()) if word not in _COMMON]


def good_verdict(prompt: Prompt, scenario: Scenario, turn: int) -> dict[str, Any]:
    """The reply of a good judge. `turn` tells one vote on a sample from another, where the scenario lets it waver."""
    read = [
        (context, each, frozenset(content_words(each)))
        for context, text in prompt.contexts.items()
        for each in sentences(text)
        if each == text.strip() or sum(map(str.isalnum, each)) >= LEAST_LETTERS
    ]
    claims = []
    for number, claim in prompt.claims.items():
        words = content_words(claim)
        best = max(_candidates(words, read), key=lambda each: (each.whole, each.found), default=None)
        supported = bool(words) and best is not None and best.whole and best.found >= SUPPORTED_FROM * len(words)
        if (
            scenario.waver
            and best is not None
            and draw(scenario.seed, "waver", prompt.foreign, number, turn) < scenario.waver
        ):
            supported = not supported
        claims.append(_verdict(number, best if supported else None, len(words), best))
    return {"nonce": prompt.nonce, "claims": claims}


def _candidates(words: list[str], read: list[tuple[int, str, frozenset[str]]]) -> Iterator[_Best]:
    numbers = [word for word in words if word[0].isdigit()]
    for context, sentence, its in read:
        found = sum(word in its for word in words)
        yield _Best(context=context, sentence=sentence, found=found, whole=all(number in its for number in numbers))


def _verdict(number: int, quoted: _Best | None, words: int, best: _Best | None) -> dict[str, Any]:
    seen = "No context has a sentence." if best is None else f"A sentence has {best.found} of its {words} words."
    return {
        "claim": number,
        "reasoning": seen,
        "verdict": "unsupported" if quoted is None else "supported",
        "context": None if quoted is None else quoted.context,
        "quote": None if quoted is None else quoted.sentence[:MOST_QUOTED],
    }


def unverified_verdict(prompt: Prompt) -> dict[str, Any]:
    """Every claim supported, by a quotation that no context holds."""
    first = next(iter(prompt.contexts), None)
    return {
        "nonce": prompt.nonce,
        "claims": [
            {
                "claim": number,
                "reasoning": "The context says so.",
                "verdict": "supported",
                "context": first,
                "quote": f"It is established beyond doubt, {prompt.nonce[::-1]}, that claim {number} holds.",
            }
            for number in prompt.claims
        ],
    }
