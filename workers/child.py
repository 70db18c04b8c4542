"""The resident worker process: model loaded once, then jobs and ticks until told to stop."""

import os
import signal
import sys
from types import FrameType
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer

from models.load import load_scorer
from models.types import ModelError, Scorer
from service.core.config import Settings, read_settings
from service.core.db import Database, require_current
from service.core.errors import AssayError, StoreUnavailableError
from service.core.golden.probes import shipped_probes
from service.core.log import configure_logging, log
from service.core.metrics import WorkerMetrics
from service.core.queue import Doorbell, connect, judge_queue
from service.core.store.taking import TakeLimits
from workers.alerts.delivery import Deliverer
from workers.alerts.evaluator import Evaluator
from workers.golden.probing import Probing
from workers.jobs import DrainJob, make_resident
from workers.pipeline import Pipeline
from workers.policy_file import PolicyFile
from workers.progress import EXIT_MISCONFIGURED, Progress
from workers.retention import Retention
from workers.review_sweep import ReviewSweep
from workers.reviewing import Reviewing
from workers.scorer import scorer_config
from workers.ticker import Ticker

LISTEN_S = 1  # how long one blocking look at the queue lasts
REST_S = 2.0  # after Redis failed


class ResidentWorker(SimpleWorker):
    """RQ's worker in one process, which leaves signals to us and looks up every second."""

    max_connection_wait_time = REST_S  # RQ would sleep up to a minute, deaf to a stop
    progress: Progress

    @property
    def dequeue_timeout(self) -> int:
        """Seconds of one blocking look."""
        return LISTEN_S

    def _install_signal_handlers(self) -> None:
        """Ours stay installed."""

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """RQ's heartbeat between two looks: the one place where stopping loses nothing."""
        # Asked first: while Redis is away RQ's own heartbeat raises, and RQ would look again for ever.
        if pipeline is None and self.progress.stopping:
            raise StopRequested
        super().heartbeat(timeout, pipeline)


def main() -> int:
    """Runs one worker; its exit status. The first argument is the pipe to the parent, if there is one."""
    progress = Progress(int(sys.argv[1]) if len(sys.argv) > 1 else None)
    stop_on_signals(progress)
    try:
        settings = read_settings()
        configure_logging(settings)
        database = open_database(settings, progress)
        scorer = _load_scorer(settings, progress) if database else None
    except (AssayError, ModelError) as error:
        print(f"assay worker: {error}", file=sys.stderr)  # noqa: T201 - before logging is set up
        return EXIT_MISCONFIGURED
    if database and scorer:
        _work(settings, database, scorer, progress)
        database.close()
    return 0


def stop_on_signals(progress: Progress) -> None:
    """Makes SIGTERM and SIGINT a request to stop."""

    def stop(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        progress.request_stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _load_scorer(settings: Settings, progress: Progress) -> Scorer:
    """The scorer, warm. Raises ModelError."""
    with progress.beating():  # a model may have to be downloaded first, which takes as long as it takes
        scorer = load_scorer(scorer_config(settings))
    commit = scorer.attributes.get("revision")
    if commit and settings.nli_revision != commit:
        log.warning("nli_revision_not_pinned", model=settings.nli_model, fix=f"set ASSAY_NLI_REVISION={commit}")
    return scorer


def open_database(settings: Settings, progress: Progress) -> Database | None:
    """Waits for the database; None if told to stop meanwhile. Raises SchemaMismatchError."""
    database = Database(settings.database_url.get_secret_value())
    while True:
        try:
            require_current(database)
        except StoreUnavailableError as error:
            log.warning("database_awaited", error=error.code)
            progress.beat()
            if progress.wait(REST_S):
                return None
        else:
            return database


def _work(settings: Settings, database: Database, scorer: Scorer, progress: Progress) -> None:
    metrics = WorkerMetrics()
    policy_file = PolicyFile(settings.policy_file) if settings.policy_file else None
    limits = TakeLimits(rows=settings.take_rows, tokens=settings.take_tokens, lease_s=settings.lease_s)
    redis_url = settings.redis_url.get_secret_value()
    reviewing = Reviewing(
        policy_file=policy_file,
        metrics=metrics,
        doorbell=Doorbell(connect(redis_url), judge_queue(settings.queue_name)),
    )
    pipeline = Pipeline(
        database=database,
        scorer=scorer,
        limits=limits,
        progress=progress,
        metrics=metrics,
        reviewing=reviewing,
        probing=_probing(settings, database, scorer, metrics, progress),
    )
    make_resident(pipeline)
    ticker = Ticker(
        database=database,
        doorbell=Doorbell(connect(redis_url), settings.queue_name),
        pipeline=pipeline,
        progress=progress,
        metrics=metrics,
        interval_s=settings.ticker_interval_s,
        retention=Retention(database=database, policy_file=policy_file, metrics=metrics),
        reviews=ReviewSweep(database=database, policy_file=policy_file, metrics=metrics),
    )
    alerts = _alerts(settings, database, policy_file, metrics, progress) if policy_file else []
    port = serve_metrics(settings, metrics.registry)
    log.info("worker_started", pid=os.getpid(), scorer=scorer.name, fingerprint=scorer.fingerprint, metrics_port=port)
    for thread in (ticker, *alerts):
        thread.start()
    listen(settings.queue_name, redis_url, progress)
    for thread in (*alerts, ticker):
        thread.join()
    log.info("worker_stopped", pid=os.getpid())


def _probing(
    settings: Settings, database: Database, scorer: Scorer, metrics: WorkerMetrics, progress: Progress
) -> Probing | None:
    """What scores the shipped probes; None where that is off, or there are none to read."""
    probes = shipped_probes() if settings.probe_interval_s else None
    if probes is None:
        return None
    return Probing(
        database=database,
        scorer=scorer,
        probes=probes,
        metrics=metrics,
        progress=progress,
        interval_s=settings.probe_interval_s,
    )


def _alerts(
    settings: Settings, database: Database, policy_file: PolicyFile, metrics: WorkerMetrics, progress: Progress
) -> list[Evaluator | Deliverer]:
    """What watches the policy's alert rules, and tells sinks. A worker without the policy file must do neither."""
    return [
        Evaluator(
            database=database,
            policy_file=policy_file,
            metrics=metrics,
            progress=progress,
            interval_s=settings.alert_interval_s,
        ),
        Deliverer(
            database=database,
            policy_file=policy_file,
            metrics=metrics,
            progress=progress,
            public_url=settings.public_url or None,
        ),
    ]


def serve_metrics(settings: Settings, registry: CollectorRegistry) -> int | None:
    """Serves a worker's metrics; the port, or None where there is none."""
    host, port = settings.worker_metrics_host, settings.worker_metrics_port
    if port < 0:
        return None
    try:
        server, _ = prometheus_client.start_http_server(port, host, registry)
    except OSError as error:
        log.warning("metrics_port_taken", host=host, port=port, error=str(error), fix="set ASSAY_WORKER_METRICS_PORT")
        return None
    return int(server.server_port)


def listen(queue_name: str, redis_url: str, progress: Progress) -> None:
    """Answers the doorbell until told to stop; while Redis is away the ticker goes on alone."""
    failing = False
    while not progress.stopping:
        connection = connect(redis_url, timeout_s=None)
        try:
            worker = ResidentWorker(
                [queue_name],
                connection=connection,
                serializer=JSONSerializer,
                job_class=DrainJob,
                maintenance_interval=60,
                log_job_description=False,
            )
            worker.progress = progress
            failing = False
            worker.work(logging_level="ERROR")
        except Exception as error:  # noqa: BLE001 - whatever RQ or Redis raises, the worker goes on listening
            if not failing:
                log.warning("listening_failed", error=type(error).__name__)
            failing = True
        finally:
            connection.close()
        progress.wait(REST_S)


if __name__ == "__main__":
    sys.exit(main())
