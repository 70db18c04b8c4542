"""The comparison of two rates: their difference, split into traffic mix and change within groups. Pure.

The interval of the difference is made from the intervals of the two (MOVER; Newcombe 1998, method 10; Zou, Donner 2008),
so that it keeps their good behaviour where few are flagged. The split is Kitagawa's (1955): with shares s and rates r of
group g in the first and the second, mix = sum (s2 - s1)(r1 + r2) / 2 and within = sum (r2 - r1)(s1 + s2) / 2. Their
intervals are linearised (delta method) over independent responses and normal, so they are rough where few are flagged.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from service.core.estimate import Cell

MOVER = "mover"
DELTA = "kitagawa-delta"


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """A rate with its interval."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A difference of rates, -1 to 1, with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupChange:
    """What one group has to do with the change."""

    share_first: float
    share_second: float
    rate_first: float | None  # None: nothing of it was scored
    rate_second: float | None
    mix: float
    within: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """The change in two parts, and by group."""

    mix: Change
    within: Change
    groups: Mapping[tuple[str, ...], GroupChange]


def difference(first: Side, second: Side) -> Change:
    """The second rate less the first, of two independent samples."""
    value = second.rate - first.rate
    return Change(
        value=value,
        low=max(-1.0, value - math.hypot(second.rate - second.low, first.high - first.rate)),
        high=min(1.0, value + math.hypot(second.high - second.rate, first.rate - first.low)),
    )


Cells = Mapping[tuple[str, ...], Sequence[Cell]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    share: float
    rate: float | None
    units: float  # weighted


def split(first: Cells, second: Cells, confidence: float) -> Split:
    """The change between two sides with at least one scored response each, by group.

    A group that only one side has changes the mix alone: its rate on the other side is not known, and taken as the same.
    """
    one, two = _groups(first), _groups(second)
    parts, mix, within = {}, 0.0, 0.0
    slopes: dict[str, dict[tuple[int, tuple[str, ...]], tuple[float, float]]] = {"mix": {}, "within": {}}
    for group in sorted({*one, *two}):
        a, b = one.get(group, _ABSENT), two.get(group, _ABSENT)
        r1 = a.rate if a.rate is not None else b.rate
        r2 = b.rate if b.rate is not None else a.rate
        if r1 is None or r2 is None:
            continue
        shares, rates = (a.share + b.share) / 2, (r1 + r2) / 2
        parts[group] = GroupChange(
            share_first=a.share,
            share_second=b.share,
            rate_first=a.rate,
            rate_second=b.rate,
            mix=(b.share - a.share) * rates,
            within=(r2 - r1) * shares,
        )
        mix += parts[group].mix
        within += parts[group].within
        # Slopes by rate and by share of each side.
        slopes["mix"][0, group] = ((b.share - a.share) / 2, -rates)
        slopes["mix"][1, group] = ((b.share - a.share) / 2, rates)
        slopes["within"][0, group] = (-shares, (r2 - r1) / 2)
        slopes["within"][1, group] = (shares, (r2 - r1) / 2)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    sides = ((first, one), (second, two))
    errors = {
        name: math.sqrt(
            sum(
                _variance(cells, groups, {group: slope for (at, group), slope in found.items() if at == side})
                for side, (cells, groups) in enumerate(sides)
            )
        )
        for name, found in slopes.items()
    }
    return Split(mix=_change(mix, z * errors["mix"]), within=_change(within, z * errors["within"]), groups=parts)


_ABSENT = _Group(share=0.0, rate=None, units=0.0)


def _change(value: float, half: float) -> Change:
    return Change(value=value, low=max(-1.0, value - half), high=min(1.0, value + half))


def _groups(cells: Cells) -> dict[tuple[str, ...], _Group]:
    units = {group: sum(c.weight * c.m for c in held) for group, held in cells.items()}
    total = sum(units.values())
    return {
        group: _Group(
            share=units[group] / total,
            rate=sum(c.weight * c.k for c in held) / units[group] if units[group] else None,
            units=units[group],
        )
        for group, held in cells.items()
    }


def _variance(
    cells: Cells, groups: Mapping[tuple[str, ...], _Group], slopes: Mapping[tuple[str, ...], tuple[float, float]]
) -> float:
    """Of a function of this side's rates and shares; a response moves the rate of its group and the shares of all."""
    total = sum(group.units for group in groups.values())
    mean = sum(groups[name].share * by_share for name, (_, by_share) in slopes.items() if name in groups)
    variance = 0.0
    for name, (by_rate, by_share) in slopes.items():
        group = groups.get(name)
        if group is None or group.rate is None:
            continue
        per_k = by_rate / group.units
        per_m = (by_share - mean) / total - by_rate * group.rate / group.units
        variance += sum(
            c.weight**2 * (per_k**2 * c.kk + 2 * per_k * per_m * c.km + per_m**2 * c.mm) for c in cells[name]
        )
    return max(variance, 0.0)
