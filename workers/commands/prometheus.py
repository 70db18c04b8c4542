"""`assay prometheus rules`: recording and alerting rules for Prometheus."""

import re
from enum import StrEnum
from typing import Annotated

import typer

from workers.prometheus.rule import Options
from workers.prometheus.rule_file import rule_file

prometheus_app = typer.Typer(no_args_is_help=True, help="What Prometheus needs to know of Assay.")
_DEFAULT = Options()
_DURATION = re.compile(r"0s|([1-9][0-9]*[smhdw])+")
_JOB = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Window(StrEnum):
    """The windows that `/metrics` has rates of."""

    HOUR = "1h"
    DAY = "24h"


def _duration(text: str) -> str:
    if not _DURATION.fullmatch(text):
        raise typer.BadParameter("write a duration such as 10m or 1h30m")
    return text


def _job(text: str) -> str:
    if not _JOB.fullmatch(text):
        raise typer.BadParameter("use 1 to 64 letters, digits, and _ -")
    return text


@prometheus_app.callback()
def _root() -> None:
    """Keeps `rules` a command of its own."""


@prometheus_app.command("rules")
def prometheus_rules(  # noqa: PLR0913 - one argument an option
    *,
    flagged_above: Annotated[
        float, typer.Option(min=0, max=1, help="Alert when the interval's lower end of a flagged rate is above this.")
    ] = _DEFAULT.flagged_above,
    flagged_window: Annotated[Window, typer.Option(help="Over which time that rate is.")] = Window.HOUR,
    flagged_for: Annotated[
        str, typer.Option(callback=_duration, help="How long it must be above before somebody is told.")
    ] = _DEFAULT.flagged_for,
    queue_older_s: Annotated[
        int, typer.Option(min=1, help="Alert when the oldest sample has waited for more seconds.")
    ] = _DEFAULT.queue_older_s,
    unscored_above: Annotated[
        float, typer.Option(min=0, max=1, help="Alert when more of a day's samples could not be scored.")
    ] = _DEFAULT.unscored_above,
    for_: Annotated[
        str, typer.Option("--for", callback=_duration, help="How long most of the other alerts must hold.")
    ] = _DEFAULT.for_,
    sidecar_job: Annotated[
        str, typer.Option(callback=_job, help="The job that scrapes the sidecars.")
    ] = _DEFAULT.sidecar_job,
    worker_job: Annotated[
        str, typer.Option(callback=_job, help="The job that scrapes the workers.")
    ] = _DEFAULT.worker_job,
) -> None:
    """Prints a rule file for Prometheus: series computed once, and alerts about Assay itself and about the rate.

    Save it where `rule_files` of Prometheus' configuration finds it, and check it: promtool check rules FILE.
    """
    options = Options(
        sidecar_job=sidecar_job,
        worker_job=worker_job,
        flagged_above=flagged_above,
        flagged_window=flagged_window.value,
        flagged_for=flagged_for,
        queue_older_s=queue_older_s,
        unscored_above=unscored_above,
        for_=for_,
    )
    typer.echo(rule_file(options), nl=False)
