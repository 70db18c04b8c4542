"""The policy file: what is sampled, what of texts is kept, what alerts whom. Pure but for `read_policy`."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.core.alerting.objective import Slo
from service.core.alerting.rule import AlertRule
from service.core.alerting.sink import SecretFile as AbsolutePath
from service.core.alerting.sink import Sink
from service.core.errors import PolicyInvalidError
from service.core.fields import Rate
from service.core.privacy import Privacy
from service.core.reviewing.judge import Consistency, Judge, Spend

DEFAULT_RATE = 0.05
DEFAULT_STRATUM = "default"
FIELDS = ("route", "model", "release", "tenant")
TAG_PREFIX = "tags."
SIGNAL_PREFIX = "signal."  # of a field that is there if the signal speaks
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)  # sinks hold secrets


class Signal(StrEnum):
    """What speaks for a risk of a submission, as far as it can be told when it comes."""

    NEW_RELEASE = "new_release"  # its release was first seen not long ago
    LONG_RESPONSE = "long_response"
    DIGITS = "digits"  # in the response
    LOW_RETRIEVAL = "low_retrieval"  # no context has a good score
    NEGATIVE_FEEDBACK = "negative_feedback"  # of an end user, on its trace or session, in the last day


class Signals(_Part):
    """The `[sampling.signals]` table: from where on each signal speaks."""

    new_release_hours: Annotated[float, Field(gt=0, le=24 * 90, allow_inf_nan=False)] = 24.0
    long_response_chars: Annotated[int, Field(strict=True, ge=1)] = 2_000
    low_retrieval_score: Annotated[float, Field(allow_inf_nan=False)] = 0.5  # the best context's score is below it


class Spending(_Part):
    """So many samples, or so much money at a price for each, in an hour or a day."""

    samples: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    cost: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    cost_per_sample: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    per: Literal["hour", "day"]

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.samples is None) is (self.cost is None):
            raise ValueError("give `samples`, or `cost` with `cost_per_sample`")
        if (self.cost is None) is not (self.cost_per_sample is None):
            raise ValueError("`cost` and `cost_per_sample` go together")
        return self

    @property
    def most(self) -> float:
        """Samples in a period."""
        if self.samples is not None:
            return self.samples
        return (self.cost or 0.0) / (self.cost_per_sample or 1.0)

    @property
    def period_s(self) -> int:
        """Length of a period; periods begin at whole hours or days, UTC."""
        return 3_600 if self.per == "hour" else 86_400


class Budget(Spending):
    """The `[sampling.budget]` table: of each tenant, unless it has its own."""

    floor: Rate = 0.001  # the least inclusion probability; where even that is too much, a stratum is not covered
    tenants: dict[str, Spending] = Field(default_factory=dict)

    def of(self, tenant: str) -> Spending:
        """What a tenant may spend."""
        return self.tenants.get(tenant, self)


class Rule(_Part):
    """One stratum: the submissions whose fields all match, with any of the signals; and the share that is sampled."""

    name: Name
    rate: Rate
    match: dict[str, str | Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    signals: tuple[Signal, ...] = ()

    @model_validator(mode="after")
    def _known_fields(self) -> Self:
        if not self.match and not self.signals:
            raise ValueError("give `match`, `signals` or both; what no rule matches has `rate` under [sampling]")
        for field in self.match:
            if field not in FIELDS and not (field.startswith(TAG_PREFIX) and len(field) > len(TAG_PREFIX)):
                raise ValueError(f"unknown field {field!r}; use {', '.join(FIELDS)} or tags.NAME")
        return self

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether every named field has the value, or one of the values, given, and any of the signals speaks."""
        if self.signals and not any(SIGNAL_PREFIX + signal in fields for signal in self.signals):
            return False
        return all(
            fields.get(name) == wanted if isinstance(wanted, str) else fields.get(name) in wanted
            for name, wanted in self.match.items()
        )


class Sampling(_Part):
    """The `[sampling]` table: the first rule that matches decides, else `rate`."""

    rate: Rate = DEFAULT_RATE
    salt: str = ""  # goes into the version that every decision carries: choose a long random one
    rules: tuple[Rule, ...] = ()
    signals: Signals = Signals()
    budget: Budget | None = None
    client_side: bool = True  # whether clients may decide themselves: they are told salt and rules; scope `ingest`

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        names = [DEFAULT_STRATUM, *(rule.name for rule in self.rules)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two strata are named {name!r}; name each rule differently (not {DEFAULT_STRATUM!r})")
        return self


class Labels(_Part):
    """The `[labels]` table."""

    twice: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] = 0.1  # share that two people label


class Policy(_Part):
    """A whole policy file."""

    sampling: Sampling = Sampling()
    labels: Labels = Labels()
    privacy: Privacy = Privacy()
    alerts: tuple[AlertRule, ...] = ()
    slos: tuple[Slo, ...] = ()
    sinks: tuple[Sink, ...] = ()
    judge: Judge | None = None
    consistency: Consistency = Consistency()
    spend: Spend | None = None
    combination: AbsolutePath | None = None  # what `assay calibrate` fitted, to make one score of all scorers'

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        named = {
            "alert rules": [rule.name for rule in self.alert_rules],
            "slos": [slo.name for slo in self.slos],
            "sinks": [sink.name for sink in self.sinks],
        }
        for what, names in named.items():
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"two {what} are named {name!r}; name each differently")
        wanted = [(rule.name, rule.sinks) for rule in self.alerts] + [(slo.name, slo.sinks) for slo in self.slos]
        for rule_name, sinks in wanted:
            for sink in sinks:
                if sink not in named["sinks"]:
                    raise ValueError(f"{rule_name!r} names the sink {sink!r}, and there is no [[sinks]] table of it")
        return self

    @model_validator(mode="after")
    def _limited(self) -> Self:
        models = (self.judge, self.consistency.generator)
        if self.spend is None and any(model is not None and model.costs for model in models):
            raise ValueError("a model that costs something needs a [spend] table with `cost`, the most of a day")
        return self

    @property
    def alert_rules(self) -> list[AlertRule]:
        """The rules of `[[alerts]]`, and those that follow from `[[slos]]`."""
        return [*self.alerts, *(burn.alert for slo in self.slos for burn in slo.burn_alerts())]

    def sinks_of(self, rule: AlertRule, tenant: str) -> list[str]:
        """The names of the sinks that a tenant's alert by this rule goes to."""
        meant = (sink for sink in self.sinks if sink.gets(tenant))
        return [sink.name for sink in meant if not rule.sinks or sink.name in rule.sinks]

    @property
    def clients_decide(self) -> bool:
        """Whether clients may decide themselves: not where a decision needs what only the sidecar knows."""
        sampling = self.sampling
        return sampling.client_side and sampling.budget is None and not any(rule.signals for rule in sampling.rules)

    @property
    def version(self) -> str:
        """Digest of the policy's meaning: comments and order of keys do not change it."""
        # Who decides, who labels and who is told changes no decision.
        said: dict[str, Any] = {
            "sampling": {"client_side"},
            "labels": True,
            "alerts": True,
            "slos": True,
            "sinks": True,
            "judge": True,
            "consistency": True,
            "spend": True,
            "combination": True,
        }
        if self.privacy == Privacy():
            said["privacy"] = True  # a table that says nothing changes no version
        meant = self.model_dump(mode="json", exclude=said)
        _leave_out_defaults(meant["sampling"])
        canonical = json.dumps(meant, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def stratum(self, fields: Mapping[str, str]) -> tuple[str, float]:
        """The stratum and the inclusion probability of a submission with these fields."""
        for rule in self.sampling.rules:
            if rule.matches(fields):
                return rule.name, rule.rate
        return DEFAULT_STRATUM, self.sampling.rate


def _leave_out_defaults(meant: dict[str, Any]) -> None:
    """What a file does not say changes no version: neither of a file from before it could be said."""
    if meant["budget"] is None:
        del meant["budget"]
    if meant["signals"] == Signals().model_dump(mode="json"):
        del meant["signals"]
    for rule in meant["rules"]:
        if not rule["signals"]:
            del rule["signals"]


def tenant_rules(policy: Policy, tenant: str) -> list[tuple[Rule, dict[str, list[str]]]]:
    """The rules that can match this tenant's submissions, each with its conditions but the one on the tenant."""
    found = []
    for rule in policy.sampling.rules:
        match = {name: [wanted] if isinstance(wanted, str) else list(wanted) for name, wanted in rule.match.items()}
        if tenant in match.pop("tenant", [tenant]):
            found.append((rule, match))
    return found


def parse_policy(text: str) -> Policy:
    """Validates a policy file whole. Raises PolicyInvalidError, which names each wrong field."""
    try:
        return Policy.model_validate(tomllib.loads(text))
    except RecursionError:
        raise PolicyInvalidError("Nested too deeply.") from None
    except tomllib.TOMLDecodeError as error:
        raise PolicyInvalidError(f"Not valid TOML: {error}.") from None
    except ValidationError as error:
        lines = [
            f"{_place(e['loc'])}: {e['msg'].removeprefix('Value error, ')}".removeprefix(": ")
            for e in error.errors(include_url=False)
        ]
        raise PolicyInvalidError("; ".join(lines).removesuffix(".") + ".") from None


def _place(loc: tuple[int | str, ...]) -> str:
    """Where in the file; rules are counted from 1, as `assay check` shows their order."""
    return ".".join(str(part + 1 if isinstance(part, int) else part) for part in loc)


def read_policy(path: Path | None) -> Policy:
    """The policy of a file; the default policy without one. Raises PolicyInvalidError."""
    if path is None:
        return Policy()
    try:
        return parse_policy(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyInvalidError(f"Cannot read {path}: {error}.") from None
