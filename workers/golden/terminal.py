"""The report of a golden run in a terminal, whole at 80 columns: verdict first."""

import re

from rich.console import Console
from rich.text import Text

from service.core.golden.gate import Verdict
from service.core.visible import visible
from workers.commands.shown import show_lines, show_rows
from workers.golden.report import Report
from workers.golden.report_rows import Rows, categories, command, endpoints, flaky, flipped, runs, sources

MOST_CASES, MOST_CATEGORIES, MOST_FLAKY = 20, 20, 10
MAX_CELL_CHARS, MAX_LINE_CHARS = 60, 1_000
STYLES = {Verdict.NO_WORSE: "bold green", Verdict.WORSE: "bold red", Verdict.CANNOT_TELL: "bold yellow", None: "bold"}


def show_report(console: Console, report: Report, *, all_categories: bool = False) -> None:
    """Prints it. Of categories only those that changed, unless all are wanted."""
    _tell(console, report.verdict_words, STYLES[report.verdict])
    _show(console, endpoints(report))
    for line in report.meaning:
        _tell(console, line, "dim")
    _show(console, categories(report, None if all_categories else MOST_CATEGORIES, unchanged=all_categories))
    _show_flipped(console, flipped(report, MOST_CASES))
    _show(console, flaky(report, MOST_FLAKY))
    if found := report.gaps:
        console.print(Text("\nWhat the figures do not cover", style="italic"))
        for line in found:
            _tell(console, f"- {line}")
    _show(console, runs(report))
    show_lines(
        console, one_line(sources(report), MAX_LINE_CHARS), f"Again: {one_line(command(report), MAX_LINE_CHARS)}"
    )


def one_line(text: str, limit: int) -> str:
    """A user's text on one line, with nothing that a terminal obeys, nor a CI runner that reads along."""
    flat = visible(re.sub(r"\s+", " ", text), limit)
    return flat.replace("::", ": :").replace("##[", "## [")  # commands of GitHub's and Azure's runners


def _show(console: Console, rows: Rows) -> None:
    if not rows.rows:
        return
    cells = [[one_line(cell, MAX_CELL_CHARS) for cell in row] for row in rows.rows]
    show_rows(console, rows.columns, cells, title=f"\n{rows.title}")
    if rows.more:
        show_lines(console, f"and {rows.more:,} more")


def _show_flipped(console: Console, rows: Rows) -> None:
    """A line each: five columns of ids and names are seldom narrow enough for a table."""
    if not rows.rows:
        return
    console.print(Text(f"\n{rows.title}\n", style="italic"))
    for row in rows.rows:
        change, item, category, before, now = (one_line(cell, MAX_CELL_CHARS) for cell in row)
        show_lines(console, f" {change:<6}  {item}: {before} -> {now} ({category})")
    if rows.more:
        show_lines(console, f" and {rows.more:,} more")


def _tell(console: Console, sentence: str, style: str = "") -> None:
    """In a terminal it breaks between words; in a file it stays one line, for whoever searches it."""
    text = Text(one_line(sentence, MAX_LINE_CHARS), style=style)
    console.print(text, soft_wrap=not console.is_terminal)
