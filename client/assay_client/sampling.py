"""The sampling decision, made with the server's own hash, so that what is left out need not leave the process."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

DOMAIN = "assay.sampling.v1"  # the one rule of hashing that this version knows
BITS = 53  # what a double holds exactly
PLAIN_FIELDS = frozenset({"route", "model", "release"})
TAG_PREFIX = "tags."
DEFAULT_REFRESH_S = 30.0


class Stratum(NamedTuple):
    """The rule that matched: its name, its rate, and the policy it is from."""

    stratum: str
    inclusion_probability: float
    policy_version: str


UNDECIDED = Stratum("", 1.0, "")  # what is lost before a policy was known


class Verdict(NamedTuple):
    """Whether a submission is sent. No stratum: the server decides."""

    stratum: Stratum | None
    sent: bool


class Rule(NamedTuple):
    """A stratum and the values that each of its fields may have."""

    stratum: Stratum
    match: tuple[tuple[str, frozenset[str]], ...]

    def matches(self, body: Mapping[str, Any]) -> bool:
        """Whether every field has one of its values."""
        return all(_value(body, name) in values for name, values in self.match)


def position(unit: str, salt: str) -> float:
    """Where a unit lies in [0, 1): the first 53 bits of sha256 over the domain, the salt and the unit."""
    digest = hashlib.sha256(f"{DOMAIN}\n{salt}\n{unit}".encode()).digest()
    return float((int.from_bytes(digest[:8], "big") >> (64 - BITS)) / 2**BITS)


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalPolicy:
    """The server's policy, as `GET /sampling` tells it."""

    salt: str
    default: Stratum
    rules: tuple[Rule, ...]
    refresh_s: float

    @classmethod
    def parse(cls, document: Any) -> Self:
        """Reads an answer of `GET /sampling`.

        Raises ValueError, TypeError or LookupError for one that this version cannot follow to the letter: an unknown
        rule of hashing, or a rule about a field it does not know. Then the server has to decide.
        """
        if document["domain"] != DOMAIN:
            raise ValueError("an unknown rule of hashing")
        version = _text(document["policy_version"])
        return cls(
            salt=_text(document["salt"]),
            default=_stratum(document["default"], version),
            rules=tuple(Rule(_stratum(rule, version), _match(rule["match"])) for rule in document["rules"]),
            refresh_s=max(1.0, float(document.get("refresh_s", DEFAULT_REFRESH_S))),
        )

    def decide(self, unit: str, body: Mapping[str, Any]) -> Verdict:
        """Decides a submission by its trace id, or its id if it has none, and its labels."""
        stratum = self.default
        for rule in self.rules:
            if rule.matches(body):
                stratum = rule.stratum
                break
        return Verdict(stratum, position(unit, self.salt) < stratum.inclusion_probability)


@dataclass(frozen=True, kw_only=True, slots=True)
class SendAll:
    """The policy where the server decides, and everything is sent."""

    refresh_s: float = DEFAULT_REFRESH_S

    def decide(self, unit: str, body: Mapping[str, Any]) -> Verdict:
        """Sends it."""
        del unit, body
        return Verdict(None, sent=True)


def _value(body: Mapping[str, Any], name: str) -> Any:
    if name in PLAIN_FIELDS:
        return body.get(name)
    tags = body.get("tags")
    return tags.get(name.removeprefix(TAG_PREFIX)) if tags else None


def _stratum(document: Any, version: str) -> Stratum:
    rate = float(document["rate"])
    if not 0 <= rate <= 1:
        raise ValueError("a rate outside 0..1")
    return Stratum(_text(document["stratum"]), rate, version)


def _match(document: Any) -> tuple[tuple[str, frozenset[str]], ...]:
    for name, values in document.items():
        if name not in PLAIN_FIELDS and not name.startswith(TAG_PREFIX):
            raise ValueError("a rule about an unknown field")
        if not isinstance(values, list):
            raise TypeError("not a list of values")
    return tuple((name, frozenset(map(_text, values))) for name, values in document.items())


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
