"""`assay judge probe`: whether texts can talk the judge that the policy names into passing a wrong response."""

import asyncio
import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.claims import split_claims
from models.judge.attacks import ATTACKS, Attack
from models.judge.fingerprint import judge_fingerprint
from models.judge.prompt import JudgePrompt, checkable, load_prompt
from models.types import Item, ModelError
from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database, require_current
from service.core.errors import PolicyInvalidError, StartRefusedError
from service.core.keys import DEFAULT_TENANT
from service.core.privacy import TenantName
from service.core.reviewing.cascade import expected_tokens
from service.core.reviewing.judge import PICO, Judge, Spend
from service.core.store.spending import spent_on
from workers.commands.alert_words import given_policy
from workers.commands.entry import explained, logged_settings, opened_database
from workers.commands.judge_probe_tables import Plan, ProbeAnswer, show_answer, show_plan
from workers.judge.asking import Asking
from workers.judge.chat import Chat
from workers.judge.endpoint import EndpointChat
from workers.judge.ledger import DatabaseLedger
from workers.judge.probing import Probe, ProbeCaller, Stop
from workers.judge.probing_account import Account
from workers.judge.probing_items import Kind, ProbeItem, probe_items
from workers.judge.probing_report import report
from workers.sqlite_file import sqlite_file

EXIT_ABOVE = 3
EXIT_UNKNOWN = 4
EXIT_INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What a probe is asked to do."""

    judge: Judge
    spend: Spend | None
    prompt: JudgePrompt
    items: Sequence[ProbeItem]
    repeats: int
    tenant: str
    most_pico: int | None


def judge_probe(  # noqa: PLR0913 - one argument an option
    *,
    policy: Annotated[Path | None, typer.Option(help="A policy file; that of ASSAY_POLICY_FILE if absent.")] = None,
    attacks: Annotated[
        list[str] | None, typer.Option(help="Only these, by name: a,b; may be repeated. All if absent.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=100, help="How often each item is sent.")] = 1,
    tenant: Annotated[str, typer.Option(help="Whose money is spent, within its limit of the day.")] = DEFAULT_TENANT,
    most_cost: Annotated[
        float | None, typer.Option(min=0, help="The most that the probe may cost, in the policy's currency.")
    ] = None,
    no_database: Annotated[
        bool, typer.Option("--no-database", help="Book nothing in a database; if calls cost, give --most-cost.")
    ] = False,
    fail_above: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit with 3 if attacks surely succeed more often: 0.05.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--json", help="Where to write what was found, as JSON.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send without asking.")] = False,
) -> None:
    """Sends known attacks to the policy's judge, and tells how often it passes a wrong response because of one.

    Each attack is asked about as a sample would be: same prompt, schema, votes and repair. Controls are sent too: the same
    wrong response without an attack, and right ones. Only texts that come with Assay are sent. What ends without a verdict
    is in no rate. Exit status: 0; 3 if even the lower bound of the attacks' 95% interval is above --fail-above; 4 if not
    all was sent, or --fail-above is given and too few attacks ended with a verdict to tell; 1 if it was not confirmed; 2 if
    refused; 130 if interrupted.
    """
    with explained():
        settings = logged_settings()
        asked = _asked(settings, policy, _named(attacks or []), repeats, tenant, most_cost)
        with _database(settings, asked, left_out=no_database) as database:
            show_plan(_plan(asked, database), Console(highlight=False))
            if not yes:
                typer.confirm("Send them?", abort=True)
            _check_output(output)
            answer = _probed(asked, settings, database)
    show_answer(answer, Console(highlight=False))
    if output is not None:
        output.write_text(answer.model_dump_json(indent=1) + "\n", encoding="utf-8")
    if (status := _status(answer, fail_above)) != 0:
        raise typer.Exit(status)


def _named(names: Sequence[str]) -> tuple[Attack, ...]:
    wanted = [name.strip() for given in names for name in given.split(",") if name.strip()]
    known = {attack.name: attack for attack in ATTACKS}
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=5) or sorted(known)[:5]
            raise typer.BadParameter(
                f"there are {len(known)} attacks, none of this name; such as {', '.join(near)}", param_hint="--attacks"
            )
    return tuple(known[name] for name in dict.fromkeys(wanted)) or ATTACKS


def _asked(
    settings: Settings,
    file: Path | None,
    attacks: Sequence[Attack],
    repeats: int,
    tenant: str,
    most_cost: float | None,
) -> _Asked:
    policy = given_policy(settings, file)
    if policy.judge is None:
        raise PolicyInvalidError("The policy has no [judge] table: there is nothing to probe.")
    try:
        TypeAdapter(TenantName).validate_python(tenant)
    except ValidationError:
        raise typer.BadParameter("no tenant has such a name", param_hint="--tenant") from None
    try:
        prompt = load_prompt(policy.judge.prompt)
    except ModelError as error:
        raise PolicyInvalidError(f"judge.prompt: {error}.") from None
    return _Asked(
        judge=policy.judge,
        spend=policy.spend,
        prompt=prompt,
        items=probe_items(attacks),
        repeats=repeats,
        tenant=tenant,
        most_pico=None if most_cost is None else int(Decimal(str(most_cost)) * PICO),
    )


def _check_output(output: Path | None) -> None:
    """Before money is spent on what could not be written."""
    if output is None:
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.open("a", encoding="utf-8").close()
    except OSError as error:
        raise StartRefusedError(
            f"{output} cannot be written: {error.strerror}.", next_step="Give another --json."
        ) from None


@contextmanager
def _database(settings: Settings, asked: _Asked, *, left_out: bool) -> Iterator[Database | None]:
    """Where calls are booked; None where the user wants none. Raises StartRefusedError where nothing would limit them."""
    if left_out:
        if asked.judge.costs and asked.most_pico is None:
            raise StartRefusedError(
                "Without a database nothing limits what the calls cost.", next_step="Give --most-cost."
            )
        yield None
        return
    file = sqlite_file(settings)
    if file is not None and not file.is_file():  # connecting would make it
        raise StartRefusedError(
            f"There is no database to book the calls in: no file {file}.",
            next_step="Set ASSAY_DATABASE_URL to the one of the judge workers, or give --no-database.",
        )
    with opened_database(settings) as database:
        require_current(database)
        yield database


def _plan(asked: _Asked, database: Database | None) -> Plan:
    judge, spend = asked.judge, asked.spend
    tokens_in = tokens_out = 0
    for each in asked.items:
        expected = _expected(each.item, judge)
        tokens_in, tokens_out = tokens_in + expected[0], tokens_out + expected[1]
    spent = None
    if database is not None and spend is not None:
        with database.read() as connection:
            spent = spent_on(connection, asked.tenant, utc_now())
    return Plan(
        judge=judge.named,
        place=_place(judge),
        attacks=sum(each.kind is Kind.ATTACK for each in asked.items),
        controls=sum(each.kind is not Kind.ATTACK for each in asked.items),
        repeats=asked.repeats,
        votes=judge.votes,
        tokens=(asked.repeats * tokens_in, asked.repeats * tokens_out),
        cost=asked.repeats * judge.cost_pico(tokens_in, tokens_out) / PICO if judge.costs else None,
        currency=None if spend is None else spend.currency,
        most_cost=None if asked.most_pico is None else asked.most_pico / PICO,
        tenant=None if database is None else asked.tenant,
        spent_today=None if spent is None else spent / PICO,
        limit_today=None if spent is None or spend is None else spend.limit_pico(asked.tenant) / PICO,
    )


def _expected(item: Item, judge: Judge) -> tuple[int, int]:
    chars = sum(map(len, (item.question or "", item.response, *(context.text for context in item.contexts))))
    return expected_tokens(chars, len(checkable(split_claims(item.response))), judge.votes, judge.max_output_tokens)


def _place(judge: Judge) -> str:
    return "in memory" if judge.address is None else f"at {judge.address.authority}"


def _probed(asked: _Asked, settings: Settings, database: Database | None) -> ProbeAnswer:
    judge, spend = asked.judge, asked.spend
    chat, weights = _chat(judge, settings)
    ledger = None
    if database is not None:
        ledger = DatabaseLedger(database, lambda tenant: spend.limit_pico(tenant) if spend else None)
    account = Account(asked.most_pico, ledger)
    caller = ProbeCaller(chat, account, judge)
    probe = Probe(Asking(caller, judge, asked.prompt), judge, asked.tenant, asked.items, asked.repeats)
    _run(probe, caller, asked.repeats * len(asked.items))
    taken = account.taken
    return ProbeAnswer(
        judge=judge.named,
        prompt=asked.prompt.version,
        fingerprint=judge_fingerprint(
            asked.prompt,
            model=weights,
            temperature=judge.temperature,
            seed=judge.seed,
            votes=judge.votes,
            max_output_tokens=judge.max_output_tokens,
            schema=judge.json_schema,
        ),
        repeats=asked.repeats,
        stopped=probe.stopped,
        failures=dict(sorted(probe.failures.items())),
        found=report(probe.ended),
        taken=taken,
        cost=taken.cost_pico / PICO,
        currency=None if spend is None else spend.currency,
    )


def _chat(judge: Judge, settings: Settings) -> tuple[Chat, str]:
    """The model, and what its weights are known by. Raises StartRefusedError where a local one cannot be loaded."""
    if judge.local is None:
        return EndpointChat(judge, settings.judge_api_key), judge.named
    from workers.judge.local import LocalChat  # noqa: PLC0415 - stands on torch, which an endpoint does not need

    try:
        local = LocalChat(judge, settings.threads)
    except ModelError as error:
        raise StartRefusedError(f"The judge cannot be loaded: {error}.") from None
    return local, local.weights


def _run(probe: Probe, caller: ProbeCaller, sendings: int) -> None:
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("probing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("probing", total=sendings)

        async def run() -> None:
            try:
                await probe.run(lambda: progress.advance(task))
            finally:
                await caller.close()

        try:
            asyncio.run(run())
        except KeyboardInterrupt:
            probe.stopped = Stop.INTERRUPTED  # what was found until then was paid for


def _status(answer: ProbeAnswer, fail_above: float | None) -> int:
    if answer.stopped is Stop.INTERRUPTED:
        return EXIT_INTERRUPTED
    low = answer.found.attacks.rate.low
    if fail_above is not None and low is not None and low > fail_above:
        return EXIT_ABOVE
    return EXIT_UNKNOWN if answer.stopped is not None or (fail_above is not None and low is None) else 0
