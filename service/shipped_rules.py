"""The redaction rules that come with Assay. A pattern finds candidates; a check refuses what only looks like one.

Patterns run on RE2, so their time is linear in the text. Checks look at a bounded stretch around a candidate. RE2 has
no look-around: what must not stand before or after a value is part of its check. Numbers are looked for in a copy of
the text in which every kind of space and hyphen is the plain one. The copy has the same length, so offsets hold.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import re2

from service.core.privacy import ShippedRule, compile_pattern

Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What to blot out."""

    name: str
    pattern: re2._Regexp
    check: Callable[[str, int, int], Span | None]  # text and candidate to the span of the value, or None
    canonical: Callable[[str], str]  # two values that are alike in this are the same
    plain: bool = False  # look in the copy with plain spaces and hyphens


_SPACES = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_HYPHENS = "\u2010\u2011\u2012\u2013"  # up to the en dash, which stands between numbers too


def with_plain_separators(text: str) -> str:
    """The text with plain spaces and hyphens for their typographic kin, character by character."""
    if text.isascii():
        return text
    for kin, plain in ((_SPACES, " "), (_HYPHENS, "-")):
        for c in kin:
            text = text.replace(c, plain)
    return text


def whole(_text: str, start: int, end: int) -> Span | None:
    """The candidate is the value."""
    return start, end


def as_written(value: str) -> str:
    """Values are the same if they are written the same."""
    return value


def _digits(value: str) -> str:
    return re.sub(r"[^0-9]", "", value)


def _phone_digits(value: str) -> str:
    return _digits(value).removeprefix("00")


def _compact(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", value).upper()


# Where a value may begin: at a word, after `_`, or after a line break that is written as an escape.
_EDGE = r"(?:\b|_|\\[nrt])"
_ESCAPES = ("\\n", "\\r", "\\t")


def _after_edge(text: str, start: int) -> int:
    """Where the value begins of a candidate that begins with `_EDGE`."""
    return start + (2 if text.startswith("\\", start) else 1 if text.startswith("_", start) else 0)


def _touches(text: str, start: int, end: int, joints: str = "") -> bool:
    """Whether the span is part of a longer word or number; `joints` join numbers, as the point in 1.5."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    if (before[-1:].isalnum() and before not in _ESCAPES) or after[:1].isalnum():
        return True
    left = before[-1:] and before[-1] in joints and before[:1].isdigit()
    return bool(left or (after[:1] and after[0] in joints and after[1:].isdigit()))


# API keys and tokens: prefixes that providers document for their own secrets.
_BY_PREFIX = (
    rf"{_EDGE}"
    r"(?:sk-[A-Za-z0-9_-]{20,}"  # OpenAI, Anthropic and those who follow them
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"  # Stripe
    r"|gh[opsur]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}"
    r"|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36,}|pypi-[A-Za-z0-9_-]{50,}"
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"  # SendGrid
    r"|assay_[0-9a-f]{12}_[A-Za-z0-9_-]{43}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,})"  # JSON web token
)
_BEGIN = r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_END = r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
# A block that is cut off before its end: headers and lines of base64, perhaps quoted, perhaps with a short last line.
_QUOTE = r"""(?:[\s>|#*"']|\\[nrt])"""
_HEADER = r"(?:Proc-Type|DEK-Info|Version|Comment|MessageID|Hash|Charset): [^\r\n\\]{0,200}"
_LAST_LINE = r"[A-Za-z]{0,12}(?:[0-9+/=]|[a-z][A-Z])[A-Za-z0-9+/=]{0,15}"
_CUT_OFF = (
    rf"{_BEGIN}(?:{_QUOTE}*(?:{_HEADER}|[A-Za-z0-9+/=]{{16,}}))*"
    rf"(?:(?:\r?\n|\\n)(?:[\t >|#*]*){_LAST_LINE})?"
)


def _has_digit(text: str, start: int, end: int) -> Span | None:
    """Random text has digits; `sk-learn-like-estimators-only` has none."""
    start = _after_edge(text, start)
    return (start, end) if any("0" <= c <= "9" for c in text[start : min(end, start + 200)]) else None


# Of what RFC 5322 lets stand in a local part, only what rarely stands before an address: `?to=anna@...` begins at `anna`.
_EMAIL = (
    r"[\pL\pN_][\pL\pM\pN._%+'\x{2019}&!#$*^~-]*@"
    r"(?:[\pL\pM\pN-]+\.)+(?:xn--[A-Za-z0-9-]{2,}|\pL[\pL\pM]+)"
)


def _email(text: str, start: int, end: int) -> Span | None:
    escaped = text[max(0, start - 1) : start + 1] in _ESCAPES and text[start + 1] != "@"
    return (start + escaped, end)


def _as_read(value: str) -> str:
    return unicodedata.normalize("NFC", value).lower()


# Length of an IBAN by country, from the SWIFT registry.
_IBAN_LENGTHS = {
    15: "NO",
    16: "BE",
    18: "DK FI FO GL NL SD FK",
    19: "MK SI",
    20: "AT BA EE KZ LT LU XK MN",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC SM MR",
    28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
IBAN_LENGTH: Mapping[str, int] = {name: n for n, names in _IBAN_LENGTHS.items() for name in names.split()}
_MOD_97 = 97
_LONGEST_IBAN = 34 + 16  # with a space or hyphen before every second character


def _iban(text: str, start: int, _end: int) -> Span | None:
    start = _after_edge(text, start)
    length = IBAN_LENGTH.get(text[start : start + 2].upper())
    if length is None:
        return None
    end = _end_of_characters(text, start, length)
    if end is None or _touches(text, start, end):
        return None
    value = _compact(text[start:end])
    number = int("".join(str(int(c, 36)) for c in value[4:] + value[:4]))
    return (start, end) if number % _MOD_97 == 1 else None


def _end_of_characters(text: str, start: int, length: int) -> int | None:
    """Where that many letters and digits end, with at most one space or hyphen between two of them."""
    seen, separated = 0, False
    for place, c in enumerate(text[start : start + _LONGEST_IBAN], start):
        if c.isascii() and c.isalnum():
            seen, separated = seen + 1, False
            if seen == length:
                return place + 1
        elif c in " -" and not separated:
            separated = True
        else:
            return None
    return None


# Issuers' ranges: the check digit alone would let one order number in ten through.
_CARD_START = (
    r"(?:4[0-9]{3}|5[1-5][0-9]{2}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)"
    r"|3(?:0[0-5][0-9]|[4-9][0-9]{2})|6(?:011|4[4-9][0-9]|5[0-9]{2}|2[0-9]{2}))"
)
_CARD = (
    rf"{_EDGE}{_CARD_START}(?:[0-9]{{9,15}}|(?:[ -][0-9]{{4}}){{2}}[ -][0-9]{{1,4}}"
    r"|[ -][0-9]{6}[ -][0-9]{4,5})"
)
_CARD_LENGTHS = {"2": {16}, "3": {14, 15, 16, 19}, "4": {13, 16, 19}, "5": {16}, "6": {16, 19}}


_LAST_GROUP = re.compile(r"[ -][0-9]{3}")  # of 19 digits; or what stands on the back of the card


def _card(text: str, start: int, end: int) -> Span | None:
    start = _after_edge(text, start)
    longer = _LAST_GROUP.match(text, end)
    for stop in [*([longer.end()] if longer else []), end]:
        number = _digits(text[start:stop])
        right = len(number) in _CARD_LENGTHS[number[0]] and _luhn(number)
        if right and not _touches(text, start, stop, joints=".-"):
            return start, stop
    return None


def _luhn(number: str) -> bool:
    doubled = [int(c) * (1 + place % 2) for place, c in enumerate(reversed(number))]
    return sum(n // 10 + n % 10 for n in doubled) % 10 == 0


_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"


def _address(text: str, start: int, end: int) -> Span | None:
    start = _after_edge(text, start)
    return None if _touches(text, start, end, joints=".") else (start, end)


def _ssn(text: str, start: int, end: int) -> Span | None:
    start = _after_edge(text, start)
    area, group, serial = text[start:end].split("-")
    never_given = area in {"000", "666"} or area[0] == "9" or group == "00" or serial == "0000"
    return None if never_given or _touches(text, start, end, joints="-.") else (start, end)


# With a country code; as in North America; with a trunk zero, as in most of Europe.
_JOINT = r"(?:[ ./-]|[ -]?\(0\)[ -]?|[ -]?\(|\)[ -]?)?"
_PHONE = (
    rf"(?:\+|{_EDGE}00[ -]?)[1-9](?:{_JOINT}[0-9]){{7,14}}"
    rf"|(?:{_EDGE}1[ .-])?(?:\([2-9][0-9]{{2}}\) ?|{_EDGE}[2-9][0-9]{{2}}[.-])[2-9][0-9]{{2}}[ .-][0-9]{{4}}"
    rf"|(?:\(0[1-9][0-9]{{0,3}}\) ?|{_EDGE}0[1-9][0-9]{{0,3}}[ /-])[0-9](?:[ -]?[0-9]){{4,9}}"
)
_DATE_FIRST = re.compile(r"\d{1,2}[ /-](?:\d{1,2}[ /-])?(?:19|20)\d\d\b")
_GOES_ON = re.compile(r"[0-9][ -]")
_TRUNK_DIGITS = range(9, 12)
_FEWEST_SEPARATORS_AFTER_00 = 1
_TOO_LONG_FOR_AN_AMOUNT = 10


def _phone(text: str, start: int, end: int) -> Span | None:
    start = _after_edge(text, start)
    value = text[start:end]
    separators = re.sub(r"[0-9]", "", value.removeprefix("+"))
    joints = ".,-/:" if _may_have_decimals(value, separators) else ".-/:"
    if _touches(text, start, end, joints) or _DATE_FIRST.match(value):
        return None
    if value.startswith("+"):
        return None if separators == "." else (start, end)  # +1.25000000 is a number
    if _GOES_ON.fullmatch(text[max(0, start - 2) : start]):
        return None  # the rest of a longer number
    if value.startswith("00"):
        return (start, end) if len(separators) >= _FEWEST_SEPARATORS_AFTER_00 else None
    if value.removeprefix("(").startswith("0"):
        return (start, end) if len(_digits(value)) in _TRUNK_DIGITS else None
    return start, end


def _may_have_decimals(value: str, separators: str) -> bool:
    """Whether a comma beside it may be a number's own, as in +12345678,50 or 3,014 159 265; else it ends a value."""
    if value.startswith("+"):
        return not separators and len(value) <= _TOO_LONG_FOR_AN_AMOUNT
    trunk = value.removeprefix("(").startswith("0") and not value.startswith("00")
    return trunk or "." in separators


def shipped(name: ShippedRule) -> list[Rule]:
    """The rules of that name, in the order in which they are applied."""
    return [
        Rule(
            name=name.value,
            pattern=compile_pattern(regex),
            check=check,
            canonical=canonical,
            plain=name not in {ShippedRule.KEY, ShippedRule.EMAIL},
        )
        for regex, check, canonical in _RULES[name]
    ]


_RULES: Mapping[ShippedRule, list[tuple[str, Callable[[str, int, int], Span | None], Callable[[str], str]]]] = {
    ShippedRule.KEY: [
        (f"{_BEGIN}(?s:.*?){_END}", whole, as_written),
        (_CUT_OFF, whole, as_written),
        (_BY_PREFIX, _has_digit, as_written),
    ],
    ShippedRule.EMAIL: [(_EMAIL, _email, _as_read)],
    ShippedRule.IBAN: [(rf"{_EDGE}[A-Za-z]{{2}}[0-9]{{2}}", _iban, _compact)],
    ShippedRule.CARD: [(_CARD, _card, _digits)],
    ShippedRule.IPV4: [(rf"{_EDGE}(?:{_OCTET}\.){{3}}{_OCTET}", _address, as_written)],
    ShippedRule.SSN: [(rf"{_EDGE}[0-9]{{3}}-[0-9]{{2}}-[0-9]{{4}}", _ssn, _digits)],
    ShippedRule.PHONE: [(_PHONE, _phone, _phone_digits)],
}
