"""The result of `assay bench statistics --only golden`, as its JSON holds it."""

from workers.bench.results import Frozen, Machine


class Scene(Frozen):
    """What is true of a candidate beside its baseline."""

    name: str
    worse: float | None  # by how much, as a share of answers; None: by the margin itself
    flakes: float  # share of answers that differ by chance from repeat to repeat, in both runs
    for_good: bool  # items turn in all repeats, or answers do, each by itself


class GateCell(Frozen):
    """One kind of comparison."""

    scene: Scene
    items: int
    repeats: int
    margin: float  # the shipped one of this size


class GateOutcome(Frozen):
    """What the gate said in many worlds."""

    cell: GateCell
    worlds: int
    worse: int
    no_worse: int

    @property
    def cannot_tell(self) -> int:
        """Worlds without a decision."""
        return self.worlds - self.worse - self.no_worse


class NeededItems(Frozen):
    """How far the number of items can be relied on that a run without a decision asks for."""

    items: int  # of the first run
    worlds: int  # first runs that could not tell and named a number
    median: int
    decided: float  # share of second runs with the named number of items that decided


class CategoriesOutcome(Frozen):
    """Runs in which some category was called worse, though nothing had changed."""

    categories: int
    items_each: int
    flakes: float
    worlds: int
    wrong: int


class GoldenResult(Frozen):
    """All of it."""

    machine: Machine
    quick: bool
    seed: int
    alpha: float
    base_rate: float  # share of items that are bad by both, unless they changed
    gates: tuple[GateOutcome, ...]
    needed: tuple[NeededItems, ...]
    categories: tuple[CategoriesOutcome, ...]
