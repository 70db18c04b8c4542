"""What `assay bench accuracy` measured, as its JSON file holds it."""

from workers.bench.results import Frozen, Machine


class Interval(Frozen):
    """A figure in 0..1, or a difference, with its 95% interval."""

    value: float
    low: float
    high: float


class Detected(Frozen):
    """How well one detector tells the rows of one set apart."""

    auc: Interval
    balanced_accuracy: Interval  # at the detector's one balanced threshold
    sensitivity: float
    specificity: float


class Detector(Frozen):
    """One detector over all sets."""

    name: str
    sets: dict[str, Detected]
    mean: Detected  # each set weighing the same


class SetRows(Frozen):
    """What of a set was measured."""

    name: str
    rows: int  # with a score, and reported
    supported: int  # of those
    documents: int  # of those
    chose: int  # rows of the half that chose the thresholds, and are not reported
    left_out: dict[str, int]  # rows without a score, by reason


class Share(Frozen):
    """So many of so many."""

    part: int
    whole: int


class Size(Frozen):
    """Responses of one number of claims, at strict."""

    claims: str
    passed: Share  # supported responses that were not flagged
    passed_flat: Share  # the same, if the threshold did not rise with the claims
    caught: Share  # others that were flagged


class Bin(Frozen):
    """Responses of like scores."""

    score: float  # mean
    unsupported: float  # share, each set weighing the same
    rows: int


class Reliability(Frozen):
    """The score read as the probability that a response is not supported."""

    error: float  # expected calibration error, each set weighing the same
    sets: dict[str, float]  # the same within each set
    bins: tuple[Bin, ...]


class Float32(Frozen):
    """The pipeline in int8 beside float32."""

    responses: int
    balanced: int  # responses that both flag, or neither, at balanced
    strict: int  # the same at strict
    auc_change: float  # mean AUC of int8 less that of float32
    balanced_accuracy_change: float


class DetectionResult(Frozen):
    """`assay bench accuracy`."""

    machine: Machine
    seed: int
    rows_each: int | None  # at most, of each set; None: all
    model: str  # fingerprint of the scorer
    strict: float
    rise: float  # of the thresholds' logit with ln of the claims
    sets: tuple[SetRows, ...]
    detectors: tuple[Detector, ...]  # the first is the pipeline
    domains: dict[str, Interval]  # balanced accuracy of the pipeline in each domain of a set, and their mean
    pairwise: dict[str, Share]  # by set: pairs of one document in the right order, of those that differ
    classes: dict[str, Share]  # by set: three-class answers that were right
    sizes: tuple[Size, ...]
    reliability: Reliability
    float32: Float32 | None
