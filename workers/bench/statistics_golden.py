"""`assay bench statistics --only golden`: how often the gate errs, in worlds in which it is known what changed."""

from dataclasses import dataclass
from statistics import median

import numpy as np
from rich.console import Console

from service.core.golden.gate import (
    ALPHA,
    Pair,
    Repeats,
    Verdict,
    decide,
    paired_difference,
    tail_of,
)
from service.core.golden.power import APPLICATION_FLAKES, default_margin, items_needed
from service.core.golden.significance import holm, sign_test
from workers.bench.machine import describe_machine
from workers.bench.statistics_golden_results import (
    CategoriesOutcome,
    GateCell,
    GateOutcome,
    GoldenResult,
    NeededItems,
    Scene,
)

SEED = 20_264
BASE_RATE = 0.1
SIZES, REPEATS = (20, 50, 100, 200, 500), (1, 3, 5)
MOST_NEEDED = 5_000  # items of a second run
SCENES = (
    Scene(name="unchanged", worse=0.0, flakes=0.0, for_good=True),
    Scene(name="unchanged, 3% flakes", worse=0.0, flakes=0.03, for_good=True),
    Scene(name="worse by the margin, items for good", worse=None, flakes=0.0, for_good=True),
    Scene(name="worse by the margin, answers by chance", worse=None, flakes=0.0, for_good=False),
    Scene(name="worse by the margin, 3% flakes", worse=None, flakes=0.03, for_good=True),
    Scene(name="15 points worse, items for good", worse=0.15, flakes=0.0, for_good=True),
    Scene(name="15 points worse, answers by chance", worse=0.15, flakes=0.0, for_good=False),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldenPlan:
    """How much to simulate."""

    worlds: int
    sizes: tuple[int, ...] = SIZES


FULL = GoldenPlan(worlds=1_000)
QUICK = GoldenPlan(worlds=40, sizes=(20, 100))


def bench_golden(plan: GoldenPlan, console: Console) -> GoldenResult:
    """Simulates every cell."""
    machine = describe_machine()
    random = np.random.default_rng(SEED)
    cells = [
        GateCell(scene=scene, items=n, repeats=k, margin=default_margin([n], k, APPLICATION_FLAKES))
        for scene in SCENES
        for n in plan.sizes
        for k in REPEATS
    ]
    gates = []
    for done, cell in enumerate(cells, start=1):
        gates.append(outcome(cell, plan.worlds, random))
        if done % len(REPEATS) == 0:
            console.print(f"{done} of {len(cells)} cells")
    return GoldenResult(
        machine=machine,
        quick=plan != FULL,
        seed=SEED,
        alpha=ALPHA,
        base_rate=BASE_RATE,
        gates=tuple(gates),
        needed=tuple(needed(n, plan.worlds, random) for n in plan.sizes[:3]),
        categories=tuple(wrong_categories(flakes, plan.worlds, random) for flakes in (0.03, 0.1)),
    )


def draw(scene: Scene, n: int, repeats: int, margin: float, random: np.random.Generator) -> list[Pair]:
    """One world: a baseline and a candidate over n items."""
    bad = random.random(n) < BASE_RATE
    share = (margin if scene.worse is None else scene.worse) / (1 - BASE_RATE) / (1 - 2 * scene.flakes)
    turns = random.random(n) < share if scene.for_good else np.zeros(n, bool)
    before = _repeats(np.where(bad, 1 - scene.flakes, scene.flakes), repeats, random)
    chance = np.where(bad | turns, 1 - scene.flakes, scene.flakes)
    now = _repeats(chance if scene.for_good else np.where(bad, chance, share), repeats, random)
    return [
        Pair(baseline=Repeats(bad=int(b), good=repeats - int(b)), candidate=Repeats(bad=int(c), good=repeats - int(c)))
        for b, c in zip(before, now, strict=True)
    ]


def _repeats(chance: np.ndarray, repeats: int, random: np.random.Generator) -> np.ndarray:
    return random.binomial(repeats, chance)


def outcome(cell: GateCell, worlds: int, random: np.random.Generator) -> GateOutcome:
    """What the gate says in so many worlds."""
    verdicts = [
        decide(
            paired_difference(draw(cell.scene, cell.items, cell.repeats, cell.margin, random), tail_of(1)), cell.margin
        )
        for _ in range(worlds)
    ]
    return GateOutcome(
        cell=cell, worlds=worlds, worse=verdicts.count(Verdict.WORSE), no_worse=verdicts.count(Verdict.NO_WORSE)
    )


def needed(n: int, worlds: int, random: np.random.Generator) -> NeededItems:
    """First runs of n items that became 15 points worse; then second runs with as many items as the first asked for."""
    scene, margin, tail = SCENES[-2], default_margin([n], 1, APPLICATION_FLAKES), tail_of(1)
    asked = []
    decided = 0
    for _ in range(worlds):
        pairs = draw(scene, n, 1, margin, random)
        if decide(paired_difference(pairs, tail), margin) is not Verdict.CANNOT_TELL:
            continue
        wanted = items_needed(pairs, margin, tail)
        if wanted is None or wanted > MOST_NEEDED:
            continue
        asked.append(wanted)
        second = paired_difference(draw(scene, wanted, 1, margin, random), tail)
        decided += decide(second, margin) is not Verdict.CANNOT_TELL
    return NeededItems(
        items=n,
        worlds=len(asked),
        median=int(median(asked)) if asked else 0,
        decided=decided / len(asked) if asked else 0.0,
    )


def wrong_categories(flakes: float, worlds: int, random: np.random.Generator) -> CategoriesOutcome:
    """Twenty categories of ten items in which nothing changed."""
    categories, each = 20, 10
    scene = Scene(name="unchanged", worse=0.0, flakes=flakes, for_good=True)
    wrong = 0
    for _ in range(worlds):
        adjusted = holm({str(at): sign_test(draw(scene, each, 1, 0.0, random)) for at in range(categories)})
        wrong += any(value < ALPHA for value in adjusted.values())
    return CategoriesOutcome(categories=categories, items_each=each, flakes=flakes, worlds=worlds, wrong=wrong)
