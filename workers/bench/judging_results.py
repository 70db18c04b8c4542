"""The result of `assay bench judge`, as its JSON holds it."""

from workers.bench.results import Frozen, Machine, Series


class Ended(Frozen):
    """Reviews by how they ended."""

    state: str
    reason: str | None
    reviews: int


class Bill(Frozen):
    """What was booked, beside what the endpoint says that it billed."""

    calls: int
    requests: int  # that the endpoint counted
    input_tokens: int
    billed_input_tokens: int
    output_tokens: int
    billed_output_tokens: int
    settled_cost: float  # of calls that were answered, in the currency of the policy
    billed_cost: float  # of the endpoint's own tokens, at the same prices
    at_most: float  # with calls that were lost on the way, at the most that they can have cost


class JudgingStore(Frozen):
    """One store."""

    store: str
    without: Series  # samples per second, no judge in the policy
    beside: Series  # the same with every sample judged
    ratio: Series  # of the two, round by round
    judged_s: Series  # from the first sample to the last review's end
    ended: tuple[Ended, ...]
    bill: Bill
    scores: int
    scored_twice: int  # samples with more than one score of a scorer
    reviewed_twice: int
    pending: int  # samples or reviews without an end


class JudgingResult(Frozen):
    """What a judge that hangs, fails and talks nonsense does to first scores."""

    machine: Machine
    quick: bool
    samples: int  # of each round
    hang: float  # shares of samples
    fail: float
    garbage: float
    timeout_s: float
    attempts: int
    concurrency: int
    stores: tuple[JudgingStore, ...]
