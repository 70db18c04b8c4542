"""Batches: what waits in the buffer goes out, and is settled item by item."""

import asyncio
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, NamedTuple, Self

from assay_client.contact import Contact
from assay_client.pace import FAILED_PAUSE_S, Next, backoff
from assay_client.sampling import LocalPolicy, SendAll
from assay_client.shared import Shared
from assay_client.submission import Item, encoded
from assay_client.wire import NDJSON, Answer, Wire, WireError, may_succeed_later

SUBMISSIONS = "submissions"  # what is asked, for the log
BATCH_BYTES = 8 * 2**20
POLITE_EVERY = 16  # items encoded before other threads get a turn


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
        return may_succeed_later(self.status)


class Batches:
    """Sends submissions."""

    def __init__(self, shared: Shared, wire: Wire, contact: Contact) -> None:
        """Sends nothing yet."""
        self._shared = shared
        self._wire = wire
        self._contact = contact

    async def step(self) -> Next:
        """Sends what waits. What is not settled when this ends, however it ends, is held as before."""
        shared, settings = self._shared, self._shared.settings
        now = time.monotonic()
        shared.tell(now)
        shared.drop("expired", shared.buffer.take_older(now - settings.max_age_s))
        if shared.policy is None:
            return Next(settings.flush_interval_s)
        taken = shared.buffer.take(settings.batch_items, now)
        try:
            for part in _parts(await self._ready(taken, shared.policy)):
                failed = await self._deliver(part)
                if failed:
                    return failed
        finally:
            shared.buffer.recover()
        return Next(0.0 if len(taken) >= settings.batch_items else settings.flush_interval_s)

    async def _ready(self, taken: list[Item], policy: LocalPolicy | SendAll) -> list[Item]:
        """Decided and encoded; without those that are left out, and those that cannot be sent."""
        ready = []
        for number, item in enumerate(taken):
            try:
                if self._chosen(item, policy):
                    encoded(item)
                    ready.append(item)
            except Exception:  # noqa: BLE001 - one that cannot be read must not hold up the others
                self._shared.drop("invalid", [item])
            if number % POLITE_EVERY == 0:
                await asyncio.sleep(0)  # the interpreter's lock is free during this
        return ready

    def _chosen(self, item: Item, policy: LocalPolicy | SendAll) -> bool:
        """Decides what came before the policy was known. Decided once, for good."""
        if item.decided:
            return True
        item.stratum, chosen = policy.decide(item.unit, item.body)
        item.decided = True
        if item.stratum and not chosen:
            self._shared.leave_out(item.stratum, item.body)
            self._shared.buffer.release([item])
        return chosen

    async def _deliver(self, batch: list[Item]) -> Next | None:
        """Sends a batch; gives when to go on where it has to be sent again."""
        body = b"\n".join(encoded(item) for item in batch)
        try:
            answer = await self._wire.post("/score/batch", body, self._shared.settings.request_timeout_s, NDJSON)
        except WireError as error:
            return self._failed(batch, str(error), unclear=error.sent)
        if answer.retriable:
            return self._failed(batch, answer.problem(), answer.retry_after_s, unclear=not answer.untaken)
        if not answer.ok:
            self._contact.answered(SUBMISSIONS)
            if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                return await self._split(batch, answer)
            self._shared.drop("refused", batch, answer.problem())
            return None
        results = _results(answer, len(batch))
        if results is None:
            return self._failed(batch, "an unreadable answer", unclear=True)
        self._contact.answered(SUBMISSIONS)
        self._settle(batch, results)
        return None

    def _failed(self, batch: list[Item], problem: str, retry_after_s: float | None = None, *, unclear: bool) -> Next:
        for item in batch:
            item.unclear = item.unclear or unclear
        return Next(self._contact.failed(SUBMISSIONS, problem, retry_after_s), FAILED_PAUSE_S)

    async def _split(self, batch: list[Item], answer: Answer) -> Next | None:
        if len(batch) == 1:
            self._shared.drop("too_large", batch, answer.problem())
            return None
        middle = len(batch) // 2
        return await self._deliver(batch[:middle]) or await self._deliver(batch[middle:])

    def _settle(self, batch: list[Item], results: list[Result]) -> None:
        delivered, now = [], time.monotonic()
        for item, result in zip(batch, results, strict=True):
            if result.ok or (item.unclear and result.status == HTTPStatus.CONFLICT):
                # A conflict after a try without an answer: that try stored it, in another form of the same text.
                delivered.append(item)
            elif result.retriable and now - item.born <= self._shared.settings.max_age_s:
                item.attempts += 1
                item.due = now + backoff(item.attempts)
                self._shared.buffer.retry(item)
            else:
                self._shared.drop(_reason(result), [item], result.problem)
        self._shared.deliver(delivered)


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
