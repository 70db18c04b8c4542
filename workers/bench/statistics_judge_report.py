"""What `assay bench statistics --only judge` found, as a document."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from service.core.estimate import Estimand
from workers.bench.markdown import section, table
from workers.bench.statistics_judge_results import Interval, JudgeCovered, JudgeResult, WithLabels
from workers.bench.statistics_judge_worlds import AT_RANDOM, BAND, CASCADES, JUDGES, OF_THE_BAD, SILENCES

LEAST, OFTEN = 0.93, 0.05  # coverage that is wanted; the share of worlds from which on a cell counts as answered
HEADER = ("# What a judge adds, in worlds of known truth", "Written by `assay bench statistics`. Do not edit.")


def judge_document(result: JudgeResult) -> str:
    """The whole document."""
    sizes = sorted({each.cell.n for each in result.cells})
    (silence, _), of_the_bad = SILENCES[AT_RANDOM], SILENCES[OF_THE_BAD]
    text = (
        f"{result.cells[0].worlds:,} worlds for each of {len(result.cells)} cells, seed {result.seed}, "
        f"{' or '.join(f'{n:,}' for n in sizes)} scored samples expected. In each world traffic comes, is sampled (all with "
        "one probability, or with 5% and 50% where the others are worse), and scored. A judge looks at some of it, people "
        f"label some of it, and the functions that answer `GET /hallucination-rate` make intervals at {result.confidence:.0%}.\n\n"
        "Scorers: *70% / 90%* finds 70% of what is made up and flags 10% of the rest, whatever its score says; of *unsure "
        "where it errs* the score is the chance of being made up. Judges: "
        + "; ".join(
            f"*{name}* finds {kind.sensitivity:.0%} and spares {kind.specificity:.0%} of the rest"
            + (f", and repeats the scorer's flag for {kind.repeats:.0%}" if kind.repeats else "")
            for name, kind in JUDGES.items()
        )
        + f". Probabilities of being judged, with a score of {BAND[0]} to {BAND[1]} and else: "
        + "; ".join(f"*{name}* {band:.0%} and {floor:.0%}" for name, (band, floor) in CASCADES.items())
        + f". {silence:.0%} of the reviews end without a verdict, at random. Sessions of clustered traffic have four "
        "responses on average and a correlation of 0.2. *Of one traffic itself*: the same traffic is sampled again and again, at 5%, "
        "at 50% and as a whole, and the intervals (`estimand=traffic`) are to hold the share of that traffic.\n\n"
        "*Judged rate*: the share that the judge would flag. *By labels*: the hallucination rate of two phases. *With the "
        "judge*: what is answered, of three phases where the judge adds something. Width is the median of its interval's "
        "over that by labels, in worlds where it adds something; spread is that of the standard deviations of what is "
        f"answered, over all worlds. A cell counts where at least {OFTEN:.0%} of its worlds got an interval. Of "
        f"{result.cells[0].worlds:,} worlds alone chance moves a coverage by {_chance(result):.1f} points (two standard errors)."
    )
    at_random = [each for each in result.cells if each.cell.silence == AT_RANDOM]
    plain = [each for each in at_random if each.cell.estimand is Estimand.PROCESS]
    of_traffic = [each for each in at_random if each.cell.estimand is Estimand.TRAFFIC]
    silent = [each for each in result.cells if each.cell.silence != AT_RANDOM]
    parts = [_summary("In all", plain), _summary("Of one traffic itself", of_traffic), _by_kind(plain)]
    parts.append(_low(at_random))
    if silent:
        told = (
            f"**A judge that is silent where it matters** (no verdict on {of_the_bad[0]:.0%} of what it would flag and "
            f"{of_the_bad[1]:.0%} of the rest): the judged rate takes for granted that silence is at random, and misses; "
            "the hallucination rate does not.\n\n"
        )
        parts.append(told + _cells(silent))
    parts.append("**Every cell:**\n\n" + _cells(plain))
    if of_traffic:
        parts.append("**Every cell of one traffic itself:**\n\n" + _cells(of_traffic))
    return "\n\n".join([*HEADER, section("Judge", result.machine, text, "\n".join(parts))])


def _cells(cells: Sequence[JudgeCovered]) -> str:
    return table(_HEAD, [line for each in cells for line in _rows(each)])


def _chance(result: JudgeResult) -> float:
    """Two standard errors of a coverage, in points."""
    at = result.confidence
    return 200 * math.sqrt(at * (1 - at) / result.cells[0].worlds)


def _judged(cells: Iterable[JudgeCovered]) -> list[float]:
    return _counting((each.judged, each.worlds) for each in cells)


def _with(cells: Iterable[JudgeCovered], of: Callable[[WithLabels], Interval]) -> list[float]:
    return _counting((of(labelled), each.worlds) for each in cells for labelled in each.hallucination)


def _counting(intervals: Iterable[tuple[Interval, int]]) -> list[float]:
    held = [found.coverage for found, worlds in intervals if found.answered >= OFTEN * worlds]
    return [coverage for coverage in held if coverage is not None]


def _summary(title: str, cells: Sequence[JudgeCovered]) -> str:
    kinds = {
        "judged rate": _judged(cells),
        "hallucination rate by labels": _with(cells, lambda found: found.two),
        "hallucination rate with the judge": _with(cells, lambda found: found.three),
    }
    rows = [
        [
            name,
            str(len(covered)),
            f"{sum(covered) / len(covered):.1%}" if covered else "none",
            f"{min(covered):.1%}" if covered else "none",
            str(sum(each < LEAST for each in covered)),
        ]
        for name, covered in kinds.items()
    ]
    header = ["interval", "cells", "mean coverage", "lowest", f"cells below {LEAST:.0%}"]
    return f"**{title}:**\n\n" + table(header, rows)


def _by_kind(cells: Sequence[JudgeCovered]) -> str:
    """One line for each number of samples, scorer, judge, cascade and number of labels."""
    rows = []
    for kind, held in groupby(sorted(cells, key=_kind), key=_kind):
        every = list(held)
        covered = _judged(every)
        for at, labelled in enumerate(every[0].hallucination):
            found = [each.hallucination[at] for each in every]
            ratios = [x.ratio for x in found if x.ratio is not None and x.used >= OFTEN * every[0].worlds]
            spreads = [x.spread for x in found if x.spread is not None]
            three = _counting((x.three, each.worlds) for x, each in zip(found, every, strict=True))
            rows.append(
                [
                    f"{kind[0]:,}",
                    *kind[1:],
                    f"{sum(each.verdicts for each in every) / len(every):.0f}",
                    f"{sum(each.judged.answered for each in every) / sum(each.worlds for each in every):.0%}",
                    f"{min(covered):.1%}" if covered else "none",
                    str(labelled.labels),
                    f"{sum(x.used for x in found) / sum(each.worlds for each in every):.0%}",
                    f"{min(three):.1%}" if three else "none",
                    _from_to(ratios),
                    _from_to(spreads),
                ]
            )
    return "**By kind, over rates, designs and traffic:**\n\n" + table(
        [
            "n",
            "scorer",
            "judge",
            "judged",
            "verdicts",
            "judged rate answered",
            "lowest coverage of it",
            "labels",
            "judge adds something",
            "lowest coverage with the judge",
            "width",
            "spread",
        ],
        rows,
    )


def _kind(each: JudgeCovered) -> tuple[int, str, str, str]:
    return each.cell.n, each.cell.detector, each.cell.judge, each.cell.cascade


def _from_to(values: Sequence[float]) -> str:
    if not values:
        return "none"
    middle = sorted(values)[len(values) // 2]
    return f"{middle:.2f} ({min(values):.2f} to {max(values):.2f})"


def _low(cells: Sequence[JudgeCovered]) -> str:
    low = [each for each in cells if min([1.0, *_judged([each]), *_with([each], lambda found: found.three)]) < LEAST]
    if not low:
        return f"**No cell is below {LEAST:.0%}.**\n"
    return f"**Cells below {LEAST:.0%}:**\n\n" + _cells(low)


_HEAD = [
    "rate",
    "n",
    "probabilities",
    "traffic",
    "scorer",
    "judge",
    "judged",
    "verdicts",
    "judged rate: answered",
    "coverage",
    "missed below",
    "bias",
    "width of it",
    "labels",
    "by labels: coverage",
    "with the judge: coverage",
    "bias of it",
    "width",
    "spread",
]


def _rows(each: JudgeCovered) -> Iterator[list[str]]:
    """One line for each number of labels."""
    cell, judged = each.cell, each.judged
    for found in each.hallucination:
        yield [
            f"{each.true:.1%}",
            f"{cell.n:,}",
            cell.design,
            cell.traffic,
            cell.detector,
            cell.judge,
            cell.cascade,
            f"{each.verdicts:.0f}",
            f"{judged.answered / each.worlds:.0%}",
            _share(judged.coverage),
            _share(judged.below / judged.answered if judged.answered else None),
            _points(judged.mean, each.truth),
            "none" if judged.width is None else f"{100 * judged.width:.3g}",
            str(found.labels),
            _share(found.two.coverage),
            _share(found.three.coverage),
            _points(found.three.mean, each.true),
            "none" if found.ratio is None else f"{found.ratio:.2f}",
            "none" if found.spread is None else f"{found.spread:.2f}",
        ]


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.1%}"


def _points(mean: float | None, truth: float) -> str:
    return "none" if mean is None else f"{100 * (mean - truth):+.2g}"
