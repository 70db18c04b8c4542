"""`assay doctor`: what is wrong with this installation, and the fix."""

import json
import logging
import os
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from service.core.visible import visible
from workers.doctor.examine import examine
from workers.doctor.finding import Finding, Level

EXIT_FAILED = 1
MAX_TEXT_CHARS = 500
COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}
NAME_WIDTH = 18


def doctor(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON, for machines.")] = False
) -> None:
    """Checks settings, database, Redis, workers, scorer and port; says what to mend, and changes nothing.

    Exit status: 0 if nothing fails (warnings may remain), 1 if something does.
    """
    logging.disable(logging.CRITICAL)  # what libraries have to say of a failure is said by the finding
    console = Console(highlight=False, soft_wrap=True)
    findings = []
    for finding in examine(os.environ):
        findings.append(finding)
        if not as_json:
            _show(finding, console)
    failed = any(finding.level is Level.FAIL for finding in findings)
    if not as_json:
        console.print(Text(_closing(findings)))
    else:
        typer.echo(json.dumps({"ok": not failed, "findings": [asdict(finding) for finding in findings]}))
    if failed:
        raise typer.Exit(EXIT_FAILED)


def _closing(findings: list[Finding]) -> str:
    """How many things are to be mended, and how bad they are."""
    failures, warnings = (sum(finding.level is level for finding in findings) for level in (Level.FAIL, Level.WARN))
    if failures:
        return f"{failures} of {len(findings)} checks failed, {warnings} warned. Mend what fails first, top down."
    if warnings:
        return f"Nothing fails; {warnings} of {len(findings)} checks warned."
    return f"All {len(findings)} checks are well."


def _show(finding: Finding, console: Console) -> None:
    level = Text(f"{finding.level.value:<5}", style=COLOURS[finding.level])
    console.print(level, Text(f"{finding.check:<{NAME_WIDTH}}{visible(finding.text, MAX_TEXT_CHARS)}"))
    if finding.fix is not None:
        console.print(Text(f"{'':<{NAME_WIDTH + 6}}fix: {visible(finding.fix, MAX_TEXT_CHARS)}"))
