"""`assay rate`: the answer of `GET /hallucination-rate`, read from the database."""

from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.core.clock import utc_now
from service.core.db import Database, require_current
from service.core.errors import QueryInvalidError
from service.core.keys import DEFAULT_TENANT
from service.core.rate_answer import answer_rates
from service.core.rate_query import RateQuery
from service.core.schemas import BucketAnswer, JudgedRateAnswer, LabelledRateAnswer, RatesAnswer
from service.core.store.rates import DIMENSIONS, Match
from service.core.visible import visible
from workers.commands.entry import explained, logged_settings, opened_database

MAX_NAME_CHARS = 40
FINGERPRINT_CHARS = 8
MOST = 0.9  # labels that stand for less are said to
UNKNOWN = "unknown"
MATCH_UNKNOWN = "\nOf {:,} more submissions it is not known whether they match: too many kinds came in a day."
JUDGED = "\nThe judged rate is {}."
NOT_READ = "\nA judge was at work, but on too many samples of this time to read them all: ask for less of it."
NOT_RESPECTED = "\nToo many samples to respect sessions and traces: responses count as independent."
WIDEST = 1_000  # to ask how wide the table would be


def rate(  # noqa: PLR0913 - one argument an option
    *,
    start: Annotated[str | None, typer.Option("--from", help="ISO 8601 with zone; inclusive.")] = None,
    to: Annotated[str | None, typer.Option(help="ISO 8601 with zone; exclusive; now if absent.")] = None,
    window: Annotated[str | None, typer.Option(help="Instead of --from: 30m, 24h, 7d. 24h if both absent.")] = None,
    granularity: Annotated[str | None, typer.Option(help="Width of a bucket: 5m, 1h, 1d.")] = None,
    group_by: Annotated[str | None, typer.Option(help="Such as release,route.")] = None,
    match: Annotated[
        list[str] | None, typer.Option(help="Only submissions with it, such as route=search; may be repeated.")
    ] = None,
    unit: Annotated[str, typer.Option(help="`response` or `claim`.")] = "response",
    confidence: Annotated[str, typer.Option(help="Of the interval, between 0.5 and 0.9999.")] = "0.95",
    estimand: Annotated[
        str, typer.Option(help="`process`: what produced the traffic; `traffic`: what came, and no more.")
    ] = "process",
    tenant: Annotated[str, typer.Option(help="Whose submissions.")] = DEFAULT_TENANT,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON that the API answers.")] = False,
) -> None:
    """How often responses are flagged, with an interval, counts and worst-case bounds."""
    query = RateQuery(
        tenant=tenant,
        start=start,
        to=to,
        window=window,
        granularity=granularity,
        group_by=group_by,
        match=_match(match or []),
        unit=unit,
        confidence=confidence,
        estimand=estimand,
    )
    with explained(), opened_database(logged_settings()) as database:
        require_current(database)
        answer = _answer(database, query)
    if as_json:
        typer.echo(answer.model_dump_json())
        return
    console = Console(highlight=False)
    _show(answer, console)
    console.print(Text(_notes(answer)), style="dim", soft_wrap=True)


def _match(given: list[str]) -> Match:
    values: dict[str, list[str]] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or name not in DIMENSIONS:
            raise typer.BadParameter(f"write NAME=VALUE with one of {', '.join(DIMENSIONS)}", param_hint="--match")
        values.setdefault(name, []).append(value)
    return tuple((name, tuple(held)) for name, held in values.items())


def _answer(database: Database, query: RateQuery) -> RatesAnswer:
    try:
        return answer_rates(database, query, utc_now())
    except QueryInvalidError as error:
        option = "--" + (error.field or "").replace("_", "-")
        raise typer.BadParameter(error.detail, param_hint=option) from None


def _show(answer: RatesAnswer, console: Console) -> None:
    """A table, or where the terminal is too narrow for one a paragraph for each bucket."""
    table = _table(answer)
    wanted = console.measure(table, options=console.options.update(max_width=WIDEST)).maximum
    if wanted <= console.width:
        console.print(table)
        return
    console.print(Text(_title(answer), style="italic"))
    for bucket in answer.buckets:
        console.print(Text(f"\n{_heading(answer, bucket)}", style="bold"), soft_wrap=True)
        rate, interval, worst, labelled, counts = _numbers(bucket)
        console.print(f"  flagged     {rate}, {100 * answer.confidence:.6g}% interval {interval}", soft_wrap=True)
        console.print(f"  worst case  {worst}", soft_wrap=True)
        console.print("  by labels   " + labelled.replace("\n", ", "), soft_wrap=True)
        if bucket.judged is not None:
            console.print("  judged      " + _judged(bucket.judged).replace("\n", ", "), soft_wrap=True)
        console.print("  counts      " + counts.replace("\n", ", "), soft_wrap=True)


def _title(answer: RatesAnswer) -> str:
    return f"{_minute(answer.start)} to {_minute(answer.end)} UTC, by {answer.unit}"


def _several(answer: RatesAnswer) -> bool:
    return answer.granularity_s < (answer.end - answer.start).total_seconds()


def _heading(answer: RatesAnswer, bucket: BucketAnswer) -> str:
    *groups, fingerprint = (text.plain for text in _groups(answer, bucket))
    named = [f"{name} {value}" for name, value in zip(answer.group_by, groups, strict=True)]
    return ", ".join([*[f"from {_minute(bucket.start)}"] * _several(answer), *named, f"fingerprint {fingerprint}"])


def _table(answer: RatesAnswer) -> Table:
    table = Table(title=_title(answer), title_justify="left", box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    several = _several(answer)
    for name in [*["from"] * several, *answer.group_by, "fingerprint"]:
        table.add_column(name)
    for name in ("flagged", f"{100 * answer.confidence:.6g}% interval", "worst case", "by labels"):
        table.add_column(name, justify="right", no_wrap=True)
    judged = any(bucket.judged for bucket in answer.buckets)
    if judged:
        table.add_column("by the judge", justify="right", no_wrap=True)
    table.add_column("counts", no_wrap=True)
    for bucket in answer.buckets:
        begin = [_minute(bucket.start)] if several else []
        *numbers, counts = _numbers(bucket)
        numbers += [_judged(bucket.judged)] if judged else []
        table.add_row(*begin, *_groups(answer, bucket), *numbers, counts)
    return table


def _minute(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _groups(answer: RatesAnswer, bucket: BucketAnswer) -> list[Text]:
    names = [bucket.group[name] for name in answer.group_by]
    texts = [Text(visible(name, MAX_NAME_CHARS)) if name else Text("none", style="dim") for name in names]
    return [*texts, Text((bucket.fingerprint or "none")[:FINGERPRINT_CHARS])]


def _numbers(bucket: BucketAnswer) -> list[str]:
    flagged, counts = bucket.flagged, bucket.counts
    rate = UNKNOWN if flagged.rate is None else f"{flagged.rate:.1%}"
    told = {"submitted": counts.submitted, **{name: n for name, n in counts if n and name != "submitted"}}
    text = "\n".join(f"{name.replace('_', ' ')} {n:,}" for name, n in told.items())
    worst = _span(bucket.bound_low, bucket.bound_high)
    return [rate, _span(flagged.ci_low, flagged.ci_high), worst, _labelled(bucket.hallucination), text]


def _labelled(found: LabelledRateAnswer | None) -> str:
    if found is None:
        return UNKNOWN
    needed = f"{found.labels_needed} labels needed"
    if found.rate is None:
        return f"{UNKNOWN}\n{needed}"
    told = f"{found.rate:.1%}\n{_span(found.ci_low, found.ci_high)}"
    if found.borrowed:
        return f"{told}\nborrowed, {needed}"
    part = found.labelled_share is not None and found.labelled_share < MOST
    by_judge = " and the judge" if found.judge_power is not None else ""
    return f"{told}\n{found.n_labels} labels{by_judge}{f', for {found.labelled_share:.0%} of it' if part else ''}"


def _judged(found: JudgedRateAnswer | None) -> str:
    if found is None:
        return "none"
    silent = [
        f"{name} {number:,}"
        for name, number in (
            ("unscored", found.not_judged.unscored),
            ("pending", found.not_judged.pending),
            ("uncovered", found.not_judged.uncovered),
            ("by others", found.judged_by_others),
        )
        if number
    ]
    told = [UNKNOWN, f"{found.needed:,} more needed"]
    if found.rate is not None:
        told = [f"{found.rate:.1%}", _span(found.ci_low, found.ci_high)]
    part = f", for {found.judged_share:.0%} of it" if found.judged_share < MOST else ""
    return "\n".join([*told, f"{found.n_judged:,} judged{part}", *silent])


def _span(low: float | None, high: float | None) -> str:
    return UNKNOWN if low is None or high is None else f"{low:.1%} to {high:.1%}"


def _notes(answer: RatesAnswer) -> str:
    unknown = MATCH_UNKNOWN.format(answer.match_unknown) if answer.match_unknown else ""
    if not answer.buckets and answer.match:
        return f"Nothing that matches was submitted in this time.{unknown}"
    if not answer.buckets:
        return "Nothing was submitted in this time. `assay doctor` looks for a reason."
    judged = any(bucket.judged for bucket in answer.buckets)
    return (
        f"{answer.estimand}.\nThe interval covers {answer.interval_covers}.\nThe worst case is {answer.bounds_cover}."
        f"{JUDGED.format(answer.judged_covers) if judged else ''}"
        f"{NOT_READ if answer.judged_reason else ''}"
        f"{'' if answer.clusters == 'respected' else NOT_RESPECTED}{unknown}"
    )
