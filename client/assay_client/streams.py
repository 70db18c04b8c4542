"""Streams handed on as they are, with a copy of their text kept on the way."""

import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

MAX_CHARS = 1_000_000  # of a copy; a longer stream is handed on whole and not submitted

Ended = Callable[[Any, float | None], None]


class _Copy:
    """The text so far. Chunks that are no text are handed on and not copied."""

    def __init__(self, ended: Ended, unfinished: Callable[[], None]) -> None:
        self._ended = ended
        self._unfinished = unfinished
        self._parts: list[str] = []
        self._length = 0
        self._first: float | None = None
        self._open = True

    def add(self, chunk: Any) -> None:
        if self._first is None:
            self._first = time.perf_counter()
        if isinstance(chunk, str) and self._length <= MAX_CHARS:
            self._length += len(chunk)
            self._parts.append(chunk)
            if self._length > MAX_CHARS:
                self._parts.clear()

    def end(self) -> None:
        if self._open and self._length <= MAX_CHARS:
            self._open = False
            self._ended("".join(self._parts), self._first)
        else:
            self.leave()

    def leave(self) -> None:
        if self._open:
            self._open = False
            self._unfinished()


class Tee(Generator[Any, Any, Any]):
    """A generator, watched."""

    def __init__(self, inner: Generator[Any, Any, Any], ended: Ended, unfinished: Callable[[], None]) -> None:
        """`ended` gets the text and when it began; `unfinished` is called where it never ended."""
        self._inner = inner
        self._copy = _Copy(ended, unfinished)

    def send(self, value: Any) -> Any:
        """Sends into the generator."""
        return self._step(lambda: self._inner.send(value))

    def throw(self, *raised: Any) -> Any:
        """Raises in the generator."""
        return self._step(lambda: self._inner.throw(*raised))

    def close(self) -> None:
        """Closes the generator."""
        self._copy.leave()
        self._inner.close()

    def __del__(self) -> None:
        """Notices a reader that walked away."""
        self._copy.leave()

    def _step(self, advance: Callable[[], Any]) -> Any:
        try:
            chunk = advance()
        except StopIteration:
            self._copy.end()
            raise
        except BaseException:
            self._copy.leave()
            raise
        self._copy.add(chunk)
        return chunk


class AsyncTee(AsyncGenerator[Any, Any]):
    """An asynchronous generator, watched."""

    def __init__(self, inner: AsyncGenerator[Any, Any], ended: Ended, unfinished: Callable[[], None]) -> None:
        """`ended` gets the text and when it began; `unfinished` is called where it never ended."""
        self._inner = inner
        self._copy = _Copy(ended, unfinished)

    async def asend(self, value: Any) -> Any:
        """Sends into the generator."""
        return await self._step(self._inner.asend(value))

    async def athrow(self, *raised: Any) -> Any:
        """Raises in the generator."""
        return await self._step(self._inner.athrow(*raised))

    async def aclose(self) -> None:
        """Closes the generator."""
        self._copy.leave()
        await self._inner.aclose()

    def __del__(self) -> None:
        """Notices a reader that walked away."""
        self._copy.leave()

    async def _step(self, advance: Any) -> Any:
        try:
            chunk = await advance
        except StopAsyncIteration:
            self._copy.end()
            raise
        except BaseException:
            self._copy.leave()
            raise
        self._copy.add(chunk)
        return chunk
