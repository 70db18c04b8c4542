"""The claim: one statement of a response, as a span of its code points."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from models.phrases import is_courtesy, is_refusal, plain
from models.sentences import MARKER, split_sentences, splitter_version

# Raise with any change to what counts as a claim: it is part of every scorer's fingerprint.
_RULES = "1"

# Dropped from the front of a claim: space, list markers, heading and quote marks, what closes the sentence before.
_LEAD = re.compile(rf"(?:\s+|{MARKER}\s+|#{{1,6}}\s+|>\s*|[*_\"”’)\]]+\s+|\[\d{{1,3}}\]\s*)*")
_HASH_HEADING = re.compile(r"\s*(?:>\s*)?#{1,6}\s")
_BOLD_LINE = re.compile(r"\*\*[^*]{1,80}\*\*:?\Z")
_NUMBER_MARKER = re.compile(r"\(?\d{1,3}[.)]\Z")
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_CLOSERS = " \t\r\n\"'”’)]*_`"
_LEAD_IN_WORDS = 12


class ClaimKind(StrEnum):
    """What a sentence of a response is for."""

    CHECKABLE = "checkable"  # states something that a context can support or not
    NOT_CHECKABLE = "not_checkable"  # a question, a courtesy, a heading, a list marker, code
    REFUSAL = "refusal"  # declines to answer; never checked, and a response of nothing else is a refusal


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One claim; offsets are code points of the response."""

    start: int
    end: int
    text: str  # always response[start:end]; never blank, no space or list marker around it
    kind: ClaimKind


def claims_version() -> str:
    """Name and version of everything that decides the claims of a response."""
    return f"claims {_RULES}; {splitter_version()}"


def split_claims(response: str) -> tuple[Claim, ...]:
    """The claims of a response, in order, without overlap. Empty exactly when it is blank or bare list markup.

    A bold line or a number that would be a heading or a list marker beside other sentences is the answer itself when
    nothing else is stated ("**Paris**", "42."), and then checkable.
    """
    fences = [match.span() for match in _FENCE.finditer(response)]
    claims: list[Claim] = []
    lone: list[int] = []
    for start, end in split_sentences(response):
        claim = _claim(response, start, end)
        if claim is None:
            continue
        while fences and fences[0][1] <= start:
            fences.pop(0)
        if fences and fences[0][0] <= claim.start:
            claim = replace(claim, kind=ClaimKind.NOT_CHECKABLE)
        elif _BOLD_LINE.match(claim.text) or _NUMBER_MARKER.match(claim.text):
            lone.append(len(claims))
            claim = replace(claim, kind=ClaimKind.NOT_CHECKABLE)
        claims.append(claim)
    if all(claim.kind is ClaimKind.NOT_CHECKABLE for claim in claims):
        for index in lone:
            claims[index] = replace(claims[index], kind=ClaimKind.CHECKABLE)
    return tuple(claims)


def _claim(response: str, start: int, end: int) -> Claim | None:
    """The sentence at [start, end) trimmed to its words; None when nothing is left of it."""
    lead = _LEAD.match(response, start, end)
    first = lead.end() if lead else start
    text = response[first:end].rstrip()
    if not text:
        return None
    kind = ClaimKind.NOT_CHECKABLE if _HASH_HEADING.match(response, start, end) else _kind(text)
    return Claim(start=first, end=first + len(text), text=text, kind=kind)


def _kind(text: str) -> ClaimKind:
    bare = text.rstrip(_CLOSERS)
    words = plain(text).strip()
    if not any(character.isalnum() for character in text) or bare.endswith(("?", "？")):
        return ClaimKind.NOT_CHECKABLE
    if bare.endswith(":") and len(bare.split()) <= _LEAD_IN_WORDS:
        return ClaimKind.NOT_CHECKABLE
    if is_courtesy(words):
        return ClaimKind.NOT_CHECKABLE
    return ClaimKind.REFUSAL if is_refusal(words) else ClaimKind.CHECKABLE
