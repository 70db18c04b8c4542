"""What the commands of alerts have in common: the policy that they read, and how values are written."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from service.core.alert_answer import rule_of
from service.core.alert_schemas import ReadingAnswer
from service.core.alerting.machine import Reading
from service.core.alerting.rule import AlertRule, Metric
from service.core.alerting.wording import group_words, moment, reading_words, span
from service.core.config import Settings
from service.core.errors import PolicyInvalidError, RuleUnknownError
from service.core.policy import Policy, read_policy

NO_FILE = "ASSAY_POLICY_FILE is not set: without a policy file there are no rules."


def given_policy(settings: Settings, file: Path | None = None) -> Policy:
    """The policy of a file, else that of the settings. Raises PolicyInvalidError, also where neither names one."""
    path = file or settings.policy_file
    if path is None:
        raise PolicyInvalidError("There is no policy file.", next_step="Set ASSAY_POLICY_FILE, or give --policy FILE.")
    return read_policy(path)


def known_rule(policy: Policy, tenant: str, name: str) -> AlertRule:
    """A tenant's rule by name. Raises RuleUnknownError, which lists those that there are."""
    found = rule_of(policy, tenant, name)
    if found is not None:
        return found
    names = [rule.name for rule in policy.alert_rules if rule.is_of(tenant)]
    there = f"Its rules for this tenant: {', '.join(names)}." if names else "It has no alert rules for this tenant."
    raise RuleUnknownError(f"The policy has no alert rule {name[:64]!r} for this tenant.", next_step=there)


def value_words(metric: str | None, told: ReadingAnswer, confidence: float = 0.0) -> str:
    """A reading with its interval and n; of a rule that is no more only the number."""
    if metric is None:
        return "unknown" if told.value is None else f"{told.value:.3g}"
    reading = Reading(
        value=told.value, low=told.low, high=told.high, effective_n=told.effective_n, coverage=told.coverage
    )
    return reading_words(Metric(metric), reading, confidence)


def named_group(group: Mapping[str, str | None]) -> str:
    """Such as `route=search`; empty for a rule without groups."""
    return group_words({name: value or "" for name, value in group.items()})


def since_words(when: datetime, now: datetime) -> str:
    """Such as `2026-11-01 10:05 UTC, 2h 5m ago`."""
    return f"{moment(when)}, {span(now - when)} ago"
