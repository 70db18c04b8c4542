"""What goes over HTTP between a client that samples itself and the sidecar."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.core.fields import Label, Rate
from service.core.schemas import Sent

MAX_CLIENT_COUNTS = 1_000
MAX_COUNT_AGE_S = 7 * 86_400.0


class RuleAnswer(BaseModel):
    """One stratum: what its submissions have in common, and the share of them that is sampled."""

    stratum: str
    rate: float
    match: dict[str, list[str]]  # field to the values that match; empty matches everything


class StratumAnswer(BaseModel):
    """The stratum of all that no rule matches."""

    stratum: str
    rate: float


class SamplingAnswer(BaseModel):
    """What a client needs to decide as the sidecar would: the first rule that matches, else the default."""

    policy_version: str
    domain: str
    salt: str
    tenant: str
    rules: list[RuleAnswer]
    default: StratumAnswer
    refresh_s: float


class ClientCount(Sent):
    """Submissions of one kind that a client did not send."""

    age_s: Annotated[float, Field(strict=True, ge=0, le=MAX_COUNT_AGE_S, allow_inf_nan=False)]
    outcome: Literal["sampled_out", "dropped_by_client"]
    stratum: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{0,64}$")]
    inclusion_probability: Rate
    policy_version: Annotated[str, Field(pattern=r"^[0-9A-Za-z._-]{0,64}$")]
    model: Label | None = None
    release: Label | None = None
    prompt_version: Label | None = None
    route: Label | None = None
    submissions: Annotated[int, Field(strict=True, ge=1, le=2**31)]


class ClientCounts(Sent):
    """One flush of a client's counts; sent again unchanged it is counted once."""

    client: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    sequence: Annotated[int, Field(strict=True, ge=0, le=2**53)]
    counts: Annotated[tuple[ClientCount, ...], Field(min_length=1, max_length=MAX_CLIENT_COUNTS)]


class CountedAnswer(BaseModel):
    """Whether the counts were added; false: they were before."""

    counted: bool
