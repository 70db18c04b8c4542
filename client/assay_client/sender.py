"""Sending: batches, counts and the policy, each in a loop of its own that never ends and never raises."""

import asyncio
import contextlib
import json
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
from typing import Any, NamedTuple, Self

from assay_client.sampling import LocalPolicy, SendAll
from assay_client.shared import Shared, log
from assay_client.submission import InvalidError, Item, encoded
from assay_client.wire import NDJSON, Answer, Wire, WireError

BACKOFF_BASE_S = 0.5
BACKOFF_MAX_S = 30.0
BATCH_BYTES = 8 * 2**20
POLITE_EVERY = 16  # items encoded before other threads get a turn
RETRY_LATER_S = 60.0  # after an answer that only a change on the server mends
IDLE_PAUSE_S = 0.02
FAILED_PAUSE_S = 0.25
KEEP_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}  # a key or a new server mends it

_jitter = random.Random()  # noqa: S311 - no secret; its own, so that an application's seeded numbers stay as they are


class Next(NamedTuple):
    """When a loop goes on: after `seconds`, or at most `hurried` while someone waits for the buffer to empty."""

    seconds: float
    hurried: float = IDLE_PAUSE_S


class Result(NamedTuple):
    """What became of one item of a batch."""

    status: int
    problem: str | None

    @classmethod
    def read(cls, document: Any) -> Self:
        """Reads one of `results`. Raises where it is none."""
        problem = document.get("problem")
        return cls(int(document["status"]), f"{problem['code']} ({problem['field']})" if problem else None)

    @property
    def ok(self) -> bool:
        """Whether the server has it."""
        return self.status // 100 == 2  # noqa: PLR2004 - the class of a status

    @property
    def retriable(self) -> bool:
        """Whether it may succeed later."""
        return self.status == HTTPStatus.TOO_MANY_REQUESTS or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def backoff(attempts: int, retry_after_s: float | None = None) -> float:
    """Seconds to wait: what the server said, else exponential with full jitter."""
    if retry_after_s is not None:
        return retry_after_s
    return _jitter.uniform(0, min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2 ** min(attempts, 10)))


class Sender:
    """Delivers what the callers left in `shared`."""

    def __init__(self, shared: Shared, wire: Wire) -> None:
        """Sends nothing yet."""
        self._shared = shared
        self._wire = wire
        self._hurry = asyncio.Event()
        self._batches: asyncio.Future[None] | None = None
        self._failures = 0  # of batches, in a row
        self._counting_failures = 0
        self._asking_failures = 0
        self._counts_refused = False

    async def run(self) -> None:
        """Until cancelled."""
        self._batches = asyncio.ensure_future(self._forever(self._batch))
        loops = [self._batches, asyncio.ensure_future(self._forever(self._count))]
        if self._shared.settings.sample_locally:
            loops.append(asyncio.ensure_future(self._forever(self._ask)))
        await asyncio.gather(*loops, return_exceptions=True)

    async def give_up(self) -> None:
        """Ends the sending of submissions, and drops those that are held. Counts are still reported."""
        if self._batches:
            self._batches.cancel()
            await asyncio.wait([self._batches])
        self._shared.drop("closed", self._shared.buffer.take_all())

    async def drain(self, seconds: float) -> bool:
        """Delivers all that is held, without resting in between; False where it took longer."""
        deadline = time.monotonic() + seconds
        self._hurry.set()
        try:
            while self._shared.buffer.items or not (self._shared.ledger.empty or self._counts_refused):
                if time.monotonic() >= deadline:
                    return False
                await asyncio.sleep(IDLE_PAUSE_S / 2)
            return True
        finally:
            self._hurry.clear()

    async def _forever(self, step: Callable[[], Awaitable[Next]]) -> None:
        well = True
        while True:
            try:
                after = await step()
                well = True
            except Exception:  # noqa: BLE001 - a thread that ends would lose all that follows
                if well:  # once, not every second
                    log.exception("The sending thread failed; it goes on.")
                well, after = False, Next(1.0, FAILED_PAUSE_S)
            self._shared.tell(time.monotonic())
            await self._rest(after)

    async def _rest(self, after: Next) -> None:
        if self._hurry.is_set():
            await asyncio.sleep(min(after.seconds, after.hurried))
        elif after.seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), after.seconds)

    async def _batch(self) -> Next:
        """Sends what waits. What is not settled when this ends, however it ends, is held as before."""
        shared, settings = self._shared, self._shared.settings
        now = time.monotonic()
        shared.drop("expired", shared.buffer.take_older(now - settings.max_age_s))
        if shared.policy is None:
            return Next(settings.flush_interval_s)
        taken = shared.buffer.take(settings.batch_items, now)
        try:
            for part in _parts(await self._encoded(self._decided(taken, shared.policy))):
                failed = await self._deliver(part)
                if failed:
                    return failed
        finally:
            shared.buffer.recover()
        return Next(0.0 if len(taken) >= settings.batch_items else settings.flush_interval_s)

    def _decided(self, taken: list[Item], policy: LocalPolicy | SendAll) -> list[Item]:
        """Without those that the hash leaves out: they came before the policy was known. Decided once, for good."""
        sent = []
        for item in taken:
            leave_out = False
            if not item.decided:
                item.stratum, chosen = policy.decide(item.unit, item.body)
                item.decided, leave_out = True, not chosen
            if leave_out and item.stratum:
                self._shared.leave_out(item.stratum, item.body)
                self._shared.buffer.release([item])
            else:
                sent.append(item)
        return sent

    async def _encoded(self, items: list[Item]) -> list[Item]:
        """Without those that cannot be encoded."""
        good = []
        for number, item in enumerate(items):
            try:
                encoded(item)
                good.append(item)
            except InvalidError:
                self._shared.drop("invalid", [item])
            if number % POLITE_EVERY == 0:
                await asyncio.sleep(0)  # the interpreter's lock is free during this
        return good

    async def _deliver(self, batch: list[Item]) -> Next | None:
        """Sends a batch; gives when to go on where it has to be sent again."""
        body = b"\n".join(encoded(item) for item in batch)
        try:
            answer = await self._wire.post("/score/batch", body, self._shared.settings.request_timeout_s, NDJSON)
        except WireError as error:
            return self._failed(str(error))
        if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return await self._split(batch, answer)
        if answer.retriable:
            return self._failed(answer.problem(), answer.retry_after_s)
        if not answer.ok:
            self._shared.drop("refused", batch, answer.problem())
            return None
        results = _results(answer, len(batch))
        if results is None:
            return self._failed("an unreadable answer")
        self._failures = 0
        self._settle(batch, results)
        return None

    def _failed(self, problem: str, retry_after_s: float | None = None) -> Next:
        self._shared.last_problem = problem
        self._shared.add("failed_requests")
        self._failures += 1
        return Next(backoff(self._failures, retry_after_s), FAILED_PAUSE_S)

    async def _split(self, batch: list[Item], answer: Answer) -> Next | None:
        if len(batch) == 1:
            self._shared.drop("too_large", batch, answer.problem())
            return None
        middle = len(batch) // 2
        return await self._deliver(batch[:middle]) or await self._deliver(batch[middle:])

    def _settle(self, batch: list[Item], results: list[Result]) -> None:
        delivered, now = [], time.monotonic()
        for item, result in zip(batch, results, strict=True):
            if result.ok:
                delivered.append(item)
            elif result.retriable and now - item.born <= self._shared.settings.max_age_s:
                item.attempts += 1
                item.due = now + backoff(item.attempts)
                self._shared.buffer.retry(item)
            else:
                self._shared.drop(_reason(result), [item], result.problem)
        self._shared.deliver(delivered)

    async def _count(self) -> Next:
        """Reports counts; a report keeps its number until it is answered."""
        shared, now = self._shared, time.monotonic()
        report = shared.ledger.report(now)
        if report is None:
            return Next(shared.settings.counts_interval_s)
        body = json.dumps(report.document(shared.ledger.client, now)).encode()
        try:
            answer = await self._wire.post("/counts", body, shared.settings.request_timeout_s)
        except WireError as error:
            return self._not_counted(str(error))
        self._counts_refused = answer.status in KEEP_REFUSED
        if self._counts_refused:
            shared.last_problem = f"counts: {answer.problem()}"
            return Next(RETRY_LATER_S)
        if answer.retriable:
            return self._not_counted(answer.problem(), answer.retry_after_s)
        if not answer.ok:
            log.error("Assay refused counts: %s. Client and server do not fit each other.", answer.problem())
        self._counting_failures = 0
        shared.ledger.settle()
        return Next(0.0)

    def _not_counted(self, problem: str, retry_after_s: float | None = None) -> Next:
        self._shared.last_problem = f"counts: {problem}"
        self._counting_failures += 1
        return Next(backoff(self._counting_failures, retry_after_s), FAILED_PAUSE_S)

    async def _ask(self) -> Next:
        """Asks for the policy. A failure changes nothing; a refusal leaves decisions to the server."""
        try:
            answer = await self._wire.get("/sampling", self._shared.settings.request_timeout_s)
        except WireError as error:
            return self._not_told(str(error))
        if answer.retriable:
            return self._not_told(answer.problem(), answer.retry_after_s)
        self._asking_failures = 0
        policy = _policy(answer)
        self._shared.policy = policy
        return Next(policy.refresh_s, math.inf)

    def _not_told(self, problem: str, retry_after_s: float | None = None) -> Next:
        self._shared.last_problem = f"policy: {problem}"
        self._asking_failures += 1
        known = self._shared.policy is not None
        return Next(backoff(self._asking_failures, retry_after_s), math.inf if known else FAILED_PAUSE_S)


def _policy(answer: Answer) -> LocalPolicy | SendAll:
    if not answer.ok:
        return SendAll()
    try:
        return LocalPolicy.parse(answer.document())
    except (ValueError, TypeError, LookupError, AttributeError):
        log.warning("This version cannot follow Assay's sampling policy: all submissions are sent.")
        return SendAll()


def _parts(batch: list[Item]) -> Iterator[list[Item]]:
    """Parts of a bounded size; an item over it goes alone."""
    part: list[Item] = []
    size = 0
    for item in batch:
        length = len(encoded(item))
        if part and size + length > BATCH_BYTES:
            yield part
            part, size = [], 0
        part.append(item)
        size += length
    if part:
        yield part


def _results(answer: Answer, number: int) -> list[Result] | None:
    """One result per item; None where the answer is not that of an Assay."""
    try:
        results = [Result.read(result) for result in answer.document()["results"]]
    except (ValueError, TypeError, LookupError, AttributeError):
        return None
    return results if len(results) == number else None


def _reason(result: Result) -> str:
    if result.retriable:
        return "expired"
    return "conflict" if result.status == HTTPStatus.CONFLICT else "rejected"
