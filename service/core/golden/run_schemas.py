"""What goes over HTTP about golden runs."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from service.core.errors import PayloadInvalidError
from service.core.fields import Amount, Label
from service.core.golden.comparison_schemas import ComparisonAnswer
from service.core.golden.item import GoldenItem, ItemId
from service.core.golden.record import MAX_REPEATS, AnswerState, RunRecord, TargetKind
from service.core.golden.summary import SummaryAnswer
from service.core.schemas import Sent

MAX_ITEMS = 10_000
MAX_ANSWERS = 100_000  # of a run, all repeats
MAX_CLAIMS = 1_000  # of an item
MAX_EVIDENCE = 100  # of a claim
MAX_FIELDS = 64  # of one JSON object
MAX_OTHERS = 10_000  # of any other list
LISTS = {
    "items": MAX_ITEMS,
    "answers": MAX_ITEMS,
    "quarantined": MAX_ITEMS,
    "responses": MAX_REPEATS,
    "claims": MAX_CLAIMS,
    "evidence": MAX_EVIDENCE,
}
NO_BASELINE = "none"  # in a query; so no run's id


def _no_word(value: str) -> str:
    if value == NO_BASELINE:
        raise ValueError(f"{NO_BASELINE!r} means that there is no baseline; choose another id")
    return value


RunId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.:-]{0,63}$"), AfterValidator(_no_word)]
Margin = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]


class RunState(StrEnum):
    """Whether a run has ended."""

    PENDING = "pending"  # some answers are not scored yet
    FINISHED = "finished"


class ResponseSent(Sent):
    """What an application said to one item, or why it said nothing: `text` or `failed`."""

    text: str | None = None
    failed: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    seconds: Amount | None = None  # until it had answered

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.text is None) is (self.failed is None):
            raise ValueError("give `text` or `failed`")
        return self


def _as_response(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


Response = Annotated[ResponseSent, BeforeValidator(_as_response, json_schema_input_type=str | ResponseSent)]


class GivenSent(Sent):
    """An application's responses to one item."""

    item: ItemId
    responses: Annotated[tuple[Response, ...], Field(max_length=MAX_REPEATS, fail_fast=True)]  # one for each repeat


class GoldenRunSent(Sent):
    """A run to be scored by the workers."""

    id: RunId | None = None
    set: Label
    items: Annotated[tuple[GoldenItem, ...], Field(min_length=1, max_length=MAX_ITEMS, fail_fast=True)] | None = (
        None  # null: those of the set of that name that comes with Assay
    )
    target: TargetKind
    name: Label | None = None  # what the target is called
    answers: Annotated[tuple[GivenSent, ...], Field(max_length=MAX_ITEMS, fail_fast=True)] | None = (
        None  # of an application
    )
    repeats: Annotated[int, Field(strict=True, ge=1, le=MAX_REPEATS)] = 1
    release: Label | None = None
    git_commit: Label | None = None
    baseline: RunId | None = None  # the run that it is compared with
    margin: Margin | None = None  # the greatest change for the worse that passes; null: derived from the sizes
    quarantined: Annotated[tuple[ItemId, ...], Field(max_length=MAX_ITEMS, fail_fast=True)] | None = (
        None  # items that count for nothing; null: those of the shipped set's own list
    )

    @model_validator(mode="before")
    @classmethod
    def _small_enough(cls, document: Any) -> Any:
        """Before anything is validated: an error for each of a million elements would take seconds and gigabytes."""
        _check_sizes(document, "", "")
        return document


def _check_sizes(value: Any, name: str, place: str) -> None:
    if not isinstance(value, (dict, list)):
        return
    limit = MAX_FIELDS if isinstance(value, dict) else LISTS.get(name, MAX_OTHERS)
    if len(value) > limit:
        raise PayloadInvalidError(f"{len(value)} is over the limit of {limit}. Send less.", field=place)
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(child, (dict, list)):
            _check_sizes(child, str(key), f"{place}.{key}"[-200:] if place else str(key)[:200])


class GoldenRunAccepted(BaseModel):
    """A run that is stored."""

    id: str
    state: RunState
    answers: int  # of all repeats
    status_url: str


class GoldenRunHead(BaseModel):
    """A run without its items."""

    id: str
    state: RunState
    set_name: str
    set_digest: str
    kind: TargetKind
    target: str
    release: str
    git_commit: str
    repeats: int
    baseline: str | None  # the run that it is compared with
    margin: float | None  # null: derived from the sizes
    origin: Literal["api", "cli"]
    created_at: datetime
    finished_at: datetime | None
    fingerprint: str | None  # of the scorer; null: nothing is scored yet, or two scored it, see `scored_by`
    scored_by: list[str]  # fingerprints of all scorers that ended an answer
    answers: dict[AnswerState, int]


class GoldenRunsAnswer(BaseModel):
    """Runs, newest first."""

    runs: list[GoldenRunHead]
    next_before: int | None  # for the next page; null: this is the last


class GoldenRunAnswer(GoldenRunHead):
    """A run: its rates, and how it stands to its baseline."""

    quarantined: list[str]
    summary: SummaryAnswer
    comparison: ComparisonAnswer | None  # null: there is no baseline
    record: RunRecord | None  # items and answers; null: not asked for
    notes: list[str]  # what a reader must know


class GoldenSetAnswer(BaseModel):
    """A set that comes with Assay."""

    name: str
    set_digest: str
    items: list[GoldenItem]
    quarantined: list[str]  # ids of items that count for nothing today


class GoldenRunRemoved(BaseModel):
    """A run that is gone."""

    id: str
    answers: int  # that went with it
