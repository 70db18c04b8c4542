"""What operators ask: alive, ready, metrics."""

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.core.db import Database
from service.core.errors import AssayError
from service.core.keys import Scope
from service.core.schemas import ReadyAnswer
from service.core.store.leases import acquire
from service.routes.problem import PROBLEM
from service.state import SidecarDep

router = APIRouter(tags=["operations"])

WRITE_AGAIN_S = 2.0  # after a failed write


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"model": ReadyAnswer, "description": "Samples cannot be stored."}})
def readyz(sidecar: SidecarDep, response: Response) -> ReadyAnswer:
    """Whether samples can be stored: the database takes writes. Redis is reported; losing it costs latency only."""
    database = _database_state(sidecar.database)
    response.status_code = 200 if database == "up" else 503
    return ReadyAnswer(
        status="ready" if database == "up" else "not_ready",
        database=database,
        redis="up" if sidecar.doorbell.answers() else "down",
    )


def _database_state(database: Database) -> Literal["up", "down", "refuses_writes"]:
    try:
        with database.read() as connection:
            connection.exec_driver_sql("SELECT 1 FROM alembic_version")  # SQLite reads no file for a bare SELECT 1
    except AssayError:
        return "down"
    failed_ago_s = database.write_failed_ago_s
    if failed_ago_s is None:
        return "up"
    # Nothing else may write while nobody is sent here: ask, but not with every look.
    if failed_ago_s > WRITE_AGAIN_S and _takes_writes(database):
        return "up"
    return "refuses_writes"


def _takes_writes(database: Database) -> bool:
    try:
        with database.write() as connection:
            acquire(connection, "readyz", "readyz", 0)
    except AssayError:
        return False
    return True


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text format."},
        401: PROBLEM | {"description": "The API key is missing or unknown."},
    },
)
def metrics(request: Request, sidecar: SidecarDep) -> Response:
    """Prometheus metrics; needs scope `read` unless ASSAY_METRICS_OPEN is on, and then tells of all tenants."""
    tenant = None
    if not sidecar.settings.metrics_open:
        authorization = request.headers.get("authorization")
        if sidecar.access.must_read(authorization):
            sidecar.access.read_again()
        caller = sidecar.access.caller(authorization)
        caller.require(Scope.READ)
        tenant = caller.tenant
    return Response(sidecar.scrape.text(tenant), media_type=CONTENT_TYPE_LATEST)
