"""The query of a rate as text: from an URL or a command line, to a stretch of time. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from service.core.clock import EPOCH
from service.core.duration import parse_duration
from service.core.errors import QueryInvalidError
from service.core.estimate import Estimand
from service.core.store.rates import DIMENSIONS, Match, Stretch, Unit
from service.core.store.rollups import HOUR_S, MINUTE_S, MINUTES_KEPT, floor

MAX_BUCKETS = 2_000
MAX_VALUES = 100  # of one dimension
MINUTE, HOUR = timedelta(seconds=MINUTE_S), timedelta(seconds=HOUR_S)
MONDAY = timedelta(days=4)  # after the first of January 1970: weeks begin on one


@dataclass(frozen=True, kw_only=True, slots=True)
class RateQuery:
    """What was asked for, as text; None where nothing was given."""

    tenant: str
    start: str | None = None  # `from`
    to: str | None = None
    window: str | None = None
    granularity: str | None = None
    group_by: str | None = None  # comma-separated
    match: Match = ()
    unit: str = "response"
    confidence: str = "0.95"
    estimand: str = "process"


def read_stretch(query: RateQuery, now: datetime) -> Stretch:
    """Whose submissions, from when to when, and how divided. Raises QueryInvalidError, which names the parameter."""
    if query.start is not None and query.window is not None:
        raise QueryInvalidError("Give `from` or `window`, not both.", field="window")
    end = _time(query.to, "to") if query.to is not None else now
    if query.start is not None:
        begin = _time(query.start, "from")
    else:
        begin = max(EPOCH, end - parse_duration("24h" if query.window is None else query.window, "window"))
    minutes_from = floor(now - MINUTES_KEPT, HOUR_S)
    begin, end = widened(begin, end, now)
    if begin >= end:
        raise QueryInvalidError("`from` must be before `to`.", field="from")
    width = end - begin
    if query.granularity is not None:
        width = parse_duration(query.granularity, "granularity")
        if width % MINUTE:
            raise QueryInvalidError("Must be whole minutes.", field="granularity")
        begin = floor(begin - MONDAY, int(width.total_seconds())) + MONDAY
        if begin < minutes_from and width % HOUR:
            raise QueryInvalidError(
                f"Minutes are kept for {MINUTES_KEPT.days} days. Ask for whole hours, or for a later `from`.",
                field="granularity",
            )
    if (end - begin) / width > MAX_BUCKETS:
        raise QueryInvalidError(f"More than {MAX_BUCKETS} buckets. Ask for wider ones.", field="granularity")
    return Stretch(
        tenant=query.tenant,
        start=begin,
        end=end,
        width_s=int(width.total_seconds()),
        group_by=read_groups(query.group_by, "group_by"),
        match=_read_match(query.match),
    )


def widened(begin: datetime, end: datetime, now: datetime) -> tuple[datetime, datetime]:
    """The same time widened to what sums are kept of: whole minutes, and of over two days ago whole hours."""
    minutes_from = floor(now - MINUTES_KEPT, HOUR_S)
    return (
        floor(begin, MINUTE_S if begin >= minutes_from else HOUR_S),
        _ceil(end, MINUTE_S if end > minutes_from else HOUR_S),
    )


def _read_match(match: Match) -> Match:
    for name, values in match:
        if len(values) > MAX_VALUES:
            raise QueryInvalidError(f"More than {MAX_VALUES} values.", field=name)
        if any("\0" in value for value in values):  # PostgreSQL takes no such text, not even to look for it
            raise QueryInvalidError("Contains the character U+0000.", field=name)
    return match


def read_groups(text: str | None, field: str) -> tuple[str, ...]:
    """Dimensions, comma-separated, each once. Raises QueryInvalidError."""
    groups = tuple(dict.fromkeys(name.strip() for name in text.split(","))) if text is not None else ()
    for name in groups:
        if name not in DIMENSIONS:
            raise QueryInvalidError(f"Unknown dimension {name[:50]!r}; use {', '.join(DIMENSIONS)}.", field=field)
    return groups


def _time(text: str, field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a + in a URL arrives as a space
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1970 <= moment.year < 9000:  # noqa: PLR2004 - years
        raise QueryInvalidError("Must be an ISO 8601 time with a zone, such as 2026-11-01T00:00:00Z.", field=field)
    return moment.astimezone(UTC)


def _ceil(moment: datetime, width_s: int) -> datetime:
    below = floor(moment, width_s)
    return below if below == moment else below + timedelta(seconds=width_s)


def read_unit(text: str) -> Unit:
    """What the rate is a share of. Raises QueryInvalidError."""
    try:
        return Unit(text)
    except ValueError:
        raise QueryInvalidError("Must be response or claim.", field="unit") from None


def read_estimand(text: str) -> Estimand:
    """What the interval is of. Raises QueryInvalidError."""
    try:
        return Estimand(text)
    except ValueError:
        raise QueryInvalidError("Must be process or traffic.", field="estimand") from None


def read_confidence(text: str) -> float:
    """Of the interval. Raises QueryInvalidError."""
    try:
        level = float(text)
    except ValueError:
        level = 0.0
    if not 0.5 <= level <= 0.9999:  # noqa: PLR2004 - stated in the message
        raise QueryInvalidError("Must be a number between 0.5 and 0.9999.", field="confidence")
    return level
