"""The rate: `GET /hallucination-rate`."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request

from service import examples
from service.core.clock import utc_now
from service.core.duration import before, parse_duration
from service.core.errors import QueryInvalidError
from service.core.estimate import METHOD
from service.core.rates import Bucket, make_buckets
from service.core.schemas import BucketAnswer, CountsAnswer, RateAnswer, RatesAnswer
from service.core.store.rates import DIMENSIONS, Stretch, Unit, read_scores, read_states
from service.routes.score import PROBLEM, READ_FAILURES
from service.state import ReadDep, SidecarDep

router = APIRouter(tags=["rates"])

MAX_BUCKETS = 2_000
MINUTE = timedelta(minutes=1)
PARAMETERS = {"from", "to", "window", "granularity", "group_by", "unit", "confidence"}
ESTIMAND = {
    Unit.RESPONSE: (
        "flagged rate: the share that this scorer would flag of all checkable submissions "
        "(those not `not_applicable`), by the process that produced this traffic"
    ),
    Unit.CLAIM: (
        "flagged claim rate: the share that this scorer would flag of all checkable claims in checkable submissions, "
        "by the process that produced this traffic"
    ),
}
INTERVAL_COVERS = (
    "sampling error only, of submissions taken as independent (also within one trace); not the scorer's own mistakes, "
    "and not `pending`, `unscored` and `rejected_overload` submissions: for these see the bounds"
)
BOUNDS_COVER = (
    "the rate of the sample if none, and if all, of `pending`, `unscored`, `rejected_overload` and `scored_by_others` "
    "were flagged; null for claims"
)


@router.get(
    "/hallucination-rate",
    responses=READ_FAILURES
    | {
        200: {"description": "The rates, by time, group and fingerprint."} | examples.shown(examples.RATES),
        400: PROBLEM | {"description": "A query parameter is not valid; `field` names it."},
    },
)
def hallucination_rate(  # noqa: PLR0913, PLR0917 - one argument a query parameter
    request: Request,
    sidecar: SidecarDep,
    caller: ReadDep,
    start: Annotated[str | None, Query(alias="from", description="ISO 8601 with zone; inclusive.")] = None,
    to: Annotated[str | None, Query(description="ISO 8601 with zone; exclusive; now if absent.")] = None,
    window: Annotated[str | None, Query(description="Instead of `from`: 30m, 24h, 7d. 24h if both absent.")] = None,
    granularity: Annotated[
        str | None, Query(description="Width of a bucket: 5m, 1h, 1d; all in one if absent.")
    ] = None,
    group_by: Annotated[str | None, Query(description=f"Comma-separated, of: {', '.join(DIMENSIONS)}.")] = None,
    unit: Annotated[str, Query(description="`response` or `claim`.")] = "response",
    confidence: Annotated[str, Query(description="Of the interval, between 0.5 and 0.9999.")] = "0.95",
) -> RatesAnswer:
    """How often responses are flagged, with an interval, counts and worst-case bounds. Times widen to whole minutes."""
    unknown = sorted(set(request.query_params) - PARAMETERS)
    if unknown:
        raise QueryInvalidError(f"There is no parameter {unknown[0][:50]!r}.", field=unknown[0][:50])
    stretch = _stretch(caller.tenant, start, to, window, granularity, group_by)
    share, level = _unit(unit), _confidence(confidence)
    with sidecar.database.read() as connection:
        states = read_states(connection, stretch)
        scored = read_scores(connection, stretch, share)
    buckets = make_buckets(stretch, share, level, states=states, scored=scored)
    return RatesAnswer(
        estimand=ESTIMAND[share],
        interval_covers=INTERVAL_COVERS,
        bounds_cover=BOUNDS_COVER,
        unit=share,
        confidence=level,
        start=stretch.start,
        end=stretch.end,
        granularity_s=stretch.width_s,
        group_by=list(stretch.group_by),
        buckets=[_bucket(bucket) for bucket in buckets],
    )


def _bucket(bucket: Bucket) -> BucketAnswer:
    flagged = bucket.flagged
    return BucketAnswer(
        start=bucket.start,
        end=bucket.end,
        group=dict(bucket.group),
        fingerprint=bucket.fingerprint,
        flagged=RateAnswer(rate=flagged.rate, ci_low=flagged.low, ci_high=flagged.high, method=METHOD),
        hallucination=None,
        counts=CountsAnswer(**asdict(bucket.counts)),
        effective_n=flagged.effective_n,
        bound_low=bucket.bound_low,
        bound_high=bucket.bound_high,
    )


def _stretch(
    tenant: str, start: str | None, to: str | None, window: str | None, granularity: str | None, group_by: str | None
) -> Stretch:
    if start is not None and window is not None:
        raise QueryInvalidError("Give `from` or `window`, not both.", field="window")
    end = _time(to, "to") if to is not None else utc_now()
    begin = (
        _time(start, "from") if start is not None else before(end, parse_duration(window or "24h", "window"), "window")
    )
    begin, end = _floor(begin), _ceil(end)
    if begin >= end:
        raise QueryInvalidError("`from` must be before `to`.", field="from")
    width = parse_duration(granularity, "granularity") if granularity else end - begin
    if width % MINUTE:
        raise QueryInvalidError("Must be whole minutes.", field="granularity")
    if (end - begin) / width > MAX_BUCKETS:
        raise QueryInvalidError(f"More than {MAX_BUCKETS} buckets. Ask for wider ones.", field="granularity")
    groups = tuple(dict.fromkeys(name.strip() for name in group_by.split(","))) if group_by else ()
    for name in groups:
        if name not in DIMENSIONS:
            raise QueryInvalidError(f"Unknown dimension {name[:50]!r}; use {', '.join(DIMENSIONS)}.", field="group_by")
    return Stretch(tenant=tenant, start=begin, end=end, width_s=int(width.total_seconds()), group_by=groups)


def _time(text: str, field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a + in a URL arrives as a space
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1970 <= moment.year < 9000:  # noqa: PLR2004 - years
        raise QueryInvalidError("Must be an ISO 8601 time with a zone, such as 2026-11-01T00:00:00Z.", field=field)
    return moment.astimezone(UTC)


def _floor(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _ceil(moment: datetime) -> datetime:
    floor = _floor(moment)
    return floor if floor == moment else floor + MINUTE


def _unit(text: str) -> Unit:
    try:
        return Unit(text)
    except ValueError:
        raise QueryInvalidError("Must be response or claim.", field="unit") from None


def _confidence(text: str) -> float:
    try:
        level = float(text)
    except ValueError:
        level = 0.0
    if not 0.5 <= level <= 0.9999:  # noqa: PLR2004 - stated in the message
        raise QueryInvalidError("Must be a number between 0.5 and 0.9999.", field="confidence")
    return level
