"""What a comparison answers."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from service.core.schemas import CountsAnswer, LabelledRateAnswer, RateAnswer


class ChangeAnswer(BaseModel):
    """A difference of rates, the second less the first."""

    value: float
    ci_low: float
    ci_high: float
    method: str


class SideAnswer(BaseModel):
    """One side of the comparison."""

    start: datetime
    end: datetime
    group: dict[str, str | None]
    flagged: RateAnswer
    hallucination: LabelledRateAnswer | None
    counts: CountsAnswer | None  # null: nothing was submitted
    clusters: Literal["respected", "not_respected"]  # whether sessions and traces count as belonging together
    effective_n: float | None


class GroupChangeAnswer(BaseModel):
    """What one group of the split has to do with the change; `mix` and `within` add up to it over the groups."""

    group: dict[str, str | None]
    share_first: float  # of checkable submissions, or claims
    share_second: float
    rate_first: float | None  # null: nothing of it was scored
    rate_second: float | None
    mix: float
    within: float


class SplitAnswer(BaseModel):
    """The change of the flagged rate in two parts: what comes in, and how it is answered."""

    by: list[str]
    mix: ChangeAnswer
    within: ChangeAnswer
    groups: list[GroupChangeAnswer]


class CompareAnswer(BaseModel):
    """Two rates and their difference; what is not comparable is null, with the reason."""

    estimand: str
    unit: str
    confidence: float
    fingerprint: str | None  # of both sides; null: no fingerprint has scored samples on both
    reason: Literal["nothing_scored", "different_fingerprints"] | None
    next_step: str | None
    first: SideAnswer
    second: SideAnswer
    flagged: ChangeAnswer | None
    hallucination: ChangeAnswer | None  # null: too few labels on a side
    split: SplitAnswer | None  # null: no `split_by`
