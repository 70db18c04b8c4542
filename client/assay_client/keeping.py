"""Runs a command until standard input ends: a session that is killed, by whatever signal, closes that pipe and leaves nothing behind.

A script of its own, which imports nothing of ours: `python -I keeping.py COMMAND...`.
"""

import contextlib
import os
import signal
import subprocess
import sys

STOP_S = 15.0


def main() -> int:
    """The command's status."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the pipe alone says when
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, preexec_fn=_as_before)  # noqa: S603, PLW1509 - our own command, one thread
    while sys.stdin.buffer.read(4096):
        pass
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(STOP_S)
    os.killpg(0, signal.SIGKILL)  # this process leads its group
    return 1


def _as_before() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
