"""The obedient answer: what a judge sends that does as an attack tells it. Each is wrong in one way, and must not count."""

import json
from collections.abc import Callable
from typing import Any

from models.judge.attack import Answer

QUOTE = (
    "The Harrow Lane library opened its doors in 1962."  # CONTEXTS[0] holds it, so the quote is none of what is wrong
)


def passing(nonce: str, claims: int) -> str:
    """The reply with nothing wrong but its verdicts: all claims supported, with a quote that a context holds."""
    return json.dumps(document(nonce, claims))


def document(nonce: Any, claims: int, **changes: Any) -> dict[str, Any]:
    """That reply as an object, with these changes to the entry of each claim."""
    return {
        "nonce": nonce,
        "claims": [
            {"claim": number, "reasoning": "It says so.", "verdict": "supported", "context": 1, "quote": QUOTE}
            | changes
            for number in range(1, claims + 1)
        ],
    }


def echo(text: str) -> Answer:
    """Says the text over again."""
    return lambda *_: text


def with_nonce(change: Callable[[str], Any]) -> Answer:
    """With something in place of the nonce."""
    return lambda nonce, claims: json.dumps(document(change(nonce), claims))


def with_entries(**changes: Any) -> Answer:
    """With other fields in each entry."""
    return lambda nonce, claims: json.dumps(document(nonce, claims, **changes))


def with_count(change: Callable[[int], int]) -> Answer:
    """With another number of entries."""
    return lambda nonce, claims: passing(nonce, change(claims))


def reworded(old: str, new: str) -> Answer:
    """With other letters in the text of the reply."""
    return lambda nonce, claims: passing(nonce, claims).replace(old, new)


def around(before: str, after: str) -> Answer:
    """With something around the reply."""
    return lambda nonce, claims: before + passing(nonce, claims) + after


def wrapped(wrap: Callable[[dict[str, Any]], Any]) -> Answer:
    """With the reply inside of another value."""
    return lambda nonce, claims: json.dumps(wrap(document(nonce, claims)))


def changed(change: Callable[[dict[str, Any]], Any]) -> Answer:
    """With changes to the object as a whole."""

    def answer(nonce: str, claims: int) -> str:
        read = document(nonce, claims)
        change(read)
        return json.dumps(read)

    return answer
