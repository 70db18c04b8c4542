"""What a gate can tell: its default margin, the least change that it is likely to see, and what would decide it. Pure."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from statistics import NormalDist

from service.core.golden.gate import Changes, Pair, Side, changes, known_differences, tail_of
from service.core.golden.record import TargetKind
from service.core.golden.runtime import Runtime, is_moved

# Share of answers that turn by chance in each run of an unchanged target. A scorer answers the same on one processor; another
# kind rounds int8 products differently, which turns flags close to the threshold: of the bundled model's over `core` 5 of 200
# at balanced and none at strict, between processors with and without instructions for such products. Half of that is each's.
APPLICATION_FLAKES, SCORER_FLAKES, MOVED_FLAKES = 0.03, 0.002, 0.015
FLAKES = {TargetKind.SCORER: SCORER_FLAKES, TargetKind.APPLICATION: APPLICATION_FLAKES}
LEAST_MARGIN, GREATEST_MARGIN = 0.01, 0.10
POWER = 0.8
PASSES = 0.95  # of runs of an unchanged target
MOST_ITEMS = 1_000_000
MOST_REPEATS = 50
_STEP = 0.001  # that margins are rounded up to
_FEW = 10.0  # expected events from which on their difference is taken for normal
_NOTHING = 1e-6
_SEVERAL = 2  # repeats from which on they tell how far an item differs from repeat to repeat


def expected_flakes(kind: TargetKind, before: Runtime | None, now: Runtime | None) -> float:
    """Share of answers that turn by chance in each of two runs of an unchanged target, on these runtimes of the scorer."""
    return MOVED_FLAKES if kind is TargetKind.SCORER and is_moved(before, now) else FLAKES[kind]


def default_margin(sizes: Sequence[int], repeats: int, flakes: float) -> float:
    """The least margin by which an unchanged target passes in 95 of 100 runs if so many of its answers flake.

    Args:
        sizes: items of each endpoint.
        repeats: of each item, in both runs.
        flakes: share of answers that turn by chance in each run.

    Never over GREATEST_MARGIN: a set that cannot rule out a change by ten points cannot pass without being told to.
    """
    held = [n for n in sizes if n]
    tail, share = tail_of(len(held)), PASSES ** (1 / max(1, len(held)))
    flaking = _flaking(repeats, flakes)
    needed = max((_passed_by(flaking.of(n), tail, share) for n in sorted(set(held))), default=1.0)
    return min(GREATEST_MARGIN, max(LEAST_MARGIN, round(math.ceil(needed / _STEP - 1e-9) * _STEP, 3)))


@lru_cache(maxsize=256)
def _passed_by(expected: Changes, tail: float, share: float) -> float:
    """The upper end that is not exceeded in that share of runs, where so many changes are expected.

    Changes are taken for Poisson counts of events of one size. Where many are expected, their difference is normal.
    """
    size = expected.worse.squares / expected.worse.total if expected.worse.total else 0.0
    events = expected.worse.total / size if size else 0.0
    if events > _FEW:
        return expected.shifted(NormalDist().inv_cdf(share)).ends(tail)[1]
    counts = _poisson(events)
    found = sorted(
        (_counted(expected.n, size, worse, better).ends(tail)[1], p * q)
        for worse, p in enumerate(counts)
        for better, q in enumerate(counts)
    )
    ends = [end for end, _ in found]
    return ends[min(bisect_left(list(accumulate(p for _, p in found)), share), len(ends) - 1)]


def _poisson(mean: float) -> list[float]:
    """Probabilities of 0, 1, 2 ..., up to where next to nothing is left."""
    chances, left = [math.exp(-mean)], 1 - math.exp(-mean)
    while left > _NOTHING:
        chances.append(chances[-1] * mean / len(chances))
        left -= chances[-1]
    return chances


def _counted(n: float, size: float, worse: int, better: int) -> Changes:
    sides = [Side(total=count * size, squares=count * size**2) for count in (worse, better)]
    return Changes(n=n, worse=sides[0], better=sides[1])


def _flaking(repeats: int, flakes: float) -> Changes:
    """What is expected of one item that has not changed, and whose answers flake."""
    chances = [math.comb(repeats, k) * flakes**k * (1 - flakes) ** (repeats - k) for k in range(repeats + 1)]
    sizes = [
        (before * now, (j - i) / repeats) for i, before in enumerate(chances) for j, now in enumerate(chances) if j > i
    ]
    side = Side(total=math.fsum(p * d for p, d in sizes), squares=math.fsum(p * d * d for p, d in sizes))
    return Changes(n=1, worse=side, better=side)


def detectable(n: int, repeats: int, margin: float, endpoints: int, flakes: float) -> float | None:
    """The least change for the worse that is called so in 80 of 100 runs; None where none is, or there is no item."""
    tail, power_z = tail_of(endpoints), NormalDist().inv_cdf(POWER)
    if n == 0:
        return None
    flaking = _flaking(repeats, flakes).of(n)

    def is_seen(change: float) -> bool:
        # Of items that became bad for good, beside those that flake: the widest way in which so much can change.
        worse = Side(total=flaking.worse.total + n * change, squares=flaking.worse.squares + n * change)
        seen = Changes(n=n, worse=worse, better=flaking.better).shifted(-power_z)
        return seen.ends(tail)[0] > margin

    step = bisect_left(range(1, round(1 / _STEP)), True, key=lambda step: is_seen(step * _STEP)) + 1  # noqa: FBT003
    return round(step * _STEP, 3) if step * _STEP < 1 else None


def items_needed(pairs: Sequence[Pair], margin: float, tail: float) -> int | None:
    """Items with which 80 of 100 runs would decide, if the next ones go as these; None where no number would do."""
    known = known_differences(pairs)
    if not known:
        return None
    found, power_z = changes(known), NormalDist().inv_cdf(POWER)

    def decides(n: int) -> bool:
        now = found.of(n)
        return now.shifted(-power_z).ends(tail)[0] > margin or now.shifted(power_z).ends(tail)[1] < margin

    high = len(known)
    while not decides(high):
        if high >= MOST_ITEMS:
            return None
        high = min(MOST_ITEMS, 2 * high)
    low = len(known)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle + 1, high)
    return high


def repeats_needed(pairs: Sequence[Pair], margin: float, tail: float) -> int | None:
    """Repeats with which the same items would decide, roughly; None where none would, or a single one tells nothing of it.

    What differs from repeat to repeat shrinks with their number, and so do the changes that cancel out; what turned for
    good does not.
    """
    known = [pair for pair in pairs if pair.difference is not None]
    if not known or any(min(pair.baseline.number, pair.candidate.number) < _SEVERAL for pair in known):
        return None
    found = changes(known_differences(known))
    squares = found.worse.squares + found.better.squares
    if squares == 0:
        return None
    within = min(1.0, math.fsum(pair.baseline.within + pair.candidate.within for pair in known) / squares)
    now = min(min(pair.baseline.number, pair.candidate.number) for pair in known)

    def decides(repeats: int) -> bool:
        left = 1 - within * (1 - now / repeats)
        cancelled = min(found.worse.total, found.better.total) * (1 - math.sqrt(left))
        low, high = Changes(
            n=found.n, worse=_shrunk(found.worse, cancelled, left), better=_shrunk(found.better, cancelled, left)
        ).ends(tail)
        return low > margin or high < margin

    return next((repeats for repeats in range(now + 1, MOST_REPEATS + 1) if decides(repeats)), None)


def _shrunk(side: Side, cancelled: float, left: float) -> Side:
    total = side.total - cancelled
    return Side(total=total, squares=side.squares * left) if total > 0 else Side(total=0.0, squares=0.0)
