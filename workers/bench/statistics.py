"""`assay bench statistics`: in how many worlds of known truth the intervals hold it."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
from rich.console import Console

from service.core.correction import correct
from service.core.estimate import Estimand, estimate
from workers.bench.machine import describe_machine
from workers.bench.statistics_results import Cell, Covered, StatisticsResult
from workers.bench.worlds import (
    CLUSTERED,
    DESIGNS,
    FALLIBLE,
    INDEPENDENT,
    PERFECT,
    SENSITIVITY,
    SPECIFICITY,
    clusters_of,
    counted_worlds,
    counts_of,
    draw_labels,
    predicted_of,
    sampled_traffic,
    strata_of,
    traffic_of,
    truth_of,
    worlds,
)

CONFIDENCE = 0.95
SEED = 20_261
RATES = (0.001, 0.01, 0.05, 0.2, 0.5)
SIZES = (50, 200, 1_000, 20_000)
DETECTORS = ((PERFECT, 0), (FALLIBLE, 0), (FALLIBLE, 50), (FALLIBLE, 300))

Found = tuple[float, float, float]  # estimate, low, high


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How much to simulate."""

    worlds: int
    sizes: tuple[int, ...] = SIZES


FULL = Plan(worlds=2_000)
QUICK = Plan(worlds=100, sizes=(50, 1_000))


def grid(sizes: Sequence[int]) -> list[Cell]:
    """All cells: of the process by everything, and of the traffic itself where sampling alone is chance."""
    of_process = [
        Cell(rate=rate, n=n, design=design, traffic=traffic, detector=detector, labels=labels)
        for traffic, design, (detector, labels), rate, n in product(
            (INDEPENDENT, CLUSTERED), DESIGNS, DETECTORS, RATES, sizes
        )
    ]
    of_traffic = [
        Cell(rate=rate, n=n, design=design, traffic=INDEPENDENT, detector=PERFECT, labels=0, estimand=Estimand.TRAFFIC)
        for design, rate, n in product(DESIGNS, RATES, sizes)
    ]
    return of_process + of_traffic


def bench_statistics(plan: Plan, console: Console) -> StatisticsResult:
    """Simulates every cell, on all cores."""
    machine = describe_machine()
    cells = grid(plan.sizes)
    found = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done, covered in enumerate(pool.map(partial(cover, count=plan.worlds), cells, chunksize=4), start=1):
            found.append(covered)
            if done % 30 == 0:
                console.print(f"{done} of {len(cells)} cells")
    return StatisticsResult(machine=machine, quick=plan != FULL, seed=SEED, confidence=CONFIDENCE, cells=tuple(found))


def cover(cell: Cell, count: int) -> Covered:
    """How often the interval holds the truth in so many worlds of this cell."""
    random = np.random.default_rng([SEED, *cell.model_dump_json().encode()])
    strata = strata_of(cell.design, cell.rate, cell.n)
    truth = truth_of(strata)
    if cell.estimand == Estimand.TRAFFIC:
        came = traffic_of(strata)
        truth = sum(bad for _, bad in came) / sum(n for n, _ in came)
    elif cell.detector == FALLIBLE and not cell.labels:  # what is estimated without labels is the flagged rate
        truth = SENSITIVITY * truth + (1 - SPECIFICITY) * (1 - truth)
    found = [each for each in _estimates(cell, strata, count, random) if each is not None]
    return Covered(
        cell=cell,
        worlds=count,
        answered=len(found),
        covered=sum(low <= truth <= high for _, low, high in found),
        below=sum(high < truth for _, _, high in found),
        truth=truth,
        mean=float(np.mean([value for value, _, _ in found])) if found else None,
        width=float(np.median([high - low for _, low, high in found])) if found else None,
    )


def _estimates(
    cell: Cell, strata: Sequence[tuple[float, float, float]], count: int, random: np.random.Generator
) -> Iterator[Found | None]:
    if cell.estimand == Estimand.TRAFFIC:
        for cells in sampled_traffic(strata, count, random):
            yield _found(estimate(cells, CONFIDENCE, estimand=Estimand.TRAFFIC))
        return
    if cell.traffic == INDEPENDENT and not cell.labels:
        for cells in counted_worlds(strata, cell.detector, count, random):
            yield _found(estimate(cells, CONFIDENCE))
        return
    for world in worlds(strata, cell.traffic, cell.detector, count, random):
        if world.size == 0:
            yield None
        elif cell.labels:
            labels = draw_labels(world, cell.labels, random).values()
            yield _found(correct(predicted_of(world), list(labels), CONFIDENCE))
        else:
            yield _found(estimate(counts_of(world), CONFIDENCE, clusters_of(world)))


def _found(estimated: object) -> Found | None:
    rate, low, high = (getattr(estimated, name) for name in ("rate", "low", "high"))
    return None if rate is None else (rate, low, high)
