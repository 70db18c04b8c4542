"""Commands in this process: one of their own costs seconds."""

from collections.abc import Callable

import structlog
import typer
from click.testing import Result
from typer.testing import CliRunner

from workers.cli import app

Run = Callable[..., Result]


def alerts_command(**given: str) -> Run:
    """Runs `assay alerts ...` with these settings."""
    return group_command("alerts", **given)


def group_command(group: str, within: typer.Typer = app, **given: str) -> Run:
    """Runs `assay GROUP ...` with these settings; what it sets up for its log lines is undone.

    `within` is the whole command line, which takes a tenth of a second to set up, or one that has the group alone.
    """

    def run(*arguments: str, **environment: str | None) -> Result:
        before = structlog.get_config()
        try:
            done = CliRunner().invoke(within, [group, *arguments], env={"COLUMNS": "200", **given, **environment})
        finally:
            structlog.configure(**before)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        assert "\x1b" not in done.output
        return done

    return run
