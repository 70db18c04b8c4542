"""An alert rule as the policy file has it: what is watched, from where on it is bad, and whom it wakes."""

import hashlib
import json
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from service.core.duration import parse_duration
from service.core.errors import QueryInvalidError
from service.core.rate_query import MAX_VALUES
from service.core.store.rates import DIMENSIONS, Match

LEAST_WINDOW = timedelta(minutes=1)  # rates are read by whole minutes
LONGEST_WINDOW = timedelta(days=90)
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$")]


def _duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return timedelta(0) if value == "0s" else parse_duration(value, "")
    except QueryInvalidError as error:
        raise ValueError(error.detail) from None


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta(0))]


class Metric(StrEnum):
    """What a rule watches."""

    FLAGGED_RATE = "flagged_rate"  # of responses
    CLAIM_RATE = "claim_rate"  # of claims
    HALLUCINATION_RATE = "hallucination_rate"  # of responses, corrected by labels
    UNSCORED_SHARE = "unscored_share"  # of the samples that ended and should have a score
    SLOW_SHARE = "slow_share"  # of the samples that say how long they took, those over `slow_ms`
    QUEUE_AGE = "queue_age_s"  # seconds that the oldest pending sample has waited
    PROBE_ACCURACY = "probe_accuracy"  # share of known answers that the worst worker's scorer gets right
    PROBE_VARIANCE = "probe_variance"  # of scores of the same known answer by the same scorer, of whatever worker


OF_PROBES = frozenset({Metric.PROBE_ACCURACY, Metric.PROBE_VARIANCE})
POINT_ONLY = frozenset({Metric.QUEUE_AGE, *OF_PROBES})  # what is known, not estimated: it has no interval


class Severity(StrEnum):
    """How bad it is; the names are those of PagerDuty."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class NoData(StrEnum):
    """What it means that there is nothing to judge."""

    NOTIFY = "notify"  # somebody is told: what is not measured is not good
    KEEP = "keep"  # what was, stays
    OK = "ok"  # nothing comes where nothing is to be expected


class AlertRule(BaseModel):
    """One `[[alerts]]` table."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: Name
    metric: Metric
    tenants: tuple[str, ...] = ()  # each is judged by itself; all if none is named
    match: dict[str, str | Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    group_by: tuple[str, ...] = ()  # each group is judged, fires and is resolved by itself
    window: Duration = timedelta(hours=1)  # of receipt, up to now
    short_window: Duration | None = None  # where given, it must be bad over this as well: it still goes on
    above: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None  # bad from here on upwards
    below: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None  # bad from here on downwards
    # What is held against the threshold: the nearer end of the interval, so that chance alone fires seldom, or the rate.
    on: Literal["bound", "point"] = "bound"
    slow_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None  # of `slow_share`
    # Of the interval. Looked at every minute, 95% would fire by chance alone every day; docs/statistics/alarms.md.
    confidence: Annotated[float, Field(ge=0.5, le=0.9999)] = 0.9999
    min_effective_n: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 30.0  # below: too few to say anything
    min_coverage: Annotated[float, Field(ge=0, le=1)] = 0.5  # scored of what should be; below: nothing is said
    for_: Annotated[Duration, Field(alias="for")] = timedelta(minutes=10)  # bad for so long before anybody is told
    keep_firing_for: Duration = timedelta(minutes=15)  # good for so long before it is resolved
    renotify: Duration | None = timedelta(hours=24)  # told again while it goes on; "0s" is refused
    no_data: NoData = NoData.NOTIFY
    severity: Severity = Severity.ERROR
    sinks: tuple[Name, ...] = ()  # all if none is named

    @model_validator(mode="after")
    def _known_groups(self) -> Self:
        for name in (*self.match, *self.group_by):
            if name not in DIMENSIONS:
                raise ValueError(f"unknown dimension {name[:50]!r}; use {', '.join(DIMENSIONS)}")
        if len(set(self.group_by)) < len(self.group_by):
            raise ValueError("`group_by` names a dimension twice")
        for name, values in self.matching:
            if len(values) > MAX_VALUES or any("\0" in value for value in values):
                raise ValueError(f"`match.{name}` has more than {MAX_VALUES} values, or one with the character U+0000")
        return self

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.above is None) is (self.below is None):
            raise ValueError("give `above` or `below`")
        if self.metric is not Metric.QUEUE_AGE and not self._can_be_reached(self.threshold):
            raise ValueError("a share is between 0 and 1, and nothing lies beyond these: the rule could never fire")
        if not LEAST_WINDOW <= self.window <= LONGEST_WINDOW or self.window % LEAST_WINDOW:
            raise ValueError("`window` must be whole minutes, 1m to 90d")
        if (self.metric is Metric.SLOW_SHARE) is (self.slow_ms is None):
            raise ValueError("`slow_share` and `slow_ms` go together")
        if self.short_window is not None and not self._is_shorter(self.short_window):
            raise ValueError("`short_window` must be whole minutes and shorter than `window`")
        if self.renotify is not None and not self.renotify:
            raise ValueError("`renotify` must be longer than nothing; leave it out for a day")
        return self

    @model_validator(mode="after")
    def _fits_what_is_known(self) -> Self:
        if self.metric in POINT_ONLY and (self.match or self.group_by):
            raise ValueError(f"`{self.metric}` has no groups: leave out `match` and `group_by`")
        if self.metric not in OF_PROBES:
            return self
        if (self.metric is Metric.PROBE_ACCURACY) is (self.below is None):
            raise ValueError("`probe_accuracy` is bad below a threshold, `probe_variance` above one")
        if self.short_window is not None:
            raise ValueError(f"`{self.metric}` has one window: leave out `short_window`")
        return self

    def _can_be_reached(self, threshold: float) -> bool:
        return threshold < 1 if self.above is not None else 0 < threshold <= 1

    def _is_shorter(self, window: timedelta) -> bool:
        return LEAST_WINDOW <= window < self.window and not window % LEAST_WINDOW

    @property
    def matching(self) -> Match:
        """Which submissions are meant, as rates are asked for them."""
        return tuple(
            (name, (wanted,) if isinstance(wanted, str) else tuple(wanted)) for name, wanted in self.match.items()
        )

    @property
    def digest(self) -> str:
        """Digest of what is judged: another one, and what was pending by the old rule starts anew."""
        told = {"severity", "sinks", "renotify"}
        meant = json.dumps(self.model_dump(mode="json", exclude=told), sort_keys=True)
        return hashlib.sha256(meant.encode()).hexdigest()[:16]

    def is_of(self, tenant: str) -> bool:
        """Whether this tenant is watched."""
        return not self.tenants or tenant in self.tenants

    @property
    def threshold(self) -> float:
        """What is bad lies beyond it."""
        return self.above if self.above is not None else self.below or 0.0

    @property
    def by_bound(self) -> bool:
        """Whether the interval's nearer end is judged."""
        return self.on == "bound" and self.metric not in POINT_ONLY
