"""`assay judge agreement`: how far the judge, the first scorer and people say the same of the same responses."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console

from service.core.clock import utc_now
from service.core.db import require_current
from service.core.duration import parse_duration
from service.core.keys import DEFAULT_TENANT
from service.core.rate_query import read_confidence
from service.core.store.agreeing import MOST, JudgedSample, read_judged
from service.core.store.rates import Stretch
from service.core.store.rollups import MINUTE_S, floor
from service.core.two_raters import Pair, TwoRaters, Unknown, two_raters
from workers.commands.entry import explained, logged_settings, opened_database
from workers.commands.shown import show_lines, show_rows

FINGERPRINT_CHARS = 8
HALF = 0.5
WHY = {
    Unknown.NOTHING: "nothing that both decided",
    Unknown.ONE_CLASS: "one of the two says the same of everything",
    Unknown.ONE_CLUSTER: "no interval: all are of one session or trace",
    Unknown.RESTS_ON_ONE: "no interval: it rests on one session or trace",
}
NOTE = (
    "Kappa is Cohen's: 0 is what chance gives, 1 is agreement on everything. Intervals leave out one session or trace after "
    "the other. By design: each response counts for those that it stands for, by the probabilities with which it was "
    "sampled, judged and drawn for labelling; without a known probability it is in `as judged` alone."
)
Asked = Callable[[JudgedSample], "tuple[bool, bool, float | None] | None"]


def judge_agreement(
    window: Annotated[str, typer.Option(help="Of samples received no longer ago: 24h, 7d, 30d.")] = "30d",
    tenant: Annotated[str, typer.Option(help="Whose samples.")] = DEFAULT_TENANT,
    confidence: Annotated[str, typer.Option(help="Of the intervals, between 0.5 and 0.9999.")] = "0.95",
) -> None:
    """The judge against people and against the NLI scorer, and that one against people, on what the judge judged."""
    with explained(), opened_database(logged_settings()) as database:
        level = read_confidence(confidence)
        length = parse_duration(window, "window")
        require_current(database)
        end = floor(utc_now(), MINUTE_S) + timedelta(seconds=MINUTE_S)
        start = floor(end - length, MINUTE_S)
        width_s = int((end - start).total_seconds())
        stretch = Stretch(tenant=tenant, start=start, end=end, width_s=width_s, group_by=())
        with database.read() as connection:
            judged = read_judged(connection, stretch)
    _show(judged, level, Console(highlight=False))


def _show(judged: Sequence[JudgedSample], confidence: float, console: Console) -> None:
    if not judged:
        console.print("No judge gave a verdict on a sample of this time.")
        return
    for (judge, scorer), held in _by_fingerprints(judged).items():
        beside = "without a first score" if scorer is None else f"NLI {scorer[:FINGERPRINT_CHARS]}"
        _print(f"Judge {judge[:FINGERPRINT_CHARS]}, {beside}", held, confidence, console)
        for line in _reasons(held, confidence):
            show_lines(console, line)
    console.print(NOTE, soft_wrap=True, style="dim")
    if len(judged) == MOST:
        console.print(f"Only the newest {MOST:,} judged samples were read.", soft_wrap=True)


def _by_fingerprints(judged: Sequence[JudgedSample]) -> Mapping[tuple[str, str | None], list[JudgedSample]]:
    """Verdicts of two fingerprints are never mixed; those with the most samples come first."""
    found: dict[tuple[str, str | None], list[JudgedSample]] = defaultdict(list)
    for each in judged:
        found[each.judge, each.scorer].append(each)
    return dict(sorted(found.items(), key=lambda held: (-len(held[1]), str(held[0]))))


def _print(title: str, held: Sequence[JudgedSample], confidence: float, console: Console) -> None:
    share = f"{100 * confidence:.6g}% interval"
    names = ("n", "effective n", "both flag", "first only", "second only", "neither", "agree", share, "kappa", share)
    rows = [
        (f"{name}, {weighing}", *_cells(weighing, found))
        for name, weighing, found in _compared(held, confidence)
        if found.pairs  # why there is none is told below
    ]
    show_rows(console, ("", *names), rows, title)


def _cells(weighing: str, found: TwoRaters) -> list[str]:
    """Of the 2x2 table counts, or by design shares: weights have no unit that a person knows."""
    whole = found.table.whole
    cells = (found.table.both, found.table.first, found.table.second, found.table.neither)
    told = [f"{cell:,.0f}" for cell in cells]
    if weighing == BY_DESIGN:
        told = [f"{cell / whole:.1%}" if whole else "none" for cell in cells]
    return [
        f"{found.pairs:,}",
        f"{found.effective_n:,.1f}",
        *told,
        _number(found.agreeing),
        _span(found.agreeing_low, found.agreeing_high),
        _number(found.kappa),
        _span(found.kappa_low, found.kappa_high),
    ]


AS_JUDGED, BY_DESIGN = "as judged", "by design"


def _compared(held: Sequence[JudgedSample], confidence: float) -> Iterator[tuple[str, str, TwoRaters]]:
    for name, asked in COMPARISONS.items():
        told = [(each.cluster, found) for each in held if (found := asked(each)) is not None]
        plain = [Pair(first=one, second=two, cluster=cluster) for cluster, (one, two, _) in told]
        weighted = [
            Pair(first=one, second=two, cluster=cluster, weight=1 / probability)
            for cluster, (one, two, probability) in told
            if probability is not None
        ]
        yield name, AS_JUDGED, two_raters(plain, confidence)
        yield name, BY_DESIGN, two_raters(weighted, confidence)


def _reasons(held: Sequence[JudgedSample], confidence: float) -> Iterator[str]:
    for name, weighing, found in _compared(held, confidence):
        if found.unknown is not None:
            yield f"{name}, {weighing}: {WHY[found.unknown]}."


def _judge_and_people(each: JudgedSample) -> tuple[bool, bool, float | None] | None:
    people = _people(each)
    return None if people is None else (each.by_judge, people, _labelled_probability(each))


def _judge_and_scorer(each: JudgedSample) -> tuple[bool, bool, float | None] | None:
    return None if each.by_scorer is None else (each.by_judge, each.by_scorer, _judged_probability(each))


def _scorer_and_people(each: JudgedSample) -> tuple[bool, bool, float | None] | None:
    people = _people(each)
    if people is None or each.by_scorer is None:
        return None
    return each.by_scorer, people, _labelled_probability(each)


COMPARISONS: dict[str, Asked] = {
    "judge and people": _judge_and_people,
    "judge and NLI": _judge_and_scorer,
    "NLI and people": _scorer_and_people,
}


def _people(each: JudgedSample) -> bool | None:
    """What most of them say; None where nobody decides, or as many say one thing as the other."""
    if each.people is None or each.people.y == HALF:
        return None
    return each.people.y > HALF


def _judged_probability(each: JudgedSample) -> float | None:
    """Of being sampled and judged; None where it stands for nothing."""
    probability = each.inclusion_probability * each.judge_probability
    return probability if each.in_rate and probability > 0 else None


def _labelled_probability(each: JudgedSample) -> float | None:
    """The same, and drawn for labelling, which looks at the first score and not at the judge."""
    judged = _judged_probability(each)
    if judged is None or each.people is None or each.people.label_probability is None:
        return None
    return judged * each.people.label_probability


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _span(low: float | None, high: float | None) -> str:
    return "unknown" if low is None or high is None else f"{low:.3f} to {high:.3f}"
