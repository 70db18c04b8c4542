"""What a golden run tests, as a person names it: the scorer, a URL, or a Python function."""

import asyncio
import functools
import hashlib
import importlib
import inspect
import json
import queue
import random
import ssl
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx

from service.core.errors import StartRefusedError
from service.core.golden.item import GoldenItem
from service.core.golden.record import TargetKind
from service.core.web_address import web_address
from workers.golden.template import NoResponseError, Template

MAX_ANSWER_BYTES = 4 * 1024 * 1024
FIRST_REST_S, LONGEST_REST_S = 0.5, 20.0
SCORER = "scorer"


class NoAnswerError(Exception):
    """An application gave no answer. Its one word says why, and holds nothing of the item, the answer or a key."""


class Application(Protocol):
    """Something that answers questions; called from several threads at a time."""

    @property
    def name(self) -> str:
        """As a person reads it; holds no secrets."""

    @property
    def options(self) -> Mapping[str, Any]:
        """What changes its answers, for the decision whether an interrupted run may go on."""

    def answer(self, item: GoldenItem) -> str:
        """The response to one item. Raises NoAnswerError."""


def kind_of(target: str) -> TargetKind:
    """What is tested."""
    return TargetKind.SCORER if target == SCORER else TargetKind.APPLICATION


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpApplication:
    """An endpoint that takes JSON and answers with JSON. No redirects, no proxies, a hard limit in time and size."""

    url: str
    template: Template
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 60.0  # of one attempt, from the name to the last byte
    attempts: int = 3  # where it fails in passing

    def __post_init__(self) -> None:
        """Raises StartRefusedError for a URL that is none."""
        try:
            web_address(self.url, allow_private=True)
        except ValueError as error:
            raise StartRefusedError(f"The target's URL {error}.", next_step="Correct --target.") from None

    @property
    def name(self) -> str:
        """The URL without its query, which may hold a key."""
        return self.url.partition("?")[0]

    @property
    def options(self) -> Mapping[str, Any]:
        """URL and template; of the query, which may hold a key, a digest."""
        query = hashlib.sha256(self.url.partition("?")[2].encode()).hexdigest()
        return {"url": self.name, "query": query, "body": self.template.body, "response": list(self.template.response)}

    def answer(self, item: GoldenItem) -> str:
        """Asks, again where it may help. Raises NoAnswerError."""
        body = json.dumps(self.template.fill(item)).encode()
        rest_s = FIRST_REST_S
        for attempt in range(1, self.attempts + 1):
            try:
                return self.template.read(asyncio.run(self._post(body)))
            except NoResponseError:
                raise NoAnswerError("no_response_in_answer") from None
            except _PassingError as error:
                if attempt == self.attempts:
                    raise NoAnswerError(error.args[0]) from None
                time.sleep(min(LONGEST_REST_S, error.retry_after_s or rest_s * random.uniform(0.5, 1.0)))  # noqa: S311
                rest_s *= 2
        raise NoAnswerError("never_asked")

    async def _post(self, body: bytes) -> Any:
        headers = {"content-type": "application/json", "accept-encoding": "identity", **self.headers}
        try:
            async with (
                asyncio.timeout(self.timeout_s),
                httpx.AsyncClient(verify=_tls(), trust_env=False, follow_redirects=False, timeout=None) as client,  # noqa: S113 - above
                client.stream("POST", self.url, content=body, headers=headers) as response,
            ):
                _require_answered(response)
                return json.loads(await _read(response))
        except TimeoutError:
            raise _PassingError("timed_out") from None
        except httpx.ConnectError:
            raise _PassingError("not_reached") from None
        except httpx.HTTPError:
            raise _PassingError("connection_lost") from None
        except (ValueError, RecursionError):
            raise NoAnswerError("answer_is_not_json") from None


@functools.cache
def _tls() -> ssl.SSLContext:
    """Once: it takes longer than a request. SSL_CERT_FILE names other authorities."""
    return httpx.create_ssl_context()


class _PassingError(Exception):
    """It may succeed later."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


def _require_answered(response: httpx.Response) -> None:
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        after = response.headers.get("retry-after", "")
        raise _PassingError(f"http_{status}", float(after) if after.isdecimal() else None)
    if not response.is_success:
        raise NoAnswerError(f"http_{status}")


async def _read(response: httpx.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise NoAnswerError("answer_too_large")
        parts.append(part)
    return b"".join(parts)


class _Loop:
    """One event loop for all calls: a client that a coroutine function keeps belongs to the loop of its first call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def awaited(self, answer: Awaitable[Any], timeout_s: float) -> Any:
        """What comes of it; from any thread."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="application-loop", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(_awaited(answer, timeout_s), self._loop).result()


async def _awaited(answer: Awaitable[Any], timeout_s: float) -> Any:
    try:
        async with asyncio.timeout(timeout_s) as limit:
            return await answer
    except TimeoutError:
        if limit.expired():
            raise NoAnswerError("timed_out") from None
        raise
    except (SystemExit, KeyboardInterrupt) as error:  # which would end the loop of all other calls
        raise NoAnswerError(f"raised_{type(error).__name__}") from None


Answering = Callable[[str, list[str]], Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionApplication:
    """A function `(question, contexts) -> text`, or a coroutine function, or one that gives {"response": text}."""

    name: str
    function: Answering
    timeout_s: float = 60.0
    loop: _Loop = field(default_factory=_Loop, repr=False)

    @property
    def options(self) -> Mapping[str, Any]:
        """The name alone: nobody can tell whether a function has changed."""
        return {"function": self.name}

    def answer(self, item: GoldenItem) -> str:
        """Calls it, in a thread of its own that may outlive the wait for it. Raises NoAnswerError."""
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def call() -> None:
            try:
                answers.put(self._call(item))
            except NoAnswerError as error:
                answers.put(error)
            except BaseException as error:  # noqa: BLE001 - whatever the user's own function raises is its answer
                answers.put(NoAnswerError(f"raised_{type(error).__name__}"))

        threading.Thread(target=call, name="application", daemon=True).start()
        try:
            answer = answers.get(timeout=self.timeout_s)
        except queue.Empty:
            raise NoAnswerError("timed_out") from None
        if isinstance(answer, NoAnswerError):
            raise answer
        try:
            return Template(body=None).read(answer)
        except NoResponseError:
            raise NoAnswerError("no_response_in_answer") from None

    def _call(self, item: GoldenItem) -> Any:
        answer = self.function(item.question or "", [context.text for context in item.contexts])
        return self.loop.awaited(answer, self.timeout_s) if inspect.isawaitable(answer) else answer


def load_function(target: str, timeout_s: float) -> FunctionApplication:
    """The function `module:name`, looked for in the working directory first. Raises StartRefusedError."""
    module_name, _, name = target.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's own module raises
        raise StartRefusedError(
            f"{target} cannot be loaded: {type(error).__name__}: {error}.",
            next_step="Name it MODULE:FUNCTION, and start where Python finds the module.",
        ) from None
    if not callable(found):
        raise StartRefusedError(f"{target} is no function.", next_step="Name one that takes (question, contexts).")
    return FunctionApplication(name=target, function=found, timeout_s=timeout_s)
