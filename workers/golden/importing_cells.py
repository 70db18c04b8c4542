"""Cells: what a field of another tool's row holds, as texts and labels. Pure."""

import ast
import io
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from service.core.errors import PayloadInvalidError
from workers.offline.agreement import read_label

_YES = frozenset({"true", "yes", "1", "1.0", "hallucinated"})
_NO = frozenset({"false", "no", "0", "0.0", "faithful"})
_NOT_SAID = frozenset({"unsure", "unknown", "none", "null", "nan", "n/a"})
_BETWEEN = frozenset({tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING, tokenize.ENDMARKER})
TEXT_NAMES = ("text", "content", "page_content")


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A context as it was found."""

    text: str
    id: str | None = None


def first_held(document: Mapping[str, Any], names: Iterable[str]) -> tuple[str, Any] | None:
    """The first of the fields that holds something, with its name; NaN and empty lists hold nothing."""
    for name in names:
        value = document.get(name)
        if value is not None and value != [] and value == value:  # noqa: PLR0124 - NaN is not itself
            return name, value
    return None


def read_text(document: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """The text of the first field that has one. Raises PayloadInvalidError for what is no text."""
    held = first_held(document, names)
    if held is None:
        return None
    name, value = held
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        message = "A conversation of several turns, or several texts. An item has one question and one response."
        raise PayloadInvalidError(message, field=name)
    raise PayloadInvalidError("Must be text.", field=name)


def read_passages(name: str, value: Any, delimiter: str | None) -> list[Passage]:
    """The contexts of one field. Raises PayloadInvalidError, which names the element.

    A cell of a table may be a list as JSON, as Python or NumPy write it, or texts with a delimiter between; else it is one
    context.
    """
    if isinstance(value, str):
        value = _listed(value, delimiter)
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise PayloadInvalidError("Must be a list of texts.", field=name)
    return [_passage(f"{name}.{place}", each) for place, each in enumerate(value)]


def _passage(place: str, value: Any) -> Passage:
    if isinstance(value, str):
        return Passage(text=value)
    if isinstance(value, dict):
        held = first_held(value, TEXT_NAMES)
        own = value.get("id")
        if held is not None and isinstance(held[1], str):
            return Passage(text=held[1], id=str(own) if isinstance(own, str | int) and own != "" else None)
    raise PayloadInvalidError("Must be text, or an object with `text`.", field=place)


def _listed(cell: str, delimiter: str | None) -> list[Any]:
    text = cell.strip()
    if text.startswith("[") and text.endswith("]"):
        found = _as_json(text)
        found = _as_python(text) if found is None else found
        if found is not None:
            return found
    return cell.split(delimiter) if delimiter else [cell]


def _as_json(text: str) -> list[Any] | None:
    try:
        found = from_json(text)
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def _as_python(text: str) -> list[Any] | None:
    """The strings of a list as Python's `repr` writes it, or as NumPy does, without commas; None: it is no such list.

    Python itself would read what NumPy writes as one string, so the strings are found one by one.
    """
    try:
        tokens = [each for each in tokenize.generate_tokens(io.StringIO(text).readline) if each.type not in _BETWEEN]
        if any(each.type != tokenize.STRING and each.string not in {"[", "]", ","} for each in tokens):
            return None
        found = [ast.literal_eval(each.string) for each in tokens if each.type == tokenize.STRING]
    except (tokenize.TokenError, SyntaxError, ValueError):
        return None
    return found if all(isinstance(each, str) for each in found) else None


def read_said(document: Mapping[str, Any], words: Iterable[str], yes_or_no: Iterable[str]) -> bool | None:
    """Whether the row says that its response makes something up; None: it does not say.

    Args:
        document: the row.
        words: fields with words, such as `supported`; a number there may mean either thing.
        yes_or_no: fields that say whether it is hallucinated.

    Raises PayloadInvalidError for a word that is not known, and where two fields contradict each other.
    """
    told = {}
    for names, reader in ((words, _by_word), (yes_or_no, _by_truth)):
        held = first_held(document, names)
        if held is not None and (said := reader(*held)) is not None:
            told[held[0]] = said
    if len(set(told.values())) > 1:
        raise PayloadInvalidError(f"Says the opposite of {' and '.join(list(told)[1:])}.", field=next(iter(told)))
    return next(iter(told.values()), None)


def _by_word(name: str, value: Any) -> bool | None:
    text = _word(value)
    if not text or text in _NOT_SAID:
        return None
    said = read_label(value)
    if said is not None:
        return said
    if text in {"hallucinated", "faithful"}:
        return text == "hallucinated"
    message = "Must be supported, not supported, entailment, neutral, contradiction, hallucinated or faithful."
    if text in _YES | _NO:
        message += " A yes or no counts in a column called `hallucinated`."
    raise PayloadInvalidError(message, field=name)


def _by_truth(name: str, value: Any) -> bool | None:
    text = _word(value)
    if text in _YES | _NO:
        return text in _YES
    if not text or text in _NOT_SAID:
        return None
    said = read_label(value)
    if said is None:
        raise PayloadInvalidError("Must be true or false.", field=name)
    return said


def _word(value: Any) -> str:
    return str(value).strip().lower()
