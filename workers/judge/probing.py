"""Probing: a judge is sent attacks and controls as a review would send them, several at a time, until all are or money ends.

The same code asks as for a sample (asking.py), so that the same prompt, schema, votes, repair and parser are measured.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

from models.types import Judged, NotApplicable, ReviewReason
from service.core.clock import utc_now
from service.core.errors import StoreUnavailableError
from service.core.judge_metrics import JudgeMetrics
from service.core.review_tables import Reviewer
from service.core.reviewing.judge import Judge
from service.core.store.reviews import ReviewOutcome, TakenReview
from workers.judge.asking import Asking
from workers.judge.calling import LONGEST_REST_S, Caller, OnBehalf, SpendLimitError
from workers.judge.chat import Chat, ChatFailedError, ChatReply, ChatRequest, FailureKind
from workers.judge.circuit import Circuit, CircuitOpenError
from workers.judge.probing_account import Account, MoneyHeldError
from workers.judge.probing_items import ProbeItem
from workers.judge.probing_report import End, Ended

PURPOSE = "probe"  # that calls are booked under, and the rule that they are booked for

_ENDS = {
    ReviewReason.JUDGE_UNPARSEABLE: End.UNPARSEABLE,
    ReviewReason.JUDGE_UNVERIFIED: End.UNVERIFIED,
    ReviewReason.INPUT_TOO_LONG: End.TOO_LONG,
}


class Stop(StrEnum):
    """Why a probe ended before all was sent."""

    SPEND_LIMIT = "spend_limit"  # what is left is less than the next call may cost
    CIRCUIT_OPEN = "circuit_open"  # the endpoint fails: it is left alone
    STORE_UNAVAILABLE = "store_unavailable"  # no call could be booked
    INTERRUPTED = "interrupted"


class ProbeCaller(Caller):
    """Books every call as a probe's, for no review; waits for money that calls under way may give back."""

    def __init__(self, chat: Chat, account: Account, judge: Judge, chance: Callable[[], float] = random.random) -> None:
        """Calls nothing yet."""
        super().__init__(f"probe {judge.named}", chat, Circuit(chance=chance), account, judge, JudgeMetrics(), chance)
        self._ended = asyncio.Event()

    async def call(
        self, request: ChatRequest, *, purpose: str, on_behalf: OnBehalf, until: float, begun: bool = False
    ) -> ChatReply:
        """As a caller does, whatever the purpose. Raises SpendLimitError only where no call under way could change it."""
        del purpose
        behalf = OnBehalf(review_seq=None, tenant=on_behalf.tenant, rule=PURPOSE)
        while True:
            ended = self._ended
            try:
                reply = await super().call(request, purpose=PURPOSE, on_behalf=behalf, until=until, begun=begun)
            except MoneyHeldError:
                await ended.wait()
            except BaseException:
                self._tell()
                raise
            else:
                self._tell()
                return reply

    def _tell(self) -> None:
        """Wakes whoever waits for a call to end."""
        self._ended.set()
        self._ended = asyncio.Event()


class Probe:
    """One run."""

    def __init__(self, asking: Asking, judge: Judge, tenant: str, items: Sequence[ProbeItem], repeats: int) -> None:
        """Sends nothing yet. `tenant`: whose money it is."""
        self.stopped: Stop | None = None
        self.failures: Counter[str] = Counter()  # of calls that kept an item from a verdict, by kind
        self._asking = asking
        self._tenant = tenant
        self._concurrency = judge.concurrency
        # Of one item, as of a review: each vote with a repair, each call with all its attempts.
        self._limit_s = 2 * judge.votes * (judge.attempts * judge.timeout_s + (judge.attempts - 1) * LONGEST_REST_S)
        self._planned = [item for _ in range(repeats) for item in items]
        self._ends: list[End] = [End.UNFINISHED] * len(self._planned)

    @property
    def ended(self) -> list[Ended]:
        """What has become of all sendings up to now."""
        return [Ended(sent=sent, end=end) for sent, end in zip(self._planned, self._ends, strict=True)]

    async def run(self, told: Callable[[], None]) -> None:
        """Sends all, at most as many at a time as the policy says; `told` is called after each."""
        left = iter(range(len(self._planned)))
        async with asyncio.TaskGroup() as group:
            for _ in range(self._concurrency):
                group.create_task(self._work(left, told))

    async def _work(self, left: Iterator[int], told: Callable[[], None]) -> None:
        for number in left:
            if self.stopped is not None:
                return
            self._ends[number] = await self._end(self._planned[number])
            told()

    async def _end(self, sent: ProbeItem) -> End:
        until = asyncio.get_running_loop().time() + self._limit_s
        try:
            async with asyncio.timeout(self._limit_s):
                return _end_of((await self._asking.review(self._row(sent), until)).outcome)
        except ChatFailedError as error:
            self.failures[error.kind.value] += 1
            return End.UNAVAILABLE
        except TimeoutError:
            self.failures[FailureKind.TIMED_OUT.value] += 1
            return End.UNAVAILABLE
        except CircuitOpenError:
            self.stopped = self.stopped or Stop.CIRCUIT_OPEN
            self.failures[Stop.CIRCUIT_OPEN.value] += 1
            return End.UNAVAILABLE
        except SpendLimitError:
            self.stopped = self.stopped or Stop.SPEND_LIMIT
            return End.UNFINISHED
        except StoreUnavailableError:
            self.stopped = self.stopped or Stop.STORE_UNAVAILABLE
            return End.UNFINISHED

    def _row(self, sent: ProbeItem) -> TakenReview:
        """The item as a review that was taken, though there is none."""
        return TakenReview(
            seq=0,
            attempt=1,
            reviewer=Reviewer.JUDGE,
            sample_seq=0,
            tenant=self._tenant,
            rule=PURPOSE,
            created_at=utc_now(),
            question=sent.item.question,
            contexts=[{"id": context.id, "text": context.text} for context in sent.item.contexts],
            response=sent.item.response,
            drawn=None,
        )


def _end_of(outcome: ReviewOutcome) -> End:
    """A judge that calls every claim not checkable flags nothing either: the response would count as checked."""
    match outcome:
        case Judged():
            return End.FLAGGED if outcome.scored.flagged else End.PASSED
        case NotApplicable():
            return End.PASSED
        case ReviewReason():
            return _ENDS[outcome]
        case _:
            raise TypeError(f"a judge's review never ends as {type(outcome).__name__}")
