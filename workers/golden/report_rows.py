"""The tables of a golden report, cell by cell, the same in all its forms. Texts are as users wrote them: forms escape. Pure."""

import shlex
from dataclasses import dataclass

from service.core.golden.comparison_schemas import CategoryAnswer, DifferenceAnswer, FlippedAnswer
from service.core.golden.record import RunRecord, TargetKind
from workers.golden.report import Report
from workers.golden.wording import (
    NAMES,
    SHARES,
    UNKNOWN,
    known_answers_words,
    margin_points,
    outcome,
    percent,
    points,
    span,
)

SHORT = 12  # characters of a digest or commit
NO_CATEGORY = "(none)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """A table. The first column heads its row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0  # rows that are left out


def endpoints(report: Report) -> Rows:
    """What the gate decides by; without a comparison the rates."""
    comparison = report.comparison
    if comparison is None:
        return _rates(report)
    margin = comparison.margin
    return Rows(
        title="What is compared",
        columns=("", "items", "baseline", "candidate", f"points ({_confidence(comparison.confidence)})"),
        rows=tuple(
            (
                NAMES[each.name],
                f"{each.items:,}",
                percent(each.baseline),
                percent(each.candidate),
                f"{points(each.difference.value, margin)} ({_span(each.difference, margin)})",
            )
            for each in comparison.endpoints
            if each.items
        ),
    )


def _span(found: DifferenceAnswer, margin: float) -> str:
    return span(found.ci_low, found.ci_high, margin)


def _rates(report: Report) -> Rows:
    summary = report.summary
    return Rows(
        title="What was found",
        columns=("", "items", "unknown", "share", _confidence(summary.confidence), "with all unknown"),
        rows=tuple(
            (
                NAMES[each.name],
                f"{each.items:,}",
                f"{each.unknown:,}" if each.unknown else "",
                percent(each.rate),
                UNKNOWN if each.rate is None else f"{percent(each.ci_low)} to {percent(each.ci_high)}",
                f"{percent(each.bound_low)} to {percent(each.bound_high)}" if each.unknown else "",
            )
            for each in summary.endpoints
            if each.items
        ),
    )


def _confidence(confidence: float) -> str:
    return f"{100 * confidence:.3g}% interval"


def categories(report: Report, most: int | None = None, *, unchanged: bool = False) -> Rows:
    """Categories, those that became worse first; only those that changed, unless `unchanged` ones are wanted too."""
    comparison, bad = report.comparison, SHARES[report.candidate.kind]
    if comparison is None:
        found = [
            (each.name or NO_CATEGORY, f"{each.items:,}", percent(each.rate)) for each in report.summary.categories
        ]
        kept = tuple(found[:most])
        return Rows(title="Categories", columns=("category", "items", bad), rows=kept, more=len(found) - len(kept))
    wanted = [each for each in comparison.categories if unchanged or each.became_worse or each.became_better]
    ordered = sorted(wanted, key=lambda each: (not each.worse, each.became_better - each.became_worse, each.name))
    chosen = ordered[:most]
    return Rows(
        title=f"Categories, share {bad}" if unchanged else f"Categories that changed, share {bad}",
        columns=("category", "items", "baseline", "candidate", "worse", "better", "by chance"),
        rows=tuple(_category(each) for each in chosen),
        more=len(ordered) - len(chosen),
    )


def _category(each: CategoryAnswer) -> tuple[str, ...]:
    return (
        each.name or NO_CATEGORY,
        f"{each.items:,}",
        percent(each.baseline),
        percent(each.candidate),
        f"{each.became_worse:,}",
        f"{each.became_better:,}",
        "no" if each.worse else "may be",
    )


def flipped(report: Report, most: int) -> Rows:
    """Items that the two runs tell differently, those that became worse first."""
    found = [] if report.comparison is None else report.comparison.flipped
    return Rows(
        title="Items that changed, worse first",
        columns=("", "item", "category", "baseline", "candidate"),
        rows=tuple(
            ("worse" if each.worse else "better", each.item, each.category or NO_CATEGORY, *outcomes(each))
            for each in found[:most]
        ),
        more=max(0, len(found) - most),
    )


def outcomes(each: FlippedAnswer) -> tuple[str, str]:
    """What became of an item before and now."""
    return outcome(each.endpoint, each.baseline), outcome(each.endpoint, each.candidate)


def flaky(report: Report, most: int) -> Rows:
    """Items that differ from repeat to repeat."""
    found = [] if report.comparison is None else report.comparison.flaky
    return Rows(
        title="Flaky items: how often two repeats differ",
        columns=("item", "baseline", "candidate"),
        rows=tuple((each.item, percent(each.baseline), percent(each.candidate)) for each in found[:most]),
        more=max(0, len(found) - most),
    )


def runs(report: Report) -> Rows:
    """What was run, so that it can be run again."""
    held = [("baseline", report.baseline), ("candidate", report.candidate)]
    return Rows(
        title="How to reproduce",
        columns=("run", "release", "commit", "scorer", "started (UTC)", "repeats"),
        rows=tuple((name, *_run(record)) for name, record in held if record is not None),
    )


def _run(record: RunRecord) -> tuple[str, ...]:
    return (
        record.release or "not given",
        record.git_commit[:SHORT] or "not given",
        (record.fingerprint or "none")[:SHORT],
        f"{record.started_at:%Y-%m-%d %H:%M}",
        str(record.repeats),
    )


def sources(report: Report) -> str:
    """Which set and target, in a sentence."""
    record = report.candidate
    what = "the scorer" if record.kind is TargetKind.SCORER else record.target
    number = len(record.items)
    known = known_answers_words(record.known_answers)
    asked = f" Its scorer has {known}." if known else ""
    return f"Set {record.set_name} ({number:,} items, digest {record.set_digest[:SHORT]}), run by {what}.{asked}"


def command(report: Report) -> str:
    """The command that runs it again. What was sent to an application beside question and contexts is not in a record."""
    record, comparison = report.candidate, report.comparison
    words = ["assay", "golden", "run", record.set_name, "--target", record.target, "--repeats", str(record.repeats)]
    if comparison is not None and comparison.margin_given:
        words += ["--margin", margin_points(comparison.margin)]
    return shlex.join(words)
