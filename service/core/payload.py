"""Payloads: request bytes become submissions, or an error that names the field and the fix."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from service.core.array_items import split_array
from service.core.client_schemas import MAX_CLIENT_COUNTS, ClientCounts
from service.core.config import Settings
from service.core.errors import BodyTooLargeError, PayloadInvalidError
from service.core.label_schemas import MAX_LABELS, LabelsSent
from service.core.schemas import MAX_ALTERNATIVES, MAX_FEATURES, MAX_TAGS, Sent, Submission

MAX_FIELDS = 64  # of one JSON object; a submission has fewer
LIMITS = {"samples": MAX_ALTERNATIVES, "tags": MAX_TAGS, "features": MAX_FEATURES, "usage": MAX_FIELDS}
Kind = TypeVar("Kind", bound=Sent)
NUL = b"\\u0000"  # as JSON writes it; a raw one is not valid there
ALIASES = {
    "question": ("input", "query", "user_input"),
    "contexts": ("context", "retrieved_contexts", "retrieval_context"),
    "response": ("answer", "output", "actual_output"),
}
# pydantic's wording, made into what to do
_FIXES = {
    "extra_forbidden": "No such field. Remove it, or put it under `tags` (text) or `features` (numbers).",
    "model_type": "Must be a JSON object.",
    "missing": "This field is required. Add it.",
    "string_unicode": "Contains a lone surrogate, which is not valid Unicode. Remove or replace it.",
}


def parse_submission(body: bytes, settings: Settings) -> Submission:
    """One submission. Raises PayloadInvalidError."""
    return validate_submission(decode_document(body), settings)


def decode_document(body: bytes) -> Any:
    """JSON as a document that a database can store. Raises PayloadInvalidError."""
    document = _decode(body)
    if NUL in body:
        refuse_nul(document)
    return document


def parse_batch(body: bytes, settings: Settings, *, lines: bool) -> Iterator[Submission | PayloadInvalidError]:
    """A JSON array, or one JSON document a line; a bad item becomes its error, in its place.

    Items are validated one by one, as they are asked for. Raises at once PayloadInvalidError where the whole is not a
    batch, BodyTooLargeError where it has too many items.
    """
    items = _lines(body, settings.max_batch_items + 1) if lines else _decode_array(body)
    if not isinstance(items, list):
        message = "A batch is a JSON array, or one JSON document a line with content type application/x-ndjson."
        raise PayloadInvalidError(message, field="")
    if len(items) > settings.max_batch_items:
        raise BodyTooLargeError(f"Too many items; at most {settings.max_batch_items} are accepted in one batch.")
    with_nul = NUL in body
    return (_validate_item(item, settings, with_nul=with_nul) for item in (_decode_each(items) if lines else items))


def parse_counts(body: bytes) -> ClientCounts:
    """One flush of a client's counts. Raises PayloadInvalidError."""
    document = decode_document(body)
    if isinstance(document, dict) and isinstance(document.get("counts"), list):
        _check(len(document["counts"]), MAX_CLIENT_COUNTS, "counts")
    try:
        return ClientCounts.model_validate(document)
    except ValidationError as error:
        raise _problem(error) from None


def parse_labels(body: bytes) -> LabelsSent:
    """Labels that are written together. Raises PayloadInvalidError."""
    document = decode_document(body)
    if isinstance(document, dict) and isinstance(document.get("labels"), list):
        _check(len(document["labels"]), MAX_LABELS, "labels")
    try:
        return LabelsSent.model_validate(document)
    except ValidationError as error:
        raise _problem(error) from None


def parse_sent(body: bytes, kind: type[Kind]) -> Kind:
    """Anything that has no limits but its own. Raises PayloadInvalidError."""
    try:
        return kind.model_validate(decode_document(body))
    except ValidationError as error:
        raise _problem(error) from None


def _validate_item(item: Any, settings: Settings, *, with_nul: bool) -> Submission | PayloadInvalidError:
    if isinstance(item, PayloadInvalidError):
        return item
    try:
        if with_nul:
            refuse_nul(item)
        return validate_submission(item, settings)
    except PayloadInvalidError as error:
        return error


def _lines(body: bytes, limit: int) -> list[bytes]:
    lines = (line for line in body.splitlines() if line and not line.isspace())
    return list(islice(lines, limit))


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


def refuse_nul(document: Any) -> None:
    """The database cannot store U+0000. Raises PayloadInvalidError, which names its place.

    A look at the bytes is cheap; only where it finds one is there this walk.
    """
    if (place := _find_nul(document, "")) is not None:
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
    for field, limit in LIMITS.items():
        held = document.get(field)
        if held is not None and isinstance(held, (list, dict)):
            _check(len(held), limit, field)
    contexts = document.get("contexts")
    if isinstance(contexts, list):
        _check(len(contexts), settings.max_contexts, "contexts", "ASSAY_MAX_CONTEXTS")
        for position, context in enumerate(contexts):
            if isinstance(context, (list, dict)) and len(context) > MAX_FIELDS:
                _check(len(context), MAX_FIELDS, f"contexts.{position}")


def _problem(error: ValidationError) -> PayloadInvalidError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = _safe(".".join(map(str, first["loc"])))
    more = error.error_count() - 1
    message = _FIXES.get(first["type"], first["msg"].removeprefix("Value error, ") + ".")
    return PayloadInvalidError(message + (f" ({more} more errors.)" if more else ""), field=field)


def _check_lengths(submission: Submission, settings: Settings) -> None:
    longest = settings.max_response_chars
    _check(len(submission.response), longest, "response", "ASSAY_MAX_RESPONSE_CHARS")
    if submission.question:
        _check(len(submission.question), longest, "question", "ASSAY_MAX_RESPONSE_CHARS")
    for i, text in enumerate(submission.samples):
        _check(len(text), longest, f"samples.{i}", "ASSAY_MAX_RESPONSE_CHARS")
    total = 0
    for i, context in enumerate(submission.contexts):
        length = len(context.text)
        if length > settings.max_context_chars:
            _check(length, settings.max_context_chars, f"contexts.{i}.text", "ASSAY_MAX_CONTEXT_CHARS")
        total += length
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
