"""The number: what a claim states in digits, and whether any of its contexts gives it."""

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

# Raise with any change to what is a number or when it is given: it is part of every scorer's fingerprint.
NUMBERS_VERSION = "2"

# Up to here a reader counts for himself ("three options"), so that a context need not say the number.
_COUNTABLE = 10

_EDGE = 1e-9  # of a half: what floating point adds to one
_TENS_FROM, _HUNDRED = 10.0, 100.0
_ABBREVIATED = 2  # letters of a scale at most
_LETTERS = re.compile(r"[a-z]+")

_ONES = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_NUMERALS = MappingProxyType(
    {word: float(value) for value, word in enumerate(_ONES.split())}
    | {word: float(value) for value, word in zip(range(20, 91, 10), _TENS.split(), strict=True)}
)
_SAID = MappingProxyType({"half": 50.0, "quarter": 25.0, "dozen": 12.0, "noon": 12.0, "midnight": 0.0})
_SCALES = MappingProxyType(
    {
        "thousand": 1e3,
        "k": 1e3,
        "million": 1e6,
        "m": 1e6,
        "mn": 1e6,
        "billion": 1e9,
        "bn": 1e9,
        "b": 1e9,
        "trillion": 1e12,
    }
)
_DIGITS = r"\d+(?:,\d{3})*(?:\.\d+)?"
_GIVEN = re.compile(rf"({_DIGITS})(?:[ -]?([a-z]+))?", re.IGNORECASE)
# Not a part of a name or a code (COVID-19, GPT-4, v2.1, 3D), of a time, a date or a range (10:30, 24/7, 2018-19).
_STATED = re.compile(
    rf"(?<![\w.,:/–—-])({_DIGITS})(?![\w:/–—-]|[.,]\d|['’]s)(?: (thousand|million|billion|trillion)\b)?"
)
_ROUGHLY = re.compile(
    r"\b(?:about|around|roughly|approximately|nearly|almost|some|over|under|above|below|than|least|most|up to|exceed|exceeds|"
    r"exceeded|exceeding|close to) [$€£]?\Z",
    re.IGNORECASE,
)
_ROUGHLY_CHARACTERS = 20  # before a number, of which one of these words is the last


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What texts give."""

    values: frozenset[float]
    broken: tuple[float, ...]  # those that are not whole, ascending

    def has(self, value: float, places: int) -> bool:
        """Whether they give the value, or one more exact that is rounded to it at so many places."""
        if value in self.values:
            return True
        half = 0.5 * 10.0**-places
        at = bisect_left(self.broken, value - half * (1 + _EDGE))
        return at < len(self.broken) and self.broken[at] <= value + half * (1 + _EDGE)


def given_numbers(texts: Iterable[str]) -> Given:
    """All that texts may be said to give: numbers in digits and in words, each also at its scale and as a share."""
    values: set[float] = set()
    for text in texts:
        values |= _in_digits(text)
        values |= _in_words(text)
    return Given(values=frozenset(values), broken=tuple(sorted(value for value in values if value % 1)))


def missing_numbers(claim: str, given: Given) -> tuple[str, ...]:
    """The numbers that a claim states and nothing of what is given has, as they stand in it, in order.

    Left out are those that a claim need not find in a text: whole numbers that can be counted, rough ones ("about 30"),
    and digits that belong to a name, a time or a date. A number given more exactly, or at another scale, is given.
    """
    missing: list[str] = []
    for match in _STATED.finditer(claim):
        value = _value(match[1])
        places = len(match[1].partition(".")[2])
        before = claim[max(0, match.start() - _ROUGHLY_CHARACTERS) : match.start()]
        if (not places and value <= _COUNTABLE) or _ROUGHLY.search(before):
            continue
        if not (given.has(value, places) or value * _SCALES.get(match[2] or "", 1.0) in given.values):
            missing.append(match[0])
    return tuple(missing)


def _in_digits(text: str) -> set[float]:
    found: set[float] = set()
    for match in _GIVEN.finditer(text):
        value, scale = _value(match[1]), (match[2] or "").lower()
        found.add(value * _SCALES.get(scale, 1.0))
        if scale not in _SCALES or len(scale) == 1:  # "5 m" may be metres, "5 million" is not five
            found.update((value, value * 100))
        if "." in match[1]:  # a date, perhaps
            found.update(float(part) for part in match[1].replace(",", "").split("."))
    return found


def _in_words(text: str) -> set[float]:
    """The values of numerals in words, alone and in a row: "twenty-five", "two hundred and ten", "nineteen ninety-eight"."""
    found: set[float] = set()
    whole = part = 0.0  # of the row so far: its thousands and above, and the rest
    inside = False
    for word in _LETTERS.findall(text.lower()):
        if word in _NUMERALS:
            value = _NUMERALS[word]
            if value >= _TENS_FROM and _TENS_FROM <= part < _HUNDRED:  # a year
                part *= _HUNDRED
            part += value
            inside = True
            found.add(value)
        elif inside and word == "hundred":
            part *= _HUNDRED
        elif inside and word in _SCALES and len(word) > _ABBREVIATED:
            whole, part = whole + part * _SCALES[word], 0.0
        elif not (inside and word == "and"):
            whole, part, inside = 0.0, 0.0, False
            found.update((_SAID[word],) if word in _SAID else ())
        if inside:
            found.add(whole + part)
    return found


def _value(digits: str) -> float:
    return float(digits.replace(",", ""))
