"""The row: a response beside its contexts, and whether these support it, as JSON lines."""

import gzip
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.types import Context, Item

_SUPPORTED = {"supported", "entailment"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One labelled example."""

    item: Item
    supported: bool
    label: str = ""  # as the set has it
    group: str = ""  # the document, as the set names it; its text where the set's groups are its domains
    domain: str = ""  # of the sets that have several
    pair: str = ""  # rows of one pair differ in what makes one of them unsupported


def read_rows(path: Path, limit: int, seed: int) -> list[Row]:
    """At most `limit` rows of the gzipped file, drawn by `seed`; the same every time."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        read = [json.loads(line) for line in lines]
    by_domain = _group_by_domain(read)
    rows = [
        Row(
            item=_item(row["premise"], row["hypothesis"]),
            supported=row["label"] in _SUPPORTED,
            label=row["label"],
            group=row["premise"] if by_domain else str(row.get("group", at)),
            domain=str(row.get("domain", "")),
            pair=str(row.get("pair", "")),
        )
        for at, row in enumerate(read)
    ]
    draw = random.Random(f"{seed} {set_name(path)}")  # noqa: S311 (a draw, no secret)
    chosen = draw.sample(range(len(rows)), min(limit, len(rows)))
    return [rows[index] for index in sorted(chosen)]


def set_name(path: Path) -> str:
    """The data set's name: its file name without the endings."""
    return path.name.split(".")[0]


def _group_by_domain(rows: list[dict[str, Any]]) -> bool:
    domains = {row.get("domain", "") for row in rows}
    return 1 < len(domains) >= len({row.get("group") for row in rows})


def _item(premise: str, hypothesis: str) -> Item:
    return Item(response=hypothesis, contexts=(Context(id="0", text=premise),))
