"""Alerts: where rules stand, what was told, silences, what a rule would have done, and objectives."""

from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from service.core.alert_answer import answer_alerts, answer_history, rule_of, silence_answer
from service.core.alert_schemas import (
    LONGEST_SILENCE,
    MAX_EVENTS,
    AlertsAnswer,
    BacktestAnswer,
    HistoryAnswer,
    SilenceAnswer,
    SilencesAnswer,
    SilenceSent,
    SlosAnswer,
)
from service.core.backtest_answer import Trial, answer_backtest, changed_rule
from service.core.clock import utc_now
from service.core.duration import parse_duration
from service.core.errors import (
    OverloadedError,
    PayloadInvalidError,
    QueryInvalidError,
    RuleUnknownError,
    SilenceUnknownError,
)
from service.core.keys import Scope
from service.core.payload import decode_document, parse_sent
from service.core.rate_query import RateQuery, read_stretch
from service.core.slo_answer import answer_slos
from service.core.store.alerts import Past
from service.core.store.silences import MAX_SILENCES, Silence, add_silence, end_silence, read_silences
from service.routes.problem import FAILURES, PROBLEM, READ_FAILURES
from service.state import AdminDep, ReadDep, Sidecar, SidecarDep, authorize, read_body, refuse_unknown, sidecar_of

router = APIRouter(tags=["alerts"])

_REPLAYING = Lock()  # a backtest may take seconds of the core that submissions need
BAD_QUERY: dict[int | str, dict[str, Any]] = {
    400: PROBLEM | {"description": "A query parameter is not valid; `field` names it."}
}
NO_RULE: dict[int | str, dict[str, Any]] = {404: PROBLEM | {"description": "The policy has no such rule."}}
SILENCE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/SilenceSent"},  # put there by service.openapi
                "example": {
                    "rule": "made-up",
                    "group": {"route": "search"},
                    "ends_at": "2026-12-01T08:00:00Z",
                    "reason": "The index is being rebuilt.",
                    "created_by": "mira",
                },
            }
        },
    }
}
TRIAL: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "description": "Fields of the rule to try with other values; none if there is no body.",
        "content": {"application/json": {"schema": {"type": "object"}, "example": {"above": 0.08, "for": "30m"}}},
    }
}


@router.get("/alerts", responses=READ_FAILURES | BAD_QUERY)
def alerts(request: Request, sidecar: SidecarDep, caller: ReadDep) -> AlertsAnswer:
    """Every rule and where it stands, with its last reading, worst first. Workers evaluate them, one at a time."""
    refuse_unknown(request, set())
    policy = sidecar.intake.policy.policy
    return answer_alerts(sidecar.database, policy, caller.tenant, utc_now(), sidecar.settings.alert_interval_s)


@router.get("/alerts/history", responses=READ_FAILURES | BAD_QUERY)
def history(  # noqa: PLR0913, PLR0917 - one argument a query parameter
    request: Request,
    sidecar: SidecarDep,
    caller: ReadDep,
    rule: Annotated[str | None, Query(description="Only of this rule.")] = None,
    start: Annotated[str | None, Query(alias="from", description="ISO 8601 with zone; inclusive.")] = None,
    to: Annotated[str | None, Query(description="ISO 8601 with zone; exclusive; now if absent.")] = None,
    window: Annotated[str | None, Query(description="Instead of `from`: 24h, 30d. 24h if both absent.")] = None,
    before: Annotated[
        str | None, Query(description="Only events behind the one of this `seq`: the answer's `next_before`.")
    ] = None,
    limit: Annotated[str, Query(description=f"Most events, up to {MAX_EVENTS}.")] = "100",
) -> HistoryAnswer:
    """What was decided and told, newest first, with what became of telling each sink."""
    refuse_unknown(request, {"rule", "from", "to", "window", "before", "limit"})
    stretch = read_stretch(RateQuery(tenant=caller.tenant, start=start, to=to, window=window), utc_now())
    past = Past(
        tenant=caller.tenant,
        start=stretch.start,
        end=stretch.end,
        rule=_without_nul(rule),
        before=None if before is None else _whole(before, "before", 2**62),
        limit=_whole(limit, "limit", MAX_EVENTS),
    )
    may_see = Scope.ADMIN in caller.scopes
    return answer_history(sidecar.database, past, sidecar.settings.public_url or None, errors=may_see)


def _without_nul(text: str | None) -> str | None:
    if text is not None and "\0" in text:  # PostgreSQL takes no such text, not even to look for it
        raise QueryInvalidError("Contains the character U+0000.", field="rule")
    return text


def _whole(text: str, field: str, most: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(most)) else 0
    if not 1 <= number <= most:
        raise QueryInvalidError(f"Must be a whole number from 1 to {most}.", field=field)
    return number


@router.get("/alerts/silences", responses=READ_FAILURES | BAD_QUERY)
def silences(
    request: Request,
    sidecar: SidecarDep,
    caller: ReadDep,
    ended: Annotated[str, Query(description="`true`: those that are over too.")] = "false",
) -> SilencesAnswer:
    """Silences, newest first."""
    refuse_unknown(request, {"ended"})
    if ended not in {"true", "false"}:
        raise QueryInvalidError("Must be true or false.", field="ended")
    now = utc_now()
    with sidecar.database.read() as connection:
        found = read_silences(connection, caller.tenant, None if ended == "true" else now)
    return SilencesAnswer(silences=[silence_answer(each, now) for each in found])


@router.post("/alerts/silences", responses=FAILURES, openapi_extra=SILENCE)
async def post_silence(request: Request) -> SilenceAnswer:
    """Tells sinks nothing of a rule's alerts, or of all, until then. They are evaluated and recorded all the same.

    What is opened meanwhile and still open at the end is told then; `resolved` of what was told before is always told.
    """
    caller = await authorize(request, Scope.ADMIN)
    sent = parse_sent(await read_body(request), SilenceSent)
    return await run_in_threadpool(_silence, sidecar_of(request), caller.tenant, sent)


def _silence(sidecar: Sidecar, tenant: str, sent: SilenceSent) -> SilenceAnswer:
    now = utc_now()
    if not now < sent.ends_at <= now + LONGEST_SILENCE:
        raise PayloadInvalidError(f"Must lie ahead, by {LONGEST_SILENCE.days} days at most.", field="ends_at")
    if sent.rule is not None:
        rule = rule_of(sidecar.intake.policy.policy, tenant, sent.rule)
        if rule is None:
            raise PayloadInvalidError(
                "The policy has no alert rule of this name; GET /alerts lists them.", field="rule"
            )
        if not sent.group.keys() <= set(rule.group_by):
            raise PayloadInvalidError(f"The rule has other groups: {list(rule.group_by)}.", field="group")
    silence = Silence(
        rule=sent.rule,
        group=sent.group,
        reason=sent.reason,
        created_by=sent.created_by,
        created_at=now,
        ends_at=sent.ends_at,
    )
    with sidecar.database.write() as connection:
        if len(read_silences(connection, tenant, now)) >= MAX_SILENCES:
            raise PayloadInvalidError(f"There are {MAX_SILENCES} silences that are not over. End some.", field="")
        return silence_answer(add_silence(connection, tenant, silence), now)


@router.delete(
    "/alerts/silences/{number}",
    responses=READ_FAILURES | BAD_QUERY | {404: PROBLEM | {"description": "There is no such silence."}},
)
def delete_silence(request: Request, sidecar: SidecarDep, caller: AdminDep, number: str) -> SilenceAnswer:
    """Ends a silence now; it stays in the list of those that are over."""
    refuse_unknown(request, set())
    now = utc_now()
    wanted = _whole(number, "number", 2**62)
    with sidecar.database.write() as connection:
        ended = end_silence(connection, caller.tenant, wanted, now)
    if ended is None:
        raise SilenceUnknownError(f"There is no silence {wanted}.")
    return silence_answer(ended, now)


@router.post("/alerts/{rule}/backtest", responses=FAILURES | BAD_QUERY | NO_RULE, openapi_extra=TRIAL)
async def backtest(
    request: Request,
    rule: str,
    window: Annotated[str, Query(description="How far back: 24h, 30d, up to 90d.")] = "30d",
) -> BacktestAnswer:
    """How often, when and for how long a rule would have fired; with a body, if some of its fields were others."""
    caller = await authorize(request, Scope.READ)
    refuse_unknown(request, {"window"})
    body = await read_body(request)
    changes = decode_document(body) if body else {}
    if not isinstance(changes, dict):
        raise PayloadInvalidError("Must be a JSON object with fields of the rule.", field="")
    sidecar = sidecar_of(request)
    found = rule_of(sidecar.intake.policy.policy, caller.tenant, rule)
    if found is None:
        raise RuleUnknownError(f"The policy has no alert rule {rule[:64]!r}.")
    tried, changed = changed_rule(found, changes)
    trial = Trial(rule=tried, changed=changed, tenant=caller.tenant, length=parse_duration(window, "window"))
    return await run_in_threadpool(_replay, sidecar, trial)


def _replay(sidecar: Sidecar, trial: Trial) -> BacktestAnswer:
    if not _REPLAYING.acquire(blocking=False):
        raise OverloadedError("Another backtest is running; there is one at a time.")
    try:
        return answer_backtest(sidecar.database, trial, utc_now())
    finally:
        _REPLAYING.release()


@router.get("/slos", responses=READ_FAILURES | BAD_QUERY)
def slos(request: Request, sidecar: SidecarDep, caller: ReadDep) -> SlosAnswer:
    """Every objective: how much of its error budget is left, how fast it burns, and whether its rules can fire."""
    refuse_unknown(request, set())
    return answer_slos(sidecar.database, sidecar.intake.policy.policy, caller.tenant, utc_now())
