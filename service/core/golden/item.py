"""The native format of a golden set: JSON Lines, one labelled item a line. `ITEM_SCHEMA_ID` names its published schema."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from models.types import Verdict

ITEM_SCHEMA_ID = "urn:assay:golden-item:1"
ItemId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.:-]{0,99}$")]
Word = Annotated[str, Field(max_length=100)]
Offset = Annotated[int, Field(strict=True, ge=0)]
MAX_TEXT_CHARS = 1_000_000


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GoldenContext(_Part):
    """One passage that the response has to keep to."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    text: Annotated[str, Field(max_length=MAX_TEXT_CHARS)]


class GoldenEvidence(_Part):
    """A span of a context that decides a claim; offsets are code points."""

    context_id: Annotated[str, Field(min_length=1, max_length=200)]
    start: Offset
    end: Offset
    text: str  # always the context's text[start:end]


class GoldenClaim(_Part):
    """A statement of the response, by its code points, and what a reader finds."""

    start: Offset
    end: Offset
    text: str  # always the response's text[start:end]
    verdict: Verdict
    evidence: tuple[GoldenEvidence, ...] = ()


class GoldenItem(_Part):
    """One labelled question, contexts and response."""

    id: ItemId
    question: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] | None = None
    contexts: tuple[GoldenContext, ...] = ()
    response: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] | None = None  # null: for applications alone
    hallucinated: Annotated[bool, Field(strict=True)] | None = (
        None  # whether the response makes something up; null: nobody said
    )
    claims: tuple[GoldenClaim, ...] = ()
    category: Word = ""
    domain: Word = ""
    difficulty: Word = ""
    pair: Word | None = None  # what the two versions of a minimal pair have in common
    reason: str = ""  # why the label is what it is
    source: Word = ""  # where it came from: an author, a file, a sample's id


def item_digest(item: GoldenItem) -> str:
    """Digest of all that a run depends on; results of two versions of an item are never compared."""
    kept = item.model_dump(mode="json", include={"question", "contexts", "response", "hallucinated"})
    return _digest(kept)


def set_digest(items: Sequence[GoldenItem]) -> str:
    """Digest of a set's items, whatever their order."""
    return _digest(sorted([item.id, item_digest(item), item.category] for item in items))


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def questions(items: Sequence[GoldenItem]) -> list[GoldenItem]:
    """What an application can be asked: each question with its contexts once; the two of a minimal pair are one."""
    found: dict[str, GoldenItem] = {}
    for item in items:
        if item.question is not None:
            found.setdefault(_digest([item.question, [context.text for context in item.contexts]]), item)
    return list(found.values())


def item_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of one line."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ITEM_SCHEMA_ID,
        **GoldenItem.model_json_schema(),
    }
