"""What reviews, calls to language models and their cost look like over HTTP."""

from datetime import date, datetime

from pydantic import BaseModel

from service.core.evidence_schemas import EvidenceAnswer


class ReviewClaimAnswer(BaseModel):
    """One claim as a reviewer sees it; offsets are code points of the response as stored."""

    start: int
    end: int
    text: str | None  # null: the text is not stored any more
    verdict: str
    score: float | None  # of a judge: the share of its votes that do not find the claim supported
    evidence: EvidenceAnswer | None  # what a judge quoted, found in the context to the letter


class TimelessReviewAnswer(BaseModel):
    """What a further scorer made of a response. A failure is a state with a reason; then there is no score."""

    reviewer: str  # judge, consistency
    why: str  # band, floor, sent, drawn
    probability: float  # with which the sample was chosen for it, given its first score
    status: str
    reason: str | None
    score: float | None  # higher is worse
    flagged: bool | None
    threshold: float | None
    fingerprint: str | None
    entropy: float | None  # of consistency: semantic entropy over its greatest value
    votes: int | None  # replies of the judge; alternative responses that were compared
    variance: float | None  # of the score between votes; null for one vote
    claims: list[ReviewClaimAnswer]
    calls: int
    input_tokens: int  # that the endpoint told of, of all calls together
    output_tokens: int
    cost: float  # of its calls, in the policy's currency; at most, where a call was lost
    attributes: dict[str, str]
    transcript: list[dict[str, str]] | None  # of a judge that could not be understood, cut


class ReviewAnswer(TimelessReviewAnswer):
    """One review of a sample."""

    created_at: datetime
    finished_at: datetime | None


class CombinedAnswer(BaseModel):
    """One calibrated score of all scorers', by a fit to labels: the probability that people call the response hallucinated."""

    score: float
    flagged: bool
    threshold: float
    used: list[str]  # the scorers that it is made of; the fit knows what the absence of the others means
    fit: str  # digest of the fit


class CircuitAnswer(BaseModel):
    """Whether a judge worker calls its endpoint."""

    endpoint: str
    worker: str
    state: str  # closed: it does; open: it does not, for a while; half_open: it tries
    reason: str | None
    since: datetime


class SpentAnswer(BaseModel):
    """What calls of one day, rule, purpose and state took."""

    day: date
    rule: str
    purpose: str
    state: str  # answered, failed, open, unknown
    calls: int
    input_tokens: int | None  # that the endpoint told of; null where it told of none
    output_tokens: int | None
    cost: float  # what they used; of `open` and `unknown` ones the most that they can have


class ReviewCountAnswer(BaseModel):
    """Reviews by reviewer and state."""

    reviewer: str
    status: str
    reason: str | None
    reviews: int


class JudgeAnswer(BaseModel):
    """The tenant's judge: who it is, whether it is called, what it found and what it cost."""

    judge: str | None  # the model; null: the policy has none
    judged: bool  # whether this tenant's text may be sent to it
    generator: str | None
    currency: str | None
    spent_today: float  # at most: calls under way are counted at the most that they can cost
    limit_today: float | None  # null: the policy has no [spend] table
    covers: str
    circuits: list[CircuitAnswer]
    reviews: list[ReviewCountAnswer]
    spent: list[SpentAnswer]
    start: date
    end: date
