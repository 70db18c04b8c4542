"""The reply: what of a judge's answer counts. All of it, or none: what can be read in two ways is not read.

What counts is the one JSON object that carries the call's nonce. Text around it, a fence and thinking before it are
passed over, and so are other objects; anything else about it that is not as agreed makes the whole reply invalid.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from models.claims import Claim
from models.judge.prompt import checkable
from models.judge.quotes import Passage
from models.types import Evidence, Item, ModelError, ReviewReason, Verdict

MOST_REPLY = 400_000  # characters that are read at all
MOST_QUOTE = 2_000  # characters of a quote: more points at nothing
MOST_REASONING = 2_000  # characters that are kept

_THINK = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_THOUGHT = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_TOKEN = re.compile(r'[{}]|"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ENTRY = frozenset({"claim", "reasoning", "verdict", "context", "quote"})
_NEEDED = _ENTRY - {"context", "quote"}  # the two may be left out where they are null
_QUOTED = frozenset({Verdict.SUPPORTED, Verdict.CONTRADICTED})
_MOST_DRAFTS = 20  # objects that carry the nonce, before thinking is left out: bounds the time it takes
_NAMED = 10  # claims that a problem names at most


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimReply:
    """What one reply says of one claim."""

    verdict: Verdict
    reasoning: str  # the judge's words, cut to MOST_REASONING characters; may repeat what it read
    evidence: Evidence | None  # given exactly when supported or contradicted


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One reply that counts: one vote."""

    claims: tuple[ClaimReply, ...]  # of the checkable claims, in order


class ReplyInvalidError(ModelError):
    """A judge's reply does not count."""

    def __init__(self, problem: str, reason: ReviewReason = ReviewReason.JUDGE_UNPARSEABLE) -> None:
        super().__init__(problem)
        self.problem = problem  # a sentence for the judge; holds no text of anyone
        self.reason = reason  # JUDGE_UNPARSEABLE or JUDGE_UNVERIFIED


def read_reply(text: str, nonce: str, item: Item, claims: Sequence[Claim]) -> Reply:
    """The reply to `ask` with the same nonce, item and claims. Raises ReplyInvalidError.

    A quote counts in the context that the reply names; if it is not there, or none is named, in the one other context
    that holds it, and not at all if several do. Quotes of unsupported and not checkable claims are not read.
    """
    asked = len(checkable(claims))
    entries = _entries(_object(text, nonce), nonce)
    by_number: dict[int, dict[str, Any]] = {}
    for entry in entries:
        number = _number(entry, asked)
        if number in by_number:
            raise ReplyInvalidError(f"claim {number} has more than one entry")
        by_number[number] = entry
    missing = [number for number in range(1, asked + 1) if number not in by_number]
    if missing:
        raise ReplyInvalidError(f"there must be an entry for each claim: missing {_list(missing)}")
    passages = [Passage(context.text) for context in item.contexts]
    ordered = [by_number[number] for number in range(1, asked + 1)]
    read = [_claim(entry, item, passages) for entry in ordered]
    unverified = [number for number, reply in enumerate(read, 1) if reply is None]
    if unverified:
        raise ReplyInvalidError(
            "what is quoted must be copied letter for letter from one context, the sentence that decides and no more; "
            f"no such quote is given for {_list(unverified)}",
            ReviewReason.JUDGE_UNVERIFIED,
        )
    return Reply(claims=tuple(reply for reply in read if reply is not None))


def _object(text: str, nonce: str) -> dict[str, Any]:
    """The one JSON object outside of thinking that carries the nonce."""
    if len(text) > MOST_REPLY:
        raise ReplyInvalidError("it is much too long")
    if nonce not in text:
        raise ReplyInvalidError("it does not carry the nonce")
    text = _after_thinking(text)
    carrying = [(start, end) for start, end in _spans(text) if nonce in text[start:end]]
    if len(carrying) <= _MOST_DRAFTS:
        carrying = [(start, end) for start, end in carrying if not _is_thought(text, start, end)]
    if not carrying:
        raise ReplyInvalidError("there is no JSON object that carries the nonce")
    if len(carrying) > 1:
        raise ReplyInvalidError("there is more than one JSON object that carries the nonce")
    start, end = carrying[0]
    try:
        read = json.loads(text[start:end], object_pairs_hook=_without_duplicates, parse_constant=_refuse)
    except RecursionError as error:
        raise ReplyInvalidError("it is nested too deep") from error
    except ValueError as error:
        raise ReplyInvalidError("it is not valid JSON") from error
    if not isinstance(read, dict):  # never, as it begins with a brace; says so to the type checker
        raise ReplyInvalidError("it is no JSON object")
    return read


def _after_thinking(text: str) -> str:
    """What follows the thinking that a reply begins with. Thinking may hold anything, drafts and loose braces too."""
    opened = _THINK.match(text.lstrip())
    if not opened:
        return text
    closed = _THOUGHT.search(text)
    if not closed:
        raise ReplyInvalidError("it ends before the thinking does")
    return text[closed.end() :]


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the outermost braces open and close, strings inside them aside. In one pass."""
    end = 0
    while (start := text.find("{", end)) >= 0:
        depth = 0
        for token in _TOKEN.finditer(text, start):
            depth += {"{": 1, "}": -1}.get(token[0], 0)
            if not depth:
                end = token.end()
                break
        else:
            raise ReplyInvalidError("a brace is opened that is never closed")
        yield start, end


def _is_thought(text: str, start: int, end: int) -> bool:
    """Whether what stands there is inside thinking: a tag is open before it, or the next one behind it closes."""
    opened = max((found.start() for found in _THINK.finditer(text, 0, start)), default=-1)
    closed = max((found.start() for found in _THOUGHT.finditer(text, 0, start)), default=-1)
    behind = _THOUGHT.search(text, end)
    return opened > closed or (behind is not None and not _THINK.search(text, end, behind.start()))


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ReplyInvalidError("a field is given twice")
    return read


def _refuse(constant: str) -> Any:
    raise ReplyInvalidError(f"{constant} is no number of JSON")


def _entries(read: dict[str, Any], nonce: str) -> list[dict[str, Any]]:
    if set(read) != {"nonce", "claims"}:
        raise ReplyInvalidError('the object must have exactly the fields "nonce" and "claims"')
    if read["nonce"] != nonce:
        raise ReplyInvalidError('"nonce" is not the nonce')
    entries = read["claims"]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ReplyInvalidError('"claims" must be a list of objects')
    return entries


def _number(entry: dict[str, Any], asked: int) -> int:
    """The number of the claim that an entry is about, its fields checked."""
    if not _NEEDED <= set(entry) <= _ENTRY:
        raise ReplyInvalidError(f"each entry must have exactly the fields {', '.join(sorted(_ENTRY))}")
    number = entry["claim"]
    if type(number) is not int or not 1 <= number <= asked:  # a bool is an int to Python, and to nobody else
        raise ReplyInvalidError(f'"claim" must be a whole number from 1 to {asked}')
    if not isinstance(entry["reasoning"], str):
        raise ReplyInvalidError(f'"reasoning" of claim {number} must be text')
    if entry["verdict"] not in [verdict.value for verdict in Verdict]:
        raise ReplyInvalidError(f'"verdict" of claim {number} must be one of {", ".join(Verdict)}')
    if entry.get("context") is not None and type(entry["context"]) is not int:
        raise ReplyInvalidError(f'"context" of claim {number} must be the number of a context, or null')
    if entry.get("quote") is not None and not isinstance(entry["quote"], str):
        raise ReplyInvalidError(f'"quote" of claim {number} must be text, or null')
    return number


def _claim(entry: dict[str, Any], item: Item, passages: Sequence[Passage]) -> ClaimReply | None:
    """What the entry says; None where it needs a quote and gives none that counts."""
    verdict = Verdict(entry["verdict"])
    evidence = _evidence(entry.get("quote"), entry.get("context"), item, passages) if verdict in _QUOTED else None
    if verdict in _QUOTED and evidence is None:
        return None
    reasoning = _UNSTORABLE.sub("\ufffd", entry["reasoning"][:MOST_REASONING])
    return ClaimReply(verdict=verdict, reasoning=reasoning, evidence=evidence)


def _evidence(quote: str | None, context: int | None, item: Item, passages: Sequence[Passage]) -> Evidence | None:
    if quote is None or len(quote) > MOST_QUOTE:
        return None
    named = context - 1 if context is not None and 1 <= context <= len(passages) else None
    place = None if named is None else passages[named].find(quote)
    if named is not None and place is not None:
        return _cited(item, named, place)
    elsewhere = [(index, place) for index, passage in enumerate(passages) if (place := passage.find(quote)) is not None]
    return _cited(item, *elsewhere[0]) if len(elsewhere) == 1 else None


def _cited(item: Item, index: int, place: tuple[int, int]) -> Evidence:
    start, end = place
    context = item.contexts[index]
    return Evidence(context_id=context.id, context_index=index, start=start, end=end, text=context.text[start:end])


def _list(numbers: Sequence[int]) -> str:
    named = ", ".join(str(number) for number in numbers[:_NAMED])
    return f"claims {named}{' and more' if len(numbers) > _NAMED else ''}"
