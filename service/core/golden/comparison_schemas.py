"""What a comparison of two golden runs says, over HTTP, in JSON files and in reports."""

from enum import StrEnum

from pydantic import BaseModel

from service.core.golden.gate import Verdict
from service.core.golden.known import KnownLost
from service.core.golden.record import TargetKind


class Endpoint(StrEnum):
    """What is counted as bad; each is over items of its own."""

    MISSED = "missed"  # of a scorer: hallucinated items that it does not flag
    FALSE_ALARMS = "false_alarms"  # of a scorer: supported items that it flags
    MADE_UP = "made_up"  # of an application: answers that are flagged


class DifferenceAnswer(BaseModel):
    """Candidate less baseline, as a share of answers; above 0 is worse. Null: nothing is known on both sides."""

    value: float | None
    ci_low: float
    ci_high: float
    method: str = "paired by item, MOVER of gamma intervals"


class EndpointAnswer(BaseModel):
    """One endpoint of the gate."""

    name: Endpoint
    items: int
    unknown: int  # items of which something is not known; they widen the interval
    baseline: float | None  # bad share of what is known
    candidate: float | None
    difference: DifferenceAnswer
    verdict: Verdict
    items_needed: int | None  # to decide, if further items go as these do; null: decided, or no number would
    repeats_needed: int | None  # of the same items; likewise


class CategoryAnswer(BaseModel):
    """One category over all endpoints. It explains a verdict, and makes none."""

    name: str
    items: int
    baseline: float | None
    candidate: float | None
    became_worse: int  # items whose bad share rose
    became_better: int
    p_value: float  # one-sided exact sign test of "not worse"
    p_adjusted: float  # Holm's, over all categories
    worse: bool  # p_adjusted below alpha


class FlippedAnswer(BaseModel):
    """An item that the two runs tell differently."""

    item: str
    category: str
    endpoint: Endpoint
    baseline: float  # bad share of its repeats
    candidate: float
    worse: bool


class FlakyAnswer(BaseModel):
    """An item that differs from repeat to repeat."""

    item: str
    baseline: float | None  # probability that two repeats differ
    candidate: float | None


class DeclinedAnswer(BaseModel):
    """Answers with nothing to check, mostly refusals: what makes nothing up may just say nothing."""

    baseline: float | None
    candidate: float | None
    difference: DifferenceAnswer


class LeftOutAnswer(BaseModel):
    """Items that the comparison does not cover, by id."""

    quarantined: list[str]
    only_candidate: list[str]
    only_baseline: list[str]
    changed: list[str]  # question, contexts, response or label are others now
    unlabelled: list[str]  # of no use for a scorer


class ComparisonAnswer(BaseModel):
    """A candidate against its baseline."""

    verdict: Verdict
    kind: TargetKind
    set_name: str
    baseline_id: str
    candidate_id: str
    margin: float  # the greatest change for the worse, as a share of answers, that passes
    margin_given: bool  # false: derived from the number of items and repeats
    confidence: float  # of each interval
    alpha: float  # in how many runs a verdict may err
    flake_rate: float | None  # of the candidate: probability that two repeats of an item differ; null: no repeats
    endpoints: list[EndpointAnswer]
    categories: list[CategoryAnswer]
    flipped: list[FlippedAnswer]  # worse ones first
    flaky: list[FlakyAnswer]  # the most flaky first
    declined: DeclinedAnswer
    known_lost: list[KnownLost]  # labels of which more known answers are wrong, or may be, than the scorer is allowed
    left_out: LeftOutAnswer
    notes: list[str]  # what a reader must know
