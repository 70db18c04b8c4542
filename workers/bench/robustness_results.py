"""What `assay bench robustness` measured, as its JSON file holds it: counts and figures, no text of any data set."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import SerializerFunctionWrapHandler, model_serializer

from workers.bench.results import Frozen, Machine


class Counts(Frozen):
    """Counts that are added up over the sets, and greatest values, under a name; what is 0 is not written."""

    name: str

    @model_serializer(mode="wrap")
    def _without_zeros(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {field: value for field, value in write(self).items() if value}

    @classmethod
    def total(cls, parts: Sequence[Self]) -> Self:
        """All of them together, at least one: counts are added, of `greatest_...` the greatest is taken."""
        merged = {
            field: (max if field.startswith("greatest") else sum)(getattr(part, field) for part in parts)
            for field in cls.model_fields
            if field != "name"
        }
        return cls(name=parts[0].name, **merged)


class Shift(Counts):
    """What became of claims when something about their item was changed."""

    claims: int = 0  # with a score before and after
    supported: int = 0  # before
    supported_after: int = 0  # of all
    doubted: int = 0  # supported before and no longer: flagged at balanced
    flagged: int = 0  # supported before and flagged at strict after
    passed: int = 0  # not flagged at strict before
    newly_flagged: int = 0  # of these, flagged at strict after
    cleared: int = 0  # flagged at strict before, and no longer
    admitted: int = 0  # not supported before, and supported after
    raised: int = 0  # with a higher score than before
    changed: int = 0  # with another verdict or score than before
    greatest_rise: float = 0.0  # of a score; 0 where none rose
    missing: int = 0  # with a score before and none after: of the response, or its sentence is another now


class Quoted(Counts):
    """Responses quoted to the letter at the end of a long context."""

    claims: int = 0
    supported: int = 0
    passed: int = 0  # not flagged at strict
    cited: int = 0  # supported, with evidence out of what was quoted
    missing: int = 0  # of responses that got no score


class LastSentence(Counts):
    """Sentences, each at the end of a long response whose other sentences are copied from its contexts."""

    responses: int = 0
    balanced: int = 0  # whose last sentence was flagged at balanced
    strict: int = 0  # at strict
    short_balanced: int = 0  # of the same sentences as the whole response beside their own context only
    short_strict: int = 0
    as_alone: int = 0  # whose last sentence got the score that it gets as the whole response, to the bit
    copied: int = 0  # sentences before the last, of which each set has the same
    copied_doubted: int = 0  # of these, flagged at balanced
    copied_flagged: int = 0  # at strict
    missing: int = 0  # responses that got no score


class Settling(Counts):
    """Reading up to the first window that is accepted, beside reading every window."""

    responses: int = 0
    claims: int = 0
    verdicts: int = 0  # claims with the same verdict
    scores: int = 0  # with the same score, to the bit
    evidence: int = 0  # with the same evidence
    pairs: int = 0
    pairs_exhaustive: int = 0


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
    diluted: tuple[Shift, ...]  # irrelevant contexts were added, more and more
    helped: tuple[Shift, ...]  # a supporting passage was added
    attacked: tuple[Shift, ...]  # instructions were added to the contexts; for comparison, an irrelevant passage
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
