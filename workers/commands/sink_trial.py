"""`assay alerts test`: a made-up notice to one sink, right now."""

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Console

from service.core.alerting.machine import Event, Reading
from service.core.alerting.notice import Notice
from service.core.alerting.rule import Metric, Severity
from service.core.alerting.sink import SecretUnreadableError, Sink
from service.core.alerting.wording import one_line
from service.core.clock import utc_now
from service.core.errors import PolicyInvalidError
from service.core.keys import DEFAULT_TENANT
from service.core.policy import Policy
from workers.commands.alert_words import given_policy
from workers.commands.entry import explained, logged_settings
from workers.commands.shown import show_lines
from workers.sinks.failure import SinkFailedError
from workers.sinks.send import send

EXIT_FAILED = 1
RULE = "assay-test"
REASON = "a test by `assay alerts test`: the numbers are made up, and nothing is wrong"
MAX_DETAIL_CHARS = 500
UNREAD = "Put the secret's file in place, readable by this user and by the workers' user; it is read at each sending."
AGAIN = "Workers would try again by themselves. Look whether the address is right and whether its server is up."
MEND = "Correct the sink in the policy file or on its own side; trying the same again would not help."


def try_sink(
    sink: Annotated[str, typer.Argument(help="A sink of the policy file, by name.")],
    *,
    policy: Annotated[Path | None, typer.Option(help="A policy file; that of ASSAY_POLICY_FILE if absent.")] = None,
) -> None:
    """Sends a made-up alert to one sink right now, then that it is resolved, and says what came of it.

    Both are marked as a test: their rule is `assay-test`. Exit status: 0 if both were taken, 1 if not.
    """
    settings = logged_settings()
    with explained():
        found = _sink(given_policy(settings, policy), sink)
    console = Console(highlight=False)
    sent: list[str] = []
    try:
        for notice in _notices(found):
            send(found, notice, settings.public_url or None, utc_now())
            sent.append(notice.event.value)
            show_lines(console, f"{found.name} ({found.shown}) took `{notice.event.value}` of the rule {RULE}.")
    except SinkFailedError as failure:
        detail = one_line(failure.detail, MAX_DETAIL_CHARS)
        typer.echo(f"assay: {found.name} ({found.shown}) was not told: {detail}.", err=True)
        typer.echo(f"  {_fix(failure)}", err=True)
        if sent:
            typer.echo("  It has been told that the test fires, and not that it is over: close it there.", err=True)
        raise typer.Exit(EXIT_FAILED) from None


def _fix(failure: SinkFailedError) -> str:
    if isinstance(failure.__context__, SecretUnreadableError):
        return UNREAD
    return AGAIN if failure.retry else MEND


def _sink(policy: Policy, name: str) -> Sink:
    found = next((each for each in policy.sinks if each.name == name), None)
    if found is not None:
        return found
    names = ", ".join(each.name for each in policy.sinks)
    step = f"Its sinks: {names}." if names else "Add a [[sinks]] table."
    raise PolicyInvalidError(f"The policy has no sink {name[:64]!r}.", next_step=step)


def _notices(sink: Sink) -> list[Notice]:
    """An incident that fires and is over, unlike any before: what is new is shown, and not taken for a repetition."""
    now, seq = utc_now(), time.time_ns() // 1_000_000
    firing = Notice(
        seq=seq,  # far beyond the numbers of real events
        incident=f"assay-test/{uuid4().hex}",
        event=Event.FIRING,
        at=now,
        since=now,
        reason=REASON,
        tenant=sink.tenants[0] if sink.tenants else DEFAULT_TENANT,
        rule=RULE,
        group={},
        severity=Severity.INFO,
        metric=Metric.FLAGGED_RATE,
        above=0.05,
        below=None,
        by_bound=True,
        confidence=0.999,
        window=timedelta(hours=1),
        reading=Reading(value=0.081, low=0.062, high=0.104, effective_n=412.0, coverage=0.93),
    )
    return [firing, replace(firing, seq=seq + 1, event=Event.RESOLVED)]
