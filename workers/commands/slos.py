"""`assay alerts slos`: how much of each error budget is left, and how fast it burns."""

from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from service.core.alert_schemas import BurnAnswer, SloAnswer, SlosAnswer
from service.core.alerting.machine import State
from service.core.alerting.rule import Metric
from service.core.alerting.wording import NAMES, UNKNOWN, one_unit, quantity
from service.core.clock import utc_now
from service.core.db import require_current
from service.core.keys import DEFAULT_TENANT
from service.core.policy import read_policy
from service.core.slo_answer import answer_slos
from workers.commands.alert_words import NO_FILE
from workers.commands.entry import explained, logged_settings, opened_database
from workers.commands.shown import echo_json, show_lines, show_rows

COLUMNS = ("rule", "windows", "burns at", "fires above, in both", "state")


def slos(
    *,
    tenant: Annotated[str, typer.Option(help="Whose objectives.")] = DEFAULT_TENANT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON that the API answers.")] = False,
) -> None:
    """Every objective: how much of its error budget is left, how fast it burns, and whether its rules can fire."""
    settings = logged_settings()
    with explained(), opened_database(settings) as database:
        policy = read_policy(settings.policy_file)
        require_current(database)
        answer = answer_slos(database, policy, tenant, utc_now())
    if as_json:
        echo_json(answer)
        return
    console = Console(highlight=False)
    periods = {slo.name: slo.period for slo in policy.slos}
    for slo in answer.slos:
        _show(slo, one_unit(periods[slo.slo]), answer, console)
    if answer.slos:
        show_lines(console, f"The budget left is {answer.budget_is}.", "A burn rate of 1 spends it in just the period.")
    else:
        show_lines(console, "There are no objectives in the policy for this tenant.")
        show_lines(console, *[NO_FILE] * (settings.policy_file is None))


def _show(slo: SloAnswer, period: str, answer: SlosAnswer, console: Console) -> None:
    metric = Metric(slo.metric)
    allowed = f"{100 * (1 - slo.objective):.4g}%"
    console.print(Text(f"{slo.slo}: {NAMES[metric]} of at most {allowed} over {period}", style="bold"), soft_wrap=True)
    sure = f"{100 * answer.confidence:.6g}% interval"
    rate, low, high = (quantity(metric, each) for each in (slo.rate, slo.ci_low, slo.ci_high))
    show_lines(console, f"  rate         {_with(rate, f'{sure} {low} to {high}')}")
    left, least, most = (_share(each) for each in (slo.budget_left, slo.budget_left_low, slo.budget_left_high))
    show_lines(console, f"  budget left  {_with(left, f'{sure} {least} to {most}')}{_overspent(slo)}")
    show_lines(console, f"  coverage     {_share(slo.coverage)}")
    show_rows(console, COLUMNS, [_row(each) for each in slo.burn])
    for each in slo.burn:
        show_lines(console, *(f"{each.rule}: {note}." for note in [each.note] if note))
        show_lines(
            console,
            *(
                f"{each.rule} had too little to judge by in the last day: {warning}"
                for warning in [each.warning]
                if warning and each.state != State.FIRING
            ),
        )
    show_lines(console, *(f"Left out: {reason}" for reason in slo.left_out), "")


def _with(value: str, details: str) -> str:
    return value if value == UNKNOWN or UNKNOWN in details else f"{value} ({details})"


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1%}"


def _overspent(slo: SloAnswer) -> str:
    return ": more was spent than there was" if slo.budget_left is not None and slo.budget_left < 0 else ""


def _row(burn: BurnAnswer) -> list[str]:
    long, short = (one_unit(timedelta(seconds=each)) for each in (burn.long_s, burn.short_s))
    rates = (burn.burn_long, burn.burn_short)
    now = " and ".join(UNKNOWN if each is None else f"{each:.3g}" for each in rates)
    state = (burn.state or "not looked at yet").replace("_", " ")
    return [
        burn.rule,
        f"{long} and {short}",
        now if any(each is not None for each in rates) else UNKNOWN,
        f"{burn.fires_at:.3g}",
        state,
    ]
