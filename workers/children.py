"""Children: processes that are started again when they die, and are all gone when their parent is."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from service.core.errors import StartRefusedError
from service.core.log import log
from workers.progress import EXIT_MISCONFIGURED, EXIT_REFUSED

STOP_S = 20.0
SHORT_LIFE_S = 5.0
SHORT_LIVES = 5  # that many in a row: something is wrong that no restart mends
REFUSED = (EXIT_REFUSED, EXIT_MISCONFIGURED)  # it has said why; a restart mends nothing
PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    """One process and how it has fared."""

    name: str
    launch: Callable[[], "subprocess.Popen[bytes]"]
    process: "subprocess.Popen[bytes]"
    started_at: float
    short_lives: int = 0


@dataclass
class Children:
    """The processes of one `assay up` or `assay worker`, in the order of their start."""

    environment: Mapping[str, str]
    _children: list[Child] = field(default_factory=list)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        processors: frozenset[int] | None = None,
    ) -> None:
        """Starts a child, with more variables than all have, and on these processors alone if any are given."""
        launch = partial(self._popen, command, environment or {}, processors)
        self._children.append(Child(name, launch, launch(), time.monotonic()))

    def _popen(
        self, command: Sequence[str], environment: Mapping[str, str], processors: frozenset[int] | None
    ) -> "subprocess.Popen[bytes]":
        # A session of its own: a Ctrl-C in the terminal reaches the parent alone, which stops all in order.
        return subprocess.Popen(  # noqa: S603 - our own commands
            command,
            env={**os.environ, **self.environment, **environment},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            preexec_fn=partial(_prepare, processors) if sys.platform == "linux" else None,  # noqa: PLW1509 - one thread
        )

    def restart_dead(self) -> None:
        """Starts again what has died. Raises StartRefusedError for a child that keeps dying at once."""
        now = time.monotonic()
        for child in self._children:
            status = child.process.poll()
            if status is None:
                continue
            child.short_lives = child.short_lives + 1 if now - child.started_at < SHORT_LIFE_S else 0
            if status in REFUSED or child.short_lives >= SHORT_LIVES:
                raise StartRefusedError(
                    f"The {child.name} does not stay up; it ended with status {status}.",
                    next_step="Its last lines above say why.",
                )
            log.warning("child_restarted", child=child.name, status=status)
            child.process, child.started_at = child.launch(), now

    def hang_up(self, name: str) -> None:
        """Sends SIGHUP to the child of that name, if it lives."""
        for child in self._children:
            if child.name == name and child.process.poll() is None:
                child.process.send_signal(signal.SIGHUP)

    def stop(self, *, together: bool = False) -> None:
        """Stops all and waits: the last started first, or `together` where none needs another. Kills what stays."""
        in_turn = [[child] for child in reversed(self._children)]
        for children in [self._children] if together else in_turn:
            _stop([child.process for child in children])


def _stop(processes: "Sequence[subprocess.Popen[bytes]]") -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + STOP_S
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _prepare(processors: frozenset[int] | None) -> None:
    # The kernel stops the child even if the parent is killed with -9.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if processors is not None:
        with contextlib.suppress(OSError):  # they were taken away since: then it runs wherever it may
            os.sched_setaffinity(0, processors)
