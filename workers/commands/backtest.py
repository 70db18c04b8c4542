"""`assay alerts backtest`: how often, when and for how long a rule would have fired."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from service.core.alert_schemas import BacktestAnswer, FiringAnswer
from service.core.alerting.rule import AlertRule
from service.core.alerting.wording import moment, one_line, span
from service.core.backtest_answer import Trial, answer_backtest, changed_rule
from service.core.clock import utc_now
from service.core.db import Database, require_current
from service.core.duration import parse_duration
from service.core.errors import PayloadInvalidError, QueryInvalidError
from service.core.keys import DEFAULT_TENANT
from workers.commands.alert_words import given_policy, known_rule, named_group, value_words
from workers.commands.entry import explained, logged_settings, opened_database
from workers.commands.shown import echo_json, show_lines, show_rows

MOST_SHOWN = 20
TENS = 10.0  # from here on tenths are noise
LISTS = frozenset({"group_by"})  # fields that may be written as a,b
COLUMNS = ("from", "to", "for", "opened by", "group", "value when it was opened")
OPENED_BY = {"firing": "a bad value", "no_data": "no data"}
CLUSTERS = (
    "Sessions and traces are not known of the past: responses count as independent, so it may fire more often here than "
    "workers let it."
)


def backtest(
    *,
    rule: Annotated[str, typer.Argument(help="A rule of the policy file.")],
    window: Annotated[str, typer.Option(help="How far back: 24h, 30d, up to 90d.")] = "30d",
    changed: Annotated[
        list[str] | None,
        typer.Option("--set", help="A field to try with another value: above=0.08, for=30m; may be repeated."),
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="A policy file; that of ASSAY_POLICY_FILE if absent.")] = None,
    tenant: Annotated[str, typer.Option(help="Whose traffic.")] = DEFAULT_TENANT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON that the API answers.")] = False,
) -> None:
    """How often, when and for how long a rule would have fired; with --set, if some of its fields were others."""
    settings = logged_settings()
    with explained():
        found = known_rule(given_policy(settings, policy), tenant, rule)
        tried, fields = _changed(found, _values(changed or []))
        trial = Trial(rule=tried, changed=fields, tenant=tenant, length=parse_duration(window, "window"))
        with opened_database(settings) as database:
            require_current(database)
            answer = _answer(database, trial, utc_now())
    if as_json:
        echo_json(answer)
        return
    _show(answer, tried, Console(highlight=False))


def _values(given: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not equals or not name:
            raise typer.BadParameter("write FIELD=VALUE, such as above=0.08", param_hint="--set")
        values[name] = _value(name, text)
    return values


def _value(name: str, text: str) -> Any:
    """JSON where it is JSON, else the text as it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return [part.strip() for part in text.split(",") if part.strip()] if name in LISTS else text


def _changed(rule: AlertRule, values: dict[str, Any]) -> tuple[AlertRule, list[str]]:
    try:
        return changed_rule(rule, values)
    except PayloadInvalidError as error:
        about = f"{one_line(error.field)}: " if error.field else ""
        raise typer.BadParameter(f"{about}{error.detail}", param_hint="--set") from None


def _answer(database: Database, trial: Trial, now: datetime) -> BacktestAnswer:
    try:
        return answer_backtest(database, trial, now)
    except QueryInvalidError as error:
        hint = "--window" if error.field == "window" else "RULE"
        raise typer.BadParameter(error.detail, param_hint=hint) from None


def _show(answer: BacktestAnswer, rule: AlertRule, console: Console) -> None:
    show_lines(console, *_summary(answer, rule))
    if answer.incidents:
        shown = answer.incidents[:MOST_SHOWN]
        show_rows(console, COLUMNS, [_row(rule, each) for each in shown])
        more = len(answer.incidents) + answer.left_out - len(shown)
        if more:
            show_lines(console, f"and {more:,} more; --json lists {len(answer.incidents)}.")


def _summary(answer: BacktestAnswer, rule: AlertRule) -> list[str]:
    tried = {name: _told(rule, name) for name in answer.changed}
    with_ = f" with {', '.join(f'{name} = {value}' for name, value in tried.items())}" if tried else ""
    told = [f"{answer.rule}{with_}, {moment(answer.start)} to {moment(answer.end)}:"]
    limits = [answer.not_covered] if answer.not_covered else []
    if answer.looks == 0:
        return [*told, "Nothing of this time could be replayed.", *limits]
    month = answer.firings_per_30_days
    often = f", {_per_month(month)} per 30 days" if month is not None and answer.firings else ""
    told.append(f"It would have fired {_times(answer.firings)}{often}.")
    if answer.no_data:
        told.append(f"{_times(answer.no_data).capitalize()} it would have reported that there was nothing to judge.")
    if answer.incidents:
        told.append(f"Incidents would have been open for {span(timedelta(seconds=answer.firing_s))} in all.")
    if answer.no_data_share:
        told.append(f"At {answer.no_data_share:.1%} of looks there was nothing to judge.")
    if answer.low_coverage_share:
        told.append(f"At {answer.low_coverage_share:.1%} of looks there was too little to judge.")
    return [*told, *limits, CLUSTERS]


def _told(rule: AlertRule, name: str) -> str:
    value = rule.model_dump(mode="json", by_alias=True).get(name)
    field = getattr(rule, "for_" if name == "for" else name, None)
    return span(field) if isinstance(field, timedelta) else one_line(json.dumps(value))


def _per_month(number: float) -> str:
    return f"{number:,.0f}" if number >= TENS else f"{number:.1f}"


def _times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number:,} times")


def _row(rule: AlertRule, each: FiringAnswer) -> list[str]:
    return [
        moment(each.start),
        moment(each.end) if each.end is not None else "still open",
        span(timedelta(seconds=each.duration_s)),
        OPENED_BY.get(each.event, each.event),
        named_group(each.group),
        value_words(rule.metric, each.reading, rule.confidence),
    ]
