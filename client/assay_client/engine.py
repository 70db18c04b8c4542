"""The engine: one daemon thread with an event loop of its own, behind the synchronous and the asynchronous client.

Callers never wait for it: they append to a bounded buffer, and it looks there by itself. Nothing in `submit` makes a
system call, so a caller keeps the interpreter's lock and does not have to win it back from the sending thread.
"""

import asyncio
import atexit
import contextlib
import functools
import importlib
import os
import random
import socket
import threading
import time
import weakref
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from assay_client.guardrail import ScoreResult, ask, unavailable
from assay_client.sender import Sender
from assay_client.settings import Settings
from assay_client.shared import Shared, log
from assay_client.submission import InvalidError, Item, copied, encoded, unit_of
from assay_client.wire import Wire, WireError, sendable_key, tls_context

Result = TypeVar("Result")
RESTART_S = 10.0  # after a thread that could not start, or ended
# What would be imported by the first request, on the sending thread: a fork meanwhile would leave half a module to the
# child for ever.
LATE_IMPORTS = ("httpcore", "anyio._backends._asyncio", "encodings.idna")
LAST_REPORT_SHARE = 0.2  # of the time to close, for the counts of what could not be delivered


class Engine:
    """Submissions in, from any thread; requests out, from its own."""

    def __init__(self, url: str, api_key: str | None, settings: Settings) -> None:
        """Starts nothing: the thread is started by the first use, so that a server may fork before it.

        Raises ValueError for a URL or a key that is none, OSError for certificates that cannot be read.
        """
        # Made here: OpenSSL holds a lock meanwhile, which a fork would hand to the child locked.
        self._tls = tls_context(url, settings.verify)
        self._url, self._api_key, self._settings = url, sendable_key(api_key), settings
        self._closed = False
        self._begin(Shared(settings))
        _watch(self)

    def renew(self) -> None:
        """Begins anew in a forked child, with nothing but the policy: its parent sends what was held."""
        shared = Shared(self._settings)
        shared.policy = self._shared.policy
        self._begin(shared)

    def _begin(self, shared: Shared) -> None:
        self._shared = shared
        self._random = random.Random()  # noqa: S311 - ids, not secrets; uuid4 asks the system and so yields the lock
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started_at = float("-inf")
        self._ended: Future[bool] | None = None  # done when a close is
        self._delivered = False
        self._sender: Sender | None = None
        self._wire: Wire | None = None

    @property
    def shared(self) -> Shared:
        """What it holds."""
        return self._shared

    def submit(self, given: Mapping[str, Any]) -> str | None:
        """Takes a submission; its id, or None where it was dropped. Never raises, never waits."""
        try:
            return self._submit(given)
        except InvalidError as error:
            self._shared.last_problem = f"invalid field {error.field!r}"
        except Exception as error:  # noqa: BLE001 - whatever it is, the application's answer goes first
            self._shared.last_problem = type(error).__name__
        self._shared.lose("invalid")
        return None

    def _submit(self, given: Mapping[str, Any]) -> str | None:
        shared, policy = self._shared, self._shared.policy
        if self._closed:
            shared.lose("closed")
            return None
        if self._loop is None:
            self._start()
        sample_id = given.get("id")
        if sample_id is None:
            sample_id = self._new_id()
        elif not isinstance(sample_id, str):
            raise InvalidError("id")
        stratum = None
        if policy is not None:
            stratum, sent = policy.decide(unit_of(sample_id, given), given)
            if stratum is not None and not sent:
                shared.leave_out(stratum, given)
                return sample_id
        try:
            body, size = copied(given)
        except InvalidError as error:
            shared.last_problem = f"invalid field {error.field!r}"
            shared.lose("invalid", stratum, given)
            return None
        item = Item(
            id=sample_id, body=body, size=size, born=time.monotonic(), stratum=stratum, decided=policy is not None
        )
        if not shared.buffer.add(item):
            shared.lose("buffer_full", stratum, body)
            return None
        return sample_id

    def _new_id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    def score(self, given: Mapping[str, Any], seconds: float) -> "Future[ScoreResult]":
        """Scores one now. The future never raises; whoever waits for it sets the hard limit."""
        deadline = time.monotonic() + seconds
        done: Future[ScoreResult] = Future()
        sample_id = None
        try:
            body, size = copied(given)
            sample_id = body.pop("id", None) or self._new_id()
            if self._closed:
                done.set_result(unavailable(sample_id, "closed"))
                return done
            if self._loop is None:
                self._start()
            item = Item(id=sample_id, body=body, size=size, born=time.monotonic())
            return self._run(self._score(item, deadline))
        except InvalidError as error:
            done.set_result(unavailable(sample_id, f"invalid: {error.field}"))
        except Exception as error:  # noqa: BLE001 - it fails open
            done.set_result(unavailable(sample_id, type(error).__name__))
        return done

    async def _score(self, item: Item, deadline: float) -> ScoreResult:
        if self._wire is None:
            return unavailable(item.id, "closed")
        body = item.body
        try:
            return await ask(self._wire, item.id, encoded(item), deadline)
        except WireError as error:
            if not error.sent:  # then it is certain that Assay does not have it
                self.submit({**body, "id": item.id})
            return unavailable(item.id, str(error))
        except InvalidError as error:
            return unavailable(item.id, f"invalid: {error.field}")

    def flush(self, seconds: float) -> "Future[bool]":
        """Delivers what is held; whether that was done in time."""
        if self._loop is None or self._closed:
            return self._ended or _done(result=self._shared.buffer.items == 0)
        return self._run(self._drain(seconds))

    async def _drain(self, seconds: float) -> bool:
        return self._sender is None or await self._sender.drain(seconds)

    def close(self, seconds: float) -> "Future[bool]":
        """Takes no more, delivers what it can in time, counts the rest as dropped, and ends the thread."""
        with self._lock:
            if self._ended:  # by an earlier call, which may still be at work
                return self._ended
            self._closed = True
            self._ended = Future()
            try:
                self._run(self._end(seconds))
            except RuntimeError:  # no thread: never needed, could not be started, or has ended by itself
                left = self._shared.buffer.take_all()
                self._shared.drop("closed", left)
                self._ended.set_result(self._said_all(delivered=not left))
            return self._ended

    async def _end(self, seconds: float) -> None:
        try:
            self._delivered = await self._drain(seconds * (1 - LAST_REPORT_SHARE))
            if not self._delivered and self._sender:
                await self._sender.give_up()
                await self._drain(seconds * LAST_REPORT_SHARE)
            self._delivered = self._said_all(delivered=self._delivered)
        finally:
            asyncio.get_running_loop().stop()

    def _said_all(self, *, delivered: bool) -> bool:
        """Tells the application, for the last time, what was lost; whether that is nothing."""
        self._shared.tell(time.monotonic(), last=True)
        uncounted = self._shared.ledger.unreported
        if uncounted:
            log.warning("%d submissions that were not sent are missing from Assay's counts.", uncounted)
        return delivered and not uncounted

    def _run(self, coroutine: Coroutine[Any, Any, Result]) -> "Future[Result]":
        loop = self._loop
        if loop is None:
            coroutine.close()
            raise RuntimeError("closed")
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:  # the loop was closed meanwhile
            coroutine.close()
            raise

    def _start(self) -> None:
        """Starts the thread. Where that fails, what is submitted waits in the buffer for another try."""
        with self._lock:
            if self._loop is not None or self._closed or time.monotonic() - self._started_at < RESTART_S:
                return
            self._started_at = time.monotonic()
            loop = _Loop()
            loop.set_debug(False)  # an application that debugs its own loop does not want to hear of this one
            loop.call_soon(lambda: loop.create_task(self._work()))  # first, so that a flush finds it begun
            try:
                threading.Thread(target=self._serve, args=(loop,), name="assay-client", daemon=True).start()
            except RuntimeError:  # no more threads, or the interpreter exits
                loop.close()
            else:
                self._loop = loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            while tasks := asyncio.all_tasks(loop):  # a task that ends may have begun another
                for task in tasks:
                    task.cancel()
                loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(asyncio.sleep(0))  # connections close in the turn after
        except Exception:  # noqa: BLE001 - logged; the next submission starts another thread
            log.exception("The sending thread ended.")
        finally:
            with self._lock:  # not before _start has noted the loop
                self._loop = None
            loop.close()
            if self._ended and not self._ended.done():
                self._ended.set_result(self._delivered)

    async def _work(self) -> None:
        try:
            async with Wire(self._url, self._api_key, self._tls) as wire:
                self._wire, self._sender = wire, Sender(self._shared, wire)
                await self._sender.run()
        except Exception:  # noqa: BLE001 - such as a certificate that cannot be read
            log.exception("The client cannot send.")
            asyncio.get_running_loop().stop()
        finally:
            self._wire = self._sender = None


class _Loop(asyncio.SelectorEventLoop):
    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        """Asks the resolver on this thread, which has nothing else to do.

        asyncio would ask on a pool's thread: those cannot be had any more while the interpreter exits, which is when
        the last batch is sent, and a hanging one would hold up the exit.
        """
        return socket.getaddrinfo(*args, **kwargs)


def _done(*, result: bool) -> "Future[bool]":
    future: Future[bool] = Future()
    future.set_result(result)
    return future


_engines: "weakref.WeakSet[Engine]" = weakref.WeakSet()
_inherited: list[Any] = []  # never freed: freeing a parent's event loop would take its sockets out of the shared epoll


def _watch(engine: Engine) -> None:
    _engines.add(engine)
    _hook()


@functools.cache
def _hook() -> None:
    for name in LATE_IMPORTS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    atexit.register(_at_exit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_in_child)


def _in_child() -> None:
    for engine in list(_engines):
        _inherited.append(engine.__dict__.copy())
        engine.renew()


def _at_exit() -> None:
    for engine in list(_engines):
        try:
            limit = engine.shared.settings.exit_timeout_s
            engine.close(limit).result(limit + 0.5)
        except Exception as error:  # noqa: BLE001 - an exit goes on
            log.warning("Assay's client could not finish: %s.", type(error).__name__)
