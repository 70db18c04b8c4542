"""`assay alerts list` and `assay alerts history`: where rules stand, what was decided, and who was told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from service.core.alert_answer import answer_alerts, answer_history
from service.core.alert_schemas import (
    MAX_EVENTS,
    AlertAnswer,
    AlertsAnswer,
    DeliveryAnswer,
    EventAnswer,
    RuleStateAnswer,
)
from service.core.alert_tables import Delivery
from service.core.alerting.machine import State, Verdict
from service.core.alerting.rule import POINT_ONLY, Metric
from service.core.alerting.wording import NAMES, limit_words, moment, one_line, span
from service.core.clock import utc_now
from service.core.db import require_current
from service.core.keys import DEFAULT_TENANT
from service.core.policy import read_policy
from service.core.rate_query import RateQuery, read_stretch
from service.core.store.alerts import Past
from workers.commands.alert_words import NO_FILE, named_group, since_words, value_words
from workers.commands.backtest import backtest
from workers.commands.entry import explained, logged_settings, opened_database
from workers.commands.shown import Cell, echo_json, show_lines, show_rows
from workers.commands.silences import silence, silences, unsilence
from workers.commands.sink_trial import try_sink
from workers.commands.slos import slos

MAX_ERROR_CHARS = 500
COLUMNS = ("rule", "group", "state", "since", "value", "bad is", "silenced until")
COLOURS = {State.FIRING: "bold red", State.NO_DATA: "yellow", State.PENDING: "yellow", State.OK: "green"}
NOT_NOW = {Verdict.GOOD: "good now", Verdict.LOW_COVERAGE: "too little to judge now", Verdict.NO_DATA: "no data now"}
STALE = "No worker evaluates the rules: start `assay worker` with the policy file in ASSAY_POLICY_FILE."

alerts_app = typer.Typer(no_args_is_help=True, help="Alerts: rules, silences, objectives, sinks.")


@alerts_app.command("list")
def alerts_list(
    *,
    tenant: Annotated[str, typer.Option(help="Whose rules.")] = DEFAULT_TENANT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON that the API answers.")] = False,
) -> None:
    """Where every rule and group stands, with its last reading, worst first."""
    settings = logged_settings()
    with explained(), opened_database(settings) as database:
        policy = read_policy(settings.policy_file)
        require_current(database)
        now = utc_now()
        answer = answer_alerts(database, policy, tenant, now, settings.alert_interval_s)
    if as_json:
        echo_json(answer)
        return
    console = Console(highlight=False)
    rows = _rows(answer, now)
    if rows:
        show_rows(console, COLUMNS, rows)
    show_lines(console, *_notes(answer, now, has_file=settings.policy_file is not None))


def _rows(answer: AlertsAnswer, now: datetime) -> list[list[Cell]]:
    rules = {rule.rule: rule for rule in answer.rules}
    known: list[list[Cell]] = [_row(alert, rules.get(alert.rule), now) for alert in answer.alerts]
    unmet = [rule for rule in answer.rules if rule.rule not in {alert.rule for alert in answer.alerts}]
    new: list[list[Cell]] = [[rule.rule, "", "not looked at yet", "", "", _bad(rule), ""] for rule in unmet]
    return [*known, *new]


def _row(alert: AlertAnswer, rule: RuleStateAnswer | None, now: datetime) -> list[Cell]:
    metric, confidence = (rule.metric, rule.confidence) if rule is not None else (None, 0.0)
    return [
        one_line(alert.rule),
        named_group(alert.group),
        Text(_state(alert), style=COLOURS.get(State(alert.state), "")),
        since_words(alert.since, now),
        value_words(metric, alert.reading, confidence),
        _bad(rule) if rule is not None else "not in the policy here",
        moment(alert.silenced_until) if alert.silenced_until is not None else "",
    ]


def _state(alert: AlertAnswer) -> str:
    """The state, and what it does not say: that readings are good again, or that an incident is still open."""
    words = alert.state.replace("_", " ")
    if alert.state == State.FIRING and alert.verdict != Verdict.BAD:
        return f"{words}, {NOT_NOW[Verdict(alert.verdict)]}"
    if alert.state != State.FIRING and alert.firing_since is not None:
        return f"{words}, told {moment(alert.firing_since)}"
    return words


def _bad(rule: RuleStateAnswer) -> str:
    metric = Metric(rule.metric)
    words = f"{NAMES[metric]} {limit_words(metric, rule.above, rule.below)}"
    return f"{words}, by the value" if rule.on == "point" and metric not in POINT_ONLY else words


def _notes(answer: AlertsAnswer, now: datetime, *, has_file: bool) -> list[str]:
    if not answer.rules:
        return ["There are no alert rules in the policy for this tenant."] + [NO_FILE] * (not has_file)
    told = []
    if answer.evaluated_at is None and not answer.stale:
        told = ["Nothing to look at: this tenant has sent no sample yet."]
    elif answer.evaluated_at is None:
        told = [f"Nothing was ever evaluated for this tenant. {STALE}"]
    elif answer.stale:
        told = [f"Out of date: the last look was {span(now - answer.evaluated_at)} ago. {STALE}"]
    else:
        told = [f"Last looked at {since_words(answer.evaluated_at, now)}."]
    unheard = [rule.rule for rule in answer.rules if not rule.sinks]
    if unheard:
        told.append(f"No sink is told of {', '.join(unheard)}: seen here and in GET /alerts only.")
    return told


@alerts_app.command("history")
def alerts_history(
    *,
    rule: Annotated[str | None, typer.Option(help="Only of this rule.")] = None,
    window: Annotated[str, typer.Option(help="How far back: 30m, 24h, 7d.")] = "24h",
    limit: Annotated[int, typer.Option(min=1, max=MAX_EVENTS, help="Most events.")] = 100,
    tenant: Annotated[str, typer.Option(help="Whose rules.")] = DEFAULT_TENANT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON that the API answers.")] = False,
) -> None:
    """What was decided and told, newest first, with what became of telling each sink."""
    settings = logged_settings()
    with explained(), opened_database(settings) as database:
        require_current(database)
        stretch = read_stretch(RateQuery(tenant=tenant, window=window), utc_now())
        past = Past(tenant=tenant, start=stretch.start, end=stretch.end, rule=rule, limit=limit)
        answer = answer_history(database, past, settings.public_url or None)
    if as_json:
        echo_json(answer)
        return
    console = Console(highlight=False)
    if not answer.events:
        show_lines(console, "Nothing was decided in this time. `assay alerts list` tells where rules stand now.")
    for event in answer.events:
        show_lines(console, f"{_when(event)}  {event.summary}", *(f"  {line}" for line in _told(event)))
    if answer.next_before is not None:
        show_lines(console, f"These are the newest {limit:,}; there may be more: --limit takes up to {MAX_EVENTS}.")


def _when(event: EventAnswer) -> str:
    return moment(datetime.fromisoformat(event.notice["at"]))


def _told(event: EventAnswer) -> Sequence[str]:
    if event.deliveries:
        return [f"{one_line(each.sink)}: {_delivery(each)}" for each in event.deliveries]
    return ["nobody was told: silenced" if event.silenced else "nobody was told: no sink is for it"]


def _delivery(told: DeliveryAnswer) -> str:
    tries = f"{told.attempts} attempt{'s' * (told.attempts != 1)}"
    error = f": {one_line(told.error, MAX_ERROR_CHARS)}" if told.error else ""
    match told.state:
        case Delivery.DELIVERED:
            when = f" {moment(told.ended_at)}" if told.ended_at else ""
            return f"told{when}" + (f", after {tries}" if told.attempts > 1 else "")
        case Delivery.FAILED:
            return f"given up after {tries}{error}"
        case _ if told.attempts == 0:
            return "waits to be told"
        case _:
            return f"waits after {tries}{error}" + (f"; next try {moment(told.next_at)}" if told.next_at else "")


alerts_app.command("silence")(silence)
alerts_app.command("silences")(silences)
alerts_app.command("unsilence")(unsilence)
alerts_app.command("backtest")(backtest)
alerts_app.command("slos")(slos)
alerts_app.command("test")(try_sink)
