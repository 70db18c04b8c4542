"""`assay worker` on all cores of a machine: beyond a few, one process for each group of them.

Splitting and tokenising are one thread of a process, so that more and more cores would wait for it.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from models.backends.cores import CoreGroup, core_groups
from service.core.config import Settings
from service.core.errors import StartRefusedError
from service.core.log import log
from workers.children import Children
from workers.main import Parent
from workers.progress import EXIT_MISCONFIGURED

POLL_S = 0.5


def run_worker(settings: Settings) -> int:
    """Runs a worker until SIGTERM or SIGINT, in one process or in one for each group of cores; its exit status."""
    groups = groups_of(settings)
    return Groups(settings, groups).run() if len(groups) > 1 else Parent(settings).run()


def groups_of(settings: Settings) -> tuple[CoreGroup, ...]:
    """The groups that a worker with these settings makes; none where it stays one process whatever the cores.

    That is where someone chose its threads, and with another model: it may be on a GPU, and too large to have often.
    """
    return () if settings.threads or settings.nli_model else core_groups(settings.worker_group_cores)


def group_environment(settings: Settings, index: int, group: CoreGroup) -> dict[str, str]:
    """What differs for the process of one group; its threads keep it from making groups of its own."""
    given = {"ASSAY_THREADS": str(group.threads)}
    if settings.worker_metrics_port > 0:
        given["ASSAY_WORKER_METRICS_PORT"] = str(settings.worker_metrics_port + index)
    if settings.beat_file is not None:
        given["ASSAY_BEAT_FILE"] = str(beat_part(settings.beat_file, index))
    return given


def beat_part(file: Path, index: int) -> Path:
    """The beat file of one group."""
    return file.with_name(f"{file.name}.{index}")


class Groups:
    """Watches one worker for each group: starts again what dies, and stops all together."""

    def __init__(self, settings: Settings, groups: Sequence[CoreGroup]) -> None:
        """Starts nothing yet."""
        self._settings = settings
        self._groups = groups
        self._children = Children({})
        self._beats = Beats(settings.beat_file, len(groups)) if settings.beat_file else None
        self._stopping = False

    def run(self) -> int:
        """Keeps the workers running until SIGTERM or SIGINT, or until one has said why it cannot; its exit status."""
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        log.info("workers_started", processes=len(self._groups), threads=[group.threads for group in self._groups])
        try:
            self._watch()
        except StartRefusedError as error:
            print(f"assay worker: {error.detail} {error.next_step}", file=sys.stderr)  # noqa: T201 - as the child does
            return EXIT_MISCONFIGURED
        finally:
            self._children.stop(together=True)
            if self._beats:
                self._beats.clear()
        return 0

    def _on_stop(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        self._stopping = True

    def _watch(self) -> None:
        if self._beats:
            self._beats.clear()
        for index, group in enumerate(self._groups):
            self._children.start(
                f"worker {index + 1} of {len(self._groups)}",
                [sys.executable, "-m", "workers.main"],
                environment=group_environment(self._settings, index, group),
                processors=group.processors,
            )
        while not self._stopping:
            time.sleep(POLL_S)
            if self._beats:
                self._beats.show()
            if not self._stopping:
                self._children.restart_dead()


class Beats:
    """One beat file for all groups: as old as that of the group that has gone longest without progress."""

    def __init__(self, file: Path, groups: int) -> None:
        """Touches nothing yet."""
        self._file = file
        self._parts = [beat_part(file, index) for index in range(groups)]
        self._told = False

    def show(self) -> None:
        """Brings the file up to date, once every group has made progress. One that cannot be written stops no work."""
        try:
            oldest = min(part.stat().st_mtime for part in self._parts)
        except OSError:
            return
        try:
            if not self._file.exists():
                self._file.touch()
            os.utime(self._file, (oldest, oldest))
        except OSError as error:
            if not self._told:
                log.error("beat_file_not_written", error=type(error).__name__, fix="set ASSAY_BEAT_FILE")
            self._told = True

    def clear(self) -> None:
        """Removes the groups' own files, which another run would take for its own."""
        for part in self._parts:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
