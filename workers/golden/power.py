"""What a run can tell, before it is run: its margin, and the least change that it is likely to see. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.core.golden.compare import ENDPOINTS, endpoint_sizes
from service.core.golden.gate import FLAKES, default_margin, detectable
from service.core.golden.item import GoldenItem
from service.core.golden.record import TargetKind

NAMES = {
    "missed": "hallucinated items that are missed",
    "false_alarms": "supported items that are flagged",
    "made_up": "answers that are flagged",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Detectable:
    """Of one endpoint."""

    name: str
    items: int
    least: float | None  # change for the worse that is called so in 80 of 100 runs; None: none is


@dataclass(frozen=True, kw_only=True, slots=True)
class Power:
    """Of a run."""

    margin: float
    margin_given: bool
    endpoints: tuple[Detectable, ...]

    def sentences(self) -> list[str]:
        """For a person who is about to wait for the run."""
        by = "as given" if self.margin_given else f"derived from the size, for {FLAKES:.0%} of answers that flake"
        lines = [f"Margin: {100 * self.margin:.3g} points more, {by}."]
        for each in self.endpoints:
            told = (
                "no change is likely to be called worse"
                if each.least is None
                else f"{100 * each.least:.3g} points more are called worse in 80 of 100 runs"
            )
            lines.append(f"Of {each.items} {NAMES[each.name]}: {told}.")
        return lines


def power(kind: TargetKind, items: Sequence[GoldenItem], repeats: int, margin: float | None) -> Power:
    """What can be told of these items, so often repeated."""
    sizes = endpoint_sizes(kind, items)
    allowed = default_margin(sizes, repeats) if margin is None else margin
    held = sum(size > 0 for size in sizes)
    return Power(
        margin=allowed,
        margin_given=margin is not None,
        endpoints=tuple(
            Detectable(name=name.value, items=size, least=detectable(size, repeats, allowed, held))
            for name, size in zip(ENDPOINTS[kind], sizes, strict=True)
            if size
        ),
    )
