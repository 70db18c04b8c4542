"""Runs for tests of comparisons and summaries: items, and what became of their repeats by marks."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from service.core.golden.gate import Pair, Repeats
from service.core.golden.item import GoldenContext, GoldenItem, item_digest, set_digest
from service.core.golden.record import AnswerRecord, AnswerState, ItemRecord, RunRecord, TargetKind

ANSWERS = {
    "-": AnswerRecord(state=AnswerState.SCORED, flagged=True, score=0.9),
    "+": AnswerRecord(state=AnswerState.SCORED, flagged=False, score=0.1),
    "0": AnswerRecord(state=AnswerState.NOT_APPLICABLE, reason="refusal"),
    "?": AnswerRecord(state=AnswerState.FAILED, reason="timed_out"),
    "!": AnswerRecord(state=AnswerState.UNSCORED, reason="language"),
    ".": AnswerRecord(state=AnswerState.PENDING),
}
Marked = tuple[GoldenItem, str]


def item(name: str = "a", **changes: Any) -> GoldenItem:
    """A hallucinated item."""
    values: dict[str, Any] = {
        "id": name,
        "question": f"{name}?",
        "contexts": (GoldenContext(id="c", text="It is 2."),),
        "response": "It is 3.",
        "hallucinated": True,
        "category": "numbers",
    }
    return GoldenItem(**(values | changes))


def many(marks: Iterable[str], prefix: str = "i", **changes: Any) -> list[Marked]:
    """An item for each."""
    return [(item(f"{prefix}{place}", **changes), each) for place, each in enumerate(marks)]


def run(*answers: Marked, kind: TargetKind = TargetKind.APPLICATION, **changes: Any) -> RunRecord:
    """A run by the marks of each item's repeats."""
    records = tuple(
        ItemRecord(item=each, digest=item_digest(each), answers=tuple(ANSWERS[mark] for mark in marks))
        for each, marks in answers
    )
    values: dict[str, Any] = {
        "id": "run",
        "set_name": "core",
        "set_digest": set_digest([each for each, _ in answers]),
        "kind": kind,
        "target": "app",
        "fingerprint": "f" * 64,
        "repeats": max((len(marks) for _, marks in answers), default=1),
        "started_at": datetime(2026, 11, 27, tzinfo=UTC),
        "items": records,
    }
    return RunRecord(**(values | changes))


def repeats(marks: str) -> Repeats:
    """Of an item whose bad repeats are `-`, good ones `+` and unknown ones `?`."""
    return Repeats(bad=marks.count("-"), good=marks.count("+"), unknown=marks.count("?"))


def pair(baseline: str, candidate: str) -> Pair:
    """An item in both runs, likewise."""
    return Pair(baseline=repeats(baseline), candidate=repeats(candidate))
