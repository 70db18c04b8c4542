"""An objective as the policy file has it, and the alert rules that follow from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.core.alerting.rule import POINT_ONLY, AlertRule, Duration, Metric, Name, NoData, Severity
from service.core.alerting.slo import BurnRule, Objective, Refusal, Traffic, burn_rules, check_objective, check_rule

STEP = timedelta(minutes=5)  # short windows are lengthened by
FALSE_FLAGS = 0.05  # of the threshold `strict`: 95% specificity per response
FLAGGING = frozenset({Metric.FLAGGED_RATE, Metric.CLAIM_RATE})
SEVERITIES = (Severity.CRITICAL, Severity.ERROR, Severity.WARNING)  # of the fastest pair of windows, and slower ones
LEAST_N = 10.0
DECIMALS = 12  # of a threshold: beyond them there is only rounding
CONFIDENCE = 0.99  # both windows must be bad at the same time, so it need not be as high as a rule's own


class Burn(BaseModel):
    """One entry of an objective's `burn`: a pair of windows, and from which burn rate on it fires."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    long: Duration
    short: Duration
    rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not timedelta(minutes=1) <= self.short < self.long or self.short % timedelta(minutes=1):
            raise ValueError("`short` must be whole minutes and shorter than `long`")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class BurnAlert:
    """A pair of windows as it is used, and what was changed so that it can fire."""

    rule: BurnRule
    alert: AlertRule
    note: str | None = None


class Slo(BaseModel):
    """One `[[slos]]` table: at most so many bad answers over a period."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: Annotated[Name, Field(max_length=48)]  # its rules are named after it
    metric: Metric
    slow_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None  # of `slow_share`
    objective: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]  # the share that must be good, such as 0.98
    period: Duration = timedelta(days=28)
    tenants: tuple[str, ...] = ()
    match: dict[str, str | Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    # Scored samples to expect; with it, windows that would have too few are lengthened, or refused.
    samples_per_hour: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    # The share of good answers that the scorer flags; the default is that of the threshold `strict`.
    false_flags: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = FALSE_FLAGS
    on: Literal["bound", "point"] = "bound"  # as of a rule; by the point, chance alone can make it fire
    burn: tuple[Burn, ...] | None = None  # the usual pairs of windows, as far as they can fire, if none are given
    sinks: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.metric in POINT_ONLY:
            raise ValueError(f"`{self.metric}` is no share: use flagged_rate, hallucination_rate or unscored_share")
        if (self.metric is Metric.SLOW_SHARE) is (self.slow_ms is None):
            raise ValueError("`slow_share` and `slow_ms` go together")
        if not timedelta(days=1) <= self.period <= timedelta(days=90) or self.period % timedelta(hours=1):
            raise ValueError("`period` must be whole hours, 1d to 90d")
        self.rule_over(self.period, CONFIDENCE)  # what is wrong with `match` is told here
        if self.burn == ():
            raise ValueError("`burn` must name a pair of windows; leave it out for the usual ones")
        _refuse(check_objective(self.target, self.traffic))
        if self.burn is not None:
            for pair in self.burn:
                _refuse(check_rule(_given(pair, self.target), self.target, self.traffic))
        if not self.burn_alerts() and self.burn is None:  # made here, so that what is wrong is said of this objective
            raise ValueError(_none_works(self.refusals()))
        return self

    def rule_over(self, window: timedelta, confidence: float) -> AlertRule:
        """A rule that reads what the objective is of, over a window; it is not for judging."""
        return AlertRule(
            name=self.name,
            metric=self.metric,
            slow_ms=self.slow_ms,
            match=self.match,
            window=window,
            above=0.0,
            confidence=confidence,
        )

    @property
    def target(self) -> Objective:
        """What is allowed."""
        # By the decimals that were written: in binary, 1 - 0.95 is more than 0.05.
        return Objective(bad=float(1 - Decimal(str(self.objective))), period=self.period)

    @property
    def traffic(self) -> Traffic:
        """What is known beforehand of what there will be to judge by."""
        return Traffic(
            samples_per_s=None
            if self.samples_per_hour is None or self.on == "point"
            else self.samples_per_hour / 3_600,
            false_flags=self.false_flags if self.metric in FLAGGING else None,
            confidence=CONFIDENCE,
        )

    def burn_alerts(self) -> list[BurnAlert]:
        """The pairs of windows that can fire, fastest first; short windows lengthened where they would have too little."""
        found = []
        for order, (rule, note) in enumerate(self._pairs()):
            found.append(BurnAlert(rule=rule, alert=self._alert(rule, order), note=note))
        return found

    def refusals(self) -> list[Refusal]:
        """Why the usual pairs that are left out would not work."""
        kept = {rule.long for rule, _ in self._pairs()}
        if self.burn is not None:
            return []
        every = ((rule, check_rule(rule, self.target, self.traffic)) for rule in burn_rules(self.target))
        return [refusal for rule, refusal in every if refusal is not None and rule.long not in kept]

    def _pairs(self) -> Sequence[tuple[BurnRule, str | None]]:
        if self.burn is not None:
            return [(_given(pair, self.target), None) for pair in self.burn]
        fitted = (_fitted(rule, self.target, self.traffic) for rule in burn_rules(self.target))
        return [pair for pair in fitted if pair is not None]

    def _alert(self, rule: BurnRule, order: int) -> AlertRule:
        return AlertRule(
            name=f"{self.name}.burn-{_short(rule.long)}",
            metric=self.metric,
            tenants=self.tenants,
            match=self.match,
            slow_ms=self.slow_ms,
            window=rule.long,
            short_window=rule.short,
            above=round(rule.threshold(self.target), DECIMALS),
            on=self.on,
            confidence=CONFIDENCE,
            min_effective_n=LEAST_N,
            for_=timedelta(0),  # the short window is what waits
            no_data=NoData.KEEP,  # they wake for what burns; that nothing comes is a rule's own concern
            severity=SEVERITIES[min(order, len(SEVERITIES) - 1)],
            sinks=self.sinks,
        )


def _given(pair: Burn, target: Objective) -> BurnRule:
    return BurnRule(long=pair.long, short=pair.short, burn=pair.rate, spent=pair.rate * (pair.long / target.period))


def _fitted(rule: BurnRule, target: Objective, traffic: Traffic) -> tuple[BurnRule, str | None] | None:
    """The pair with the shortest short window that has enough samples; None if even the long one has not."""
    tried = rule
    while check_rule(tried, target, traffic) is not None:
        if tried.short + STEP >= rule.long or tried.threshold(target) >= 1:
            return None
        tried = replace(tried, short=tried.short + STEP)
    if tried is rule:
        return rule, None
    return tried, f"its short window is {_short(tried.short)} instead of {_short(rule.short)}, to have enough samples"


def _refuse(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise ValueError(f"{refusal.why} What works: {refusal.instead}")


def _none_works(refusals: Sequence[Refusal]) -> str:
    last = refusals[-1]
    return f"no pair of windows could fire. {last.why} What works: {last.instead}"


def _short(duration: timedelta) -> str:
    minutes = int(duration.total_seconds() // 60)
    for unit, size in (("d", 1_440), ("h", 60)):
        if minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"
