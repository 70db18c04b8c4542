"""Progress: how a worker tells its parent that it is alive, and learns that it should stop."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator

EXIT_MISCONFIGURED = 78  # EX_CONFIG: the parent must not start the worker again
EXIT_REFUSED = 2  # a command that was refused, with a sentence on standard error
BEATING_S = 5.0  # between beats of work that cannot report its own
GRACE_S = 8.0  # for what is held when a stop is asked for


class StoppedError(Exception):
    """The worker was asked to stop and its grace is over: give back what is held."""


class Progress:
    """Beats down a pipe to the parent; a parent that is gone counts as a request to stop."""

    def __init__(self, pipe: int | None) -> None:
        """`pipe`: the writing end, or None without a parent."""
        self._pipe = pipe
        self._stop = threading.Event()
        self._stop_at = float("inf")
        if pipe is not None:
            os.set_blocking(pipe, False)

    def beat(self) -> None:
        """Says that something was done."""
        if self._pipe is None:
            return
        try:
            os.write(self._pipe, b".")
        except BlockingIOError:
            pass  # the pipe is full: the parent has beats enough to read
        except OSError:
            self.request_stop()

    def step(self) -> None:
        """Beats between two batches. Raises StoppedError once a requested stop has no grace left."""
        self.beat()
        if time.monotonic() > self._stop_at:
            raise StoppedError

    @contextlib.contextmanager
    def beating(self) -> Iterator[None]:
        """Beats by itself meanwhile."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(BEATING_S):
                self.beat()

        thread = threading.Thread(target=beat, name="beating", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def request_stop(self) -> None:
        """Asks to stop: what is held may be finished within the grace."""
        if not self._stop.is_set():
            self._stop_at = time.monotonic() + GRACE_S
            self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether a stop was requested."""
        return self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits; True at once if a stop is requested."""
        return self._stop.wait(seconds)
