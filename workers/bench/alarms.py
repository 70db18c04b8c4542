"""`assay bench statistics`, of alerts: how often chance alone fires a rule, and how soon a rate that jumped does."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice, product
from math import ceil
from operator import itemgetter

import numpy as np
from rich.console import Console

from workers.bench.alarms_judge import Judge, firings, spans
from workers.bench.alarms_results import (
    CLUSTERED,
    IGNORED,
    INDEPENDENT,
    MINUTE,
    AlarmsResult,
    Delays,
    Outcome,
    Scene,
    SceneResult,
    Setting,
    shipped,
    shipped_rule,
)
from workers.bench.alarms_windows import Windows, windows
from workers.bench.machine import describe_machine

SEED = 20_262
GROUPS = 20
BELOW, ABOVE = 0.8, 3.0  # true rates, in thresholds
HOURS = 24  # watched after the jump
THRESHOLDS = (0.01, 0.02, 0.05, 0.2)
PER_HOUR = (300, 30, 3_000)
SETTINGS = tuple(
    Setting(confidence=confidence, for_minutes=wait)
    for wait, confidence in product((0, 5, 10, 20, 30), (0.95, 0.99, 0.999, 0.9995, 0.9999))
)
DAY = HOURS * 60  # minutes
AT_ONCE = 250  # jumps
WIDTH = shipped_rule(0.5).window // MINUTE


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How much to simulate."""

    months: int  # of 20 groups
    jumps: int
    sessions: int  # months where responses come in sessions: no two windows are alike, and each is judged anew
    sessions_jumps: int
    days: int = 30  # a month has


FULL = Plan(months=100, jumps=2_000, sessions=10, sessions_jumps=500)
QUICK = Plan(months=1, jumps=20, sessions=1, sessions_jumps=20, days=1)


def scenes() -> list[Scene]:
    """All of them: every threshold at every size, and sessions at the first."""
    plain = [Scene(threshold=bad, per_hour=size) for size, bad in product(PER_HOUR, THRESHOLDS)]
    held = [
        Scene(threshold=bad, per_hour=PER_HOUR[0], traffic=traffic)
        for traffic, bad in product((CLUSTERED, IGNORED), THRESHOLDS)
    ]
    return plain + held


def bench_alarms(plan: Plan, console: Console) -> AlarmsResult:
    """Simulates every scene, on all cores."""
    machine = describe_machine()
    found = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for done, seen in enumerate(pool.map(partial(watch, plan=plan), scenes()), start=1):
            found.append(seen)
            console.print(f"{done} of {len(scenes())} scenes of alerts")
    return AlarmsResult(
        machine=machine,
        quick=plan != FULL,
        seed=SEED,
        groups=GROUPS,
        below=BELOW,
        above=ABOVE,
        hours=HOURS,
        shipped=shipped(),
        scenes=tuple(found),
    )


def watch(scene: Scene, plan: Plan, settings: Sequence[Setting] = SETTINGS) -> SceneResult:
    """What every setting makes of the same traffic."""
    random = np.random.default_rng([SEED, *scene.model_dump_json().encode()])
    judges = {each.confidence: Judge(each.rule(scene.threshold)) for each in settings}
    plain = scene.traffic == INDEPENDENT
    days = plan.days * (plan.months if plain else plan.sessions)
    false: Counter[Setting] = Counter()
    for _ in range(days // plan.days):
        calm = windows(scene, GROUPS, np.full(plan.days * DAY + WIDTH - 1, BELOW * scene.threshold), WIDTH, random)
        for setting, times in fired(scene, calm, judges, settings):
            false[setting] += sum(1 for _ in times)
    found = delays(scene, plan.jumps if plain else plan.sessions_jumps, judges, settings, random)
    outcomes = (Outcome(setting=each, days=days, firings=false[each], delays=found[each]) for each in settings)
    return SceneResult(scene=scene, outcomes=tuple(outcomes))


def fired(
    scene: Scene, seen: Windows, judges: Mapping[float, Judge], settings: Sequence[Setting]
) -> Iterator[tuple[Setting, Iterator[int]]]:
    """By each setting, of each group that may fire at all: at which minutes it does."""
    minutes = seen.n.shape[1]
    for confidence, judge in judges.items():
        judged, maybe_bad = judge.of(seen), judge.maybe_bad(seen)
        for setting in (each for each in settings if each.confidence == confidence):
            rule = setting.rule(scene.threshold)
            for group, held in groupby(spans(maybe_bad, setting.for_minutes), key=itemgetter(0)):
                yield setting, firings(rule, partial(judged, group), [span for _, span in held], minutes)


def delays(
    scene: Scene,
    jumps: int,
    judges: Mapping[float, Judge],
    settings: Sequence[Setting],
    random: np.random.Generator,
) -> Mapping[Setting, Delays]:
    """How long each setting takes: all was calm until the jump, and every jump is a group of its own."""
    rates = np.repeat([BELOW * scene.threshold, ABOVE * scene.threshold], [WIDTH - 1, DAY])
    found: dict[Setting, list[int]] = {each: [] for each in settings}
    for done in range(0, jumps, AT_ONCE):
        seen = windows(scene, min(AT_ONCE, jumps - done), rates, WIDTH, random)
        for setting, times in fired(scene, seen, judges, settings):
            found[setting] += [at + 1 for at in islice(times, 1)]
    return {each: delays_of(sorted(found[each]), jumps) for each in settings}


def delays_of(found: Sequence[int], jumps: int) -> Delays:
    """The percentiles of what fired, of all the jumps there were."""
    p50, p90, p99 = (
        found[rank - 1] if (rank := ceil(jumps * share / 100)) <= len(found) else None for share in (50, 90, 99)
    )
    return Delays(jumps=jumps, fired=len(found), p50=p50, p90=p90, p99=p99)
