"""The edit: one thing of a sentence changed, so that it says something else or, in other words, the same."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from models.training.examples import Target
from models.training.phrasebook import ADDITIONS, AUXILIARIES, COMMON, DAYS, MONTHS, NUMERALS, OPPOSITE, STRONGER, UNIT

_WORD = re.compile(r"[A-Za-z]+(?:n't)?")
_NUMBER = re.compile(r"(?<![\w.,-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w,.-]*\d)")
# Names: capitalised words in a row, not the first word of the sentence.
_NAME = re.compile(r"(?<=[\w,;:)] )(?:[A-Z][\w'’-]+)(?: [A-Z][\w'’-]+)*")


_PAIR = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """A changed sentence."""

    text: str
    kind: str
    target: Target  # of the changed sentence, where the one before was entailed
    removed: str  # the words that went; a premise that does not say them cannot decide
    added: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where an edit takes other names and numbers from, and its draws."""

    names: Sequence[str]  # of all documents
    nearby: Sequence[str]  # names of the same document
    numbers: Sequence[str]  # of the same document
    draw: random.Random


def chance(draw: random.Random, share: float) -> bool:
    """True in this share of the draws."""
    return draw.random() < share


def names_in(text: str) -> list[str]:
    """What looks like a name in it, in order."""
    return [name for name in _NAME.findall(text) if name not in MONTHS and name not in DAYS]


def numbers_in(text: str) -> list[str]:
    """The numbers in digits in it, in order."""
    return _NUMBER.findall(text)


def change_number(text: str, source: Source) -> Edit | None:
    """Another number: near by, of another size, or of the same document."""
    found = list(_NUMBER.finditer(text))
    if not found:
        numerals = [match for match in _WORD.finditer(text) if match[0].lower() in NUMERALS]
        if not numerals:
            return None
        match = source.draw.choice(numerals)
        other = source.draw.choice([word for word in NUMERALS if word != match[0].lower()])
        return _edit(text, match, _like(match[0], other), "number", Target.CONTRADICTED)
    match = source.draw.choice(found)
    others = [number for number in source.numbers if number != match[0] and len(number) == len(match[0])]
    if others and chance(source.draw, 0.4):
        return _edit(text, match, source.draw.choice(others), "number", Target.NOT_ENTAILED)
    return _edit(text, match, _other_number(match[0], source.draw), "number", Target.CONTRADICTED)


def change_unit(text: str, source: Source) -> Edit | None:
    """Another unit or magnitude of the same kind."""
    return swap_word(text, UNIT, "unit", Target.CONTRADICTED, source.draw)


def change_date(text: str, source: Source) -> Edit | None:
    """Another month or day of the week."""
    found = [match for match in _WORD.finditer(text) if match[0] in MONTHS or match[0] in DAYS]
    found = [match for match in found if match[0] != "May" or text[match.end() : match.end() + 2].strip().isdigit()]
    if not found:
        return None
    match = source.draw.choice(found)
    row = MONTHS if match[0] in MONTHS else DAYS
    return _edit(
        text, match, source.draw.choice([other for other in row if other != match[0]]), "date", Target.CONTRADICTED
    )


def change_name(text: str, source: Source) -> Edit | None:
    """Another name, of the same document where there is one."""
    found = [match for match in _NAME.finditer(text) if match[0] not in MONTHS and match[0] not in DAYS]
    if not found:
        return None
    match = source.draw.choice(found)
    words = match[0].count(" ")
    near = [name for name in source.nearby if name.count(" ") == words and not _overlap(name, match[0])]
    far = [name for name in source.draw.sample(source.names, min(40, len(source.names))) if name.count(" ") == words]
    others = near if near and chance(source.draw, 0.6) else [name for name in far if not _overlap(name, match[0])]
    return _edit(text, match, source.draw.choice(others), "name", Target.NOT_ENTAILED) if others else None


def swap_roles(text: str, source: Source) -> Edit | None:
    """Two names of the sentence in each other's place, where a verb may lie between them."""
    first = re.match(r"[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*", text)
    spans = [match.span() for match in _NAME.finditer(text)]
    if first and first[0].split()[0] not in COMMON:
        spans = [first.span(), *[span for span in spans if span[0] >= first.end()]]
    if len(spans) < _PAIR:
        return None
    at = source.draw.randrange(len(spans) - 1)
    (a, b), (c, d) = spans[at], spans[at + 1]
    between = text[b:c]
    if len(between.split()) < _PAIR or re.search(r"[,:;()]| and | or ", between):
        return None
    if _overlap(text[a:b], text[c:d]):
        return None
    return Edit(
        text=text[:a] + text[c:d] + between + text[a:b] + text[d:],
        kind="roles",
        target=Target.NOT_ENTAILED,
        removed=text[a:b],
        added=text[c:d],
    )


def negate(text: str, source: Source) -> Edit | None:
    """With a "not" more or less."""
    gone = re.search(r"\b(is|are|was|were|can|could|will|would|has|have|had|did|does|do|should|must)(n't| not)\b", text)
    if gone:
        return _edit_span(text, gone.start(), gone.end(), gone[1], "negation", Target.CONTRADICTED)
    found = [match for match in _WORD.finditer(text) if match[0] in AUXILIARIES]
    if not found:
        return None
    match = found[0]
    added = source.draw.choice((" not", " never", " not")) if match[0] not in {"do", "does", "did"} else " not"
    return _edit_span(text, match.start(), match.end(), match[0] + added, "negation", Target.CONTRADICTED)


def strengthen(text: str, source: Source) -> Edit | None:
    """A quantifier or a hedge made to claim more than was said."""
    return swap_word(text, STRONGER, "strength", Target.NOT_ENTAILED, source.draw)


def oppose(text: str, source: Source) -> Edit | None:
    """A word replaced by its opposite."""
    return swap_word(text, OPPOSITE, "opposite", Target.CONTRADICTED, source.draw)


def add(text: str, source: Source) -> Edit | None:
    """Something more at its end that nobody said."""
    if not source.names:
        return None
    bare = text.rstrip(" .!")
    draw = source.draw
    more = draw.choice(ADDITIONS).format(
        year=draw.randint(1950, 2024),
        count=draw.choice((2, 3, 5, 8, 10, 12, 15, 20, 25, 40)),
        day=draw.choice(DAYS),
        month=draw.choice(MONTHS),
        name=draw.choice(source.names),
    )
    return Edit(text=f"{bare}{more}.", kind="addition", target=Target.NEUTRAL, removed="", added=more)


EDITS: tuple[Callable[[str, Source], Edit | None], ...] = (
    change_number,
    change_unit,
    change_date,
    change_name,
    swap_roles,
    negate,
    strengthen,
    oppose,
    add,
)


def _other_number(number: str, draw: random.Random) -> str:
    plain = number.replace(",", "")
    whole, _, decimals = plain.partition(".")
    if len(whole) == 4 and "," not in number and not decimals and 1500 <= int(whole) <= 2100:  # noqa: PLR2004 - a year
        return str(int(whole) + draw.choice((-30, -10, -7, -4, -3, -2, -1, 1, 2, 3, 5, 8, 10, 20)))
    value = int(whole + decimals)
    digits = list(whole + decimals)
    at = draw.randrange(len(digits))
    near = digits.copy()
    near[at] = str((int(near[at]) + draw.randint(1, 9)) % 10)
    if near[0] == "0" and len(whole) > 1:
        near[0] = "1" if digits[0] != "1" else "2"
    options = ["".join(near), str(value * draw.choice((2, 3, 10))), str(value + draw.randint(1, 5))]
    other = draw.choice(options)
    other = other if int(other) != value else str(value + 1)
    if decimals:
        other = other.rjust(len(decimals) + 1, "0")
        other = f"{other[: -len(decimals)]}.{other[-len(decimals) :]}"
    elif "," in number:
        other = f"{int(other):,}"
    return other


def swap_word(
    text: str, table: Mapping[str, tuple[str, ...]], kind: str, target: Target, draw: random.Random
) -> Edit | None:
    """One word of the table, drawn, replaced by one that the table has for it."""
    found = [
        match
        for match in _WORD.finditer(text)
        # A capital within a sentence is a name's.
        if match[0] in table or (match.start() == 0 and match[0].lower() in table)
    ]
    if not found:
        return None
    match = draw.choice(found)
    others = table[match[0]] if match[0] in table else table[match[0].lower()]
    return _edit(text, match, _like(match[0], draw.choice(others)), kind, target)


def _like(word: str, other: str) -> str:
    return other[:1].upper() + other[1:] if word[:1].isupper() and not word.isupper() else other


def _overlap(one: str, other: str) -> bool:
    return bool(set(one.lower().split()) & set(other.lower().split()))


def _edit(text: str, match: re.Match[str], other: str, kind: str, target: Target) -> Edit:
    return _edit_span(text, match.start(), match.end(), other, kind, target)


def _edit_span(text: str, start: int, end: int, other: str, kind: str, target: Target) -> Edit:
    return Edit(text=text[:start] + other + text[end:], kind=kind, target=target, removed=text[start:end], added=other)
