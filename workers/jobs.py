"""The job that a queue may carry. It holds no text and names no code: it only says that there is something to do."""

from collections.abc import Callable
from typing import Protocol

from rq.job import Job


class Resident(Protocol):
    """What jobs of this process wake."""

    def drain(self) -> int:
        """Does what is to be done; how much was."""


_resident: list[Resident] = []  # put here by the worker before it listens


def make_resident(resident: Resident) -> None:
    """Makes it the one that jobs of this process wake."""
    _resident[:] = [resident]


def drain() -> int:
    """Does what is pending; the doorbell's job."""
    return _resident[0].drain()


class DrainJob(Job):
    """A job that drains, whatever the queue says that it calls.

    RQ imports what a job names and calls it with what the job holds, so that whoever can write to Redis would run code
    of their choice in the workers, beside the database's password.
    """

    @property
    def func(self) -> Callable[[], int]:
        """The drain. A job with arguments fails on them."""
        return drain

    @property
    def success_callback(self) -> None:
        """None is called."""

    @property
    def failure_callback(self) -> None:
        """None is called."""

    @property
    def stopped_callback(self) -> None:
        """None is called."""
