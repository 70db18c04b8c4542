"""What `assay bench statistics --only golden` found, as a document."""

import math
from collections.abc import Sequence

from workers.bench.markdown import section, table
from workers.bench.statistics_golden_results import GateOutcome, GoldenResult

HEADER = ("# How often the golden-set gate errs", "Written by `assay bench statistics`. Do not edit.")


def golden_document(result: GoldenResult) -> str:
    """The whole document."""
    worlds = result.gates[0].worlds
    chance = 200 * math.sqrt(result.alpha * (1 - result.alpha) / worlds)
    text = (
        f"{worlds:,} worlds for each cell, seed {result.seed}. In each, a baseline and a candidate answer the same items; "
        f"{result.base_rate:.0%} are bad by both. *For good*: items turn in all repeats. *By chance*: each answer turns by "
        "itself. *Flakes*: answers differ by chance in both runs, in either direction. The margin is the shipped one of "
        "an application over that many items and repeats, and the gate is the code that runs.\n\n"
        f"A verdict errs where it says `no worse` of what is worse by the margin or more, or `worse` of what is not: each "
        f"must happen in at most {result.alpha:.0%}. Of {worlds:,} worlds alone chance moves a share by {chance:.1f} points "
        "(two standard errors)."
    )
    parts = [
        "**Nothing changed.** The right answer is `no worse`; `worse` is an error:\n\n" + _cells(result, worse=0.0),
        "**Worse by exactly the margin.** `no worse` is an error, and so is `worse`:\n\n" + _cells(result, worse=None),
        "**15 points worse.** The right answer is `worse`; `no worse` is an error:\n\n" + _cells(result, worse=0.15),
        _needed(result),
        _categories(result),
    ]
    return "\n\n".join([*HEADER, section("Gate", result.machine, text, "\n".join(parts))])


def _cells(result: GoldenResult, worse: float | None) -> str:
    header = ["items", "repeats", "margin", "what", "worse", "no worse", "cannot tell"]
    return table(header, [_row(each) for each in result.gates if each.cell.scene.worse == worse])


def _row(found: GateOutcome) -> Sequence[str]:
    cell = found.cell
    shares = (found.worse, found.no_worse, found.cannot_tell)
    return [
        str(cell.items),
        str(cell.repeats),
        f"{100 * cell.margin:.1f}",
        cell.scene.name,
        *(f"{share / found.worlds:.1%}" for share in shares),
    ]


def _needed(result: GoldenResult) -> str:
    rows = [[str(x.items), f"{x.worlds:,}", f"{x.median:,}", f"{x.decided:.0%}"] for x in result.needed]
    return (
        "**How many items would decide.** Of first runs that became 15 points worse and could not tell, the number that they "
        "ask for, and how many second runs with that many items, drawn anew, decide:\n\n"
        + table(["items", "runs that could not tell", "items asked for, median", "second runs that decide"], rows)
    )


def _categories(result: GoldenResult) -> str:
    rows = [
        [str(x.categories), str(x.items_each), f"{x.flakes:.0%}", f"{x.wrong / x.worlds:.1%}"]
        for x in result.categories
    ]
    return "**Categories.** Runs in which any category is called worse though nothing changed:\n\n" + table(
        ["categories", "items each", "flakes", "runs with one called worse"], rows
    )
