"""What operators ask: alive, ready, metrics."""

from collections.abc import Iterator
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import AssayError
from service.core.keys import Scope
from service.core.metrics import SidecarMetrics
from service.core.schemas import ReadyAnswer
from service.core.store.leases import acquire
from service.core.store.taking import backlog
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
    """Prometheus metrics; needs scope `read` unless ASSAY_METRICS_OPEN is on."""
    if not sidecar.settings.metrics_open:
        authorization = request.headers.get("authorization")
        if sidecar.access.must_read(authorization):
            sidecar.access.read_again()
        sidecar.access.caller(authorization).require(Scope.READ)
    backlog_registry = CollectorRegistry()
    backlog_registry.register(_BacklogCollector(sidecar.database, sidecar.metrics))
    text = generate_latest(backlog_registry) + generate_latest(sidecar.metrics.registry)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


class _BacklogCollector(Collector):
    """The backlog at the time of the scrape; absent, and the failure counted, where it cannot be read."""

    def __init__(self, database: Database, metrics: SidecarMetrics) -> None:
        self._database = database
        self._metrics = metrics

    def describe(self) -> Iterator[GaugeMetricFamily]:
        yield from ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            with self._database.read() as connection:
                held = backlog(connection)
        except AssayError:
            self._metrics.scrape_failures.inc()
            return
        yield GaugeMetricFamily("assay_pending_samples", "Samples not finished.", value=held.pending)
        if held.oldest_received_at is not None:
            age = max(0.0, (utc_now() - held.oldest_received_at).total_seconds())  # the clock may have been set back
            yield GaugeMetricFamily("assay_oldest_pending_seconds", "Age of the oldest unfinished sample.", value=age)
