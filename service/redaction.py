"""Redaction: values become placeholders before anything is stored. Pure: text in, text and counts out.

Within one submission the same value becomes the same placeholder, in question, contexts and response alike, so that
an answer that quotes a context's e-mail address is still supported by it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.core.privacy import Pattern, ShippedRule, compile_pattern
from service.shipped_rules import Rule, Span, as_written, shipped, with_plain_separators

PASSES = 4  # a replaced value may lay bare another; more than two passes are needed only by made-up text
LONGEST_PLACEHOLDER = 42


@dataclass(frozen=True, kw_only=True, slots=True)
class Redacted:
    """Texts without the values, in order, and how many places each rule replaced."""

    texts: tuple[str, ...]
    counts: dict[str, int]


class Redactor:
    """A set of rules, compiled once."""

    def __init__(self, names: Sequence[str], patterns: Sequence[Pattern]) -> None:
        """`names`: of shipped rules and of `patterns`. Own patterns come after keys: they know more than the rest."""
        labels = "|".join(sorted(name.upper() for name in names))
        self._placeholder = re.compile(rf"\[({labels})_([1-9][0-9]{{0,6}})\]")
        keys = shipped(ShippedRule.KEY) if ShippedRule.KEY in names else []
        own = [self._own(pattern) for pattern in patterns if pattern.name in names]
        others = [rule for name in ShippedRule if name in names and name != ShippedRule.KEY for rule in shipped(name)]
        self._rules = [*keys, *own, *others]

    def _own(self, pattern: Pattern) -> Rule:
        def spare_placeholders(text: str, start: int, end: int) -> Span | None:
            around = self._placeholder.finditer(text, max(0, start - LONGEST_PLACEHOLDER), end + LONGEST_PLACEHOLDER)
            return None if any(one.start() < end and start < one.end() for one in around) else (start, end)

        return Rule(
            name=pattern.name,
            pattern=compile_pattern(pattern.regex),
            check=spare_placeholders,
            canonical=as_written,
        )

    def redact(self, texts: Sequence[str]) -> Redacted:
        """Replaces all that the rules find. Text without such is returned as it is."""
        placeholders = _Placeholders()
        for text in texts:  # what looks like a placeholder already keeps its number to itself
            if "[" in text:
                placeholders.reserve(self._placeholder.findall(text))
        return Redacted(
            texts=tuple(self._clean(text, placeholders) for text in texts), counts=dict(placeholders.counts)
        )

    def _clean(self, text: str, placeholders: "_Placeholders") -> str:
        for _ in range(PASSES):
            before = text
            for rule in self._rules:
                text = _replace(rule, text, placeholders)
            if text == before:
                break
        return text


def _replace(rule: Rule, text: str, placeholders: "_Placeholders") -> str:
    parts, done = [], 0
    seen = with_plain_separators(text) if rule.plain else text
    for candidate in _candidates(rule, seen):
        span = rule.check(seen, *candidate)
        if span is not None and done <= span[0] < span[1]:
            parts += [text[done : span[0]], placeholders.of(rule, text[slice(*span)])]
            done = span[1]
    return "".join([*parts, text[done:]]) if parts else text


def _candidates(rule: Rule, text: str) -> Iterator[Span]:
    # RE2 reads UTF-8. For ASCII the offsets are the same, and need not be counted again.
    subject = text.encode() if text.isascii() else text
    return (match.span() for match in rule.pattern.finditer(subject))


class _Placeholders:
    """The placeholders of one submission."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._given: dict[tuple[str, str], str] = {}
        self._last: defaultdict[str, int] = defaultdict(int)

    def reserve(self, used: Sequence[tuple[str, str]]) -> None:
        """Gives none of these (label, number)."""
        for label, number in used:
            self._last[label] = max(self._last[label], int(number))

    def of(self, rule: Rule, value: str) -> str:
        """The placeholder of the value: a new one unless it was seen before."""
        self.counts[rule.name] += 1
        key = rule.name, rule.canonical(value)
        if key not in self._given:
            label = rule.name.upper()
            self._last[label] += 1
            self._given[key] = f"[{label}_{self._last[label]}]"
        return self._given[key]
