"""The parent of one worker process: starts it, restarts it when it dies or stalls, and stops it in time."""

import os
import select
import signal
import subprocess
import sys
import time
from types import FrameType

from service.core.config import Settings, read_settings
from service.core.errors import AssayError
from service.core.log import configure_logging, log
from workers.progress import EXIT_MISCONFIGURED, GRACE_S

POLL_S = 0.5
STOP_S = GRACE_S + 7.0  # a child that has not stopped by then is killed
FIRST_REST_S, LONGEST_REST_S = 0.5, 5.0
START_S = 60.0  # for the first beat
HEALTHY_S = 60.0  # a child that ran so long starts the rests anew


class Parent:
    """Watches one child by the beats that come up a pipe."""

    def __init__(self, settings: Settings, module: str = "workers.child") -> None:
        """Starts nothing yet. `module`: the child's, run as a program."""
        self._module = module
        self._stall_s = settings.stall_s
        self._beat_file = settings.beat_file
        self._stopping_since: float | None = None

    def run(self) -> int:
        """Keeps a worker running until SIGTERM or SIGINT; its exit status."""
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        rest = FIRST_REST_S
        while True:
            started = time.monotonic()
            status = self._watch()
            if self._stopping_since is not None:
                return 0
            if status == EXIT_MISCONFIGURED:
                return EXIT_MISCONFIGURED
            log.error("worker_died", status=status, ran_s=round(time.monotonic() - started, 1))
            rest = FIRST_REST_S if time.monotonic() - started > HEALTHY_S else min(2 * rest, LONGEST_REST_S)
            if self._rest(rest):
                return 0

    def _on_stop(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        self._stopping_since = self._stopping_since or time.monotonic()

    def _rest(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._stopping_since is None:
            time.sleep(min(POLL_S, seconds))
        return self._stopping_since is not None

    def _watch(self) -> int:
        """Runs one child to its end; its exit status, negative for a signal."""
        beats, sent = os.pipe()
        # A session of its own: a Ctrl-C in the terminal reaches the parent alone, which stops the child in order.
        child = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", self._module, str(sent)], pass_fds=(sent,), start_new_session=True
        )
        os.close(sent)
        last_beat, beaten, told = time.monotonic(), False, False
        try:
            while child.poll() is None:
                if select.select([beats], [], [], POLL_S)[0] and os.read(beats, 65_536):
                    last_beat, beaten = time.monotonic(), True
                    self._show_beat()
                if self._stopping_since is not None and not told:
                    child.terminate()
                    told = True
                # Before its first beat it reads its libraries, which takes as long as the disk does.
                self._kill_if_due(child, last_beat, self._stall_s if beaten else max(self._stall_s, START_S))
        finally:
            os.close(beats)
        return child.returncode

    def _show_beat(self) -> None:
        """Lets the health check see the beat. A file that cannot be written must not stop the work."""
        if self._beat_file is None:
            return
        try:
            self._beat_file.touch()
        except OSError as error:
            log.error("beat_file_not_written", error=type(error).__name__, fix="set ASSAY_BEAT_FILE")
            self._beat_file = None

    def _kill_if_due(self, child: "subprocess.Popen[bytes]", last_beat: float, stall_s: float) -> None:
        now = time.monotonic()
        if self._stopping_since is not None and now - self._stopping_since > STOP_S:
            log.error("worker_killed", reason="did not stop in time")
            child.kill()
        elif now - last_beat > stall_s:
            log.error("worker_killed", reason="no progress", for_s=round(now - last_beat, 1))
            child.kill()
            child.wait()


def main() -> int:
    """Runs one worker process, as it is started for each group of cores; its exit status."""
    try:
        settings = read_settings()
        configure_logging(settings)
    except AssayError as error:
        print(f"assay worker: {error}", file=sys.stderr)  # noqa: T201 - before logging is set up
        return EXIT_MISCONFIGURED
    return Parent(settings).run()


if __name__ == "__main__":
    sys.exit(main())
