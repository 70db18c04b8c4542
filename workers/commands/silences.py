"""`assay alerts silence`, `silences` and `unsilence`: whose alerts nobody is told of, until when, and why."""

import getpass
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from service.core.alert_schemas import LONGEST_SILENCE, MAX_REASON_CHARS, SilenceSent
from service.core.alerting.wording import group_words, moment, one_line
from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import require_current
from service.core.duration import parse_duration
from service.core.errors import SilenceUnknownError
from service.core.keys import DEFAULT_TENANT
from service.core.store.rates import DIMENSIONS
from service.core.store.silences import MAX_SILENCES, Silence, add_silence, end_silence, read_silences
from workers.commands.alert_words import given_policy, known_rule
from workers.commands.entry import explained, logged_settings, opened_database
from workers.commands.shown import show_lines, show_rows

BAD_NAME = "use 1 to 100 letters, digits, and . _ @ + -"
OPTIONS = {"created_by": "--by", "reason": "--reason", "group": "--group", "rule": "RULE"}


def silence(  # noqa: PLR0913 - one argument an option
    *,
    rule: Annotated[str | None, typer.Argument(help="The rule; --all instead for all rules.")] = None,
    length: Annotated[str, typer.Option("--for", help="How long, from now: 30m, 2h, 7d.")],
    reason: Annotated[str, typer.Option(help="Why; others read it.")],
    everything: Annotated[bool, typer.Option("--all", help="All rules of the tenant.")] = False,
    group: Annotated[
        list[str] | None, typer.Option(help="Only groups with it, such as route=search; may be repeated.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who silences; your login name if absent.")] = None,
    tenant: Annotated[str, typer.Option(help="Whose alerts.")] = DEFAULT_TENANT,
) -> None:
    """Tells sinks nothing of a rule's alerts for a while. They are evaluated and recorded all the same.

    What is opened meanwhile and still open at the end is told then; the end of what was told before is always told.
    """
    if everything is (rule is not None):
        raise typer.BadParameter("name a rule, or give --all", param_hint="RULE")
    settings = logged_settings()
    with explained():
        now = utc_now()
        ends_at = now + _allowed(parse_duration(length, "for"))
        sent = _checked(rule, _groups(group or []), ends_at, reason, by or _login_name())
        _require_rule(settings, tenant, sent)
        meant = Silence(
            rule=sent.rule,
            group=sent.group,
            reason=sent.reason,
            created_by=sent.created_by,
            created_at=now,
            ends_at=ends_at,
        )
        with opened_database(settings) as database:
            require_current(database)
            with database.write() as connection:
                made = add_silence(connection, tenant, meant)
    show_lines(
        Console(highlight=False),
        f"Silence {made.number}: nobody is told of {_whose(made)} until {moment(made.ends_at)}.",
        f"`assay alerts unsilence {made.number}` ends it before.",
    )


def _allowed(length: timedelta) -> timedelta:
    if length > LONGEST_SILENCE:
        raise typer.BadParameter(f"must be at most {LONGEST_SILENCE.days}d", param_hint="--for")
    return length


def _groups(given: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or name not in DIMENSIONS or name in values:
            raise typer.BadParameter(
                f"write NAME=VALUE, each of {', '.join(DIMENSIONS)} once at most", param_hint="--group"
            )
        values[name] = value
    return values


def _checked(rule: str | None, group: dict[str, str], ends_at: datetime, reason: str, by: str) -> SilenceSent:
    meant: dict[str, Any] = {"rule": rule, "group": group, "ends_at": ends_at, "reason": reason, "created_by": by}
    try:
        return SilenceSent.model_validate(meant)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        hint = OPTIONS.get(str(first["loc"][0]) if first["loc"] else "", "--group")
        said = BAD_NAME if hint == "--by" else first["msg"].removeprefix("Value error, ")
        raise typer.BadParameter(said, param_hint=hint) from None


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        raise typer.BadParameter("this user has no name: say who you are", param_hint="--by") from None


def _require_rule(settings: Settings, tenant: str, sent: SilenceSent) -> None:
    """Refuses what would silence nothing."""
    if sent.rule is None:
        return
    rule = known_rule(given_policy(settings), tenant, sent.rule)
    for name in sent.group:
        if name not in rule.group_by:
            raise typer.BadParameter(f"{rule.name} is not grouped by {name}: nothing would match", param_hint="--group")


def _whose(meant: Silence) -> str:
    rule = one_line(meant.rule) if meant.rule is not None else "all rules"
    return f"{rule} where {group_words(meant.group)}" if meant.group else rule


def silences(
    *,
    ended: Annotated[bool, typer.Option("--ended", help="Those that are over too.")] = False,
    tenant: Annotated[str, typer.Option(help="Whose alerts.")] = DEFAULT_TENANT,
) -> None:
    """Silences, newest first."""
    with explained(), opened_database(logged_settings()) as database:
        require_current(database)
        now = utc_now()
        with database.read() as connection:
            found = read_silences(connection, tenant, None if ended else now)
    console = Console(highlight=False)
    if not found:
        show_lines(console, "There are no silences." if ended else "Nothing is silenced.")
        return
    rows = [_row(each, now) for each in found]
    show_rows(console, ("id", "of", "until", "by", "reason"), rows)
    if len(found) == MAX_SILENCES:
        show_lines(console, f"These are the newest {MAX_SILENCES}.")


def _row(each: Silence, now: datetime) -> list[str]:
    until = moment(each.ends_at) + (" (over)" if each.ends_at <= now else "")
    reason = one_line(each.reason, MAX_REASON_CHARS)
    return [str(each.number), _whose(each), until, one_line(each.created_by), reason]


def unsilence(
    number: Annotated[int, typer.Argument(min=1, max=2**62, metavar="ID", help="As `assay alerts silences` shows it.")],
    *,
    tenant: Annotated[str, typer.Option(help="Whose alerts.")] = DEFAULT_TENANT,
) -> None:
    """Ends a silence now; it stays in the list of those that are over."""
    with explained(), opened_database(logged_settings()) as database:
        require_current(database)
        with database.write() as connection:
            ended = end_silence(connection, tenant, number, utc_now())
        if ended is None:
            step = "`assay alerts silences --ended` lists all."
            raise SilenceUnknownError(f"There is no silence {number} of this tenant.", next_step=step)
    show_lines(Console(highlight=False), f"Silence {number} of {_whose(ended)} is over since {moment(ended.ends_at)}.")
