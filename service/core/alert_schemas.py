"""What goes over HTTP about alerts, silences and objectives."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from service.core.label_schemas import AnnotatorName
from service.core.schemas import Sent
from service.core.store.rates import DIMENSIONS

MAX_REASON_CHARS = 500
MAX_EVENTS = 500  # of the history, at once
LONGEST_SILENCE = timedelta(days=366)
Value = Annotated[str, Field(max_length=200)]


class ReadingAnswer(BaseModel):
    """What was measured; null where it is not known."""

    value: float | None
    low: float | None
    high: float | None
    effective_n: float | None
    coverage: float | None


class RuleStateAnswer(BaseModel):
    """An alert rule in force, and how often it is looked at."""

    rule: str
    metric: str
    slow_ms: float | None  # of `slow_share`
    above: float | None
    below: float | None
    on: str
    confidence: float
    window_s: int
    short_window_s: int | None
    for_s: int
    keep_firing_for_s: int
    min_effective_n: float
    min_coverage: float
    no_data: str
    severity: str
    group_by: list[str]
    match: dict[str, list[str]]
    sinks: list[str]  # names; empty: nobody is told, it is only seen here
    slo: str | None  # the objective that it follows from


class AlertAnswer(BaseModel):
    """Where one rule and group stand."""

    rule: str
    group: dict[str, str | None]
    state: str
    since: datetime  # of the state
    firing_since: datetime | None  # of the incident that is open, whether it fires or lacks data
    verdict: str  # of the last reading
    reading: ReadingAnswer  # the last one
    evaluated_at: datetime
    silenced_until: datetime | None


class AlertsAnswer(BaseModel):
    """All rules and where they stand, the worst first."""

    evaluated_at: datetime | None  # the last look at any rule; null: none yet
    stale: bool  # rules and samples are there, and the last look is over five intervals old: no worker evaluates them
    rules: list[RuleStateAnswer]
    alerts: list[AlertAnswer]
    left_out: int  # rules and groups that are not listed: the best of too many


class DeliveryAnswer(BaseModel):
    """What became of telling one sink."""

    sink: str
    state: str
    attempts: int
    error: str | None  # of the last attempt that failed
    next_at: datetime | None  # of the next attempt, while it waits
    ended_at: datetime | None


class EventAnswer(BaseModel):
    """One event, as it was told."""

    seq: int
    summary: str
    silenced: bool
    notice: dict[str, Any]  # the same JSON that webhooks get
    deliveries: list[DeliveryAnswer]


class HistoryAnswer(BaseModel):
    """Events, newest first."""

    start: datetime
    end: datetime
    events: list[EventAnswer]
    next_before: int | None  # for the next page; null: that was all


class SilenceSent(Sent):
    """Whose alerts nobody is to be told of, until when, and why."""

    rule: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    group: dict[str, Value] = Field(default_factory=dict)  # an empty value: submissions without one
    ends_at: AwareDatetime
    reason: Annotated[str, Field(min_length=1, max_length=MAX_REASON_CHARS)]
    created_by: AnnotatorName

    @model_validator(mode="after")
    def _known_dimensions(self) -> Self:
        for name in self.group:
            if name not in DIMENSIONS:
                raise ValueError(f"unknown dimension {name[:50]!r} in `group`; use {', '.join(DIMENSIONS)}")
        return self


class SilenceAnswer(BaseModel):
    """A silence."""

    id: int
    rule: str | None  # null: all rules
    group: dict[str, str]
    reason: str
    created_by: str
    created_at: datetime
    ends_at: datetime
    active: bool


class SilencesAnswer(BaseModel):
    """Silences, newest first."""

    silences: list[SilenceAnswer]


class FiringAnswer(BaseModel):
    """A stretch in which the rule would have had an incident."""

    event: str  # how it was opened: `firing` or `no_data`
    group: dict[str, str | None]
    start: datetime
    end: datetime | None  # null: it would still be open
    duration_s: float
    reading: ReadingAnswer  # when it was opened


class SegmentAnswer(BaseModel):
    """A stretch of time, and how often the rule was looked at in it."""

    start: datetime
    end: datetime
    every_s: int


class BacktestAnswer(BaseModel):
    """How often, when and for how long a rule would have fired."""

    rule: str
    changed: list[str]  # fields that were tried with another value than the policy's
    start: datetime
    end: datetime
    not_covered: str | None  # what could not be replayed, and why
    segments: list[SegmentAnswer]
    clusters: str  # `not_respected`: sessions and traces are not known of the past, so intervals may be narrower
    looks: int
    firings: int
    no_data: int  # incidents for want of data
    firing_s: float  # in which at least one group had an incident of either kind
    firings_per_30_days: float | None  # null: less than a day was tested
    no_data_share: float | None  # of looks at groups, those with nothing to judge
    low_coverage_share: float | None  # of looks at groups, those that could not judge
    incidents: list[FiringAnswer]
    left_out: int  # incidents that are not listed


class BurnAnswer(BaseModel):
    """A pair of windows of an objective."""

    rule: str
    state: str | None  # of its alert; null: not evaluated yet
    long_s: int
    short_s: int
    fires_at: float  # burn rate
    burn_long: float | None  # burn rate now; null: unknown
    burn_short: float | None
    note: str | None  # what was changed so that it can fire
    warning: str | None  # why, with as much to judge by as in the last day, it could miss twice its rate


class SloAnswer(BaseModel):
    """An objective, and how much of its error budget is left."""

    slo: str
    metric: str
    objective: float
    slow_ms: float | None  # of `slow_share`
    period_s: int
    start: datetime  # of the period, up to now
    end: datetime
    rate: float | None  # of bad answers; null: unknown
    ci_low: float | None
    ci_high: float | None
    budget_left: float | None  # share of the budget; below 0: more was spent than there was
    budget_left_low: float | None
    budget_left_high: float | None
    coverage: float | None
    left_out: list[str]  # usual pairs of windows that could not fire, each with the reason
    burn: list[BurnAnswer]


class SlosAnswer(BaseModel):
    """All objectives of the policy."""

    confidence: float
    budget_is: str
    slos: list[SloAnswer]
