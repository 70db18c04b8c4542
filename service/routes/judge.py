"""The judge: whether it is called, what it found, what it cost."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from service.core.clock import utc_now
from service.core.duration import parse_duration
from service.core.judge_answer import answer_judge
from service.core.review_schemas import JudgeAnswer
from service.routes.problem import PROBLEM, READ_FAILURES
from service.state import ReadDep, SidecarDep, refuse_unknown

router = APIRouter(tags=["judge"])
BAD_QUERY: dict[int | str, dict[str, Any]] = {400: PROBLEM | {"description": "A query parameter has no valid value."}}


@router.get("/judge", responses=READ_FAILURES | BAD_QUERY)
def read_judge(
    request: Request,
    sidecar: SidecarDep,
    caller: ReadDep,
    window: Annotated[
        str, Query(description="Of whole days, UTC, that this time before now lies in: 24h, 30d.")
    ] = "7d",
) -> JudgeAnswer:
    """The tenant's judge and generator: circuits of their workers, reviews by state, calls and cost by day and rule."""
    refuse_unknown(request, {"window"})
    length = parse_duration(window, "window")
    return answer_judge(sidecar.database, sidecar.intake.policy.policy, caller.tenant, length, utc_now())
