"""What `assay bench statistics` found, as a document with a plot."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from workers.bench.markdown import section, table
from workers.bench.statistics_results import Covered, StatisticsResult

LEAST, ALMOST_ALL, FLOOR = 0.93, 0.95, 0.90  # coverage, in so many of the cells, and never below
MANY = 1_000  # samples, from which on a bias is shown: below, chance alone makes it
HEADER = ("# How the intervals do in worlds of known truth", "Written by `assay bench statistics`. Do not edit.")
_WIDTH, _ROW, _LEFT, _TOP = 720, 22, 300, 46
_INK, _DOT, _BAD = "#6e7781", "#2f81f7", "#d1242f"
_FROM = 0.85  # where the plot's axis begins


def statistics_document(result: StatisticsResult) -> str:
    """The whole document."""
    text = (
        f"{result.cells[0].worlds:,} worlds for each of {len(result.cells)} cells, seed {result.seed}. In each world "
        "traffic comes, is sampled with known probabilities, is flagged, and where the cell has labels some of it is drawn "
        "and labelled; how many of each is chance. Then the same functions that answer `GET /hallucination-rate` make the "
        f"interval at {result.confidence:.0%}, and it holds the truth or does not. Sessions of clustered traffic have four "
        "responses on average (geometric) and a correlation of 0.2. A cell is counted where at least 5% of its worlds got "
        "an interval; the others decline: with too few labels there is no answer.\n\n"
        "![Coverage of each cell](coverage.svg)"
    )
    tables = f"{_summary(result)}\n{_by_kind(result.cells)}\n{_worst(result.cells)}\n{_every(result.cells)}"
    return "\n\n".join([*HEADER, section("Coverage", result.machine, text, tables)])


def _answering(cells: Iterable[Covered]) -> list[Covered]:
    return [each for each in cells if each.answered >= 0.05 * each.worlds]


def _summary(result: StatisticsResult) -> str:
    answering = _answering(result.cells)
    good = sum((each.coverage or 0) >= LEAST for each in answering)
    lowest = min(each.coverage or 0 for each in answering)
    declined = sum(each.answered < each.worlds for each in result.cells)
    return "**In all:**\n\n" + table(
        ["what", "measured", "aim"],
        [
            [
                f"cells with a coverage of {LEAST:.0%} or more",
                f"{good / len(answering):.1%} ({good} of {len(answering)})",
                f"{ALMOST_ALL:.0%}",
            ],
            ["lowest coverage of a cell", f"{lowest:.1%}", f"{FLOOR:.0%}"],
            ["cells in which some worlds got no interval", f"{declined} of {len(result.cells)}", ""],
            ["cells that decline nearly always", f"{len(result.cells) - len(answering)} of {len(result.cells)}", ""],
        ],
    )


def _kind(each: Covered) -> tuple[str, str]:
    return each.cell.traffic, _detector(each)


def _detector(each: Covered) -> str:
    if each.cell.estimand == "traffic":
        return "perfect, of the traffic itself"
    if each.cell.labels:
        return f"{each.cell.detector}, {each.cell.labels} labels: hallucination rate"
    return f"{each.cell.detector}, no labels: flagged rate"


def _by_kind(cells: Sequence[Covered]) -> str:
    rows = []
    for kind, held in groupby(sorted(cells, key=_kind), key=_kind):
        every = list(held)
        answering = _answering(every)
        if not answering:
            continue
        covered = [each.coverage or 0 for each in answering]
        worlds = sum(each.worlds for each in every)
        bias = max(abs((each.mean or 0) - each.truth) / each.truth for each in answering if each.cell.n >= MANY)
        rows.append(
            [
                *kind,
                f"{len(answering)} of {len(every)}",
                f"{min(covered):.1%}",
                f"{sum(covered) / len(covered):.1%}",
                f"{1 - sum(each.answered for each in every) / worlds:.1%}",
                f"{bias:.1%}",
            ]
        )
    header = [
        "traffic",
        "scorer",
        "cells",
        "lowest",
        "mean",
        "declined",
        "greatest bias from n = 1,000 on, of the rate",
    ]
    return "**By kind:**\n\n" + table(header, rows)


def _worst(cells: Sequence[Covered]) -> str:
    worst = sorted(_answering(cells), key=lambda each: each.coverage or 0)[:10]
    return "**The ten lowest:**\n\n" + table(_HEAD, [_row(each) for each in worst])


def _every(cells: Sequence[Covered]) -> str:
    return "**Every cell:**\n\n" + table(_HEAD, [_row(each) for each in cells])


_HEAD = [
    "rate",
    "n",
    "probabilities",
    "traffic",
    "scorer",
    "answered",
    "coverage",
    "missed below",
    "missed above",
    "bias",
    "median width",
]


def _row(each: Covered) -> list[str]:
    cell = each.cell
    above = each.answered - each.covered - each.below
    told = ["none"] * 5
    if each.answered and each.mean is not None and each.width is not None:
        told = [
            f"{each.covered / each.answered:.1%}",
            f"{each.below / each.answered:.1%}",
            f"{above / each.answered:.1%}",
            f"{100 * (each.mean - each.truth):+.3g}",
            f"{100 * each.width:.3g}",
        ]
    answered = f"{each.answered / each.worlds:.0%}"
    return [f"{cell.rate:.1%}", f"{cell.n:,}", cell.design, cell.traffic, _detector(each), answered, *told]


def coverage_plot(result: StatisticsResult) -> str:
    """One dot for each cell that answers, by kind; an SVG."""
    kinds = sorted({_kind(each) for each in _answering(result.cells)})
    height = _TOP + _ROW * len(kinds) + 40
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img"',
        f'  font-family="sans-serif" font-size="11" fill="{_INK}">',
        "<title>Coverage of 95% intervals in simulated worlds, one dot a cell</title>",
        f'<text x="{_LEFT}" y="16">share of worlds whose interval holds the truth; one dot a cell</text>',
    ]
    for hundredths in range(85, 101, 5):
        at = _x(hundredths / 100)
        lines.append(
            f'<line x1="{at:.1f}" y1="{_TOP - 14}" x2="{at:.1f}" y2="{height - 36}" stroke="{_INK}" stroke-opacity="0.3"/>'
        )
        lines.append(f'<text x="{at:.1f}" y="{height - 20}" text-anchor="middle">{hundredths}%</text>')
    for place, kind in enumerate(kinds):
        y = _TOP + _ROW * place
        name = f"{kind[0]}; {kind[1].replace(': ', ', ')}"
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end" font-size="9.5">{name}</text>')
        for each in _answering(result.cells):
            if _kind(each) == kind and each.coverage is not None:
                fill = _DOT if each.coverage >= LEAST else _BAD
                lines.append(
                    f'<circle cx="{_x(max(_FROM, each.coverage)):.1f}" cy="{y}" r="3.5" fill="{fill}" fill-opacity="0.45"/>'
                )
    return "\n".join([*lines, "</svg>", ""])


def _x(coverage: float) -> float:
    return _LEFT + (coverage - _FROM) / (1 - _FROM) * (_WIDTH - _LEFT - 20)
