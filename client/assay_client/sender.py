"""Sending: batches, counts and the policy, each in a loop of its own, on one thread."""

import asyncio
import time

from assay_client.batches import Batches
from assay_client.contact import Contact
from assay_client.pace import IDLE_PAUSE_S, Pace
from assay_client.policies import Policies
from assay_client.reports import Reports
from assay_client.shared import Shared
from assay_client.wire import Wire


class Sender:
    """Delivers what the callers left in `shared`."""

    def __init__(self, shared: Shared, wire: Wire) -> None:
        """Sends nothing yet."""
        self._shared = shared
        self._pace = Pace()
        contact = Contact(shared, wire.place)
        self._batches = Batches(shared, wire, contact)
        self._reports = Reports(shared, wire, contact)
        self._policies = Policies(shared, wire, contact)
        self._sending: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        self._sending = asyncio.ensure_future(self._pace.forever(self._batches.step))
        loops = [self._sending, asyncio.ensure_future(self._pace.forever(self._reports.step))]
        if self._shared.settings.sample_locally:
            loops.append(asyncio.ensure_future(self._pace.forever(self._policies.step)))
        await asyncio.gather(*loops, return_exceptions=True)

    async def drain(self, seconds: float) -> bool:
        """Delivers all that is held, without resting in between; False where it took longer."""
        deadline = time.monotonic() + seconds
        self._reports.hope()
        self._pace.hurry()
        try:
            while self._shared.buffer.items or not self._reports.done:
                if time.monotonic() >= deadline:
                    return False
                await asyncio.sleep(IDLE_PAUSE_S / 2)
            return True
        finally:
            self._pace.relax()

    async def give_up(self) -> None:
        """Ends the sending of submissions, and drops those that are held. Counts are still reported."""
        if self._sending:
            self._sending.cancel()
            await asyncio.wait([self._sending])
        self._shared.drop("closed", self._shared.buffer.take_all())
