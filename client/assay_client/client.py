"""The two faces of the client. Sending is the same for both: one daemon thread with an event loop of its own."""

import asyncio
from collections.abc import Callable
from typing import Any, ParamSpec, Self, TypeVar, Unpack

from assay_client.engine import Engine
from assay_client.guardrail import DEFAULT_WAIT_S, AssayUnavailableError, ScoreResult, seconds, unavailable
from assay_client.observe import Source, observer
from assay_client.settings import DEFAULT_URL, Settings
from assay_client.shared import Stats
from assay_client.submission import Fields

P = ParamSpec("P")
R = TypeVar("R")
FLUSH_TIMEOUT_S = 10.0
GRACE_S = 0.05  # for the result to change threads


class Face:
    """What both clients share.

    Nothing lost, nothing counted twice, as far as a client can:

    - A submission that was taken (`submit` gave an id) ends in one of three ways: the server answered for it, it was
      left out by the hash and counted, or it was dropped and counted by reason. `stats()` shows all three.
    - Retries carry the same id and the same bytes, so the server stores a sample once. Counts carry a number that is
      used until it is answered, so they are added once.
    - What no client can know: after a request without an answer, or a kill -9 of this process, the server may or may
      not have it. A submission given up after that is counted as dropped although it may be stored, which only widens
      the worst-case bounds. Where the server decides (no client-side sampling), one that it left out may be counted
      again by the retry. A kill -9 loses what is held and the counts of the last interval.
    """

    def __init__(self, url: str = DEFAULT_URL, *, api_key: str | None = None, settings: Settings | None = None) -> None:
        """Makes a client; one for a process is enough. No thread and no connection until it is used.

        Args:
            url: where the sidecar listens.
            api_key: a key of scope `ingest`, where the sidecar asks for one.
            settings: limits and intervals.

        Raises:
            ValueError: the URL is none, or no header can carry the key.
            OSError: the certificates cannot be read. Nothing but this constructor raises by itself.
        """
        self._engine = Engine(url, api_key, settings or Settings())

    def submit(self, **fields: Unpack[Fields]) -> str | None:
        """Hands over an answer; its id, or None where it was dropped.

        It never raises, whatever it is given, and never waits: no lock is held for long and no system call is made.
        What is wrong with a submission is in `stats()`, in the log once a minute, and told to `on_drop`.
        """
        return self._engine.submit(fields)

    @property
    def engine(self) -> Engine:
        """What sends; for the middleware."""
        return self._engine

    def stats(self) -> Stats:
        """What became of everything submitted so far by this process."""
        return self._engine.shared.stats()

    def observe(
        self,
        *,
        response: Source = "return",
        question: Source | None = None,
        contexts: Source | None = None,
        **more: Any,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Decorates a function that returns an answer, or streams it; see `assay_client.observe`."""
        sources = {"response": response, "question": question, "contexts": contexts}
        return observer(self._engine, {name: source for name, source in sources.items() if source is not None}, more)


class AssayClient(Face):
    """The client of a synchronous application. Thread-safe. `Face` says what is promised of delivery."""

    def score(self, *, wait: float = DEFAULT_WAIT_S, fail_open: bool = True, **fields: Unpack[Fields]) -> ScoreResult:
        """Scores an answer while its reader waits.

        Returns within `wait` seconds, whatever the sidecar does. Where Assay is away, slow or refuses, `status` is
        `unavailable` or `pending` and `flagged` is None: let the answer pass, and do not read None as clean.

        Raises:
            AssayUnavailableError: only with `fail_open=False`, where there is no score in time.
        """
        limit = seconds(wait)
        future = self._engine.score(fields, limit)
        try:
            result = future.result(limit + GRACE_S)
        except Exception as error:  # noqa: BLE001 - it fails open
            # Not cancelled: it has a deadline itself, after which it may still have to submit the answer.
            result = _failed(fields, error)
        return _checked(result, fail_open=fail_open)

    def flush(self, timeout: float = FLUSH_TIMEOUT_S) -> bool:
        """Waits until all that was submitted is settled; False where it was not in time."""
        try:
            return self._engine.flush(timeout).result(timeout + GRACE_S)
        except Exception:  # noqa: BLE001 - never into the caller
            return False

    def close(self, timeout: float | None = None) -> bool:
        """Delivers what it can in time, counts the rest as dropped, and ends. False where some was, or was not counted."""
        limit = self._engine.shared.settings.exit_timeout_s if timeout is None else timeout
        try:
            return self._engine.close(limit).result(limit + GRACE_S)
        except Exception:  # noqa: BLE001 - never into the caller
            return False

    def __enter__(self) -> Self:
        """Gives itself."""
        return self

    def __exit__(self, *raised: object) -> None:
        """Closes."""
        self.close()


class AsyncAssayClient(Face):
    """The client of an asyncio application; for any number of event loops. `submit` is no coroutine: it never waits."""

    async def score(
        self, *, wait: float = DEFAULT_WAIT_S, fail_open: bool = True, **fields: Unpack[Fields]
    ) -> ScoreResult:
        """Scores an answer while its reader waits; as `AssayClient.score`."""
        limit = seconds(wait)
        future = self._engine.score(fields, limit)
        try:
            result = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), limit + GRACE_S)
        except asyncio.CancelledError as error:
            if not future.cancelled():  # then it is the caller's task that was cancelled
                future.cancel()
                raise
            result = _failed(fields, error)
        except Exception as error:  # noqa: BLE001 - it fails open
            result = _failed(fields, error)
        return _checked(result, fail_open=fail_open)

    async def flush(self, timeout: float = FLUSH_TIMEOUT_S) -> bool:  # noqa: ASYNC109 - bounded across threads
        """Waits until all that was submitted is settled; False where it was not in time."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._engine.flush(timeout)), timeout + GRACE_S)
        except Exception:  # noqa: BLE001 - never into the caller
            return False

    async def close(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - bounded across threads
        """Delivers what it can in time, counts the rest as dropped, and ends. False where some was, or was not counted."""
        limit = self._engine.shared.settings.exit_timeout_s if timeout is None else timeout
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._engine.close(limit)), limit + GRACE_S)
        except Exception:  # noqa: BLE001 - never into the caller
            return False

    async def __aenter__(self) -> Self:
        """Gives itself."""
        return self

    async def __aexit__(self, *raised: object) -> None:
        """Closes."""
        await self.close()


def _failed(fields: Fields, error: BaseException) -> ScoreResult:
    given = fields.get("id")
    reason = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
    return unavailable(given if isinstance(given, str) else None, reason)


def _checked(result: ScoreResult, *, fail_open: bool) -> ScoreResult:
    if not fail_open and result.status in {"unavailable", "pending"}:
        raise AssayUnavailableError(
            f"No score in time: {result.status}" + (f", {result.reason}." if result.reason else ".")
        )
    return result
