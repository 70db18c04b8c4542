"""The words of scoring as types: what goes into a scorer and what comes out. Standard library only.

Anyone may import this module; it imports nothing of ours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Verdict(StrEnum):
    """What the evidence says of one claim."""

    SUPPORTED = "supported"  # some window entails it
    CONTRADICTED = "contradicted"  # no window entails it and one contradicts it
    UNSUPPORTED = "unsupported"  # no window entails it and none contradicts it
    NOT_CHECKABLE = "not_checkable"  # states nothing: a question, a greeting, a list marker


class NotApplicableReason(StrEnum):
    """Why there is nothing to check in a response."""

    NO_CONTEXT = "no_context"  # no context with any text was given
    NO_CLAIMS = "no_claims"  # the response is empty or all of it is not checkable
    REFUSAL = "refusal"  # the response declines to answer


class UnscoredReason(StrEnum):
    """Why a response that should have been scored could not be."""

    TOO_MANY_PAIRS = "too_many_pairs"  # more (window, claim) pairs than one row may cost
    CLAIM_TOO_LONG = "claim_too_long"  # a claim leaves no room for a window in the model's input
    LANGUAGE = "language"  # the response, or every context, is in a language that the model does not read
    NOT_FINITE = "not_finite"  # the model answered NaN or infinity
    FAILED_ALONE = "failed_alone"  # failed on every attempt at which it was scored alone


class ReviewReason(StrEnum):
    """Why a review that should have given a score could not."""

    JUDGE_UNAVAILABLE = "judge_unavailable"  # no answer came: down, hanging, refusing, or its circuit is open
    JUDGE_UNPARSEABLE = "judge_unparseable"  # what it answered is no verdict on these claims, also after a repair
    JUDGE_UNVERIFIED = "judge_unverified"  # it quoted as evidence what no context says, also after a repair
    INPUT_TOO_LONG = "input_too_long"  # question, contexts and claims are more than one call may hold
    SPEND_LIMIT = "spend_limit"  # the tenant's money of the day is spent
    GENERATOR_UNAVAILABLE = "generator_unavailable"  # no alternative responses could be drawn
    FAILED_ALONE = "failed_alone"  # workers failed or died over it, again and again
    TURNED_OFF = "turned_off"  # the policy asks for no such review any more


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """One retrieved passage."""

    id: str  # the caller's id, or its position as a decimal string
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One response to check against its contexts."""

    response: str
    contexts: tuple[Context, ...]
    question: str | None = None
    samples: tuple["Alternative", ...] = ()  # to compare the response with; none: there is nothing to compare


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternative:
    """Another response to the same question."""

    text: str
    likelihood: float | None = None  # length-normalised: the mean natural logarithm of its tokens' probabilities, <= 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Probability:
    """The NLI class probabilities of one pair; each in 0..1, together 1. None where the model's head does not tell."""

    entailment: float
    neutral: float | None
    contradiction: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """The sentence that decided a claim's verdict, or the two or three that did so only together.

    Offsets are code points of that context's text.
    """

    context_id: str
    context_index: int  # position of the context in the item
    start: int
    end: int
    text: str  # always item.contexts[context_index].text[start:end]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimResult:
    """One claim of a response and what became of it; offsets are code points of the response."""

    start: int
    end: int
    text: str  # always item.response[start:end]
    verdict: Verdict
    score: float | None  # 0..1, 1 is bad; None exactly when not checkable
    probability: Probability | None  # of the deciding pair; None when not checkable, and for a judge
    evidence: Evidence | None  # None when not checkable, or where a judge finds none


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """A response that was checked."""

    score: float  # 0..1, 1 is bad: that of its worst checkable claim
    flagged: bool  # score >= threshold
    threshold: float  # the operating threshold in force for a response of so many claims
    claims: tuple[ClaimResult, ...]  # in order of the response
    claims_checked: int  # claims with a verdict other than not_checkable; at least 1
    claims_flagged: int  # checked claims whose own score reached the threshold
    pairs: int  # (window, claim) pairs that decided: of each claim those up to the first that was accepted, else all


@dataclass(frozen=True, kw_only=True, slots=True)
class NotApplicable:
    """Nothing to check."""

    reason: NotApplicableReason


@dataclass(frozen=True, kw_only=True, slots=True)
class Unscored:
    """Should have been scored and could not be."""

    reason: UnscoredReason


Outcome = Scored | NotApplicable | Unscored


@dataclass(frozen=True, kw_only=True, slots=True)
class Consistent:
    """How far a response agrees with alternative responses to the same question; needs no context."""

    scored: Scored  # by mean contradiction: `evidence` and `probability` of its claims are None
    # Semantic entropy over its greatest value, 0..1; of the alternatives alone where likelihoods weigh them. None where an
    # answer is longer than what a model reads of it beside another.
    entropy: float | None
    clusters: int | None  # meanings of the response and its alternatives: 1 to 1 + samples; None likewise
    samples: int  # alternative responses that were compared, at least 1
    pairs: int  # (premise, hypothesis) pairs that were read


@dataclass(frozen=True, kw_only=True, slots=True)
class Assessed:
    """What an NLI model makes of one item."""

    outcome: Outcome
    consistency: Consistent | NotApplicable | Unscored | None  # None: the item has no alternative responses


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What a judge makes of one response."""

    scored: Scored  # score of a claim: share of the votes that do not find it supported; flagged from 0.5 on
    votes: int
    variance: float | None  # of the response's score between votes; None for a single vote


# Token ids as int32 in native byte order: hashable, joined by `+`, and read by a runtime without being copied.
TokenIds = bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedPair:
    """Token ids of one (window, claim) pair, special tokens included, unpadded."""

    input_ids: TokenIds
    token_type_ids: bytes  # one byte a token

    @property
    def length(self) -> int:
        """Its tokens."""
        return len(self.token_type_ids)


class NliBackend(Protocol):
    """A runtime that reads encoded pairs: the only place that knows a model runtime."""

    @property
    def attributes(self) -> Mapping[str, str]:
        """What does not change the scores by design: runtime, its version, device, processor features."""

    @property
    def group(self) -> int:
        """Items to read together while the next ones are prepared; 0: all of a call, where that shares the processor."""

    def predict(self, pairs: Sequence[EncodedPair], progress: Callable[[], None]) -> list[Probability]:
        """One probability per pair, in order; calls `progress` after each batch. Raises NotFiniteError."""


class Scorer(Protocol):
    """Scores whole responses, many at a time."""

    @property
    def name(self) -> str:
        """Names the kind of scorer in stored scores, such as `nli`."""

    @property
    def fingerprint(self) -> str:
        """Digest of all that changes this scorer's output; scores of two fingerprints are never mixed."""

    @property
    def attributes(self) -> Mapping[str, str]:
        """What is kept beside the fingerprint: backend, processor features."""

    @property
    def consistency_fingerprint(self) -> str:
        """Likewise of what changes the comparison with alternative responses."""

    def score(self, items: Sequence[Item], progress: Callable[[], None]) -> list[Outcome]:
        """One outcome per item, in order; calls `progress` whenever a batch was done."""

    def assess(self, items: Sequence[Item], progress: Callable[[], None]) -> list[Assessed]:
        """The same, with what the alternative responses of those items say that have some."""

    def uncached(self) -> "Scorer":
        """The same scorer over the same model, that remembers nothing between calls: what is asked, the model answers."""


class ModelError(Exception):
    """A model could not be loaded or run."""


class NotFiniteError(ModelError):
    """The model answered NaN or infinity."""
