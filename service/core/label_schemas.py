"""What goes over HTTP about labels and feedback."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from service.core.fields import Identifier, Label
from service.core.label_tables import Annotator, Rating, Verdict
from service.core.schemas import Sent

MAX_LABELS = 1_000
MAX_COMMENT_CHARS = 10_000
ANNOTATOR = r"^[A-Za-z0-9._@+-]{1,100}$"
AnnotatorName = Annotated[
    str, Field(pattern=ANNOTATOR)
]  # an account or an address, the same for each of a person's labels
Comment = Annotated[str, Field(max_length=MAX_COMMENT_CHARS)]


class LabelSent(Sent):
    """What somebody says of a sample, or of one of its claims."""

    sample_id: Identifier
    claim: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] | None = None  # its place in `claims` of the sample
    annotator: AnnotatorName
    kind: Annotator = Annotator.HUMAN
    identifier: Label | None = None  # another one keeps both labels; the same, or none, replaces
    verdict: Verdict
    comment: Comment | None = None


class LabelsSent(Sent):
    """Labels that are written together, or not at all."""

    labels: Annotated[tuple[LabelSent, ...], Field(min_length=1, max_length=MAX_LABELS)]


class LabelsAnswer(BaseModel):
    """What became of the labels."""

    created: int
    replaced: int


class LabelClaimAnswer(BaseModel):
    """A claim to label, without what the scorer says of it."""

    claim: int
    start: int
    end: int
    text: str


class LabelContextAnswer(BaseModel):
    """A context of the sample to label."""

    id: str
    text: str


class LabelTaskAnswer(BaseModel):
    """A sample to label. What the scorer and others say of it is left out: it must not sway anyone."""

    sample_id: str
    question: str | None
    contexts: list[LabelContextAnswer]
    response: str
    claims: list[LabelClaimAnswer]
    held_until: datetime  # until then nobody else gets it


class LabelNextAnswer(BaseModel):
    """What to label next; null: nothing in this time is left, or nothing is scored yet."""

    task: LabelTaskAnswer | None


class AgreementAnswer(BaseModel):
    """How far people agree who label the same; null where there are too few to say."""

    items: int  # responses and claims that two or more people decided
    agreement: float | None  # share of pairs of people who say the same
    agreement_ci_low: float | None
    agreement_ci_high: float | None
    kappa: float | None  # 0: as by chance, 1: always
    kappa_ci_low: float | None
    kappa_ci_high: float | None
    method: str
    confidence: float


class FeedbackSent(Sent):
    """What an end user signalled of an answer, found by the submission's id or by its trace."""

    id: Identifier | None = None
    trace_id: Label | None = None
    rating: Rating
    identifier: Label | None = None  # the same, or none, replaces: a user who changes their mind
    comment: Comment | None = None

    @model_validator(mode="after")
    def _has_target(self) -> Self:
        if self.id is None and self.trace_id is None:
            raise ValueError("give `id` or `trace_id`")
        return self


class FeedbackBucketAnswer(BaseModel):
    """What end users signalled in one stretch of time."""

    start: datetime
    end: datetime
    up: int
    down: int


class FeedbackCountsAnswer(BaseModel):
    """Counts of feedback by the time it came; no rate: who clicks is no sample of who reads."""

    start: datetime
    end: datetime
    granularity_s: float
    buckets: list[FeedbackBucketAnswer]


class FeedbackAnswer(BaseModel):
    """Whether the feedback is new, and whether its answer is among the samples."""

    replaced: bool
    sampled: bool
