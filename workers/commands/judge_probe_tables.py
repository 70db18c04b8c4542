"""What `assay judge probe` says: what it is about to send, and what it found."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict
from rich.console import Console

from service.core.review_tables import CallState
from workers.commands.money import money
from workers.commands.shown import Cell, show_lines, show_rows
from workers.judge.probing import Stop
from workers.judge.probing_account import Taken
from workers.judge.probing_report import AttackEnds, Rate, Report, Row

COLUMNS = (
    "sent", "items", "passed", "flagged", "unparseable", "unverified", "unavailable", "too long", "unfinished", "rate",
)  # fmt: skip
STOPPED = {
    Stop.SPEND_LIMIT: "what is left to spend is less than one more call may cost.",
    Stop.CIRCUIT_OPEN: "the endpoint fails, and is left alone.",
    Stop.STORE_UNAVAILABLE: "the database does not answer, so that no call can be booked.",
    Stop.INTERRUPTED: "it was interrupted.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is about to be sent."""

    judge: str
    place: str
    attacks: int
    controls: int
    repeats: int
    votes: int
    tokens: tuple[int, int]  # in and out, as expected
    cost: float | None  # as expected; None: calls cost nothing
    currency: str | None
    most_cost: float | None
    tenant: str | None  # that the calls are booked for; None: nowhere
    spent_today: float | None
    limit_today: float | None


class ProbeAnswer(BaseModel):
    """What was found, as it is written."""

    model_config = ConfigDict(frozen=True)

    judge: str
    prompt: str  # its version
    fingerprint: str  # as of the scores of this judge
    repeats: int
    stopped: Stop | None  # null: all was sent
    failures: dict[str, int]  # why items were unavailable
    found: Report
    taken: Taken
    cost: float  # at most, in the currency
    currency: str | None


def show_plan(plan: Plan, console: Console) -> None:
    """Says what will be sent, what it will cost, and what limits that."""
    times = "once each" if plan.repeats == 1 else f"{plan.repeats} times each"
    votes = "" if plan.votes == 1 else f", {plan.votes} votes on each"
    sent = f"{plan.attacks} attack{'' if plan.attacks == 1 else 's'} and {plan.controls} controls, {times}{votes}"
    tokens = f"about {plan.tokens[0]:,} tokens in and {plan.tokens[1]:,} out, if no reply needs a repair"
    cost = "its calls cost nothing" if plan.cost is None else f"about {money(plan.cost, plan.currency)}"
    lines = [f"To send to {plan.judge} {plan.place}: {sent}. That takes {tokens}: {cost}."]
    if plan.most_cost is not None:
        lines.append(f"It ends before it could cost more than {money(plan.most_cost, plan.currency)}.")
    if plan.tenant is None:
        lines.append("Its calls are booked in no database.")
    elif plan.spent_today is None or plan.limit_today is None:
        lines.append(f"Its calls are booked for {plan.tenant}.")
    else:
        limit = f"{money(plan.spent_today, plan.currency)} of {money(plan.limit_today, plan.currency)}"
        lines.append(f"Its calls are booked for {plan.tenant}, whose calls of today cost {limit} so far at most.")
    show_lines(console, *lines)


def show_answer(answer: ProbeAnswer, console: Console) -> None:
    """Says how often attacks succeeded, what the judge does without them, and what it took."""
    found = answer.found
    rows = [_row("attacks", found.attacks)]
    rows += [_row(f"  in the {each.place.value}", each.attacks) for each in found.places]
    rows += [_row("wrong, unattacked", found.wrong), _row("right", found.right)]
    show_rows(console, COLUMNS, rows)
    if found.succeeded:
        names = ("succeeded", "in the", "times")
        show_rows(console, names, [_succeeded(each) for each in found.succeeded])
    show_lines(console, *_sentences(answer))


def _row(name: str, row: Row) -> list[Cell]:
    ends = row.ends
    counts = (ends.unparseable, ends.unverified, ends.unavailable, ends.too_long, ends.unfinished)
    shown = [f"{count:,}" if count else "" for count in counts]
    return [name, f"{ends.items:,}", f"{ends.passed:,}", f"{ends.flagged:,}", *shown, _rate(row.rate)]


def _succeeded(each: AttackEnds) -> list[Cell]:
    return [each.name, each.place.value, f"{each.ends.passed} of {each.ends.passed + each.ends.flagged}"]


def _rate(rate: Rate) -> str:
    if rate.rate is None or rate.low is None or rate.high is None:
        return "unknown"
    return f"{rate.rate:.1%} ({rate.low:.1%} to {rate.high:.1%})"


def _sentences(answer: ProbeAnswer) -> list[str]:
    found = answer.found
    lines = [
        f"Attacks succeeded: {_told(found.attacks.rate, 'attacks')}",
        f"Of those whose control was flagged: {_told(found.attacks_caught_without, 'attacks')}",
        f"Wrong responses passed without any attack: {_told(found.wrong.rate, 'controls')}",
        f"Right responses flagged: {_told(found.right.rate, 'controls')}",
    ]
    missed = [each.place.value for each in found.places if each.caught is False]
    if missed:
        lines.append(
            f"Without an attack, but with a harmless text in the {' or '.join(missed)}, the wrong response passes half of "
            "the time or more: there the success of an attack says nothing."
        )
    if answer.failures:
        lines.append(f"Unavailable: {', '.join(f'{name} {count:,}' for name, count in answer.failures.items())}.")
    if answer.stopped is not None:
        lines.append(f"Not all was sent: {STOPPED[answer.stopped]}")
    return [*lines, _took(answer)]


def _told(rate: Rate, what: str) -> str:
    counted = f"{rate.count:,} of {rate.verdicts:,} verdicts on {rate.items:,} {what}"
    if rate.rate is None:
        return f"{counted}; too few for a rate."
    return f"{counted}; {_rate(rate)}, 95% interval."


def _took(answer: ProbeAnswer) -> str:
    taken = answer.taken
    calls = f"{sum(taken.calls.values()):,} calls, {taken.input_tokens:,} tokens in and {taken.output_tokens:,} out"
    cost = f"{money(answer.cost, answer.currency)} at most" if answer.cost else "nothing to pay"
    unknown = taken.calls.get(CallState.UNKNOWN, 0)
    untold = f"; what {unknown:,} of them took nobody can tell, so they count at the most" if unknown else ""
    return f"It took {calls}: {cost}{untold}."
