"""What goes over HTTP: submissions in, decisions, samples and rates out."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from service.core.fields import LEAST_RATE, Amount, Count, Finite, Identifier, Label, Name

MAX_TAGS = 50
MAX_FEATURES = 100
MAX_ALTERNATIVES = 20


class Sent(BaseModel):
    """What a caller sends: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ContextSent(Sent):
    """One retrieved passage."""

    id: Label | None = None
    text: str
    score: Finite | None = None


class Usage(Sent):
    """Tokens that the answer cost."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None


class ClientDecision(Sent):
    """That the caller's own process chose this submission, by the policy that `GET /sampling` gave it."""

    policy_version: Annotated[str, Field(pattern=r"^[0-9A-Za-z._-]{1,64}$")]
    stratum: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    inclusion_probability: Annotated[float, Field(strict=True, ge=LEAST_RATE, le=1, allow_inf_nan=False)]


class Submission(Sent):
    """One (question, contexts, response) with its metadata."""

    id: Identifier | None = None
    question: str | None = None
    contexts: tuple[ContextSent, ...] = ()
    response: str
    samples: Annotated[tuple[str, ...], Field(max_length=MAX_ALTERNATIVES)] = ()
    model: Label | None = None
    release: Label | None = None
    prompt_version: Label | None = None
    route: Label | None = None
    session_id: Label | None = None
    trace_id: Label | None = None
    span_id: Label | None = None
    response_id: Label | None = None
    usage: Usage | None = None
    latency_ms: Amount | None = None
    ttft_ms: Amount | None = None
    retrieval_ms: Amount | None = None
    cost_usd: Amount | None = None
    # A factory: a dict as the default is copied deeply for every submission.
    tags: Annotated[dict[Name, Annotated[str, Field(max_length=200)]], Field(max_length=MAX_TAGS, default_factory=dict)]
    features: Annotated[dict[Name, Finite], Field(max_length=MAX_FEATURES, default_factory=dict)]
    occurred_at: AwareDatetime | None = None
    sampling: ClientDecision | None = None


class DecisionAnswer(BaseModel):
    """What was decided of a submission."""

    id: str
    decision: str
    reason: str
    stratum: str
    inclusion_probability: float
    policy_version: str
    status_url: str | None  # null: it has no row


class ProblemAnswer(BaseModel):
    """An error, after RFC 9457."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    field: str | None
    next_step: str
    id: str | None = None  # the id under which to retry, where one was made


class BatchItemAnswer(BaseModel):
    """The result of one item of a batch: a decision or a problem."""

    status: int
    decision: DecisionAnswer | None = None
    problem: ProblemAnswer | None = None


class BatchAnswer(BaseModel):
    """One result per item, in order."""

    results: list[BatchItemAnswer]


class RateAnswer(BaseModel):
    """A rate with its interval; every number null where nothing was scored."""

    rate: float | None
    ci_low: float | None
    ci_high: float | None
    method: str


class LabelledRateAnswer(RateAnswer):
    """The hallucination rate: the flagged rate corrected by labels; null with too few of them."""

    effective_n: float | None
    n_labels: int  # of this bucket, drawn with a known probability and decided
    labels_needed: int  # more labels until the bucket's own decide; 0: they do
    labelled_share: float | None  # of what was scored, that its labels stand for; the rest came since, or was not drawn
    borrowed: bool  # true: labels of a wider window of the group correct it, as if the scorer erred alike
    power: float | None  # how much of the scorer's prediction counts: 0 if it says nothing, 1 if all
    judge_power: float | None  # how much of the judge's verdicts counts beside it; null: no judge is in it


class NotJudgedAnswer(BaseModel):
    """Scored samples of a bucket on which the judge gave no verdict although it was at work."""

    unscored: int  # chosen to be judged, and ended without a verdict
    pending: int
    uncovered: int | None  # could not be judged as money was spent; null: too many samples to count them


class JudgedRateAnswer(RateAnswer):
    """The share that a judge would flag; null with too few verdicts."""

    fingerprint: str  # of the judge
    effective_n: float | None
    n_judged: int  # its verdicts
    judged_share: float  # of what was scored, that they stand for
    judged_by_others: int  # verdicts of judges with another fingerprint
    not_judged: NotJudgedAnswer
    needed: int  # more verdicts until there is a rate; 0: there is one
    power: float | None  # how much of the scorer's prediction of the verdict counts


class CountsAnswer(BaseModel):
    """What became of every distinct submission; `submitted` is the sum of the others but duplicates."""

    submitted: int
    sampled_out: int
    rejected_overload: int
    dropped_by_client: int
    pending: int
    scored: int
    scored_by_others: int  # scored, but under another fingerprint than this bucket's
    not_applicable: int
    unscored: int
    duplicate: int  # samples that were sent again; beside the sum
    uncovered: int  # of `sampled_out`: could not have been chosen, so the rates say nothing of them


class BucketAnswer(BaseModel):
    """One stretch of time, one group, one fingerprint."""

    start: datetime
    end: datetime
    group: dict[str, str | None]
    fingerprint: str | None  # null: nothing scored
    flagged: RateAnswer
    hallucination: LabelledRateAnswer | None  # null: nothing scored
    judged: JudgedRateAnswer | None  # null: no judge gave a verdict; see also `judged_reason`
    counts: CountsAnswer
    effective_n: float | None
    bound_low: float | None
    bound_high: float | None


class LabelsLeftOutAnswer(BaseModel):
    """Labelled samples of the query that correct no rate."""

    not_drawn: int  # of unknown probability: labelled without a draw, or before tasks that are still to be labelled
    undecided: int  # unsure, or not of every claim


class RatesAnswer(BaseModel):
    """Rates with what they are and what they leave out."""

    estimand: str
    interval_covers: str
    bounds_cover: str
    judged_covers: str
    judged_reason: Literal["too_many_reviews"] | None  # why `judged` is null although a judge was at work
    clusters: Literal[
        "respected", "not_respected"
    ]  # whether responses of a session or trace count as belonging together
    labels: LabelsLeftOutAnswer
    unit: str
    confidence: float
    start: datetime
    end: datetime
    granularity_s: float
    group_by: list[str]
    match: dict[str, list[str]]  # only submissions with one of these values are in it
    match_unknown: (
        int | None
    )  # submissions of which too many kinds came to know: maybe they match. Null without `match`
    buckets: list[BucketAnswer]


class ReadyAnswer(BaseModel):
    """Whether samples can be stored."""

    status: Literal["ready", "not_ready"]
    database: Literal["up", "down", "refuses_writes"]
    redis: Literal["up", "down"]
