"""What `assay bench robustness` measured, as its JSON file holds it: counts and figures, no text of any data set."""

from collections.abc import Sequence
from typing import Self

from workers.bench.results import Frozen, Machine


class Counts(Frozen):
    """Whole numbers that are added up over the sets, and greatest values; each has a name that says what it is of."""

    name: str

    @classmethod
    def total(cls, parts: Sequence[Self]) -> Self:
        """All of them together, at least one: counts are added, of `greatest_...` the greatest is taken."""
        values = [part.model_dump() for part in parts]
        merged = {
            field: max(value[field] for value in values)
            if field.startswith("greatest")
            else sum(value[field] for value in values)
            for field in cls.model_fields
            if field != "name"
        }
        return cls(name=parts[0].name, **merged)


class Shift(Counts):
    """What became of claims when something about their item was changed."""

    claims: int  # with a score before and after
    supported: int  # before
    supported_after: int  # of all
    doubted: int  # supported before and no longer: flagged at balanced
    flagged: int  # supported before and flagged at strict after
    passed: int  # not flagged at strict before
    newly_flagged: int  # of these, flagged at strict after
    cleared: int  # flagged at strict before, and no longer
    admitted: int  # not supported before, and supported after
    raised: int  # with a higher score than before
    changed: int  # with another verdict or score than before
    greatest_rise: float  # of a score; 0 where none rose
    missing: (
        int  # with a score before and none after: their response had none, or another sentence stood in their place
    )


class Quoted(Counts):
    """Responses quoted to the letter at the end of a long context."""

    claims: int
    supported: int
    passed: int  # not flagged at strict
    cited: int  # supported, with evidence out of what was quoted
    missing: int  # of responses that got no score


class LastSentence(Counts):
    """A sentence at the end of a long response, all of whose other sentences are copied from its contexts."""

    responses: int
    balanced: int  # whose last sentence was flagged at balanced
    strict: int  # at strict
    as_alone: int  # whose last sentence got the score that it gets as the whole response, to the bit
    copied: int  # sentences before the last
    copied_doubted: int  # of these, flagged at balanced
    copied_flagged: int  # at strict
    missing: int  # responses that got no score


class Settling(Counts):
    """Reading up to the first window that is accepted, beside reading every window."""

    responses: int
    claims: int
    verdicts: int  # claims with the same verdict
    scores: int  # with the same score, to the bit
    evidence: int  # with the same evidence
    pairs: int
    pairs_exhaustive: int


class SetResult(Frozen):
    """One set of rows."""

    name: str
    rows: int
    claims: int  # with a score
    supported: int
    passed: int  # not flagged at strict
    not_applicable: dict[str, int]  # rows by reason
    unscored: dict[str, int]  # rows by reason
    transformed: tuple[Shift, ...]
    helped: tuple[Shift, ...]  # a supporting passage was added
    attacked: tuple[Shift, ...]  # instructions were added to the contexts
    injected: tuple[Shift, ...]  # the same were added to the response
    quoted: tuple[Quoted, ...]
    last: tuple[LastSentence, ...]
    settling: Settling


class Company(Frozen):
    """One pair's probabilities, the same pairs asked in another way."""

    way: str
    pairs: int
    different: int  # pairs whose probabilities were not the same to the bit
    greatest: float  # difference of a probability


class RobustnessResult(Frozen):
    """`assay bench robustness`."""

    machine: Machine
    quick: bool  # too little to mean anything; for tests
    seed: int
    rows_each: int  # at most, of each set
    model: str  # fingerprint of the scorer
    balanced: float
    strict: float
    accepted: float  # entailment that settles a claim
    context_words: int  # of the long contexts, at least
    response_words: int  # of the long responses, at least
    sets: tuple[SetResult, ...]
    company: tuple[Company, ...]
