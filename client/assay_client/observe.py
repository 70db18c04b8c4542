"""The decorator: a function's arguments and what it returns or streams become a submission.

A source says where a field comes from:

- `"query"`: the argument of that name
- `"return"`: what the function returned, or the text that it streamed
- `"return.answer"`: the key or attribute `answer` of it; `"return.a.b"` goes deeper
- a callable: called with the `Call`

Exceptions of the function pass untouched, and nothing is submitted for them. What a source raises is counted as
`extraction_failed` and goes no further. A generator is handed on chunk by chunk; the text is collected on the way and
submitted at its end with `ttft_ms` and `latency_ms`. Where the reader stops early, or the stream fails, nothing is
submitted (`stats().unfinished`): half a sentence is no claim that anybody made.
"""

import functools
import inspect
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

from assay_client.engine import Engine
from assay_client.streams import AsyncTee, Tee

P = ParamSpec("P")
R = TypeVar("R")
RETURN = "return"


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call of a decorated function."""

    arguments: Mapping[str, Any]
    result: Any  # of a stream: its text
    latency_ms: float
    ttft_ms: float | None = None


Source = str | Callable[[Call], Any]


def observer(
    engine: Engine, sources: Mapping[str, Source], more: Mapping[str, Any]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The decorator. `sources` name places or are called; of `more`, what can be called is, the rest is constant."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        watch = _Watch(engine, function, sources, more)
        if inspect.iscoroutinefunction(function):
            coroutine_function = cast("Callable[..., Any]", function)

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                started = time.perf_counter()
                return watch.seen(await coroutine_function(*args, **kwargs), started, args, kwargs)

            return cast("Callable[P, R]", awaited)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            started = time.perf_counter()
            return cast("R", watch.seen(function(*args, **kwargs), started, args, kwargs))

        return called

    return decorate


class _Watch:
    def __init__(
        self, engine: Engine, function: Callable[..., Any], sources: Mapping[str, Source], more: Mapping[str, Any]
    ) -> None:
        self._engine = engine
        self._signature = inspect.signature(function)
        self._sources = sources
        self._more = more

    def seen(self, result: Any, started: float, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Gives the result on: as it is, or, of a stream, with its text collected on the way."""
        end = functools.partial(self._submit, started, args, kwargs)
        if isinstance(result, Generator):
            return Tee(result, end, self._unfinished)
        if isinstance(result, AsyncGenerator):
            return AsyncTee(result, end, self._unfinished)
        end(result, None)
        return result

    def _submit(
        self, started: float, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, first: float | None
    ) -> None:
        now = time.perf_counter()
        try:
            bound = self._signature.bind(*args, **kwargs)
            bound.apply_defaults()
            call = Call(
                arguments=bound.arguments,
                result=result,
                latency_ms=(now - started) * 1000,
                ttft_ms=None if first is None else (first - started) * 1000,
            )
            fields = {"latency_ms": call.latency_ms, "ttft_ms": call.ttft_ms}
            fields |= {name: value(call) if callable(value) else value for name, value in self._more.items()}
            fields |= {name: _found(source, call) for name, source in self._sources.items()}
        except Exception:  # noqa: BLE001 - of the extractor; the application's answer goes first
            self._engine.shared.lose("extraction_failed")
            return
        self._engine.submit(fields)

    def _unfinished(self) -> None:
        self._engine.shared.add("unfinished")


def _found(source: Source, call: Call) -> Any:
    if callable(source):
        return source(call)
    head, *path = source.split(".")
    value = call.result if head == RETURN else call.arguments[head]
    for name in path:
        value = value[name] if isinstance(value, Mapping) else getattr(value, name)
    return value
