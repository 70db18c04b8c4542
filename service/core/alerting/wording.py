"""How values, groups and spans of time are written in alerts. Pure."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from service.core.alerting.machine import Reading
from service.core.alerting.rule import POINT_ONLY, Metric
from service.core.visible import visible

MAX_VALUE_CHARS = 100
UNKNOWN = "unknown"
NAMES = {
    Metric.FLAGGED_RATE: "flagged rate",
    Metric.CLAIM_RATE: "claim rate",
    Metric.HALLUCINATION_RATE: "hallucination rate",
    Metric.UNSCORED_SHARE: "unscored share",
    Metric.SLOW_SHARE: "share of slow answers",
    Metric.QUEUE_AGE: "queue age",
    Metric.PROBE_ACCURACY: "probe accuracy",
    Metric.PROBE_VARIANCE: "probe variance",
}
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def one_line(text: str, limit: int = MAX_VALUE_CHARS) -> str:
    """What a caller or an operator chose, as one line that steers nothing; cut with an ellipsis at `limit`."""
    written = visible(text, limit).replace("\n", "\\n")
    return written if len(written) <= limit else written[: limit - 1] + "…"


def group_words(group: Mapping[str, str]) -> str:
    """Such as `route=search, release without a value`; empty for a rule without groups."""
    return ", ".join(pair_words(name, value) for name, value in group.items())


def match_words(match: Mapping[str, Sequence[str]]) -> str:
    """Such as `route=search or faq, release=2`; empty for a rule that is of everything."""
    told = []
    for name, values in match.items():
        first, *others = [pair_words(name, value) for value in values]
        told.append(" or ".join((first, *(each.removeprefix(f"{name}=") for each in others))))
    return ", ".join(told)


def pair_words(name: str, value: str) -> str:
    """Of one dimension; an empty value stands for submissions without one."""
    return f"{one_line(name)}={one_line(value)}" if value else f"{one_line(name)} without a value"


def quantity(metric: Metric, value: float | None) -> str:
    """A share in percent, an age in hours, minutes and seconds, a variance as it is."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if metric is Metric.QUEUE_AGE:
        return span(timedelta(seconds=round(value)))
    if metric is Metric.PROBE_VARIANCE:
        return f"{value:.2g}"
    share = 100 * value
    return f"{share:.2g}%" if 0 < share < 1 else f"{share:.1f}%"


def limit_words(metric: Metric, above: float | None, below: float | None) -> str:
    """Such as `above 5%`: on which side of what it is bad."""
    side, bound = ("above", above) if above is not None else ("below", below or 0.0)
    return f"{side} {_exact(metric, bound)}"


def _exact(metric: Metric, bound: float) -> str:
    match metric:
        case Metric.QUEUE_AGE:
            return quantity(metric, bound)
        case Metric.PROBE_VARIANCE:
            return f"{bound:.6g}"
        case _:
            return f"{100 * bound:.6g}%"


def interval_words(metric: Metric, reading: Reading, confidence: float) -> str | None:
    """Such as `99.9% interval 6.2% to 10.4%`; None where there is none."""
    if reading.low is None or reading.high is None:
        return None
    return f"{100 * confidence:.6g}% interval {quantity(metric, reading.low)} to {quantity(metric, reading.high)}"


def count(value: float | None) -> str:
    """An effective sample size, to the next whole number."""
    return UNKNOWN if value is None or not math.isfinite(value) else f"{value:.0f}"


def reading_words(metric: Metric, reading: Reading, confidence: float) -> str:
    """Such as `8.1% (99.9% interval 6.2% to 10.4%, n=412)`."""
    told = [interval_words(metric, reading, confidence)]
    if metric not in POINT_ONLY and reading.effective_n is not None:
        told.append(f"n={count(reading.effective_n)}")
    details = ", ".join(each for each in told if each)
    value = quantity(metric, reading.value)
    return f"{value} ({details})" if details else value


def span(length: timedelta) -> str:
    """Two units at most, such as `2h 5m`."""
    left, parts = max(0, int(length.total_seconds())), []
    for unit, seconds in _UNITS:
        whole, left = divmod(left, seconds)
        if whole:
            parts.append(f"{whole}{unit}")
    return " ".join(parts[:2]) or "0s"


def one_unit(length: timedelta) -> str:
    """As options and the policy file take it: 90m, 24h, 7d."""
    seconds = int(length.total_seconds())
    if seconds < 86_400 * 2 and seconds % 3_600 == 0:
        return f"{seconds // 3_600}h"  # people say 24h, not 1d
    return next(f"{seconds // size}{unit}" for unit, size in _UNITS if seconds % size == 0)


def moment(when: datetime) -> str:
    """Such as `2026-11-01 10:05 UTC`."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
