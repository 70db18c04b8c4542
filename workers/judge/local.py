"""A causal language model in the judge worker's own memory: calls that come together are read together."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from models.backends.causal import Generated, PromptTooLongError, load_causal
from models.types import ModelError
from service.core.reviewing.judge import Judge
from workers.judge.chat import ChatFailedError, ChatReply, ChatRequest, FailureKind, storable

GATHER_S = 0.02  # in which calls that come after the first join it


@dataclass(frozen=True, slots=True)
class _Waiting:
    request: ChatRequest
    reply: "asyncio.Future[Generated | ModelError]"


class LocalChat:
    """One model, one thread; what generates for longer than the hard limit is stopped after its next token."""

    def __init__(self, judge: Judge, threads: int) -> None:
        """Loads the model, which may have to be downloaded first. Raises ModelError."""
        self._judge = judge
        self._model = load_causal(judge.local or "", judge.revision or "", threads)
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="generate")
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def weights(self) -> str:
        """Identifies the model, for a fingerprint."""
        return self._model.digest

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The reply, within twice the hard limit: a call may have to wait for those before it. Raises ChatFailedError."""
        if self._task is None:
            self._task = asyncio.create_task(self._serve())
        waiting = _Waiting(request, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(waiting)
        try:
            async with asyncio.timeout(2 * self._judge.timeout_s):
                found = await waiting.reply
        except TimeoutError:
            raise ChatFailedError(FailureKind.TIMED_OUT) from None
        return _reply(found, request)

    async def close(self) -> None:
        """Stops what is generated and lets the memory go."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _serve(self) -> None:
        while True:
            together = [await self._queue.get()]
            await asyncio.sleep(GATHER_S)
            while not self._queue.empty() and len(together) < self._judge.concurrency:
                together.append(self._queue.get_nowait())
            together = [each for each in together if not each.reply.done()]
            # Of one policy's judge all calls are alike but for their seeds.
            if together:
                await self._generate(together)

    async def _generate(self, together: list[_Waiting]) -> None:
        deadline = time.monotonic() + self._judge.timeout_s
        first = together[0].request
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._thread,
                lambda: self._model.generate(
                    [each.request.messages for each in together],
                    max_output_tokens=first.max_output_tokens,
                    temperature=first.temperature,
                    seed=[each.request.seed for each in together],
                    until=lambda: self._closed or time.monotonic() > deadline,
                ),
            )
        except (ModelError, ValueError) as error:
            found = [error if isinstance(error, ModelError) else ModelError(str(error))] * len(together)
        for each, one in zip(together, found, strict=True):
            if not each.reply.done():
                each.reply.set_result(one)


def _reply(found: Generated | ModelError, request: ChatRequest) -> ChatReply:
    match found:
        case PromptTooLongError():
            raise ChatFailedError(FailureKind.INPUT_TOO_LONG)
        case ModelError():
            raise ChatFailedError(FailureKind.MALFORMED)
    if not found.finished and found.output_tokens < request.max_output_tokens:
        raise ChatFailedError(FailureKind.TIMED_OUT)
    return ChatReply(
        text=storable(found.text),
        input_tokens=found.input_tokens,
        output_tokens=found.output_tokens,
        likelihood=found.likelihood,
        cut=not found.finished,
    )
