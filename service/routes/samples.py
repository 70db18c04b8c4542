"""Samples removed on request: texts, or all that names anyone. Rates stay as they were."""

import time
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from service.core.clock import utc_now
from service.core.duration import parse_duration
from service.core.errors import QueryInvalidError, SampleUnknownError
from service.core.log import log
from service.core.metrics import count_kinds
from service.core.purge import purge
from service.core.sample_schemas import RemovedAnswer
from service.core.store.comments import count_due_comments
from service.core.store.removal import By, Depth, Removal, Removed
from service.core.store.samples import read_state
from service.routes.problem import PROBLEM, READ_FAILURES
from service.state import AdminDep, Sidecar, SidecarDep, refuse_unknown

router = APIRouter(tags=["privacy"])

REQUEST_S = 5.0  # after which an answer says that there is more
PARAMETERS = {"older_than", "session_id", "all", "rows"}
ROWS = "`true`: also the id and all metadata but what rates are grouped by."
BAD_QUERY: dict[int | str, dict[str, Any]] = {
    400: PROBLEM | {"description": "A query parameter is missing or has no valid value."}
}


@router.delete("/samples", responses=READ_FAILURES | BAD_QUERY)
def delete_samples(  # noqa: PLR0913, PLR0917 - one argument a query parameter
    request: Request,
    sidecar: SidecarDep,
    caller: AdminDep,
    older_than: Annotated[str | None, Query(description="Received longer ago than this: 30d, 24h.")] = None,
    session_id: Annotated[str | None, Query(description="Of this session.")] = None,
    everything: Annotated[str, Query(alias="all", description="`true`: all samples of the key's tenant.")] = "false",
    rows: Annotated[str, Query(description=ROWS)] = "false",
) -> RemovedAnswer:
    """Removes the texts of the tenant's samples by age, by session, or of all; in small transactions, for 5 seconds.

    If `complete` is false there is more: send the same request again.
    """
    refuse_unknown(request, PARAMETERS)
    if _flag(everything, "all") is (older_than is not None or session_id is not None):
        raise QueryInvalidError("Give older_than, session_id or both; or all=true and neither.", field="all")
    if session_id is not None and "\0" in session_id:
        raise QueryInvalidError("Contains the character U+0000.", field="session_id")
    now = utc_now()
    removal = Removal(
        tenant=caller.tenant,
        depth=_depth(rows),
        by=By.REQUEST,
        session_id=session_id,
        before=now - parse_duration(older_than, "older_than") if older_than else None,
    )
    return _remove(sidecar, removal)


@router.delete(
    "/samples/{sample_id:path}",
    responses=READ_FAILURES | BAD_QUERY | {404: PROBLEM | {"description": "No sample has this id."}},
)
def delete_sample(
    request: Request,
    sidecar: SidecarDep,
    caller: AdminDep,
    sample_id: str,
    rows: Annotated[str, Query(description=ROWS)] = "false",
) -> RemovedAnswer:
    """Removes the texts of one sample. A pending one is never scored afterwards. Again: the same, with nothing to do."""
    refuse_unknown(request, {"rows"})
    if "\0" in sample_id:  # PostgreSQL takes no such text, not even to look for it
        raise SampleUnknownError
    removal = Removal(tenant=caller.tenant, depth=_depth(rows), by=By.REQUEST, sample_id=sample_id)
    with sidecar.database.read() as connection:
        # What was said of an answer that was never sampled, or whose row has lost its id, can be erased by its id too.
        known = read_state(connection, caller.tenant, sample_id) is not None
        if not known and count_due_comments(connection, removal) == 0:
            raise SampleUnknownError
    return _remove(sidecar, removal)


def _flag(text: str, field: str) -> bool:
    if text not in {"true", "false"}:
        raise QueryInvalidError("Must be true or false.", field=field)
    return text == "true"


def _depth(rows: str) -> Depth:
    return Depth.ROWS if _flag(rows, "rows") else Depth.TEXTS


def _remove(sidecar: Sidecar, removal: Removal) -> RemovedAnswer:
    deadline = time.monotonic() + REQUEST_S
    done, complete = Removed(), True
    for batch in purge(sidecar.database, removal):
        done += batch
        if time.monotonic() > deadline:
            complete = False
            break
    if done:
        sidecar.database.fold_log()
        count_kinds(sidecar.metrics.removed, asdict(done))
        log.info("texts_removed", tenant=removal.tenant, depth=removal.depth.value, **asdict(done))
    return RemovedAnswer(
        samples=done.samples,
        texts_removed=done.texts,
        ended=done.ended,
        comments_removed=done.comments,
        complete=complete,
    )
