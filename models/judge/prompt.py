"""The prompt: the words in which a judge is asked, as a versioned file, and the messages made of it.

Foreign text (question, contexts, response, claims) only ever stands between two lines that hold the call's nonce, which
none of it can hold.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.claims import Claim, ClaimKind
from models.types import Item, ModelError

SHIPPED = Path(__file__).parent / "prompts" / "claims-1.toml"

# Characters of a reply that the judge is shown again: enough to see what was wrong with it.
MOST_REPEATED = 4_000

_FIELDS = ("version", "system", "user", "repair")
_VERSION = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NONCE = re.compile(r"[0-9a-f]{32}")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_NONCE_LINE = re.compile(r"^Nonce: \{nonce\}[ \t]*$", re.MULTILINE)
_MAY_HOLD = {
    "system": frozenset[str](),
    "user": frozenset({"nonce", "question", "contexts", "response", "claims"}),
    "repair": frozenset({"nonce", "problem"}),
}
_MUST_HOLD = {
    "system": (),
    "user": ("nonce", "contexts", "claims"),  # a judge may be asked without question or response
    "repair": ("nonce", "problem"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message of a conversation with a language model."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgePrompt:
    """The words of a prompt file, checked."""

    version: str  # the file's own name for itself
    system: str
    user: str  # with {nonce}, {contexts}, {claims}, and {question} and {response} where they are wanted
    repair: str  # with {nonce} and {problem}: asks once more after a reply that cannot be used
    digest: str  # SHA-256 of all of the above


def load_prompt(path: Path | None = None) -> JudgePrompt:
    """The prompt of a file, the shipped one if None. Raises ModelError that names the file, the field and what to do."""
    file = path or SHIPPED
    try:
        read = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{file} is not UTF-8: save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ModelError(f"{file} is not TOML: {error}") from error
    unknown = sorted(set(read) - set(_FIELDS))
    if unknown:
        raise ModelError(f"{file}: no field `{unknown[0]}` is known: a prompt has {', '.join(_FIELDS)}")
    words = {field: _words(file, field, read.get(field)) for field in _FIELDS}
    if not _VERSION.fullmatch(words["version"]):
        raise ModelError(f"{file}: `version` must be 1 to 64 letters, digits, dots, dashes or underscores")
    for field in _MAY_HOLD:
        _check_placeholders(file, field, words[field])
    digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()
    return JudgePrompt(**words, digest=digest)


def checkable(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """Those of a response's claims that a judge is asked about, in order: it numbers them from 1."""
    return tuple(claim for claim in claims if claim.kind is ClaimKind.CHECKABLE)


def is_free(nonce: str, item: Item) -> bool:
    """Whether no text of the item holds the nonce: only then can none of it close its own delimiters."""
    texts = [item.response, item.question or "", *(context.text for context in item.contexts)]
    return not any(nonce in text for text in texts)


def ask(prompt: JudgePrompt, item: Item, claims: Sequence[Claim], nonce: str) -> tuple[Message, ...]:
    """The messages that ask for verdicts on the checkable ones of the item's claims, at least one.

    `nonce` is 32 hexadecimal characters, new for each call. Raises ValueError for one that is not, or is not free.
    """
    _check_nonce(nonce, item)
    contexts = [_quoted(f"CONTEXT {number}", each.text, nonce) for number, each in enumerate(item.contexts, 1)]
    asked = [_quoted(f"CLAIM {number}", each.text, nonce) for number, each in enumerate(checkable(claims), 1)]
    if not asked:
        raise ValueError("there is no claim to ask about")
    filled = {
        "nonce": nonce,
        "question": _quoted("QUESTION", item.question, nonce) if item.question else "(No question is known.)",
        "contexts": "\n".join(contexts) or "(There are no contexts.)",
        "response": _quoted("RESPONSE", item.response, nonce),
        "claims": "\n".join(asked),
    }
    return (
        Message(role="system", content=prompt.system),
        Message(role="user", content=_filled(prompt.user, filled)),
    )


def ask_again(
    prompt: JudgePrompt, messages: Sequence[Message], reply: str, problem: str, nonce: str
) -> tuple[Message, ...]:
    """The messages after a reply that cannot be used: those before, its beginning, and what was wrong with it.

    `nonce` is a new one, and only a reply with it counts. Raises ValueError for one that stands in what was said before.
    """
    if not _NONCE.fullmatch(nonce) or any(nonce in said for said in (reply, *(each.content for each in messages))):
        raise ValueError("each call needs a nonce of its own: 32 hexadecimal characters that nothing before holds")
    shown = reply if len(reply) <= MOST_REPEATED else reply[:MOST_REPEATED] + "\n(cut here)"
    return (
        *messages,
        Message(role="assistant", content=shown if shown.strip() else "(nothing)"),
        Message(role="user", content=_filled(prompt.repair, {"nonce": nonce, "problem": problem})),
    )


def _check_nonce(nonce: str, item: Item) -> None:
    if not _NONCE.fullmatch(nonce) or not is_free(nonce, item):
        raise ValueError("a nonce is 32 hexadecimal characters that no text of the item holds")


def _quoted(name: str, text: str, nonce: str) -> str:
    return f"<<<{name} {nonce}>>>\n{text}\n<<<END {name} {nonce}>>>"


def _filled(template: str, values: Mapping[str, str]) -> str:
    """The template with each placeholder replaced, in one pass: what stands in a value is never replaced."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], template)


def _words(file: Path, field: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ModelError(f"{file}: `{field}` is {'missing' if value is None else 'empty or no text'}: give it as text")
    return value


def _check_placeholders(file: Path, field: str, text: str) -> None:
    held = set(_PLACEHOLDER.findall(text))
    known = ", ".join(f"{{{name}}}" for name in sorted(_MAY_HOLD[field])) or "none"
    for name in sorted(held - _MAY_HOLD[field]):
        raise ModelError(f"{file}: `{field}` has the placeholder {{{name}}}, which nothing fills; it may have: {known}")
    for name in _MUST_HOLD[field]:
        if name not in held:
            raise ModelError(f"{file}: `{field}` must have the placeholder {{{name}}} where it is to stand")
    if field != "system" and not _NONCE_LINE.search(text):
        raise ModelError(f"{file}: `{field}` must have a line of its own that reads `Nonce: {{nonce}}`")
