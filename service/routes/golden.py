"""Golden runs: made here and scored by the workers, or stored by the command line; read and compared."""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from redis.exceptions import RedisError
from sqlalchemy import Connection

from service import examples
from service.core.clock import utc_now
from service.core.errors import (
    GoldenRunsDifferError,
    GoldenRunUnknownError,
    OverloadedError,
    QueryInvalidError,
)
from service.core.golden.item import set_digest
from service.core.golden.record import TargetKind
from service.core.golden.run_payload import check_run
from service.core.golden.run_schemas import (
    NO_BASELINE,
    GoldenRunAccepted,
    GoldenRunAnswer,
    GoldenRunRemoved,
    GoldenRunsAnswer,
    GoldenRunSent,
    GoldenSetAnswer,
)
from service.core.golden.sets import shipped_set
from service.core.golden_answer import RunQuery, answer_run, answer_runs, state_of
from service.core.keys import Scope
from service.core.log import log
from service.core.payload import parse_sent
from service.core.schemas import Submission
from service.core.store.golden import Wanted, find_run, remove_run
from service.core.store.golden_adding import NewAnswer, NewRun, add_run, body_digest, find_body, new_set
from service.core.store.golden_taking import count_golden
from service.routes.problem import FAILURES, PROBLEM, READ_FAILURES
from service.state import AdminDep, ReadDep, Sidecar, SidecarDep, authorize, read_body, refuse_unknown, sidecar_of

router = APIRouter(tags=["golden runs"])

MAX_RUNS = 500  # of one page
RUN: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/GoldenRunSent"},  # put there by service.openapi
                "example": examples.GOLDEN_RUN,
            }
        },
    }
}
BAD_QUERY: dict[int | str, dict[str, Any]] = {
    400: PROBLEM | {"description": "A query parameter is not valid; `field` names it."}
}
NO_RUN: dict[int | str, dict[str, Any]] = {404: PROBLEM | {"description": "There is no such golden run."}}
CONFLICT = "Another run has this id, or the baseline is of another kind or set."
OTHERS: dict[int | str, dict[str, Any]] = {
    404: PROBLEM | {"description": "There is no such baseline, or no such set."},
    409: PROBLEM | {"description": CONFLICT},
    429: PROBLEM | {"description": "Too many answers are waiting to be scored."},
}


@router.post("/golden-runs", status_code=202, responses=FAILURES | OTHERS, openapi_extra=RUN)
async def post_golden_run(request: Request) -> GoldenRunAccepted:
    """Stores a run; workers score it. The same id with the same body is one run. Nobody is called: an application's answers come along."""
    caller = await authorize(request, Scope.LABEL)
    return await run_in_threadpool(_accept, sidecar_of(request), caller.tenant, await read_body(request))


def _accept(sidecar: Sidecar, tenant: str, body: bytes) -> GoldenRunAccepted:
    run = _new_run(sidecar, tenant, parse_sent(body, GoldenRunSent))
    with sidecar.database.write() as connection:
        if find_body(connection, tenant, run.id) is None:  # else it is answered as the first time, whatever holds now
            _check_room(connection, sidecar, len(run.answers))
            _check_baseline(connection, run)
        added = add_run(connection, run, utc_now())
        stored = find_run(connection, tenant, run.id)
    if added:
        log.info("golden_run_accepted", tenant=tenant, answers=len(run.answers))
        _ring(sidecar)
    return GoldenRunAccepted(
        id=run.id,
        state=state_of(stored),
        answers=sum(stored.counts.values()),
        status_url=f"/golden-runs/{quote(run.id, safe='')}",
    )


def _new_run(sidecar: Sidecar, tenant: str, sent: GoldenRunSent) -> NewRun:
    now, in_force, key = utc_now(), sidecar.intake.policy, sidecar.settings.digest_key

    def redacted(text: str) -> str:
        return in_force.guard.protect(Submission(response=text, tags={}, features={}), tenant).submission.response

    checked = check_run(sent, sidecar.settings, now.date(), redacted)
    return NewRun(
        tenant=tenant,
        id=sent.id or uuid4().hex,
        body_digest=body_digest(
            sent.model_dump(mode="json", exclude_unset=True), key.get_secret_value().encode() if key else None
        ),
        golden=new_set(sent.set, checked.items),
        kind=sent.target,
        target=sent.name or sent.target.value,
        repeats=sent.repeats,
        answers=[NewAnswer(position=p, repeat=r, record=record) for p, r, record in checked.answers],
        created_at=now,
        release=sent.release or "",
        git_commit=sent.git_commit or "",
        baseline=sent.baseline,
        margin=sent.margin,
        quarantined=checked.quarantined,
        store_text=in_force.policy.privacy.of(tenant).store_text.value,
    )


def _check_room(connection: Connection, sidecar: Sidecar, answers: int) -> None:
    most = sidecar.settings.max_pending
    if count_golden(connection, most) + answers > most:
        raise OverloadedError("Too many answers of golden runs are waiting to be scored.")


def _check_baseline(connection: Connection, run: NewRun) -> None:
    """A run that could never be compared is refused before anything is scored."""
    if run.baseline is None:
        return
    try:
        baseline = find_run(connection, run.tenant, run.baseline)
    except GoldenRunUnknownError as error:
        raise GoldenRunUnknownError(error.detail, field="baseline") from None
    if (baseline.kind, baseline.set_name) != (run.kind, run.golden.name):
        raise GoldenRunsDifferError(
            f"The baseline tested the {baseline.kind} over the set {baseline.set_name!r}.", field="baseline"
        )


def _ring(sidecar: Sidecar) -> None:
    """Tells workers; they look by themselves every few seconds."""
    try:
        rung = sidecar.doorbell.ring()
    except RedisError as error:
        sidecar.metrics.doorbell.labels("failed").inc()
        log.debug("doorbell_failed", error=type(error).__name__)
    else:
        sidecar.metrics.doorbell.labels("rung" if rung else "enough").inc()


@router.get("/golden-runs", responses=READ_FAILURES | BAD_QUERY)
def golden_runs(  # noqa: PLR0913, PLR0917 - one argument a query parameter
    request: Request,
    sidecar: SidecarDep,
    caller: ReadDep,
    set_name: Annotated[str | None, Query(alias="set", description="Of the set of this name.")] = None,
    kind: Annotated[str | None, Query(description="Of this kind of target.")] = None,
    release: Annotated[str | None, Query(description="Of this release.")] = None,
    before: Annotated[str | None, Query(description="Behind the last page: its `next_before`.")] = None,
    limit: Annotated[str, Query(description=f"Most runs, up to {MAX_RUNS}.")] = "100",
) -> GoldenRunsAnswer:
    """Runs, newest first, with how many of their answers are in which state."""
    refuse_unknown(request, {"set", "kind", "release", "before", "limit"})
    if kind is not None and kind not in set(TargetKind):
        raise QueryInvalidError(f"Must be {' or '.join(TargetKind)}.", field="kind")
    wanted = Wanted(
        tenant=caller.tenant,
        set_name=_without_nul(set_name, "set"),
        kind=None if kind is None else TargetKind(kind),
        release=_without_nul(release, "release"),
        before=None if before is None else _whole(before, "before", 2**62),
        limit=_whole(limit, "limit", MAX_RUNS),
    )
    return answer_runs(sidecar.database, wanted)


@router.get(
    "/golden-runs/{run_id}",
    responses=READ_FAILURES | BAD_QUERY | NO_RUN | {409: PROBLEM | {"description": "The two cannot be compared."}},
)
def golden_run(  # noqa: PLR0913, PLR0917 - one argument a query parameter
    request: Request,
    sidecar: SidecarDep,
    caller: ReadDep,
    run_id: str,
    baseline: Annotated[
        str | None, Query(description=f"The run to compare it with, or `{NO_BASELINE}`; else the one stored with it.")
    ] = None,
    margin: Annotated[
        str | None, Query(description="The greatest change for the worse that passes, 0 to 1; else the stored one.")
    ] = None,
    record: Annotated[str, Query(description="`true`: with all items and answers.")] = "false",
) -> GoldenRunAnswer:
    """A run: its rates, and whether it is worse than its baseline."""
    refuse_unknown(request, {"baseline", "margin", "record"})
    if record not in {"true", "false"}:
        raise QueryInvalidError("Must be true or false.", field="record")
    query = RunQuery(
        tenant=caller.tenant,
        id=_known_text(run_id),
        baseline=_without_nul(baseline, "baseline"),
        margin=None if margin is None else _share(margin, "margin"),
        record=record == "true",
    )
    return answer_run(sidecar.database, query)


@router.delete("/golden-runs/{run_id}", responses=READ_FAILURES | BAD_QUERY | NO_RUN)
def delete_golden_run(request: Request, sidecar: SidecarDep, caller: AdminDep, run_id: str) -> GoldenRunRemoved:
    """Removes a run with its answers, and its items with the last run over them. Pending answers are never scored."""
    refuse_unknown(request, set())
    with sidecar.database.write() as connection:
        answers = remove_run(connection, caller.tenant, _known_text(run_id))
    sidecar.database.fold_log()
    log.info("golden_run_removed", tenant=caller.tenant, answers=answers)
    return GoldenRunRemoved(id=run_id, answers=answers)


@router.get(
    "/golden-sets/{name}",
    responses=READ_FAILURES | BAD_QUERY | {404: PROBLEM | {"description": "There is no such set."}},
)
def golden_set(request: Request, caller: ReadDep, name: str) -> GoldenSetAnswer:
    """The items of a set that comes with Assay: what to ask an application."""
    del caller
    refuse_unknown(request, set())
    golden = shipped_set(name)
    return GoldenSetAnswer(
        name=golden.name,
        set_digest=set_digest(golden.items),
        items=list(golden.items),
        quarantined=sorted(golden.quarantine_on(utc_now().date())),
    )


def _known_text(run_id: str) -> str:
    if "\0" in run_id:  # PostgreSQL takes no such text, not even to look for it
        raise GoldenRunUnknownError
    return run_id


def _without_nul(text: str | None, field: str) -> str | None:
    if text is not None and "\0" in text:
        raise QueryInvalidError("Contains the character U+0000.", field=field)
    return text


def _whole(text: str, field: str, most: int) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(most)) else 0
    if not 1 <= number <= most:
        raise QueryInvalidError(f"Must be a whole number from 1 to {most}.", field=field)
    return number


def _share(text: str, field: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise QueryInvalidError("Must be a number from 0 to 1.", field=field)
    return share
