"""A lane: one kind of review, taken a few at a time and worked on side by side, each within a hard limit."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from models.types import ReviewReason
from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import StoreUnavailableError
from service.core.judge_metrics import JudgeMetrics
from service.core.log import log, where
from service.core.review_tables import Place, Reviewer
from service.core.store.reviews import (
    ReviewedBy,
    TakenReview,
    finish_review,
    put_drawn,
    release_review,
    take_reviews,
)
from workers.judge.asking import Reviewed
from workers.judge.calling import Caller, NotWantedError, SpendLimitError
from workers.judge.chat import ChatFailedError, FailureKind
from workers.judge.circuit import CircuitOpenError

LEAST_DRAWN = 2  # alternative responses that say anything of consistency
MARGIN_S = 10.0  # of a lease over the longest that a review may take
STORE_TRIES, STORE_REST_S = 20, 0.5

Work = Callable[[TakenReview, float], Awaitable[Reviewed | list[dict[str, object]]]]


@dataclass(kw_only=True, slots=True)
class Lane:
    """Reviews of one reviewer, by one endpoint or model."""

    reviewer: Reviewer
    work: Work  # asks or draws
    caller: Caller
    by: ReviewedBy
    concurrency: int  # reviews at a time, each of which makes one call at a time
    limit_s: float  # of one review, whatever happens
    tenants: tuple[str, ...]  # whose text may be sent
    database: Database
    metrics: JudgeMetrics
    freed: Callable[[], None] = lambda: None  # called whenever a review is over, and there is room again
    _active: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def active(self) -> int:
        """Reviews under way."""
        return len(self._active)

    async def fill(self, threads: Executor | None = None) -> int:
        """Takes as many as there is room for and starts on them; returns how many. Raises StoreUnavailableError.

        `threads`: in which the database is asked.
        """
        room = min(self.concurrency - len(self._active), self.caller.room)
        if room <= 0:
            return 0
        rows = await asyncio.get_running_loop().run_in_executor(threads, self._take, room)
        for row in rows:
            task = asyncio.create_task(self._guarded(row))
            self._active.add(task)
            task.add_done_callback(self._over)
        return len(rows)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._active.discard(task)
        self.freed()

    def _take(self, room: int) -> list[TakenReview]:
        with self.database.write() as connection:
            return take_reviews(connection, Place.REMOTE, room, self.limit_s + MARGIN_S, self.reviewer, self.tenants)

    async def drain(self, grace_s: float) -> None:
        """Waits for what is under way; what is not done by then is given back."""
        try:
            if self._active:
                await asyncio.wait(set(self._active), timeout=grace_s)
        finally:
            for task in set(self._active):
                task.cancel()
            await asyncio.gather(*self._active, return_exceptions=True)

    async def _guarded(self, row: TakenReview) -> None:
        """The row's boundary: what fails is tried again when its lease ends, and counted."""
        try:
            await self._review(row)
        except Exception as error:  # noqa: BLE001 - one review must not take the others with it
            self.metrics.failures.labels(type(error).__name__).inc()
            log.error("review_failed", error=where(error), seq=row.seq, reviewer=self.reviewer.value)

    async def _review(self, row: TakenReview) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.limit_s):
                found = await self.work(row, loop.time() + self.limit_s)
        except CircuitOpenError:
            await self._give_back(row)
        except NotWantedError as error:
            if error.turned_off:
                await self._end(row, Reviewed(outcome=ReviewReason.TURNED_OFF))
            else:
                self.metrics.fenced.inc()
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(row))
            raise
        except SpendLimitError:
            await self._end(row, Reviewed(outcome=ReviewReason.SPEND_LIMIT))
        except ChatFailedError as error:
            long = error.kind is FailureKind.INPUT_TOO_LONG
            reason = ReviewReason.INPUT_TOO_LONG if long else self._unavailable
            await self._end(row, Reviewed(outcome=reason, failure=error.kind.value))
        except TimeoutError:
            await self._end(row, Reviewed(outcome=self._unavailable, failure="timed_out"))
        except StoreUnavailableError:
            await self._give_back(row)  # a call that cannot be booked is not made
        else:
            await self._keep(row, found)

    async def _keep(self, row: TakenReview, found: Reviewed | list[dict[str, object]]) -> None:
        if isinstance(found, Reviewed):
            await self._end(row, found)
        elif len(found) < LEAST_DRAWN:
            await self._end(row, Reviewed(outcome=self._unavailable, failure="nothing drawn"))
        else:
            await asyncio.to_thread(self._store, lambda: self._put(row, found))

    def _put(self, row: TakenReview, drawn: list[dict[str, object]]) -> None:
        with self.database.write() as connection:
            put_drawn(connection, row, drawn)

    async def _end(self, row: TakenReview, reviewed: Reviewed) -> None:
        await asyncio.to_thread(self._store, lambda: self._finish(row, reviewed))

    def _finish(self, row: TakenReview, reviewed: Reviewed) -> None:
        by = self.by
        if reviewed.failure:
            by = ReviewedBy(fingerprint=by.fingerprint, attributes=by.attributes | {"failure": reviewed.failure})
        with self.database.write() as connection:
            counted = finish_review(connection, row, reviewed.outcome, by, utc_now(), reviewed.transcript)
        if counted:
            self.metrics.ended(self.reviewer, reviewed.outcome)
        else:
            self.metrics.fenced.inc()

    async def _give_back(self, row: TakenReview) -> None:
        def release() -> None:
            with self.database.write() as connection:
                release_review(connection, row)

        await asyncio.to_thread(self._store, release)

    @staticmethod
    def _store(write: Callable[[], None]) -> None:
        """Writes, trying while the database is away: what was paid for must not be lost to a restart of it."""
        for attempt in range(1, STORE_TRIES + 1):
            try:
                write()
            except StoreUnavailableError:
                log.warning("review_not_stored", attempt=attempt)
                if attempt == STORE_TRIES:
                    return  # its lease ends by itself, and it is asked again
                time.sleep(STORE_REST_S)
            else:
                return

    @property
    def _unavailable(self) -> ReviewReason:
        judge = self.reviewer is Reviewer.JUDGE
        return ReviewReason.JUDGE_UNAVAILABLE if judge else ReviewReason.GENERATOR_UNAVAILABLE
