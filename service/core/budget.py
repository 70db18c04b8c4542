"""The budget: the share of all samples that a tenant may still spend on. Pure."""

from dataclasses import dataclass

LEAST_SPAN_S = 60.0  # the end of a period is not nearer than this: a leftover must not be spent in a second


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """What a tenant has done in its period."""

    samples: int  # since the period began
    wanted_per_s: float  # samples that the traffic of the last minutes asks for, at the policy's rates
    left_s: float  # until the period ends


def allowed_scale(most: float, spent: Spent) -> float:
    """The factor on every rate, 0 to 1, at which what is left lasts until the period ends if traffic stays as it is."""
    wanted = spent.wanted_per_s * max(spent.left_s, LEAST_SPAN_S)
    left = max(0.0, most - spent.samples)
    return 1.0 if wanted <= left else left / wanted
