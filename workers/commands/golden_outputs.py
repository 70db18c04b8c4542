"""Where the report of a golden run goes, and the exit status that follows from it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer
from rich.console import Console

from service.core.golden.gate import Verdict
from workers.golden.html import html_report
from workers.golden.junit import junit_report
from workers.golden.markdown import github_annotations, markdown_report
from workers.golden.report import Report
from workers.golden.terminal import show_report
from workers.progress import EXIT_REFUSED

EXIT_WORSE, EXIT_CANNOT_TELL = 3, 4
SUMMARY = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outputs:
    """What was asked for beside the terminal."""

    junit: Path | None
    html: Path | None
    github: bool
    unwritten: list[str] = field(default_factory=list)  # a verdict is not lost with its report, nor are other sets

    def put(self, report: Report, part: str | None) -> Verdict | None:
        """Shows and writes it; its verdict, None where nothing was to be compared. `part`: put into names of files."""
        show_report(Console(highlight=False), report)
        for path, written in ((self.junit, junit_report), (self.html, html_report)):
            if path is not None:
                self._write(of_part(path, part), written(report))
        if self.github:
            typer.echo(github_annotations(report))
            self._append(os.environ.get(SUMMARY), markdown_report(report))
        return report.verdict

    def _write(self, path: Path, text: str) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            self._failed(f"{path} cannot be written: {error.strerror}.", "Give another path.")

    def _append(self, path: str | None, text: str) -> None:
        """To the job's summary, where there is one; else it is printed."""
        if not path:
            typer.echo(text)
            return
        try:
            with Path(path).open("a", encoding="utf-8") as summary:
                summary.write(text + "\n")
        except OSError as error:
            self._failed(f"{SUMMARY} names {path}, which cannot be written: {error.strerror}.", "Correct or unset it.")

    def _failed(self, problem: str, next_step: str) -> None:
        self.unwritten.append(problem)
        typer.echo(f"assay: {problem}\n  {next_step}", err=True)


def of_part(path: Path, part: str | None) -> Path:
    """The path of one of several sets."""
    return path if part is None else path.with_name(f"{path.stem}.{part}{path.suffix}")


def told_exit(verdicts: Sequence[Verdict | None], outputs: Outputs) -> int:
    """The exit status of all sets together; worse is worse, whatever could not be written."""
    if Verdict.WORSE in verdicts:
        return EXIT_WORSE
    if outputs.unwritten:
        return EXIT_REFUSED
    return EXIT_CANNOT_TELL if Verdict.CANNOT_TELL in verdicts else 0
