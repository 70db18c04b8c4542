"""The patient write: what was scored is written until the database takes it, as it must not be lost to a restart of it."""

import time
from collections.abc import Callable
from typing import TypeVar

from service.core.errors import StoreUnavailableError
from service.core.log import log
from workers.progress import Progress

STORE_RETRY_S = 0.5  # between attempts

Written = TypeVar("Written")


def write_until_taken(write: Callable[[], Written], progress: Progress, event: str, rows: int) -> Written:
    """What `write` returns, once the store is there; each failed attempt is logged as `event`, with its rows.

    Raises StoppedError where a stop leaves no time for another attempt, and whatever else `write` raises.
    """
    while True:
        try:
            return write()
        except StoreUnavailableError:
            log.warning(event, rows=rows)
            progress.step()
            time.sleep(STORE_RETRY_S)
