"""The example: a premise, a hypothesis and what is known of them, read from the public sets the weights learn from."""

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType


class Target(IntEnum):
    """What a pair is. Sets of two labels know only whether it is entailed."""

    ENTAILED = 0
    NEUTRAL = 1
    CONTRADICTED = 2
    NOT_ENTAILED = 3  # neutral or contradicted, which of them is not known


_TARGETS = MappingProxyType(
    {
        "entailment": Target.ENTAILED,
        "supported": Target.ENTAILED,
        "neutral": Target.NEUTRAL,
        "contradiction": Target.CONTRADICTED,
        "not_supported": Target.NOT_ENTAILED,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One pair to learn from."""

    premise: str
    hypothesis: str
    target: Target
    source: str  # the set, or the set and the kind of edit that made it
    group: str  # the document
    question: str = ""  # of sets whose hypothesis is a question and an answer
    answer: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """How much of a set is taken: of each of its subsets at most so many rows."""

    rows: int | None = None  # of a set without subsets; None: all of them
    subsets: Mapping[str, int] | None = None


# What is left out, and why: `rte` states research only; `seminli`'s *_news premises are Gigaword (LDC), and its automatic
# parts teach word overlap; most of `dnc` and `help_conj` is automatic too, and little of it says much.
SETS: Mapping[str, Share] = MappingProxyType(
    {
        "lingnli": Share(),
        "infotabs": Share(),
        "fever_dev": Share(),
        "snli": Share(),
        "cad_snli": Share(),
        "mpe": Share(),
        "taxinli_mnli": Share(),
        "seminli": Share(subsets={"base_wiki": 2500, "translate_wiki": 2500, "sim_wiki": 1500}),
        "dnc": Share(subsets={"factuality": 2500, "megaveridicality": 1500}),
        "covidfact": Share(),
        "help_conj": Share(rows=3000),
        "xquad_swap": Share(),
        "nli4ct": Share(),
        "fm2": Share(),
        "folio": Share(),
        "scifact_rte": Share(),
    }
)


def read_sets(folder: Path, seed: int) -> list[Example]:
    """The examples of all sets in `folder`, drawn by `seed`; the same every time. Raises OSError for a missing file."""
    return [example for name, share in SETS.items() for example in read_set(folder / f"{name}.jsonl.gz", share, seed)]


def read_set(path: Path, share: Share, seed: int) -> list[Example]:
    """The examples of one gzipped file of JSON lines, drawn by `seed`; the same every time."""
    name = path.name.split(".")[0]
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    by_subset: defaultdict[str, list[Example]] = defaultdict(list)
    for row in rows:
        by_subset["" if share.subsets is None else row["subset"]].append(
            Example(
                premise=row["premise"],
                hypothesis=row["hypothesis"],
                target=_TARGETS[row["label"]],
                source=name,
                group=row["group"],
                question=row.get("question", ""),
                answer=row.get("answer", ""),
            )
        )
    wanted = {"": share.rows} if share.subsets is None else share.subsets
    draw = random.Random(f"{seed} {name}")  # noqa: S311 (a draw, no secret)
    chosen: list[Example] = []
    for subset, rows_wanted in wanted.items():
        there = by_subset[subset]
        chosen.extend(there if rows_wanted is None else draw.sample(there, min(rows_wanted, len(there))))
    return chosen
