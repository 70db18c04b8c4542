"""What the buckets of a rule's window say of its metric, group by group. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from service.core.alerting.machine import Reading
from service.core.alerting.rule import AlertRule, Metric
from service.core.intervals import interval
from service.core.rates import Bucket

Group = tuple[str, ...]  # values of the rule's `group_by`, in its order; empty where a caller gave none
WHOLE: Group = ()


def readings(rule: AlertRule, buckets: Sequence[Bucket]) -> Mapping[Group, Reading]:
    """One reading a group; of a group that two scorers scored, by the one that scored more of it.

    A rule without groups always has one: with nothing in it where nothing was judged. So has a rule with nothing in any.
    """
    return together(group_readings(rule, buckets))


def group_readings(rule: AlertRule, buckets: Sequence[Bucket]) -> Mapping[Group, Reading]:
    """One reading for each group that has a bucket, whatever the others say."""
    most: dict[Group, Bucket] = {}
    for bucket in buckets:
        group = tuple(bucket.group[name] or "" for name in rule.group_by)
        if group not in most or bucket.counts.scored > most[group].counts.scored:
            most[group] = bucket
    return {group: _reading(rule, bucket) for group, bucket in most.items()}


def together(found: Mapping[Group, Reading]) -> Mapping[Group, Reading]:
    """The same of all groups of a rule. That nothing can be judged in any is one fact, not one a group."""
    if all(_is_nothing(each) for each in found.values()):
        return {WHOLE: Reading()}
    # Of one group alone nothing was chosen or scored yet: that is too little, while others show that all works.
    little = Reading(effective_n=0.0)
    return {group: replace(little, short=each.short) if _is_nothing(each) else each for group, each in found.items()}


def _is_nothing(reading: Reading) -> bool:
    return reading.value is None and reading.effective_n is None


def _reading(rule: AlertRule, bucket: Bucket) -> Reading:
    match rule.metric:
        case Metric.FLAGGED_RATE | Metric.CLAIM_RATE:
            told = bucket.flagged
            return Reading(
                value=told.rate,
                low=told.low,
                high=told.high,
                effective_n=told.effective_n,
                coverage=coverage(bucket),
            )
        case Metric.HALLUCINATION_RATE:
            return _by_labels(bucket)
        case Metric.UNSCORED_SHARE:
            return _unscored(rule, bucket)
        case Metric.QUEUE_AGE | Metric.SLOW_SHARE | Metric.PROBE_ACCURACY | Metric.PROBE_VARIANCE:
            raise ValueError(f"{rule.metric} is in no bucket")


def coverage(bucket: Bucket) -> float | None:
    """The share of the samples that should have a score by now which have one.

    Pending samples are not counted as missing: a queue that stands still has an alert of its own, `queue_age_s`.
    """
    counts = bucket.counts
    scored = counts.scored + counts.scored_by_others
    due = scored + counts.unscored + counts.rejected_overload + counts.dropped_by_client
    return scored / due if due else None


def _by_labels(bucket: Bucket) -> Reading:
    told = bucket.hallucination
    if bucket.counts.scored == 0:
        return Reading()
    if told is None or told.rate is None:  # too few labels: something was scored, and nothing can be said
        return Reading(effective_n=0.0, coverage=coverage(bucket))
    return Reading(
        value=told.rate, low=told.low, high=told.high, effective_n=told.effective_n, coverage=coverage(bucket)
    )


def _unscored(rule: AlertRule, bucket: Bucket) -> Reading:
    """Of samples, unweighted: it is the workers that are judged, not the traffic."""
    ended = bucket.counts.unscored + bucket.counts.scored + bucket.counts.scored_by_others
    if ended == 0:
        return Reading()
    share = bucket.counts.unscored / ended
    low, high = interval(share, ended, rule.confidence)
    return Reading(value=share, low=low, high=high, effective_n=float(ended), coverage=1.0)
