"""What operators ask: alive, ready, metrics."""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import AssayError
from service.core.keys import Scope
from service.core.metrics import SidecarMetrics
from service.core.store.taking import backlog
from service.state import Sidecar, SidecarDep

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: {"description": "The database does not answer."}})
def readyz(sidecar: SidecarDep) -> Response:
    """Whether submissions can be accepted: the database answers. Redis is reported; losing it costs latency only."""
    database, redis = _database_answers(sidecar), _redis_answers(sidecar)
    status = "ready" if database else "not_ready"
    body: dict[str, Any] = {
        "status": status,
        "database": "up" if database else "down",
        "redis": "up" if redis else "down",
    }
    return JSONResponse(body, 200 if database else 503)


def _database_answers(sidecar: Sidecar) -> bool:
    try:
        with sidecar.database.read() as connection:
            connection.exec_driver_sql("SELECT 1 FROM alembic_version")  # SQLite reads no file for a bare SELECT 1
    except AssayError:
        return False
    return True


def _redis_answers(sidecar: Sidecar) -> bool:
    try:
        return bool(sidecar.doorbell.connection.ping())
    except (RedisError, OSError):
        return False


@router.get("/metrics", response_class=Response)
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
            age = (utc_now() - held.oldest_received_at).total_seconds()
            yield GaugeMetricFamily("assay_oldest_pending_seconds", "Age of the oldest unfinished sample.", value=age)
