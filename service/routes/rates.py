"""Rates: `GET /hallucination-rate`, and the comparison of two."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from service import examples
from service.core.clock import utc_now
from service.core.compare_answer import CompareQuery, answer_compare
from service.core.compare_schemas import CompareAnswer
from service.core.rate_answer import answer_rates
from service.core.rate_query import RateQuery
from service.core.schemas import RatesAnswer
from service.core.store.rates import DIMENSIONS, Match
from service.routes.problem import PROBLEM, READ_FAILURES
from service.state import ReadDep, SidecarDep, refuse_unknown

router = APIRouter(tags=["rates"])

COMPARED = {
    "from",
    "to",
    "window",
    "baseline_from",
    "baseline_to",
    "dimension",
    "first",
    "second",
    "split_by",
    "unit",
    "confidence",
    "estimand",
    *DIMENSIONS,
}
PARAMETERS = {"from", "to", "window", "granularity", "group_by", "unit", "confidence", "estimand", *DIMENSIONS}
ONLY = "Only submissions with this value; may be repeated. Empty: those without one."
Values = Annotated[list[str] | None, Query(description=ONLY)]


async def _match(
    model: Values = None,
    release: Values = None,
    prompt_version: Values = None,
    route: Values = None,
    stratum: Values = None,
) -> Match:
    given = zip(DIMENSIONS, (model, release, prompt_version, route, stratum), strict=True)
    return tuple((name, tuple(values)) for name, values in given if values is not None)


MatchDep = Annotated[Match, Depends(_match)]


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
    match: MatchDep,
    start: Annotated[str | None, Query(alias="from", description="ISO 8601 with zone; inclusive.")] = None,
    to: Annotated[str | None, Query(description="ISO 8601 with zone; exclusive; now if absent.")] = None,
    window: Annotated[str | None, Query(description="Instead of `from`: 30m, 24h, 7d. 24h if both absent.")] = None,
    granularity: Annotated[
        str | None, Query(description="Width of a bucket: 5m, 1h, 1d; all in one if absent.")
    ] = None,
    group_by: Annotated[str | None, Query(description=f"Comma-separated, of: {', '.join(DIMENSIONS)}.")] = None,
    unit: Annotated[str, Query(description="`response` or `claim`.")] = "response",
    confidence: Annotated[str, Query(description="Of the interval, between 0.5 and 0.9999.")] = "0.95",
    estimand: Annotated[
        str, Query(description="`process`: what produced the traffic; `traffic`: what came, and no more.")
    ] = "process",
) -> RatesAnswer:
    """How often responses are flagged, with an interval, counts and worst-case bounds.

    Times widen to whole minutes, those of over two days ago to whole hours; with `granularity`, `from` to a multiple of it.
    """
    refuse_unknown(request, PARAMETERS)
    query = RateQuery(
        tenant=caller.tenant,
        match=match,
        start=start,
        to=to,
        window=window,
        granularity=granularity,
        group_by=group_by,
        unit=unit,
        confidence=confidence,
        estimand=estimand,
    )
    return answer_rates(sidecar.database, query, utc_now())


@router.get(
    "/hallucination-rate/compare",
    responses=READ_FAILURES | {400: PROBLEM | {"description": "A query parameter is not valid; `field` names it."}},
)
def compare(  # noqa: PLR0913, PLR0917 - one argument a query parameter
    request: Request,
    sidecar: SidecarDep,
    caller: ReadDep,
    match: MatchDep,
    start: Annotated[str | None, Query(alias="from", description="Of the second window; inclusive.")] = None,
    to: Annotated[str | None, Query(description="Of the second window; exclusive; now if absent.")] = None,
    window: Annotated[str | None, Query(description="Instead of `from`: 24h, 7d.")] = None,
    baseline_from: Annotated[str | None, Query(description="Of the first window; if absent the time before.")] = None,
    baseline_to: Annotated[str | None, Query(description="Of the first window; exclusive.")] = None,
    dimension: Annotated[str | None, Query(description="Compare two groups of this instead of two windows.")] = None,
    first: Annotated[str | None, Query(description="One group; empty for submissions without it.")] = None,
    second: Annotated[str | None, Query(description="The other one.")] = None,
    split_by: Annotated[
        str | None, Query(description="Split the change into mix and change within these groups.")
    ] = None,
    unit: Annotated[str, Query(description="`response` or `claim`.")] = "response",
    confidence: Annotated[str, Query(description="Of the intervals, between 0.5 and 0.9999.")] = "0.95",
    estimand: Annotated[str, Query(description="`process` or `traffic`.")] = "process",
) -> CompareAnswer:
    """How much a rate has changed: two windows, or two groups of one window, with an interval of the difference.

    With `split_by` the change of the flagged rate is split into what comes in (mix) and how it is answered (within).
    Only scores of one fingerprint are compared.
    """
    refuse_unknown(request, COMPARED)
    query = RateQuery(
        tenant=caller.tenant,
        match=match,
        start=start,
        to=to,
        window=window,
        unit=unit,
        confidence=confidence,
        estimand=estimand,
    )
    asked = CompareQuery(
        query=query,
        baseline_start=baseline_from,
        baseline_to=baseline_to,
        dimension=dimension,
        first=first,
        second=second,
        split_by=split_by,
    )
    return answer_compare(sidecar.database, asked, utc_now())
