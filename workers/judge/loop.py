"""The loop of a judge worker: follows the policy, keeps its lanes filled, tells of its circuits, ends what is overdue."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import uuid4

from models.types import ModelError
from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import AssayError
from service.core.judge_metrics import JudgeMetrics
from service.core.log import log, where
from service.core.policy import Policy
from service.core.review_tables import Reviewer
from service.core.store.circuits import Circuit, remove_circuits, write_circuit
from workers.judge.lane import Lane
from workers.policy_file import PolicyFile
from workers.progress import GRACE_S, Progress
from workers.review_sweep import sweep_reviews

BEAT_S = 1.0  # longest rest: a stop, and a beat to the parent, come in time
TELL_EVERY_S = 10.0
RETRY_S = 60.0  # after a lane could not be made
STORING_THREADS = 24  # in which reviews book, settle and end
STOP_S = GRACE_S - 2.0  # for calls under way when a stop is asked for

MakeLane = Callable[[Policy, Reviewer], Lane | None]


class JudgeLoop:
    """Runs in a thread of its own; `drain`, the doorbell's job, only wakes it."""

    def __init__(  # noqa: PLR0913 - the parts that it drives
        self,
        *,
        database: Database,
        policy_file: PolicyFile,
        metrics: JudgeMetrics,
        progress: Progress,
        interval_s: float,
        make_lane: MakeLane,
        stop_s: float = STOP_S,
    ) -> None:
        """Starts nothing yet.

        Args:
            database: with the reviews.
            policy_file: is followed.
            metrics: are counted up.
            progress: is beaten, and says when to stop.
            interval_s: between looks, if nobody rings.
            make_lane: that of a reviewer, if the policy asks for it; may raise ModelError.
            stop_s: for calls under way when a stop is asked for; what takes longer is given back.
        """
        self._database = database
        self._file = policy_file
        self._metrics = metrics
        self._progress = progress
        self._interval_s = interval_s
        self._make_lane = make_lane
        self._stop_s = stop_s
        self._lanes: dict[Reviewer, Lane] = {}
        self._made_of: dict[Reviewer, object] = {}  # what of the policy each lane follows from
        self._failed_at: dict[Reviewer, float] = {}  # lanes that could not be made, and when
        self._retiring: set[asyncio.Task[None]] = set()
        # Of its own: what retries to store something must not hold up a look.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="judge-look")
        self._name = uuid4().hex
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = asyncio.Event()
        self._told: list[str] = []
        self._told_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="judge", daemon=True)

    def start(self) -> None:
        """Starts looking."""
        self._thread.start()

    def join(self) -> None:
        """Waits for the end, after a stop was requested."""
        self._thread.join(GRACE_S)

    def drain(self) -> int:
        """Wakes the loop; what it does then is no part of the job, which a queue may time."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it has just closed: there is nothing to wake
                loop.call_soon_threadsafe(self._rung.set)
        return 0

    def _run(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(STORING_THREADS, thread_name_prefix="judge-store"))
        next_look = float("-inf")
        while not self._progress.stopping:
            self._progress.beat()
            busy = False
            if self._rung.is_set() or time.monotonic() >= next_look:
                self._rung.clear()
                next_look = time.monotonic() + self._interval_s
                busy = await self._look()
            if busy:  # there may be more
                self._rung.set()
            await self._rest(min(BEAT_S, self._interval_s))
        self._loop = None
        retired = [self._retire(lane, self._stop_s) for lane in self._lanes.values()]
        for task in self._retiring:
            task.cancel()  # their reviews are given back
        await asyncio.gather(*retired, *self._retiring, return_exceptions=True)
        await asyncio.to_thread(self._forget)
        self._threads.shutdown(wait=False)

    async def _rest(self, seconds: float) -> None:
        """Until a ring, at most so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), seconds)

    async def _look(self) -> bool:
        """Whether anything was taken."""
        try:
            await self._follow()
            taken = 0
            for reviewer, lane in list(self._lanes.items()):
                taken += await lane.fill(self._threads)
                self._metrics.under_way.labels(reviewer.value).set(lane.active)
            states: list[str] = [lane.caller.circuit_state.state for lane in self._lanes.values()]
            if states != self._told or time.monotonic() - self._told_at > TELL_EVERY_S:
                self._told, self._told_at = states, time.monotonic()
                await asyncio.get_running_loop().run_in_executor(self._threads, self._tell)
        except AssayError as error:
            self._metrics.ticks.labels("failed").inc()
            log.warning("judge_look_failed", error=error.code)
        except Exception as error:  # noqa: BLE001 - the loop must live: the next look tries again
            self._metrics.ticks.labels("failed").inc()
            log.error("judge_look_failed", error=where(error))
        else:
            self._metrics.ticks.labels("done").inc()
            return taken > 0
        return False

    async def _follow(self) -> None:
        """Makes new lanes where the policy has others; what is under way in the old ones ends by itself."""
        policy = self._file.read()
        if policy is None:
            return
        for reviewer, wanted in ((Reviewer.JUDGE, policy.judge), (Reviewer.CONSISTENCY, policy.consistency.generator)):
            failed_at = self._failed_at.get(reviewer)
            retry = failed_at is not None and time.monotonic() - failed_at > RETRY_S
            if self._made_of.get(reviewer) == wanted and not retry:
                continue
            self._made_of[reviewer] = wanted
            if (old := self._lanes.pop(reviewer, None)) is not None:
                task = asyncio.create_task(self._retire(old, old.limit_s))
                self._retiring.add(task)
                task.add_done_callback(self._retiring.discard)
            await self._make(policy, reviewer)

    async def _make(self, policy: Policy, reviewer: Reviewer) -> None:
        self._failed_at.pop(reviewer, None)
        try:
            with self._progress.beating():  # a model in memory may have to be downloaded first
                lane = await asyncio.to_thread(self._make_lane, policy, reviewer)
        except ModelError as error:
            self._failed_at[reviewer] = time.monotonic()
            log.error("judge_not_loaded", error=str(error), fix="correct the policy file; `assay check` reads it")
            return
        if lane is not None:
            lane.freed = self._rung.set
            self._lanes[reviewer] = lane
            log.info("judge_lane", lane=reviewer.value, endpoint=lane.caller.name)

    @staticmethod
    async def _retire(lane: Lane, grace_s: float) -> None:
        try:
            await lane.drain(grace_s)
        finally:
            await lane.caller.close()

    def _tell(self) -> None:
        """Shows the circuits, and ends what waits in vain."""
        now, policy = utc_now(), self._file.read()
        for lane in list(self._lanes.values()):
            with self._database.write() as connection:
                write_circuit(connection, self._circuit(lane, now))
        if policy is not None:
            sweep_reviews(self._database, policy, now, self._metrics.ended)

    def _circuit(self, lane: Lane, now: datetime) -> Circuit:
        state = lane.caller.circuit_state
        since = now - timedelta(seconds=max(0.0, time.monotonic() - state.since))
        return Circuit(
            endpoint=lane.caller.name,
            holder=self._name,
            state=state.state,
            reason=state.reason,
            since=since,
            seen_at=now,
        )

    def _forget(self) -> None:
        try:
            with self._database.write() as connection:
                remove_circuits(connection, self._name)
        except AssayError as error:
            log.warning("circuits_not_removed", error=error.code)
