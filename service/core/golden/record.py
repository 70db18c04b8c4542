"""The record of a run: what became of every answer, with all that a later comparison needs. Also the form of its file."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from service.core.golden.item import GoldenItem
from service.core.sample_schemas import ClaimAnswer

MAX_REPEATS = 100
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TargetKind(StrEnum):
    """What is tested."""

    SCORER = "scorer"  # whether it flags what the labels call hallucinated, and nothing else
    APPLICATION = "application"  # whether what it answers is flagged


class AnswerState(StrEnum):
    """What has become of one answer."""

    PENDING = "pending"  # not scored yet
    SCORED = "scored"
    NOT_APPLICABLE = "not_applicable"  # nothing to check: a refusal, no claims
    UNSCORED = "unscored"  # the scorer could not
    FAILED = "failed"  # the application gave no answer


ENDED = frozenset(AnswerState) - {AnswerState.PENDING}


class AnswerRecord(_Part):
    """One answer to one item."""

    state: AnswerState
    reason: str | None = None  # of any state but `scored`
    response: str | None = None  # what an application said; null where the item's own response was scored
    score: Share | None = None
    flagged: bool | None = None
    threshold: Share | None = None
    claims: tuple[ClaimAnswer, ...] = ()
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None  # until the application had answered

    @property
    def made_up(self) -> bool | None:
        """Whether it counts as made up; what states nothing makes nothing up. None: unknown."""
        if self.state is AnswerState.SCORED:
            return self.flagged
        return False if self.state is AnswerState.NOT_APPLICABLE else None

    @property
    def declined(self) -> bool | None:
        """Whether there was nothing to check in it. None: unknown."""
        if self.state is AnswerState.SCORED:
            return False
        return True if self.state is AnswerState.NOT_APPLICABLE else None


class ItemRecord(_Part):
    """An item and its answers, one for each repeat."""

    item: GoldenItem
    digest: str
    answers: Annotated[tuple[AnswerRecord, ...], Field(min_length=1)]


class KnownHalf(_Part):
    """Of the known answers those of one label."""

    items: Annotated[int, Field(ge=0)]
    right: Annotated[int, Field(ge=0)]  # flagged as the label says
    unknown: Annotated[int, Field(ge=0)] = 0  # could not be scored: neither right nor wrong

    @model_validator(mode="after")
    def _no_more_than_all(self) -> "KnownHalf":
        if self.right + self.unknown > self.items:
            raise ValueError("more are right or unknown than there are items")
        return self

    @property
    def wrong(self) -> int:
        """Those that are known not to be right."""
        return self.items - self.right - self.unknown


class KnownAnswers(_Part):
    """What a run's scorer makes of the probes, which every working scorer gets right."""

    set_digest: str  # of all probes
    hallucinated: KnownHalf
    supported: KnownHalf


class RunRecord(_Part):
    """One run of a target over a set."""

    format: Literal["assay-golden-run-1"] = "assay-golden-run-1"
    id: Annotated[str, Field(min_length=1, max_length=64)]
    set_name: str
    set_digest: str
    kind: TargetKind
    target: str  # as a person reads it; holds no secrets
    release: str = ""
    git_commit: str = ""
    fingerprint: str | None  # of the scorer; null: nothing was scored
    repeats: Annotated[int, Field(ge=1, le=MAX_REPEATS)]
    started_at: AwareDatetime
    finished_at: datetime | None = None  # null: not all has ended
    known_answers: KnownAnswers | None = None  # null: the scorer was not asked
    runtime: dict[str, str] | None = None  # what the scorer ran on, see `runtime`; null: unknown
    items: tuple[ItemRecord, ...]

    def without(self, ids: Collection[str]) -> "RunRecord":
        """The same run as if it did not have these items."""
        kept = tuple(each for each in self.items if each.item.id not in ids)
        return self.model_copy(update={"items": kept})

    @property
    def pending(self) -> int:
        """Answers that are not there yet."""
        return sum(answer.state is AnswerState.PENDING for each in self.items for answer in each.answers)
