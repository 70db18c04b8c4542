"""`assay judge`: the worker that calls language models, whether it does, and what it costs."""

from importlib import import_module
from typing import Annotated

import typer
from rich.console import Console

from models.types import ModelError
from service.core.clock import utc_now
from service.core.db import require_current
from service.core.duration import parse_duration
from service.core.judge_answer import answer_judge
from service.core.keys import DEFAULT_TENANT
from service.core.policy import read_policy
from service.core.review_schemas import JudgeAnswer
from workers.commands.entry import explained, logged_settings, opened_database
from workers.commands.judge_agreement import judge_agreement
from workers.commands.judge_scripted import PASSED_ON, judge_scripted
from workers.commands.money import money
from workers.commands.shown import echo_json, show_lines, show_rows
from workers.main import Parent

judge_app = typer.Typer(no_args_is_help=True, help="The judge: a language model that gives a second verdict.")
judge_app.command("agreement")(judge_agreement)
judge_app.command("scripted", context_settings=PASSED_ON)(judge_scripted)


@judge_app.command("probe", context_settings={**PASSED_ON, "help_option_names": []})
def judge_probe(context: typer.Context) -> None:
    """Sends known attacks to the policy's judge, and tells how often it passes a wrong response because of one."""
    with explained():
        try:  # stands on the splitter and on the client library, which a sidecar's installation lacks
            probe = import_module("workers.commands.judge_probe")
        except ModuleNotFoundError as error:
            raise ModelError(f"{error.name} is not installed: pip install 'assay-llm[worker,judge]'") from error
    app = typer.Typer(add_completion=False)
    app.command()(probe.judge_probe)
    app(args=context.args, prog_name="assay judge probe")


@judge_app.command("worker")
def judge_worker() -> None:
    """Runs a judge worker: it calls the judge and the generator that the policy file names."""
    with explained():
        status = Parent(logged_settings(), "workers.judge.child").run()
    raise typer.Exit(status)


@judge_app.command("status")
def judge_status(
    window: Annotated[str, typer.Option(help="Of whole days, UTC: 24h, 7d, 30d.")] = "7d",
    tenant: Annotated[str, typer.Option(help="Whose samples.")] = DEFAULT_TENANT,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON that the API answers.")] = False,
) -> None:
    """Whether the judge is called, what became of reviews, and what the calls cost by day and rule."""
    with explained():
        settings = logged_settings()
        policy = read_policy(settings.policy_file)
        length = parse_duration(window, "window")
        with opened_database(settings) as database:
            require_current(database)
            answer = answer_judge(database, policy, tenant, length, utc_now())
    if as_json:
        echo_json(answer)
    else:
        _show(answer, window, Console(highlight=False))


def _show(answer: JudgeAnswer, window: str, console: Console) -> None:
    show_lines(console, _who(answer))
    for circuit in answer.circuits:
        why = f" after {circuit.reason}" if circuit.reason else ""
        since = f"{circuit.since:%Y-%m-%d %H:%M} UTC"
        show_lines(console, f"{circuit.endpoint}: {circuit.state.replace('_', ' ')}{why}, since {since}")
    if (answer.judge or answer.generator) and not answer.circuits:
        show_lines(console, "No judge worker runs; start one with `assay judge worker`.")
    if answer.reviews:
        rows = [
            (each.reviewer, f"{each.status} ({each.reason})" if each.reason else each.status, f"{each.reviews:,}")
            for each in answer.reviews
        ]
        show_rows(console, ("reviewer", "state", "reviews"), rows, f"Reviews of samples chosen in the last {window}")
    if answer.spent:
        columns = ("day", "rule", "purpose", "calls", "became", "tokens in", "tokens out", "cost")
        calls = [
            (
                str(spent.day),
                spent.rule,
                spent.purpose,
                f"{spent.calls:,}",
                spent.state,
                "" if spent.input_tokens is None else f"{spent.input_tokens:,}",
                "" if spent.output_tokens is None else f"{spent.output_tokens:,}",
                money(spent.cost, answer.currency),
            )
            for spent in answer.spent
        ]
        show_rows(console, columns, calls, f"Calls, {answer.start} to {answer.end}")


def _who(answer: JudgeAnswer) -> str:
    told = ["The policy names no judge."] if answer.judge is None else [f"Judge: {answer.judge}."]
    if answer.judge and not answer.judged:
        told.append("This tenant's text is not sent to it: its [judge] table does not name the tenant.")
    if answer.generator:
        told.append(f"Generator of alternative responses: {answer.generator}.")
    limit = "" if answer.limit_today is None else f" of {money(answer.limit_today, answer.currency)}"
    told.append(f"Today's calls cost {money(answer.spent_today, answer.currency)}{limit} at most.")
    return " ".join(told)
