"""What a run can tell, before it is run: its margin, and the least change that it is likely to see. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.core.golden.compare import ENDPOINTS, endpoint_sizes
from service.core.golden.item import GoldenItem
from service.core.golden.power import default_margin, detectable
from service.core.golden.record import TargetKind

DEFAULT_REPEATS = {TargetKind.SCORER: 1, TargetKind.APPLICATION: 3}  # of each item, where nobody says otherwise
NAMES = {
    "missed": ("hallucinated items", "missed"),
    "false_alarms": ("supported items", "flagged"),
    "made_up": ("questions", "flagged"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Detectable:
    """Of one endpoint."""

    name: str
    items: int
    least: float | None  # change for the worse that is called so in 80 of 100 runs; None: none is


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """Of a run."""

    margin: float
    margin_given: bool
    flakes: float  # share of answers that the margin expects to differ from run to run
    endpoints: tuple[Detectable, ...]

    def sentences(self) -> list[str]:
        """For a person who is about to wait for the run."""
        by = (
            "as given"
            if self.margin_given
            else f"derived from the set's size, for {100 * self.flakes:.3g}% of answers that flake"
        )
        lines = [f"Margin: {100 * self.margin:.3g} points, {by}."]
        for each in self.endpoints:
            what, wrong = NAMES[each.name]
            told = (
                "no change is likely to be called worse"
                if each.least is None
                else f"{100 * each.least:.3g} points more that are {wrong} are called worse in 80 of 100 runs"
            )
            lines.append(f"Of {each.items} {what}, {told}.")
        return lines


def outlook(
    kind: TargetKind, items: Sequence[GoldenItem], repeats: int, margin: float | None, flakes: float
) -> Outlook:
    """What can be told of these items, so often repeated, where an unchanged target answers so many differently."""
    sizes = endpoint_sizes(kind, items)
    allowed = default_margin(sizes, repeats, flakes) if margin is None else margin
    held = sum(size > 0 for size in sizes)
    return Outlook(
        margin=allowed,
        margin_given=margin is not None,
        flakes=flakes,
        endpoints=tuple(
            Detectable(name=name.value, items=size, least=detectable(size, repeats, allowed, held, flakes))
            for name, size in zip(ENDPOINTS[kind], sizes, strict=True)
            if size
        ),
    )
