"""The budget: the share of all samples that a tenant may still spend on, and what that leaves of a rate. Pure."""

import math
from dataclasses import dataclass

STEPS = 4  # of the grid for lowered rates: so many to halve one
LEAST_SPAN_S = 60.0  # the end of a period is not nearer than this: a leftover must not be spent in a second


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What a tenant has done in its period."""

    samples: int  # since the period began
    wanted_per_s: float  # samples that the traffic of the last minutes asks for, at the policy's rates
    left_s: float  # until the period ends


def allowed_scale(most: float, spent: Spent) -> float:
    """The factor on every rate, 0 to 1, at which what is left lasts until the period ends if traffic stays as it is."""
    left = max(0.0, most - spent.samples)
    if left == 0:
        return 0.0  # also where nothing has come of late: what comes next would find it spent
    wanted = spent.wanted_per_s * max(spent.left_s, LEAST_SPAN_S)
    return 1.0 if wanted <= left else left / wanted


def lowered(rate: float, scale: float, floor: float) -> float:
    """The inclusion probability that a budget leaves of a rate: on a grid, so that few are in use at a time.

    Args:
        rate: of the stratum.
        scale: the share of all samples that the budget allows, 0 to 1.
        floor: the least probability; where less is left, it is 0, and the stratum is not covered.
    """
    if scale >= 1 or rate == 0:
        return rate
    if scale <= 0:
        return 0.0
    steps = math.ceil(-STEPS * math.log2(scale) - 1e-9)
    left = float(rate * 2.0 ** (-steps / STEPS))
    if left >= min(floor, rate):
        return left
    # One step above the floor is allowed to be the floor itself.
    return floor if rate * scale >= floor else 0.0
