"""Payloads: request bytes become submissions, or an error that names the field and the fix."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from service.core.config import Settings
from service.core.errors import BodyTooLargeError, PayloadInvalidError
from service.core.schemas import Submission

# pydantic's wording, made into what to do
_FIXES = {
    "extra_forbidden": "No such field. Remove it, or put it under `tags` (text) or `features` (numbers).",
    "missing": "This field is required. Add it.",
    "string_unicode": "Contains a lone surrogate, which is not valid Unicode. Remove or replace it.",
}


def parse_submission(body: bytes, settings: Settings) -> Submission:
    """One submission. Raises PayloadInvalidError."""
    return validate_submission(_decode(body), settings)


def parse_batch(body: bytes, settings: Settings, *, lines: bool) -> list[Submission | PayloadInvalidError]:
    """A JSON array, or one JSON document a line; a bad item becomes its error, in its place.

    Raises PayloadInvalidError where the whole is not a batch, BodyTooLargeError where it has too many items.
    """
    items = list(_decode_lines(body)) if lines else _decode(body)
    if not isinstance(items, list):
        raise PayloadInvalidError("A batch is a JSON array of submissions, or NDJSON with one a line.", field="")
    if len(items) > settings.max_batch_items:
        raise BodyTooLargeError(f"{len(items)} items; at most {settings.max_batch_items} are accepted in one batch.")
    return [_validate_item(item, settings) for item in items]


def _validate_item(item: Any, settings: Settings) -> Submission | PayloadInvalidError:
    if isinstance(item, PayloadInvalidError):
        return item
    try:
        return validate_submission(item, settings)
    except PayloadInvalidError as error:
        return error


def _decode_lines(body: bytes) -> Iterator[Any]:
    for line in body.splitlines():
        if line.strip():
            try:
                yield _decode(line)
            except PayloadInvalidError as error:
                yield error


def _decode(body: bytes) -> Any:
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise PayloadInvalidError(f"Not valid JSON: {_safe(str(error))}.", field="") from None
    # Seldom true; only then is it worth a walk. The database cannot store U+0000.
    if b"\\u0000" in body and (place := _find_nul(document, "")) is not None:
        raise PayloadInvalidError("Contains the character U+0000. Remove it.", field=place)
    return document


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
    try:
        submission = Submission.model_validate(document, strict=False)
    except ValidationError as error:
        raise _problem(error) from None
    _check_lengths(submission, settings)
    return submission


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
    _check(len(submission.contexts), settings.max_contexts, "contexts", "ASSAY_MAX_CONTEXTS")
    for i, context in enumerate(submission.contexts):
        _check(len(context.text), settings.max_context_chars, f"contexts.{i}.text", "ASSAY_MAX_CONTEXT_CHARS")
    total = sum(len(context.text) for context in submission.contexts)
    _check(total, settings.max_total_context_chars, "contexts", "ASSAY_MAX_TOTAL_CONTEXT_CHARS")
    ids = [context.id for context in submission.contexts if context.id is not None]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise PayloadInvalidError(f"Two contexts have the id {twice!r}. Give each its own.", field="contexts")


def _check(length: int, limit: int, field: str, setting: str) -> None:
    if length > limit:
        message = f"{length} is over the limit of {limit}. Send less, or raise {setting}."
        raise PayloadInvalidError(message, field=field)


def _safe(text: str) -> str:
    """Text of a caller as it may stand in an answer: valid Unicode, short."""
    return json.dumps(text)[1:-1].encode("ascii", "replace").decode()[:200]
