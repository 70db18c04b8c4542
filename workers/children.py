"""Children: processes that are started again when they die, and are all gone when their parent is."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
    command: Sequence[str]
    process: "subprocess.Popen[bytes]"
    started_at: float
    short_lives: int = 0


@dataclass
class Children:
    """The processes of one `assay up`, in the order of their start."""

    environment: Mapping[str, str]
    _children: list[Child] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Starts a child."""
        self._children.append(Child(name, command, self._popen(command), time.monotonic()))

    def _popen(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        # A session of its own: a Ctrl-C in the terminal reaches the parent alone, which stops all in order.
        return subprocess.Popen(  # noqa: S603 - our own commands
            command,
            env={**os.environ, **self.environment},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one thread here
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
            child.process, child.started_at = self._popen(child.command), now

    def stop(self) -> None:
        """Stops all, the last started first, and waits; kills what does not stop."""
        for child in reversed(self._children):
            if child.process.poll() is None:
                child.process.terminate()
            try:
                child.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()


def _die_with_parent() -> None:
    # The kernel stops the child even if the parent is killed with -9.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
