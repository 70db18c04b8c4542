"""Pace: when a loop goes on, after a success, after a failure, and while someone waits for the buffer to empty."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from assay_client.shared import log

BACKOFF_BASE_S = 0.5
BACKOFF_MAX_S = 30.0
IDLE_PAUSE_S = 0.02
FAILED_PAUSE_S = 0.25

_jitter = random.Random()  # noqa: S311 - no secret; its own, so that an application's seeded numbers stay as they are


class Next(NamedTuple):
    """When a loop goes on: after `seconds`, or at most `hurried` while someone waits for the buffer to empty."""

    seconds: float
    hurried: float = IDLE_PAUSE_S


def backoff(attempts: int, retry_after_s: float | None = None) -> float:
    """Seconds to wait: what the server said, else exponential with full jitter."""
    if retry_after_s is not None:
        return retry_after_s
    return _jitter.uniform(0, min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2 ** min(attempts, 10)))


class Pace:
    """Steps in turn, for ever; in a hurry without long rests."""

    def __init__(self) -> None:
        """In no hurry."""
        self._hurry = asyncio.Event()
        self._hurried = 0  # by how many

    def hurry(self) -> None:
        """Ends rests, and keeps them short until `relax`."""
        self._hurried += 1
        self._hurry.set()

    def relax(self) -> None:
        """Rests as before, once nobody is in a hurry any more."""
        self._hurried -= 1
        if not self._hurried:
            self._hurry.clear()

    async def forever(self, step: Callable[[], Awaitable[Next]]) -> None:
        """Never ends by itself and never raises, but CancelledError."""
        well = True
        while True:
            try:
                after = await step()
                well = True
            except Exception:  # noqa: BLE001 - a thread that ends would lose all that follows
                if well:  # once, not every second
                    log.exception("The sending thread failed; it goes on.")
                well, after = False, Next(1.0, FAILED_PAUSE_S)
            await self._rest(after)

    async def _rest(self, after: Next) -> None:
        if self._hurry.is_set():
            await asyncio.sleep(min(after.seconds, after.hurried))
        elif after.seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), after.seconds)
