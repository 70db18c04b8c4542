"""Submissions: the fields a caller may give, copied at once, and encoded later by the sending thread."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from sys import getsizeof
from typing import Any, Required, TypedDict

from assay_client.sampling import Stratum

MAX_LABEL_CHARS = 200
MAX_ENTRIES = 1_000  # of one list or mapping; the server takes fewer
ITEM_BYTES = 4_000  # what Python needs to hold a submission, beside its texts
ENTRY_BYTES = 600  # of a small mapping
LEFT = "\ufffd"
_UNSENDABLE = re.compile("[\x00\ud800-\udfff]")


class Usage(TypedDict, total=False):
    """Tokens that the answer cost."""

    input_tokens: int
    output_tokens: int


class Context(TypedDict, total=False):
    """One retrieved passage."""

    id: str
    text: Required[str]
    score: float


class Fields(TypedDict, total=False):
    """What a submission may say of an answer; only `response` is required. None is the same as not given."""

    response: Required[str]
    question: str | None
    contexts: str | Sequence[str | Context] | None
    id: str | None
    trace_id: str | None
    model: str | None
    release: str | None
    prompt_version: str | None
    route: str | None
    session_id: str | None
    span_id: str | None
    response_id: str | None
    usage: Usage | None
    latency_ms: float | None
    ttft_ms: float | None
    retrieval_ms: float | None
    cost_usd: float | None
    samples: Sequence[str] | None
    tags: Mapping[str, str] | None
    features: Mapping[str, float] | None
    occurred_at: datetime | str | None


class InvalidError(Exception):
    """A field that cannot be sent. Never reaches the caller; its name goes to the log, its value nowhere."""

    def __init__(self, field: str) -> None:
        """`field`: its name."""
        super().__init__(field)
        self.field = field


@dataclass(kw_only=True, slots=True)
class Item:
    """A submission on its way. Filled by the caller's thread, changed by the sending thread alone."""

    id: str
    body: dict[str, Any]
    size: int
    born: float  # by the monotonic clock
    stratum: Stratum | None = None
    decided: bool = False
    attempts: int = 0
    unclear: bool = False  # sent before, without an answer: the server may have it
    due: float = 0.0  # not to be sent again before
    line: bytes | None = None

    @property
    def unit(self) -> str:
        """What is hashed: a trace is in or out as a whole."""
        return unit_of(self.id, self.body)


def unit_of(sample_id: str, body: Mapping[str, Any]) -> str:
    """The trace id, or the id where there is none."""
    return str(body.get("trace_id") or sample_id)


def copied(given: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """A copy that the caller can no longer change, and its size in bytes. Raises InvalidError.

    Only shapes are checked here, in the caller's time; ranges and lengths are the server's to judge.
    """
    body = {}
    name = "response"
    try:
        for name, value in given.items():
            if value is not None:
                body[name] = _COPIES[name](value)
    except Exception:  # noqa: BLE001 - what the caller's objects raise is theirs
        raise InvalidError(name) from None
    if "response" not in body:
        raise InvalidError("response")
    return body, _size(body)


def encoded(item: Item) -> bytes:
    """One line of NDJSON, made once, so that each attempt sends the same. Raises InvalidError."""
    if item.line is None:
        body = {"id": item.id, **item.body}
        if item.stratum is not None:
            body["sampling"] = item.stratum._asdict()
        item.line = _line(body)
        item.body = {name: item.body[name] for name in _KEPT if name in item.body}  # the texts are in the line now
    return item.line


def _line(body: dict[str, Any]) -> bytes:
    try:
        text = _ENCODE(body)
        if "\\u0000" in text:
            text = _ENCODE(sendable(body))
        try:
            return text.encode()
        except UnicodeEncodeError:
            return _ENCODE(sendable(body)).encode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidError("unknown") from None


def sendable(value: Any) -> Any:
    """With U+FFFD for what cannot be sent, lone surrogates and U+0000; offsets stay as they are."""
    if isinstance(value, str):
        return _UNSENDABLE.sub(LEFT, value)
    if isinstance(value, dict):
        return {sendable(name): sendable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [sendable(inner) for inner in value]
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _label(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_LABEL_CHARS:
        raise ValueError
    return value


def _tag(value: Any) -> str:
    return _label(value) if value else _text(value)


def _number(value: Any) -> float:
    return value if type(value) is int or type(value) is float else float(value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(_text, _entries(value, list | tuple)))


def _contexts(value: Any) -> tuple[str | dict[str, Any], ...]:
    if isinstance(value, str):
        return (value,)
    return tuple([c if isinstance(c, str) else _context(c) for c in _entries(value, list | tuple)])


def _context(value: Mapping[str, Any]) -> dict[str, Any]:
    copies: dict[str, Callable[[Any], Any]] = {"id": _label, "text": _text, "score": _number}
    return {name: copies[name](inner) for name, inner in _entries(value, Mapping).items() if inner is not None}


def _mapping(value: Any, copy: Callable[[Any], Any]) -> dict[str, Any]:
    return {_label(name): copy(inner) for name, inner in _entries(value, Mapping).items()}


def _entries(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError
    if len(value) > MAX_ENTRIES:
        raise ValueError
    return value


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError
        return value.isoformat()
    return _label(value)


def _size(body: dict[str, Any]) -> int:
    """Texts are measured; the rest, short by now, is estimated."""
    size = ITEM_BYTES + getsizeof(body["response"])
    if "question" in body:
        size += getsizeof(body["question"])
    for context in body.get("contexts", ()):
        size += getsizeof(context) if isinstance(context, str) else ENTRY_BYTES + getsizeof(context.get("text"))
    for text in body.get("samples", ()):
        size += getsizeof(text)
    for name in ("tags", "features", "usage"):
        size += ENTRY_BYTES * len(body.get(name, ()))
    return size


_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_KEPT = ("trace_id", "model", "release", "prompt_version", "route")  # what a count of a loss needs
_COPIES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("question", "response"), _text),
    **dict.fromkeys((*_KEPT, "id", "session_id", "span_id", "response_id"), _label),
    **dict.fromkeys(("latency_ms", "ttft_ms", "retrieval_ms", "cost_usd"), _number),
    "contexts": _contexts,
    "samples": _texts,
    "usage": lambda value: _mapping(value, int),
    "tags": lambda value: _mapping(value, _tag),
    "features": lambda value: _mapping(value, _number),
    "occurred_at": _moment,
}
