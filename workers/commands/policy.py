"""`assay check` and `assay policy simulate`: what a policy says, and what it would have sampled."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.core.clock import utc_now
from service.core.combination import Combination, load_combination
from service.core.db import require_current
from service.core.duration import parse_duration
from service.core.keys import DEFAULT_TENANT
from service.core.policy import DEFAULT_STRATUM, TAG_PREFIX, Budget, Policy, Rule, Signals, read_policy
from service.core.schemas import ContextSent, Submission
from service.core.signals import DISLIKED_FOR, Situation, signal_fields
from service.core.store.past import PastSample, read_dislikes, read_first_seen, read_past
from workers.commands.alert_tables import show_alerts
from workers.commands.entry import explained, logged_settings, opened_database
from workers.commands.judge_tables import show_judge
from workers.commands.privacy_table import show_privacy
from workers.policy_simulation import Past, Simulated, simulate

policy_app = typer.Typer(no_args_is_help=True, help="Policies of sampling.")
MOST_ROWS = 100_000
FINGERPRINT_CHARS = 12


def check(file: Annotated[Path, typer.Argument(help="The policy file.")]) -> None:
    """Validates a policy file and says what each rule does."""
    with explained():
        policy = read_policy(file)
    console = Console(highlight=False)
    console.print(_policy_table(policy))
    if any(rule.signals for rule in policy.sampling.rules):
        console.print(_thresholds(policy.sampling.signals), soft_wrap=True)
    if policy.sampling.budget is not None:
        console.print(_budget(policy.sampling.budget), soft_wrap=True)
    show_privacy(policy.privacy, console)
    show_alerts(policy, console)
    with explained():
        show_judge(policy, console)
        if policy.combination is not None:
            console.print(_combination(load_combination(policy.combination)), soft_wrap=True, markup=False)
    if policy.sampling.client_side and not policy.clients_decide:
        typer.echo("Clients send everything: signals and budgets are what only the sidecar knows.")
    typer.echo(f"The policy is valid; its version is {policy.version}.")


def _policy_table(policy: Policy) -> Table:
    table = Table("order", "stratum", "applies to", "samples", title="The first rule that matches decides")
    for order, rule in enumerate(policy.sampling.rules, 1):
        table.add_row(str(order), rule.name, Text(_conditions(rule)), _share(rule.rate))
    table.add_row("last", DEFAULT_STRATUM, "everything else", _share(policy.sampling.rate))
    return table


def _conditions(rule: Rule) -> str:
    parts = []
    for field, wanted in rule.match.items():
        values = [wanted] if isinstance(wanted, str) else list(wanted)
        parts.append(f"{field} is " + " or ".join(repr(value) for value in values))
    if rule.signals:
        parts.append("any signal of " + ", ".join(rule.signals))
    return " and ".join(parts)


def _share(rate: float) -> str:
    if rate == 0:
        return "nothing: this stratum is not covered by any rate"
    return "everything" if rate == 1 else f"{rate:.4%}: 1 in {1 / rate:,.0f}"


def _thresholds(table: Signals) -> str:
    return (
        f"Signals: a release is new for {table.new_release_hours:g} hours, a response long from "
        f"{table.long_response_chars:,} characters on, retrieval low below a best score of {table.low_retrieval_score:g}."
    )


def _budget(budget: Budget) -> str:
    told = [f"Budget: {budget.most:,.0f} samples a {budget.per} for each tenant"]
    told += [f"{tenant}: {own.most:,.0f} a {own.per}" for tenant, own in budget.tenants.items()]
    return f"{'; '.join(told)}. It lowers all rates evenly, down to {budget.floor:.4%}; below, a stratum is uncovered."


def _combination(fitted: Combination) -> str:
    scorers = ", ".join(f"{scorer.name} {scorer.fingerprint[:FINGERPRINT_CHARS]}" for scorer in fitted.scorers)
    return (
        f"Combined score: fit {fitted.digest} of {fitted.made_at:%Y-%m-%d}, for {scorers}. A first score of another "
        "fingerprint is shown as it is."
    )


@policy_app.command("simulate")
def policy_simulate(
    file: Annotated[Path, typer.Argument(help="The policy file to try.")],
    window: Annotated[str, typer.Option(help="Of traffic to apply it to: 24h, 7d, 30d.")] = "7d",
    tenant: Annotated[str, typer.Option(help="Whose traffic.")] = DEFAULT_TENANT,
    cost_per_sample: Annotated[float | None, typer.Option(help="In any currency; the budget's, if it has one.")] = None,
) -> None:
    """What the policy would have sampled of the last days, how wide the interval would be, and what it would cost.

    Told from the samples in the database, each for what it stands for. What had no chance of being sampled is not seen.
    """
    with explained(), opened_database(logged_settings()) as database:
        policy = read_policy(file)
        require_current(database)
        now, length = utc_now(), parse_duration(window, "window")
        start = now - length
        with database.read() as connection:
            dislikes = read_dislikes(connection, tenant, start - DISLIKED_FOR)
            first_seen = read_first_seen(connection, tenant)
            read = read_past(connection, tenant, start, now, MOST_ROWS)
            past = list(_past(read, policy, tenant, first_seen, dislikes))
    if len(past) == MOST_ROWS:
        length = now - min(each.received_at for each in past)
    budget = policy.sampling.budget
    spending = budget.of(tenant) if budget else None
    period = timedelta(seconds=spending.period_s) if spending else length
    found = simulate(policy, past, length / period, tenant)
    price = cost_per_sample if cost_per_sample is not None else (spending.cost_per_sample if spending else None)
    _show(found, length, price, Console(highlight=False))


def _past(
    read: Iterator[PastSample],
    policy: Policy,
    tenant: str,
    first_seen: dict[tuple[str, str], datetime],
    dislikes: Mapping[str, list[datetime]],
) -> Iterator[Past]:
    for sample in read:
        row = sample.row
        fields = {"tenant": tenant} | {name: getattr(row, name) for name in ("route", "model", "release")}
        fields |= {TAG_PREFIX + name: value for name, value in (row.details.get("tags") or {}).items()}
        names = [name for name in (row.trace_id, row.session_id, row.id) if name]
        disliked = {
            (tenant, name)
            for name in names
            if any(row.received_at - DISLIKED_FOR <= when <= row.received_at for when in dislikes.get(name, ()))
        }
        known = Situation(first_seen=first_seen, disliked=disliked)
        signals = signal_fields(_submission(row), tenant, known, policy.sampling.signals, row.received_at)
        given = {name: value for name, value in fields.items() if value}
        yield Past(
            fields=given | signals,
            weight=1 / row.inclusion_probability,
            flagged=sample.flagged,
            received_at=row.received_at,
        )


def _submission(row: Any) -> Submission:
    """What signals look at, as far as it is still stored."""
    return Submission.model_construct(
        response=row.response or "",
        contexts=tuple(ContextSent.model_construct(text="", score=context["score"]) for context in row.contexts),
        release=row.release or None,
        trace_id=row.trace_id,
        session_id=row.session_id,
        id=row.id,
    )


def _show(found: Simulated, length: timedelta, price: float | None, console: Console) -> None:
    days = length / timedelta(days=1)
    if not found.rows:
        console.print("No samples are stored of this time: nothing to tell it from.")
        return
    table = Table("stratum", "submissions", "probability", "samples", "samples a day", "flagged")
    for each in found.strata:
        table.add_row(
            each.name,
            f"{each.submissions:,.0f}",
            _share(each.probability),
            f"{each.samples:,.0f}",
            f"{each.samples / days:,.1f}",
            "unknown" if each.flagged_rate is None else f"{each.flagged_rate:.1%}",
        )
    console.print(table)
    told = [
        f"Of {found.submissions:,.0f} submissions {found.samples:,.0f} would have been sampled in {days:.3g} days.",
        f"Told from {found.rows:,} stored samples, each for what it stands for.",
    ]
    if found.rows == MOST_ROWS:
        told.append(f"Only the newest {MOST_ROWS:,} samples were read: they go back {days:.2g} days.")
    if found.scale < 1:
        told.append(f"The budget leaves {found.scale:.1%} of the rates, if traffic were even.")
    if found.uncovered:
        told.append(f"{found.uncovered:,.0f} submissions would be uncovered: in no rate.")
    if found.width is not None and found.rate is not None:
        told.append(
            f"At the flagged rate of {found.rate:.1%} the 95% interval over this time would be about "
            f"{100 * found.width:.2g} points wide."
        )
    if price is not None:
        told.append(f"At {price:g} a sample that costs {found.samples * price / days:,.2f} a day.")
    console.print(Text("\n".join(told)), soft_wrap=True)
