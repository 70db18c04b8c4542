"""Importing: rows of other tools' data sets as items. What cannot be one is refused with its place, never left out silently.

A row without a label becomes an item without one: that nobody said so is no reason to call a response supported. Its
reference answer is kept as the item's reason, for whoever labels it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from service.core.errors import PayloadInvalidError
from service.core.golden.item import GoldenItem
from workers.golden.adding import content_key, stable_id
from workers.golden.importing_cells import Passage, first_held, read_passages, read_said, read_text
from workers.golden.importing_layouts import Layout
from workers.golden.importing_rows import FoundRow

OWN = ("domain", "difficulty", "pair", "reason")  # fields of an item that a row may have under the same name
MAX_WORD_CHARS = 100
MAX_IGNORED = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A row that became no item."""

    place: str
    field: str  # empty: the whole row
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeated:
    """A row with the same texts as an earlier one."""

    place: str
    first: str  # where that one stands


@dataclass(kw_only=True, slots=True)
class Imported:
    """What a file's rows became."""

    items: list[GoldenItem] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)  # of items, by id
    refused: list[Refused] = field(default_factory=list)
    repeated: list[Repeated] = field(default_factory=list)
    ignored: dict[str, None] = field(default_factory=dict)  # names of fields that no item has, the first of them


@dataclass(frozen=True, kw_only=True, slots=True)
class _Candidate:
    place: str
    item: GoldenItem


def import_rows(rows: Iterable[FoundRow], layout: Layout, *, name: str, category: str) -> Imported:
    """Items of rows.

    Args:
        rows: as they were found.
        layout: which fields are what.
        name: of the file, for each item's source.
        category: of items whose row has none.
    """
    found = Imported()
    made: dict[str, list[_Candidate]] = defaultdict(list)
    for row in rows:
        try:
            item = _item(row, layout, name, category)
        except PayloadInvalidError as error:
            found.refused.append(Refused(place=row.place, field=error.field or "", sentence=error.detail))
        else:
            made[content_key(item)].append(_Candidate(place=row.place, item=item))
            _remember_ignored(row.document, layout, found.ignored)
    for same in made.values():
        _take(same, found)
    return found


def _take(same: list[_Candidate], found: Imported) -> None:
    """One item of the rows with the same texts; none where their labels contradict each other."""
    if len({each.item.hallucinated for each in same} - {None}) > 1:
        places = ", ".join(each.place for each in same)
        sentence = f"The same texts have both labels, in {places}. Decide which is right."
        found.refused += [Refused(place=each.place, field="label", sentence=sentence) for each in same]
        return
    chosen = next((each for each in same if each.item.hallucinated is not None), same[0])
    if chosen.item.id in found.places:
        sentence = f"The id {chosen.item.id!r} is also that of {found.places[chosen.item.id]}. Give each row its own."
        found.refused.append(Refused(place=chosen.place, field="id", sentence=sentence))
        return
    found.items.append(chosen.item)
    found.places[chosen.item.id] = chosen.place
    found.repeated += [Repeated(place=each.place, first=chosen.place) for each in same if each is not chosen]


def _item(row: FoundRow, layout: Layout, name: str, category: str) -> GoldenItem:
    document = _document(row, layout)
    question = read_text(document, layout.question)
    response = read_text(document, layout.response) or None  # an empty cell is all that CSV has for none
    if question is None and response is None:
        raise PayloadInvalidError("There is neither a question nor a response.", field=layout.question[0])
    hallucinated = read_said(document, layout.label, layout.hallucinated)
    if response is None and hallucinated is not None:
        raise PayloadInvalidError("There is a label but no response that it is of.", field=layout.response[0])
    fields = {
        "question": question,
        "contexts": _contexts(document, layout),
        "response": response,
        "hallucinated": hallucinated,
        "category": _category(document, layout) or category,
        "reason": _reference(document, layout),
        "source": f"{name}, {row.place}"[-MAX_WORD_CHARS:],
        **{own: document[own] for own in OWN if isinstance(document.get(own), str) and document[own]},
    }
    own_id = first_held(document, layout.id)
    id_field, given = own_id if own_id is not None and own_id[1] != "" else ("id", None)
    fields["id"] = "unnamed" if given is None else given if isinstance(given, str) else str(given)
    item = _validated(fields, id_field)
    return item if given is not None else item.model_copy(update={"id": stable_id(content_key(item))})


def _document(row: FoundRow, layout: Layout) -> dict[str, Any]:
    if row.problem is not None:
        raise row.problem
    if not isinstance(row.document, dict):
        raise PayloadInvalidError("Must be a JSON object.", field="")
    turns = first_held(row.document, layout.turns)
    if turns is not None:
        raise PayloadInvalidError("A conversation of several turns; an item has one question.", field=turns[0])
    return row.document


def _contexts(document: dict[str, Any], layout: Layout) -> list[dict[str, str]]:
    passages: list[Passage] = []
    for name in layout.contexts:
        held = first_held(document, (name,))
        if held is not None and held[1] != "" and (layout.together or not passages):
            passages += read_passages(*held, layout.delimiter)
    if not passages:
        raise PayloadInvalidError("There are no contexts to check a response against.", field=layout.contexts[0])
    given = [passage.id for passage in passages if passage.id is not None]
    if len(set(given)) < len(given):
        raise PayloadInvalidError("Two contexts have the same id. Give each its own.", field=layout.contexts[0])
    return [
        {"id": passage.id or _free(str(place), given), "text": passage.text} for place, passage in enumerate(passages)
    ]


def _free(name: str, given: list[str]) -> str:
    while name in given:
        name = f"_{name}"
    return name


def _category(document: dict[str, Any], layout: Layout) -> str | None:
    held = first_held(document, layout.category)
    return str(held[1]) if held is not None and isinstance(held[1], str | int) else None


def _reference(document: dict[str, Any], layout: Layout) -> str:
    held = first_held(document, layout.reference)
    if held is None:
        return ""
    texts = held[1] if isinstance(held[1], list) else [held[1]]
    told = " / ".join(text for text in texts if isinstance(text, str) and text)
    return f"Reference answer: {told}" if told else ""


def _validated(fields: dict[str, Any], id_field: str) -> GoldenItem:
    try:
        return GoldenItem.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        if place == "id":
            message = "An id has 1 to 100 letters, digits and _ . : -, and does not begin with . or :."
            raise PayloadInvalidError(message, field=id_field) from None
        raise PayloadInvalidError(f"{first['msg']}.", field=place) from None


def _remember_ignored(document: Any, layout: Layout, ignored: dict[str, None]) -> None:
    known = {*layout.question, *layout.contexts, *layout.response, *layout.reference, *layout.label}
    known |= {*layout.hallucinated, *layout.id, *layout.category, *OWN}
    for name in document:
        if name not in known and len(ignored) < MAX_IGNORED:
            ignored[name] = None
