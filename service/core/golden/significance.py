"""Significance: what an item-by-item comparison says of single categories, with all of them looked at. Pure."""

from collections.abc import Mapping, Sequence

from service.core.golden.gate import Pair


def sign_test(pairs: Sequence[Pair]) -> float:
    """The exact one-sided sign test (McNemar's, for single repeats): the chance of so many worse among those that changed."""
    worse = sum((pair.difference or 0.0) > 0 for pair in pairs)
    changed = sum(bool(pair.difference) for pair in pairs)
    ways = each = 1  # of none among those that changed to be better; then of one more, and so on
    for better in range(1, changed - worse + 1):
        each = each * (changed - better + 1) // better
        ways += each
    return ways / (1 << changed)  # whole numbers: a float ends at 2**1024


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's (1979) adjusted values: those below alpha hold together, with at most alpha to be wrong in any."""
    adjusted: dict[str, float] = {}
    greatest = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda each: (p_values[each], each))):
        greatest = max(greatest, min(1.0, p_values[name] * (len(p_values) - place)))
        adjusted[name] = greatest
    return adjusted
