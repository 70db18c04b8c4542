"""The result of `assay bench statistics`, as its JSON holds it."""

from workers.bench.results import Frozen, Machine


class Cell(Frozen):
    """One kind of world: what is asked of it."""

    rate: float  # true share of responses that are made up
    n: int  # scored samples expected
    design: str  # of inclusion probabilities
    traffic: str  # independent, or clustered
    detector: str
    labels: int
    estimand: str = "process"


class Covered(Frozen):
    """How the method fared in many worlds of one cell."""

    cell: Cell
    worlds: int
    answered: int  # worlds with an interval
    covered: int  # of these, intervals that hold the truth
    below: int  # of these, intervals that lie wholly below it
    truth: float  # of what is estimated
    mean: float | None  # of the estimates; None: none answered
    width: float | None  # median, of the intervals

    @property
    def coverage(self) -> float | None:
        """The share of intervals that hold the truth."""
        return self.covered / self.answered if self.answered else None


class StatisticsResult(Frozen):
    """All cells."""

    machine: Machine
    quick: bool
    seed: int
    confidence: float
    cells: tuple[Covered, ...]
