"""What `assay check` says of `[[alerts]]`, `[[slos]]` and `[[sinks]]`."""

import math
from collections.abc import Iterable, Sequence

from rich.console import Console

from service.core.alerting.objective import FALSE_FLAGS, FLAGGING, BurnAlert, Slo
from service.core.alerting.rule import POINT_ONLY, AlertRule, Metric
from service.core.alerting.sink import Sink
from service.core.alerting.slo import SEEN_AT, needed_n
from service.core.alerting.wording import NAMES, limit_words, one_line, one_unit
from service.core.policy import Policy
from workers.commands.shown import show_lines, show_rows

RULE_COLUMNS = ("alert", "bad is", "judged by", "of", "over", "for", "takes", "severity", "tells")
BURN_COLUMNS = ("alert", "windows", "burn rate", "bad is, in both", "judged by", "takes", "severity", "tells")
SINK_COLUMNS = ("sink", "sends to", "gets alerts of")
TAKES = (
    "`takes`: the effective samples with a score that a window needs before twice the threshold, seen in it, is told from "
    "the threshold. Where sampling is uneven, samples count as fewer effective ones."
)
WORKERS = "Workers evaluate the rules and tell the sinks: they need this file as ASSAY_POLICY_FILE too."
UNITS = {
    Metric.CLAIM_RATE: "claims",
    Metric.UNSCORED_SHARE: "ended samples",
    Metric.SLOW_SHARE: "samples with a latency",
    Metric.HALLUCINATION_RATE: "samples with enough labels",
}


def show_alerts(policy: Policy, console: Console) -> None:
    """Prints rules, objectives and sinks, and what speaks against them; nothing where there are none."""
    if policy.alerts:
        show_rows(console, RULE_COLUMNS, [_rule_row(rule, policy) for rule in policy.alerts], "Alerts")
    for slo in policy.slos:
        _show_slo(slo, policy, console)
    if policy.sinks:
        rows = [[sink.name, sink.shown, _tenants(sink.tenants)] for sink in policy.sinks]
        show_rows(console, SINK_COLUMNS, rows, "Sinks")
    if policy.alert_rules:
        show_lines(console, TAKES, WORKERS, *_warnings(policy))


def _rule_row(rule: AlertRule, policy: Policy) -> list[str]:
    over = one_unit(rule.window)
    if rule.short_window is not None:
        over = f"{over} and {one_unit(rule.short_window)}"
    for_ = one_unit(rule.for_) if rule.for_ else "at once"
    whose = _whose(rule.matching, rule.group_by, rule.tenants)
    bad = f"{NAMES[rule.metric]} {limit_words(rule.metric, rule.above, rule.below)}"
    takes, tells = _takes(rule), _tells(rule, policy)
    return [rule.name, bad, _judged(rule), whose, over, for_, takes, rule.severity, tells]


def _judged(rule: AlertRule) -> str:
    if rule.metric in POINT_ONLY:
        return ""
    if not rule.by_bound:
        return "the value: chance alone can make it fire"
    return f"{100 * rule.confidence:.6g}% {'lower' if rule.above is not None else 'upper'} bound"


def _whose(matching: Sequence[tuple[str, Sequence[str]]], group_by: Sequence[str], tenants: Sequence[str]) -> str:
    told = [f"each {' and '.join(group_by)}"] if group_by else []
    told += [f"{name} {' or '.join(one_line(value) for value in values)}" for name, values in matching]
    told += [f"tenant {_tenants(tenants)}"] if tenants else []
    return ", ".join(told)


def _tenants(names: Iterable[str]) -> str:
    return " or ".join(one_line(name) for name in names) or "every tenant"


def _takes(rule: AlertRule) -> str:
    """How many samples a window needs."""
    if rule.metric in POINT_ONLY:
        return ""
    unit = UNITS.get(rule.metric, "samples")
    least = math.ceil(rule.min_effective_n)
    if not rule.by_bound or not rule.above:
        return f"{least:,} {unit}, the fewest that are judged"
    return f"{max(least, needed_n(rule.above, rule.confidence)):,} {unit} to tell {_seen(rule.above)}"


def _seen(at: float) -> str:
    return f"{100 * min(1.0, SEEN_AT * at):.4g}% from {100 * at:.4g}%"


def _tells(rule: AlertRule, policy: Policy) -> str:
    """The sinks that any tenant's alert by this rule can go to."""
    told = [sink.name for sink in policy.sinks if _meets(rule, sink)]
    return ", ".join(told) or "nobody"


def _meets(rule: AlertRule, sink: Sink) -> bool:
    named = not rule.sinks or sink.name in rule.sinks
    return named and (not rule.tenants or any(sink.gets(tenant) for tenant in rule.tenants))


def _show_slo(slo: Slo, policy: Policy, console: Console) -> None:
    match = [(name, (wanted,) if isinstance(wanted, str) else wanted) for name, wanted in slo.match.items()]
    whose = _whose(match, (), slo.tenants)
    head = (
        f"Objective {slo.name}: {NAMES[slo.metric]} of at most {_percent(slo.target.bad)} over {one_unit(slo.period)}"
    )
    burns = slo.burn_alerts()
    rows = [_burn_row(burn, slo, policy) for burn in burns]
    show_rows(console, BURN_COLUMNS, rows, head + (f", of {whose}" if whose else ""))
    notes = [f"{burn.alert.name}: {burn.note}." for burn in burns if burn.note]
    notes += [f"A usual pair is left out. {each.why} What works: {each.instead}" for each in slo.refusals()]
    if notes:
        show_lines(console, *notes, "")


def _burn_row(burn: BurnAlert, slo: Slo, policy: Policy) -> list[str]:
    rule, at = burn.alert, burn.rule.threshold(slo.target)
    windows = f"{one_unit(burn.rule.long)} and {one_unit(burn.rule.short)}"
    takes = f"{_takes(rule)} in {one_unit(burn.rule.short)}"
    bad, tells = f"above {_percent(at)}", _tells(rule, policy)
    return [rule.name, windows, f"{burn.rule.burn:.3g}", bad, _judged(rule), takes, rule.severity, tells]


def _percent(share: float) -> str:
    return f"{100 * share:.4g}%"


def _warnings(policy: Policy) -> list[str]:
    told = [_noise(rule) for rule in policy.alerts if rule.metric in FLAGGING and _is_noise(rule)]
    nobody = [rule.name for rule in policy.alert_rules if _tells(rule, policy) == "nobody"]
    if nobody:
        told.append(
            f"Warning: nobody is told of {', '.join(nobody)}: only `assay alerts list` and GET /alerts show it."
        )
    return told


def _is_noise(rule: AlertRule) -> bool:
    return rule.above is not None and rule.above <= FALSE_FLAGS


def _noise(rule: AlertRule) -> str:
    return (
        f"Warning: {rule.name} could fire with no bad answer at all: the threshold `strict` flags up to "
        f"{_percent(FALSE_FLAGS)} of good answers. Set `above` higher, or watch hallucination_rate, which labels correct."
    )
