"""The number: what a claim states in digits, and whether any of its contexts gives it."""

import re
from collections.abc import Iterable
from itertools import pairwise
from types import MappingProxyType

# Raise with any change to what is a number or when it is given: it is part of every scorer's fingerprint.
NUMBERS_VERSION = "1"

# Up to here a reader counts for himself ("three options"), so that a context need not say the number.
_COUNTABLE = 10

_ONES = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety hundred"
_NUMERALS = MappingProxyType(
    {word: value for value, word in enumerate(_ONES.split())}
    | {word: value for value, word in zip(range(20, 101, 10), _TENS.split(), strict=True)}
    | {"half": 50, "quarter": 25, "dozen": 12, "noon": 12, "midnight": 0}
)
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
    r"(?:about|around|roughly|approximately|nearly|almost|some|over|under|above|below|than|least|most|up to|exceed\w*|close to)"
    r" [$€£]?\Z",
    re.IGNORECASE,
)


def given_numbers(text: str) -> frozenset[float]:
    """All that a text may be said to give: numbers in digits and in words, each also at its scale and as a share."""
    given: set[float] = set()
    for match in _GIVEN.finditer(text):
        value, scale = _value(match[1]), (match[2] or "").lower()
        given.add(value * _SCALES.get(scale, 1.0))
        if scale not in _SCALES or len(scale) == 1:  # "5 m" may be metres, "5 million" is not five
            given.update((value, value * 100))
        if "." in match[1]:  # a date, perhaps
            given.update(float(part) for part in match[1].replace(",", "").split("."))
    words = re.findall(r"[a-z]+", text.lower())
    for word, after in pairwise([*words, ""]):
        if word in _NUMERALS:
            given.update((float(_NUMERALS[word]), _compound(word, after)))
    return frozenset(given)


def missing_numbers(claim: str, given: Iterable[frozenset[float]]) -> tuple[str, ...]:
    """The numbers that a claim states and nothing of what is given has, as they stand in it, in order.

    Left out are those that a claim need not find in a text: whole numbers that can be counted, rough ones ("about 30"),
    and digits that belong to a name, a time or a date. A number given more exactly, or at another scale, is given.
    """
    texts = list(given)
    missing: list[str] = []
    for match in _STATED.finditer(claim):
        value = _value(match[1])
        places = len(match[1].partition(".")[2])
        if (not places and value <= _COUNTABLE) or _ROUGHLY.search(claim, 0, match.start()):
            continue
        values = {value, value * _SCALES.get(match[2] or "", 1.0)}
        if not any(values & numbers or _rounded(value, places, numbers) for numbers in texts):
            missing.append(match[0].rstrip())
    return tuple(missing)


def _value(digits: str) -> float:
    return float(digits.replace(",", ""))


def _rounded(value: float, places: int, numbers: frozenset[float]) -> bool:
    """Whether one of them, less exact, is the value; numbers of more digits are rare, so this is short."""
    return any(number % 1 and round(number, places) == value for number in numbers)


def _compound(first: str, second: str) -> float:
    """The value of two numerals in a row: "twenty five", "two hundred", "three million"."""
    one = _NUMERALS[first]
    if second in _SCALES or second == "hundred":
        return one * _SCALES.get(second, 100.0)
    return float(one + _NUMERALS.get(second, 0))
