"""The result of `assay bench statistics --only judge`, as its JSON holds it."""

from service.core.estimate import Estimand
from workers.bench.results import Frozen, Machine


class JudgeCell(Frozen):
    """One kind of world with a judge in it."""

    rate: float  # true share of responses that are made up
    n: int  # scored samples expected
    design: str  # of inclusion probabilities
    traffic: str  # independent, or clustered
    detector: str
    judge: str
    cascade: str  # how much of it is judged
    silence: str  # where reviews end without a verdict
    estimand: Estimand = Estimand.PROCESS


class Interval(Frozen):
    """How an interval fared in many worlds."""

    answered: int  # worlds with an interval
    covered: int  # of these, intervals that hold the truth
    below: int  # of these, intervals that lie wholly below it
    mean: float | None  # of the estimates; None: none answered
    width: float | None  # median

    @property
    def coverage(self) -> float | None:
        """The share of intervals that hold the truth."""
        return self.covered / self.answered if self.answered else None


class WithLabels(Frozen):
    """The hallucination rate by so many labels, without the judge and with it."""

    labels: int
    two: Interval
    three: Interval  # what is answered: of two phases where the judge adds nothing
    used: int  # worlds in which the judge adds something
    ratio: float | None  # median of its width over that without the judge, in these
    spread: float | None  # standard deviation of what is answered over that without the judge, in all


class JudgeCovered(Frozen):
    """What came out in one kind of world."""

    cell: JudgeCell
    worlds: int
    verdicts: float  # mean
    true: float  # share that is made up; not the cell's where no stratum can have so many, and in one traffic
    truth: float  # share that the judge would flag
    judged: Interval
    hallucination: tuple[WithLabels, ...]


class JudgeResult(Frozen):
    """All cells."""

    machine: Machine
    quick: bool
    seed: int
    confidence: float
    cells: tuple[JudgeCovered, ...]
