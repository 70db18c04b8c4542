"""A notice in words and as JSON. Pure: no sink, no network."""

import math
from datetime import UTC, datetime
from typing import Any

from service.core.alerting.advice import advice
from service.core.alerting.machine import Event, Reading
from service.core.alerting.notice import Example, Notice
from service.core.alerting.rule import POINT_ONLY, Metric
from service.core.alerting.wording import (
    NAMES,
    UNKNOWN,
    count,
    group_words,
    interval_words,
    limit_words,
    match_words,
    moment,
    one_line,
    one_unit,
    pair_words,
    quantity,
    reading_words,
    span,
)

VERSION = 1  # of the payload: fields may be added within it, none is renamed, removed or given another meaning
MAX_SUMMARY_CHARS = 250
LEAST_GROUP_CHARS = 20
SHOWN_OF_EACH = 10  # worst groups, and examples
HEADS = {
    Event.FIRING: "FIRING",
    Event.STILL_FIRING: "STILL FIRING",
    Event.NO_DATA: "NO DATA",
    Event.RESOLVED: "RESOLVED",
}
REASONS = {"rule_removed": "the rule was removed", "group_gone": "nothing came of this group any more"}


def summary(notice: Notice) -> str:
    """One line of at most 250 characters; where there is too much, the group is cut, not the value."""
    head, tail = _around_group(notice)
    group = ", ".join(each for each in (group_words(notice.group), match_words(notice.match)) if each)
    if group:
        left = MAX_SUMMARY_CHARS - len(head) - len(tail) - len(" for ")
        head += f" for {one_line(group, max(LEAST_GROUP_CHARS, left))}"
    return one_line(head + tail, MAX_SUMMARY_CHARS)


def _around_group(notice: Notice) -> tuple[str, str]:
    told = f"{HEADS[notice.event]} {notice.severity}: {one_line(notice.rule)}: {NAMES[notice.metric]}"
    limit = limit_words(notice.metric, notice.above, notice.below)
    now = reading_words(notice.metric, notice.reading, notice.confidence)
    match notice.event:
        case Event.FIRING | Event.STILL_FIRING:
            return f"{told} {limit}", f": {now}"
        case Event.NO_DATA:
            return told, f": unknown, there is nothing to judge in the last {one_unit(notice.window)}"
        case Event.RESOLVED if notice.reason is not None:  # the rate may be as bad as it was
            return f"{told} {limit}", f": ended, {_reason(notice)}"
        case Event.RESOLVED:
            return f"{told} no longer {limit}", f": {now}"


def _reason(notice: Notice) -> str | None:
    return None if notice.reason is None else REASONS.get(notice.reason, one_line(notice.reason))


def lines(notice: Notice, base_url: str | None) -> tuple[str, ...]:
    """The rest of what a person needs, as plain text; the summary is not in it.

    Args:
        notice: what is told.
        base_url: the sidecar's address as people reach it; None: examples are named by their request instead.
    """
    return (*_facts(notice), *_worst(notice), *_examples(notice, base_url), *_advice(notice))


def _facts(notice: Notice) -> list[str]:
    metric, reading = notice.metric, notice.reading
    head = f"Tenant {one_line(notice.tenant)}, rule {one_line(notice.rule)}, severity {notice.severity}."
    group = f"Group: {group_words(notice.group)}."
    only = [f"Only: {match_words(notice.match)}."] if notice.match else []
    ended = "Resolved" if notice.event is Event.RESOLVED else "This notice"
    since = f"Since {moment(notice.since)}."
    if notice.at > notice.since:
        since += f" {ended} at {moment(notice.at)}, {span(notice.at - notice.since)} later."
    value = [f"{NAMES[metric].capitalize()}: {quantity(metric, reading.value)}"]
    value += [each for each in [interval_words(metric, reading, notice.confidence)] if each]
    bad = f"Bad is {limit_words(metric, notice.above, notice.below)}, {_judged(notice)}."
    slow = [] if notice.slow_ms is None else [f"Slow is over {notice.slow_ms:.6g} ms."]
    told = [head, *[group] * bool(notice.group), *only, since, ", ".join(value) + ".", bad, *slow]
    if metric not in POINT_ONLY:
        told.append(f"Effective n: {count(reading.effective_n)}. Coverage: {_coverage(metric, reading)}.")
    if metric is not Metric.QUEUE_AGE:
        told.append(f"Window: the {one_unit(notice.window)} up to {moment(notice.at)}.")
    reason = _reason(notice)
    return [*told, f"Reason: {reason}."] if reason else told


def _judged(notice: Notice) -> str:
    if not notice.by_bound:
        return "by the value"
    return f"by the interval's {'lower' if notice.above is not None else 'upper'} end"


def _coverage(metric: Metric, reading: Reading) -> str:
    if reading.coverage is None or not math.isfinite(reading.coverage):
        return UNKNOWN
    of = "the samples say how long they took" if metric is Metric.SLOW_SHARE else "what should have a score"
    return f"{100 * reading.coverage:.1f}% of {of}"


def _worst(notice: Notice) -> list[str]:
    if not notice.worst:
        return []
    told = [
        f"- {pair_words(each.dimension, each.value)}: {reading_words(notice.metric, each.reading, notice.confidence)}"
        for each in notice.worst[:SHOWN_OF_EACH]
    ]
    return ["Worst groups:", *told]


def _examples(notice: Notice, base_url: str | None) -> list[str]:
    if not notice.examples:
        return []
    told = [f"- {example_words(each)}: {_way_to(each, base_url)}" for each in notice.examples[:SHOWN_OF_EACH]]
    return ["Examples (claims are counted from 0):", *told]


def example_words(example: Example) -> str:
    """Such as `sample a1, claim 0, contradicted`."""
    return f"sample {one_line(example.sample_id)}, claim {example.claim}, {one_line(example.verdict)}"


def link(example: Example, base_url: str | None) -> str | None:
    """The example's address; None where the sidecar's own is not known."""
    return base_url.rstrip("/") + one_line(example.path, 1_000) if base_url else None


def _way_to(example: Example, base_url: str | None) -> str:
    return link(example, base_url) or f"GET {one_line(example.path, 1_000)}"


def _advice(notice: Notice) -> list[str]:
    told = advice(notice)
    return ["What to do:", *(f"- {each}" for each in told)] if told else []


def payload(notice: Notice, base_url: str | None) -> dict[str, Any]:
    """The notice as JSON takes it, documented for receivers. Unknown is null, never left out and never zero."""
    return {
        "version": VERSION,
        "seq": notice.seq,
        "incident": notice.incident,
        "event": notice.event.value,
        "at": _time(notice.at),
        "since": _time(notice.since),
        "reason": notice.reason,
        "summary": summary(notice),
        "tenant": one_line(notice.tenant),
        "rule": notice.rule,
        "group": {one_line(name): one_line(value) or None for name, value in notice.group.items()},
        "match": {one_line(name): [one_line(value) for value in values] for name, values in notice.match.items()},
        "severity": notice.severity.value,
        "metric": notice.metric.value,
        "above": notice.above,
        "below": notice.below,
        "on": "bound" if notice.by_bound else "point",
        "confidence": notice.confidence,
        "slow_ms": notice.slow_ms,
        "window_s": int(notice.window.total_seconds()),
        "reading": _reading(notice.reading),
        "worst": [
            {"dimension": each.dimension, "value": one_line(each.value) or None, "reading": _reading(each.reading)}
            for each in notice.worst
        ],
        "examples": [_example(each, base_url) for each in notice.examples],
    }


def _reading(reading: Reading) -> dict[str, float | None]:
    return {
        "value": _number(reading.value),
        "low": _number(reading.low),
        "high": _number(reading.high),
        "effective_n": _number(reading.effective_n),
        "coverage": _number(reading.coverage),
    }


def _example(example: Example, base_url: str | None) -> dict[str, Any]:
    return {
        "sample_id": one_line(example.sample_id, 200),
        "claim": example.claim,
        "verdict": one_line(example.verdict),
        "path": one_line(example.path, 1_000),
        "url": link(example, base_url),
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _time(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
