"""Where the report of a golden run goes, and the exit status that follows from it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from service.core.errors import StartRefusedError
from service.core.golden.gate import Verdict
from workers.golden.html import html_report
from workers.golden.junit import junit_report
from workers.golden.markdown import github_annotations, markdown_report
from workers.golden.report import Report
from workers.golden.terminal import show_report

EXIT_WORSE, EXIT_CANNOT_TELL = 3, 4
SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outputs:
    """What was asked for beside the terminal."""

    junit: Path | None
    html: Path | None
    github: bool

    def put(self, report: Report, part: str | None) -> Verdict | None:
        """Shows and writes it; its verdict, None where nothing was to be compared. `part`: put into names of files."""
        show_report(Console(highlight=False), report)
        for path, written in ((self.junit, junit_report), (self.html, html_report)):
            if path is not None:
                _write(path if part is None else path.with_name(f"{path.stem}.{part}{path.suffix}"), written(report))
        if self.github:
            typer.echo(github_annotations(report))
            _append(os.environ.get(SUMMARY), markdown_report(report))
        return report.verdict


def told_exit(verdicts: Sequence[Verdict | None]) -> int:
    """The exit status of all sets together."""
    if Verdict.WORSE in verdicts:
        return EXIT_WORSE
    return EXIT_CANNOT_TELL if Verdict.CANNOT_TELL in verdicts else 0


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StartRefusedError(
            f"{path} cannot be written: {error.strerror}.", next_step="Give another path."
        ) from None


def _append(path: str | None, text: str) -> None:
    """To the job's summary, where there is one; else it is printed."""
    if not path:
        typer.echo(text)
        return
    try:
        with Path(path).open("a", encoding="utf-8") as summary:
            summary.write(text + "\n")
    except OSError as error:
        raise StartRefusedError(
            f"{SUMMARY} names {path}, which cannot be written: {error.strerror}.", next_step="Correct or unset it."
        ) from None
