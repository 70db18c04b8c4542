"""The result of `assay bench golden`, as its JSON holds it."""

from workers.bench.results import Frozen, Machine


class CategoryFigures(Frozen):
    """What the scorer tells of one category, or of all; items that have nothing to check count as passed."""

    name: str
    hallucinated: int
    found: int  # flagged, of the hallucinated ones
    supported: int
    passed: int  # not flagged, of the supported ones
    pairs: int  # of which both have a score, and not the same
    ordered: int  # whose hallucinated version has the higher score


class SetFigures(Frozen):
    """One set, at one threshold."""

    name: str
    digest: str
    threshold: str
    total: CategoryFigures
    auc: float
    auc_low: float | None
    auc_high: float | None
    overlap_auc: float  # of the share of a response's words that no context has: what needs no model
    unscored: int
    seconds: float  # that one run over it took
    categories: tuple[CategoryFigures, ...]


class EndpointMeans(Frozen):
    """One endpoint over many runs."""

    name: str
    baseline: float  # mean bad share
    candidate: float
    needed: int | None  # items that runs without a decision ask for, median; None: none was named


class GateRuns(Frozen):
    """What the gate said in many seeded runs of one scene."""

    what: str  # became of the target since the baseline
    right: str  # the verdict that is right
    items: int
    repeats: int
    runs: int
    worse: int
    no_worse: int
    margin: float
    means: tuple[EndpointMeans, ...]
    known: int | None = None  # known answers that the scorer has right now; None: it is not asked
    moved: bool = False  # the scorer ran on another processor than for the baseline
    right_unasked: int | None = None  # runs with the right verdict by the set alone; None likewise

    @property
    def cannot_tell(self) -> int:
        """Runs without a decision."""
        return self.runs - self.worse - self.no_worse

    @property
    def share_right(self) -> float:
        """Of the runs, those with the right verdict."""
        return {"worse": self.worse, "no worse": self.no_worse, "cannot tell": self.cannot_tell}[self.right] / self.runs


class Sight(Frozen):
    """Runs of one threshold, or of one way to look at an application's answers."""

    name: str
    scenes: tuple[GateRuns, ...]


class GoldenSetsResult(Frozen):
    """All of it."""

    machine: Machine
    quick: bool
    seed: int
    model: str
    strict: float
    balanced: float
    invents: float  # share of questions to which the application makes something up, before
    more: float  # share of answers by which the worse application does so more often
    sets: tuple[SetFigures, ...]
    scorers: tuple[Sight, ...]
    applications: tuple[Sight, ...]
