"""`assay bench statistics --only judge`: whether intervals with a judge in them hold the truth, and what it saves."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from rich.console import Console

from service.core.correction import Corrected, Labelled, Predicted, correct
from service.core.estimate import Estimand
from service.core.judged import Judged, judged_rate
from service.core.phases import Verdict, correct_with_judge
from workers.bench.machine import describe_machine
from workers.bench.statistics import CONFIDENCE
from workers.bench.statistics_judge_results import Interval, JudgeCell, JudgeCovered, JudgeResult, WithLabels
from workers.bench.statistics_judge_worlds import (
    AT_RANDOM,
    CASCADES,
    GOOD,
    HALF,
    JUDGES,
    OF_THE_BAD,
    opinion,
    traffic_with,
    verdicts_of,
)
from workers.bench.worlds import (
    CLUSTERED,
    FALLIBLE,
    INDEPENDENT,
    UNSURE,
    Scored,
    draw_labels,
    predicted_of,
    strata_of,
    truth_of,
    worlds,
)

SEED = 20_263
RATES = (0.01, 0.05, 0.2, 0.4)
SIZE, LARGE = 1_000, 5_000
EQUAL, RELATED = "equal", "unequal, related to the outcome"
SAMPLED: Mapping[str, float] = {"5%": 0.05, "50%": 0.5, "everything": 1.0}  # of one traffic
LABELS = (60, 300)
_MANY = 20  # cells between two lines of progress


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgePlan:
    """How much to simulate."""

    worlds: int
    rates: tuple[float, ...] = RATES


FULL = JudgePlan(worlds=500)
QUICK = JudgePlan(worlds=20, rates=(0.2,))


def judge_grid(rates: Sequence[float] = RATES) -> list[JudgeCell]:
    """All cells: everything by everything, more samples, one traffic itself, and a judge that is silent where it matters."""
    scorers = (FALLIBLE, UNSURE)
    every = [
        JudgeCell(rate=rate, n=SIZE, design=e, traffic=t, detector=d, judge=j, cascade=c, silence=AT_RANDOM)
        for d, j, c, t, e, rate in product(scorers, JUDGES, CASCADES, (INDEPENDENT, CLUSTERED), (EQUAL, RELATED), rates)
    ]
    plain = [x for x in every if (x.judge, x.traffic, x.design) == (GOOD, INDEPENDENT, EQUAL)]
    larger = [cell.model_copy(update={"n": LARGE}) for cell in plain]
    silent = [cell.model_copy(update={"silence": OF_THE_BAD}) for cell in plain if cell.cascade == HALF]
    of_traffic = [
        cell.model_copy(update={"design": design, "estimand": Estimand.TRAFFIC}) for cell in plain for design in SAMPLED
    ]
    return every + larger + of_traffic + silent


def bench_judge_rates(plan: JudgePlan, console: Console) -> JudgeResult:
    """Simulates every cell, on all cores."""
    machine = describe_machine()
    cells = judge_grid(plan.rates)
    found = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done, covered in enumerate(pool.map(partial(cover_judge, count=plan.worlds), cells), start=1):
            found.append(covered)
            if done % _MANY == 0:
                console.print(f"{done} of {len(cells)} cells")
    return JudgeResult(machine=machine, quick=plan != FULL, seed=SEED, confidence=CONFIDENCE, cells=tuple(found))


@dataclass(kw_only=True, slots=True)
class _Seen:
    """What was answered, world by world; None where nothing was."""

    answers: list[Corrected] = field(default_factory=list)

    def interval(self, truth: float) -> Interval:
        """How it fared."""
        known = [(x.rate, x.low, x.high) for x in self.answers if x.rate is not None]
        told = [(rate, low, high) for rate, low, high in known if low is not None and high is not None]
        return Interval(
            answered=len(told),
            covered=sum(low <= truth <= high for _, low, high in told),
            below=sum(high < truth for _, _, high in told),
            mean=float(np.mean([rate for rate, _, _ in told])) if told else None,
            width=float(np.median([high - low for _, low, high in told])) if told else None,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Truth:
    """What is true of a cell, and its worlds with what the judge would say of each sample."""

    true: float  # share that is made up
    flagged: float  # that the judge would flag
    worlds: Iterator[tuple[Scored, Any]]


def _truth(cell: JudgeCell, count: int, random: np.random.Generator) -> _Truth:
    if cell.estimand is Estimand.TRAFFIC:
        probability = SAMPLED[cell.design]
        came = traffic_with(round(cell.n / probability), cell.rate, cell.detector, cell.judge, random)
        return _Truth(
            true=float(came.everything.bad.mean()),
            flagged=float(came.would.mean()),
            worlds=(came.sampled(probability, random) for _ in range(count)),
        )
    strata = strata_of(cell.design, cell.rate, cell.n)
    true = truth_of(strata)
    return _Truth(
        true=true,
        flagged=JUDGES[cell.judge].rate(true, cell.detector),
        worlds=(
            (world, opinion(world, cell.judge, random))
            for world in worlds(strata, cell.traffic, cell.detector, count, random)
        ),
    )


def cover_judge(cell: JudgeCell, count: int, labels: Sequence[int] = LABELS) -> JudgeCovered:
    """How the intervals fare in so many worlds of this cell."""
    random = np.random.default_rng([SEED, *cell.model_dump_json().encode()])
    truth = _truth(cell, count, random)
    judged, number = _Seen(), 0
    pairs: dict[int, list[tuple[Corrected, Corrected | None]]] = {wanted: [] for wanted in labels}
    for world, would in truth.worlds:
        verdicts = verdicts_of(world, would, cell.cascade, cell.silence, random)
        number += len(verdicts)
        of_judge = Judged(fingerprint="", verdicts=verdicts, others=0, unscored=0, pending=0, uncovered=0)
        predicted = predicted_of(world, cell.estimand)
        judged.answers.append(judged_rate(predicted, of_judge, CONFIDENCE, cell.estimand).found)
        for wanted, held in pairs.items():
            held.append(_pair(predicted, draw_labels(world, wanted, random), verdicts, cell.estimand))
    return JudgeCovered(
        cell=cell,
        worlds=count,
        verdicts=number / count,
        true=truth.true,
        truth=truth.flagged,
        judged=judged.interval(truth.flagged),
        hallucination=tuple(_with_labels(wanted, held, truth.true) for wanted, held in pairs.items()),
    )


def _pair(
    predicted: Predicted, labels: Mapping[int, Labelled], verdicts: Sequence[Verdict], estimand: Estimand
) -> tuple[Corrected, Corrected | None]:
    two = correct(predicted, list(labels.values()), CONFIDENCE, estimand)
    if two.rate is None:
        return two, None
    return two, correct_with_judge(predicted, labels, verdicts, CONFIDENCE, estimand)


def _with_labels(wanted: int, pairs: Sequence[tuple[Corrected, Corrected | None]], truth: float) -> WithLabels:
    two = _Seen(answers=[without for without, _ in pairs])
    three = _Seen(answers=[by_judge or without for without, by_judge in pairs])
    ratios = [_width(by_judge) / _width(without) for without, by_judge in pairs if by_judge]
    spreads = [float(np.std([x.rate for x in seen.answers if x.rate is not None])) for seen in (three, two)]
    return WithLabels(
        labels=wanted,
        two=two.interval(truth),
        three=three.interval(truth),
        used=len(ratios),
        ratio=float(np.median(ratios)) if ratios else None,
        spread=spreads[0] / spreads[1] if spreads[1] > 0 else None,
    )


def _width(found: Corrected) -> float:
    return (found.high or 0.0) - (found.low or 0.0)
