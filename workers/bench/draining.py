"""Draining: what a sample costs between its pending row and its stored score, the model left out."""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from itertools import count
from multiprocessing import get_context
from statistics import median

from service.core.db import Database
from workers.bench.null import NullScorer, make_pipeline
from workers.bench.results import BenchError, Crowd, Growth, Series
from workers.bench.rows import RowMaker, fill_pending, median_pair, outcome_of, small_rows
from workers.progress import Progress

START_S = 0.5  # in which every process of a crowd connects
PER_WORKER_AND_S = 8_000  # rows put down for each worker and second of a crowd: more than any takes


def drain_takes(database: Database, maker: RowMaker, takes: int) -> float:
    """Milliseconds per sample, the median of that many takes; what is taken is put down again meanwhile."""
    progress, calls = Progress(None), count()

    def meanwhile(rows: int) -> None:
        maker.add(database, rows)
        if next(calls) == takes:
            progress.request_stop()

    scorer = NullScorer(outcome_of(median_pair()), meanwhile)
    make_pipeline(database, scorer, progress).drain()
    if len(scorer.costs_ms) < takes:
        raise BenchError(f"The drain ended after {len(scorer.costs_ms)} of {takes} takes.")
    return median(scorer.costs_ms)


def measure_growth(
    database: Database, levels: tuple[int, ...], *, rounds: int, takes: int, settle: Callable[[], None]
) -> tuple[Growth, ...]:
    """The cost of a sample at each number of pending rows, lowest first. `settle` is called after each fill."""
    measured, there = [], 0
    for level in levels:
        fill_pending(database, level - there)
        there = level
        settle()
        costs = [drain_takes(database, small_rows(), takes) for _ in range(rounds)]
        measured.append(Growth(pending=level, per_sample_ms=Series.of(costs)))
    return tuple(measured)


def drain_for(url: str, start_at: float, seconds: float) -> int:
    """Drains from that moment for so many seconds; how many samples. Runs in a process of its own."""
    progress = Progress(None)

    def meanwhile(rows: int) -> None:
        del rows
        if time.time() > start_at + seconds:
            progress.request_stop()

    scorer = NullScorer(outcome_of(median_pair()), meanwhile)
    with closing(Database(url)) as database:
        with database.read():
            time.sleep(max(0.0, start_at - time.time()))
        make_pipeline(database, scorer, progress).drain()
    return scorer.samples


def measure_crowds(
    database: Database, sizes: tuple[int, ...], *, rounds: int, seconds: float, settle: Callable[[], None]
) -> tuple[Crowd, ...]:
    """Samples a second of several workers at once, the sizes in turn."""
    url = database.engine.url.render_as_string(hide_password=False)
    figures: dict[int, list[float]] = {size: [] for size in sizes}
    with ProcessPoolExecutor(max(sizes), mp_context=get_context("spawn")) as pool:
        list(pool.map(drain_for, [url] * max(sizes), [0.0] * max(sizes), [0.0] * max(sizes)))  # imports done
        for _ in range(rounds):
            for size in sizes:
                fill_pending(database, int(PER_WORKER_AND_S * size * seconds))
                settle()
                start_at = time.time() + START_S
                runs = [pool.submit(drain_for, url, start_at, seconds) for _ in range(size)]
                samples = sum(run.result() for run in runs)
                figures[size].append(samples / (time.time() - start_at))
    return tuple(Crowd(workers=size, samples_per_s=Series.of(figures[size])) for size in sizes)
