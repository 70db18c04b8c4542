"""The row: a response beside its contexts, and whether these support it, as JSON lines."""

import gzip
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.labels import Meaning, meaning_of
from models.types import Context, Item

_SUPPORTED = {"supported", "entailment"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One labelled example."""

    item: Item
    supported: bool


def read_rows(path: Path, limit: int, seed: int) -> list[Row]:
    """At most `limit` rows of the gzipped file, drawn by `seed`; the same every time."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        read = [json.loads(line) for line in lines]
    rows = [Row(item=_item([row["premise"]], row["hypothesis"]), supported=row["label"] in _SUPPORTED) for row in read]
    draw = random.Random(f"{seed} {set_name(path)}")  # noqa: S311 (a draw, no secret)
    chosen = draw.sample(range(len(rows)), min(limit, len(rows)))
    return [rows[index] for index in sorted(chosen)]


def read_labelled(path: Path) -> list[Row]:
    """All rows {contexts, response, label} of the file, which may be gzipped. Raises ValueError that names the line."""
    opened = gzip.open if path.suffix == ".gz" else open
    rows: list[Row] = []
    with opened(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                rows.append(_labelled(json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                reason = f"{error} is missing" if isinstance(error, KeyError) else error
                raise ValueError(f"line {number}: {reason}") from error
    return rows


def set_name(path: Path) -> str:
    """The data set's name: its file name without the endings."""
    return path.name.split(".")[0]


def _labelled(values: Any) -> Row:
    contexts, response, label = values["contexts"], values["response"], str(values["label"])
    texts = [contexts] if isinstance(contexts, str) else [c["text"] if isinstance(c, dict) else c for c in contexts]
    if not isinstance(response, str) or not all(isinstance(text, str) for text in texts):
        raise TypeError("contexts must be texts and the response one text")
    meaning = meaning_of(label)
    if meaning is None:
        raise ValueError(f"label {label!r}: give supported or unsupported")
    return Row(item=_item(texts, response), supported=meaning is Meaning.ENTAILMENT)


def _item(contexts: list[str], response: str) -> Item:
    return Item(response=response, contexts=tuple(Context(id=str(at), text=text) for at, text in enumerate(contexts)))
