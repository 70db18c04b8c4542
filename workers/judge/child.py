"""The resident judge worker: answers its doorbell, and calls language models, until told to stop."""

import contextlib
import os
import sys

from models.types import ModelError
from service.core.config import Settings, read_settings
from service.core.db import Database
from service.core.errors import AssayError, StartRefusedError
from service.core.judge_metrics import JudgeMetrics
from service.core.log import configure_logging, log
from service.core.queue import judge_queue
from workers.child import listen, open_database, serve_metrics, stop_on_signals
from workers.jobs import make_resident
from workers.judge.lanes import LaneMaker
from workers.judge.loop import JudgeLoop
from workers.policy_file import PolicyFile
from workers.progress import EXIT_MISCONFIGURED, Progress

NICENESS = 10  # where it shares a machine with workers, first scores come first


def main() -> int:
    """Runs one judge worker; its exit status. The first argument is the pipe to the parent, if there is one."""
    progress = Progress(int(sys.argv[1]) if len(sys.argv) > 1 else None)
    stop_on_signals(progress)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    try:
        settings = read_settings()
        configure_logging(settings)
        if settings.policy_file is None:
            raise StartRefusedError(
                "A judge worker does what the policy file's [judge] and [consistency.generator] tables say.",
                next_step="Set ASSAY_POLICY_FILE to it.",
            )
        database = open_database(settings, progress)
    except (AssayError, ModelError) as error:
        print(f"assay judge worker: {error}", file=sys.stderr)  # noqa: T201 - before logging is set up
        return EXIT_MISCONFIGURED
    if database:
        _work(settings, database, PolicyFile(settings.policy_file), progress)
        database.close()
    return 0


def _work(settings: Settings, database: Database, policy_file: PolicyFile, progress: Progress) -> None:
    metrics = JudgeMetrics()
    loop = JudgeLoop(
        database=database,
        policy_file=policy_file,
        metrics=metrics,
        progress=progress,
        interval_s=settings.ticker_interval_s,
        make_lane=LaneMaker(settings=settings, database=database, metrics=metrics, current=policy_file.read).make,
    )
    make_resident(loop)
    port = serve_metrics(settings, metrics.registry)
    log.info("judge_worker_started", pid=os.getpid(), metrics_port=port)
    loop.start()
    listen(judge_queue(settings.queue_name), settings.redis_url.get_secret_value(), progress)
    loop.join()
    log.info("judge_worker_stopped", pid=os.getpid())


if __name__ == "__main__":
    sys.exit(main())
