"""Payloads: request bytes become submissions, or an error that names the field and the fix."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from service.array_items import split_array
from service.core.config import Settings
from service.core.errors import BodyTooLargeError, PayloadInvalidError
from service.core.schemas import MAX_ALTERNATIVES, MAX_FEATURES, MAX_TAGS, Submission

MAX_FIELDS = 64  # of one JSON object; a submission has fewer
ALIASES = {
    "question": ("input", "query", "user_input"),
    "contexts": ("context", "retrieved_contexts", "retrieval_context"),
    "response": ("answer", "output", "actual_output"),
}
# pydantic's wording, made into what to do
_FIXES = {
    "extra_forbidden": "No such field. Remove it, or put it under `tags` (text) or `features` (numbers).",
    "missing": "This field is required. Add it.",
    "string_unicode": "Contains a lone surrogate, which is not valid Unicode. Remove or replace it.",
}


def parse_submission(body: bytes, settings: Settings) -> Submission:
    """One submission. Raises PayloadInvalidError."""
    document = _decode(body)
    _refuse_nul(body, document)
    return validate_submission(document, settings)


def parse_batch(body: bytes, settings: Settings, *, lines: bool) -> list[Submission | PayloadInvalidError]:
    """A JSON array, or one JSON document a line; a bad item becomes its error, in its place.

    Raises PayloadInvalidError where the whole is not a batch, BodyTooLargeError where it has too many items.
    """
    items = list(islice(_decode_lines(body), settings.max_batch_items + 1)) if lines else _decode_array(body)
    if not isinstance(items, list):
        message = "A batch is a JSON array, or one JSON document a line with content type application/x-ndjson."
        raise PayloadInvalidError(message, field="")
    if len(items) > settings.max_batch_items:
        raise BodyTooLargeError(f"Too many items; at most {settings.max_batch_items} are accepted in one batch.")
    return [_validate_item(item, body, settings) for item in items]


def _validate_item(item: Any, body: bytes, settings: Settings) -> Submission | PayloadInvalidError:
    if isinstance(item, PayloadInvalidError):
        return item
    try:
        _refuse_nul(body, item)
        return validate_submission(item, settings)
    except PayloadInvalidError as error:
        return error


def _decode_lines(body: bytes) -> Iterator[Any]:
    return _decode_each(line for line in body.splitlines() if line.strip())


def _decode_array(body: bytes) -> Any:
    """The document; where it cannot be read, its items one by one, so that what is wrong in one fails alone."""
    try:
        return _decode(body)
    except PayloadInvalidError:
        items = split_array(body)
        if items is None:
            raise
        return list(_decode_each(items))


def _decode_each(items: Iterable[bytes]) -> Iterator[Any]:
    for item in items:
        try:
            yield _decode(item)
        except PayloadInvalidError as error:
            yield error


def _decode(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise PayloadInvalidError(f"Not valid JSON: {_safe(str(error))}.", field="") from None


def _refuse_nul(body: bytes, document: Any) -> None:
    """The database cannot store U+0000. The look at the bytes is cheap; only where it finds one is there a walk."""
    if b"\\u0000" in body and (place := _find_nul(document, "")) is not None:
        raise PayloadInvalidError("Contains the character U+0000. Remove it.", field=_safe(place))


def _find_nul(value: Any, place: str) -> str | None:
    if isinstance(value, str):
        return place if "\0" in value else None
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        if isinstance(name, str) and "\0" in name:
            return place
        found = _find_nul(child, f"{place}.{name}" if place else str(name))
        if found is not None:
            return found
    return None


def validate_submission(document: Any, settings: Settings) -> Submission:
    """Checks fields, types and lengths. Raises PayloadInvalidError, which names the first wrong field."""
    canonical = _canonical(document)
    _check_sizes(canonical, settings)
    try:
        submission = Submission.model_validate(canonical)
    except ValidationError as error:
        raise _problem(error) from None
    _check_lengths(submission, settings)
    return submission


def _canonical(document: Any) -> Any:
    """Renames aliases; one string, or strings, stand for contexts."""
    if not isinstance(document, dict):
        return document
    renamed = dict(document)
    for name, aliases in ALIASES.items():
        for alias in aliases:
            if alias in renamed:
                if name in renamed:
                    raise PayloadInvalidError(f"{name} is given twice, also as {alias}. Send one of them.", field=name)
                renamed[name] = renamed.pop(alias)
    contexts = renamed.get("contexts")
    if isinstance(contexts, str):
        contexts = [contexts]
    if isinstance(contexts, list):
        renamed["contexts"] = [{"text": c} if isinstance(c, str) else c for c in contexts]
    elif contexts is None:
        renamed.pop("contexts", None)
    return renamed


def _check_sizes(document: Any, settings: Settings) -> None:
    """Before anything is validated: an error for each of a million elements would take seconds and gigabytes."""
    if not isinstance(document, dict):
        return
    _check(len(document), MAX_FIELDS, "")
    limits = {"samples": MAX_ALTERNATIVES, "tags": MAX_TAGS, "features": MAX_FEATURES, "usage": MAX_FIELDS}
    for field, limit in limits.items():
        if isinstance(document.get(field), list | dict):
            _check(len(document[field]), limit, field)
    contexts = document.get("contexts")
    if isinstance(contexts, list):
        _check(len(contexts), settings.max_contexts, "contexts", "ASSAY_MAX_CONTEXTS")
        for position, context in enumerate(contexts):
            if isinstance(context, list | dict):
                _check(len(context), MAX_FIELDS, f"contexts.{position}")


def _problem(error: ValidationError) -> PayloadInvalidError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = _safe(".".join(map(str, first["loc"])))
    more = error.error_count() - 1
    message = _FIXES.get(first["type"], first["msg"].removeprefix("Value error, ") + ".")
    return PayloadInvalidError(message + (f" ({more} more errors.)" if more else ""), field=field)


def _check_lengths(submission: Submission, settings: Settings) -> None:
    texts = {"question": submission.question or "", "response": submission.response}
    texts |= {f"samples.{i}": text for i, text in enumerate(submission.samples)}
    for field, text in texts.items():
        _check(len(text), settings.max_response_chars, field, "ASSAY_MAX_RESPONSE_CHARS")
    for i, context in enumerate(submission.contexts):
        _check(len(context.text), settings.max_context_chars, f"contexts.{i}.text", "ASSAY_MAX_CONTEXT_CHARS")
    total = sum(len(context.text) for context in submission.contexts)
    _check(total, settings.max_total_context_chars, "contexts", "ASSAY_MAX_TOTAL_CONTEXT_CHARS")
    ids = [context.id for context in submission.contexts if context.id is not None]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise PayloadInvalidError(f"Two contexts have the id {twice!r}. Give each its own.", field="contexts")


def _check(length: int, limit: int, field: str, setting: str | None = None) -> None:
    if length > limit:
        fix = f"Send less, or raise {setting}." if setting else "Send less."
        message = f"{length} is over the limit of {limit}. {fix}"
        raise PayloadInvalidError(message, field=field)


def _safe(text: str) -> str:
    """Text of a caller as it may stand in an answer: valid Unicode, short."""
    return json.dumps(text)[1:-1].encode("ascii", "replace").decode()[:200]
