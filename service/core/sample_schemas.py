"""What a sample looks like over HTTP: its state, scores, claims, reviews, and what is stored of its texts."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from service.core.evidence_schemas import EvidenceAnswer
from service.core.review_schemas import CombinedAnswer, ReviewAnswer
from service.core.schemas import DecisionAnswer


class ProbabilityAnswer(BaseModel):
    """NLI probabilities of the deciding pair; null where the model's head does not tell."""

    entailment: float
    neutral: float | None
    contradiction: float | None


class ClaimAnswer(BaseModel):
    """One claim; offsets are code points of the response as stored: as sent, or redacted."""

    start: int
    end: int
    text: str | None  # null: the text is not stored any more
    verdict: str
    score: float | None
    probability: ProbabilityAnswer | None
    evidence: EvidenceAnswer | None


class TimelessScoreAnswer(BaseModel):
    """What a scorer says of a response."""

    scorer: str
    fingerprint: str
    score: float
    flagged: bool
    threshold: float
    claims_checked: int
    claims_flagged: int
    pairs: int
    attributes: dict[str, str]


class ScoreAnswer(TimelessScoreAnswer):
    """One score row."""

    created_at: datetime


class DigestsAnswer(BaseModel):
    """HMAC-SHA256 of each text as it was sent, in hexadecimal."""

    question: str | None
    contexts: list[str]
    response: str
    samples: list[str]


class TextAnswer(BaseModel):
    """What is stored of the texts, and why not more."""

    stored: Literal["full", "hash", "none"]  # in the database now
    removed_by: Literal["policy", "retention", "request"] | None  # null: nothing was removed
    removed_at: datetime | None
    redacted: dict[str, int] | None  # places that each rule replaced before storage; null: no rule was applied
    digests: DigestsAnswer | None  # only while `hash` is stored


class RemovedAnswer(BaseModel):
    """What a removal did. Rates stay as they were, but for samples that were still pending."""

    samples: int  # changed
    texts_removed: int  # of these, had texts, or digests of them, until now
    ended: int  # of these, were pending; now `unscored`, and never scored
    comments_removed: int  # on these samples and their answers; with `rows`, end users' feedback as a whole
    complete: bool  # false: there is more; send the same request again


class SampleAnswer(BaseModel):
    """A sample and what has become of it. Score, flagged and threshold are null unless it is scored.

    They are the first scorer's, unless there is a combined score: then they are that one's, and `score_by` says so.
    """

    id: str
    status: str
    reason: str | None
    score: float | None
    flagged: bool | None
    threshold: float | None
    score_by: str | None  # whose these three are: the first scorer's name, or `combined`; null: there is none
    direction: Literal["higher_is_worse"] = "higher_is_worse"
    received_at: datetime
    finished_at: datetime | None
    decision: DecisionAnswer
    text: TextAnswer
    claims: list[ClaimAnswer]  # the first scorer's
    scores: list[ScoreAnswer]
    judge_probability: (
        float | None
    )  # with which it was to be judged; 0: money was spent; null: not decided, or no judge
    reviews: list[ReviewAnswer]
    combined: CombinedAnswer | None  # null: nothing was fitted, or what was fitted is of other scorers than these
    combined_reason: str | None  # why there is none
