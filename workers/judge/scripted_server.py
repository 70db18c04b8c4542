"""The HTTP side of a scripted endpoint, on asyncio alone: a request that hangs is a coroutine that waits, no thread.

`POST /v1/chat/completions`, `GET /v1/models`, `GET /counts`, `GET /requests?last=N`. Bodies need a Content-Length; one
request at a time on a connection, which is kept open.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from workers.judge.scenario import Behaviour, Scenario
from workers.judge.scripted_account import Account, Entry
from workers.judge.scripted_prompt import NotARequestError, read_asked
from workers.judge.scripted_replies import Call, Manner, Reply, error_reply, json_reply, reply_to

HOST = "127.0.0.1"
MAX_BODY_BYTES = 64 * 1024 * 1024
BACKLOG = 4_096
COMPLETIONS, MODELS = "/v1/chat/completions", "/v1/models"
_PROMISED_BYTES = 4_096  # of an answer of which only headers come
_LAST = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class _Received:
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class ScriptedServer:
    """Answers by a scenario and keeps the account."""

    def __init__(self, scenario: Scenario) -> None:
        """Listens once it is started."""
        self.account = Account()
        self.port = 0
        self._scenario = scenario
        self._began_at = time.monotonic()
        self._connections: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int) -> None:
        """Listens on that port of loopback, or on a free one if it is 0. Raises OSError."""
        self._server = await asyncio.start_server(self._serve, HOST, port, backlog=BACKLOG)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Drops all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in one
        self._connections.add(task)
        try:
            while (received := await _receive(reader)) is not None:
                if not await self._answer(received, reader, writer):
                    break
        except (OSError, asyncio.CancelledError):
            pass  # the client is gone, or the endpoint ends
        finally:
            self._connections.discard(task)
            with suppress(OSError):
                writer.close()

    async def _answer(self, received: _Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether another request may come on the connection."""
        if (received.method, received.path) == ("POST", COMPLETIONS):
            entry = self.account.arrive(received.headers, len(received.body), self._now_s())
            try:
                return await self._complete(entry, received, reader, writer)
            finally:
                self.account.leave(entry, self._now_s())
        writer.write(_whole(self._told(received)))
        await writer.drain()
        return True

    def _told(self, received: _Received) -> Reply:
        if received.method == "GET" and received.path == MODELS:
            model = {"id": "scripted", "object": "model", "created": 0, "owned_by": "assay"}
            return json_reply({"object": "list", "data": [model]})
        if received.method == "GET" and received.path == "/counts":
            return json_reply(self.account.counts())
        if received.method == "GET" and received.path == "/requests":
            last = received.query.get("last", [""])[0]
            return json_reply(self.account.last(int(last) if last.isdecimal() else _LAST))
        return error_reply(404, "There is nothing here.")

    async def _complete(
        self, entry: Entry, received: _Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        reply = self._reply(entry, received)
        if reply.manner is Manner.NEVER or reply.wait_s:
            await _gone_within(reader, None if reply.manner is Manner.NEVER else reply.wait_s)
        if reply.manner is Manner.NEVER or reader.at_eof() or writer.is_closing():
            return False
        # The account comes before the bytes: who has read the answer finds it counted.
        self.account.sent(entry, reply)
        if reply.manner is Manner.WHOLE:
            writer.write(_whole(reply))
            await writer.drain()
            return True
        await self._send_part(reply, reader, writer)
        return False

    async def _send_part(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reply.manner is Manner.HALF:
            whole = _whole(reply)
            writer.write(whole[: len(whole) - len(reply.body) // 2])
            await writer.drain()
            return
        if reply.manner is Manner.HEADERS:
            writer.write(_head(reply, f"Content-Length: {_PROMISED_BYTES}"))
            await _gone_within(reader, None)
            return
        writer.write(_head(reply, "Transfer-Encoding: chunked"))
        while not await _gone_within(reader, self._scenario.drip_s):
            writer.write(b"1\r\n \r\n")
            await writer.drain()

    def _reply(self, entry: Entry, received: _Received) -> Reply:
        try:
            asked = read_asked(json.loads(received.body))
        except (ValueError, RecursionError, NotARequestError) as error:
            self.account.behaves(entry, "invalid")
            return error_reply(400, str(error) if isinstance(error, NotARequestError) else "The body is no JSON.")
        self.account.of_sample(entry, asked.sample)
        behaviour: Behaviour = self._scenario.behaviour(asked.foreign, request=entry.number, before=entry.before)
        self.account.behaves(entry, behaviour)
        entry.about = {"asked": "generator" if asked.prompt is None else "judge", "schema": asked.schema, **asked.about}
        call = Call(
            asked=asked,
            scenario=self._scenario,
            behaviour=behaviour,
            number=entry.number,
            before=entry.before,
            authorization=received.headers.get("authorization", ""),
        )
        return reply_to(call)

    def _now_s(self) -> float:
        return round(time.monotonic() - self._began_at, 4)


async def _receive(reader: asyncio.StreamReader) -> _Received | None:
    """The next request; None once the connection has ended, or brings what this endpoint does not read."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
        length = int(headers.get("content-length", "0"))
        if not 0 <= length <= MAX_BODY_BYTES or "transfer-encoding" in headers:
            return None
        body = await reader.readexactly(length)
    except (ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    parts = urlsplit(target)
    return _Received(method=method, path=parts.path, query=parse_qs(parts.query), headers=headers, body=body)


async def _gone_within(reader: asyncio.StreamReader, seconds: float | None) -> bool:
    """Waits so long, or for ever; ends at once, with True, when the client hangs up."""
    try:
        async with asyncio.timeout(seconds):
            # A client sends nothing while it waits for an answer. What comes nevertheless is read and dropped.
            while await reader.read(1_024):
                pass
    except TimeoutError:
        return False
    return True


def _head(reply: Reply, length: str) -> bytes:
    phrase = HTTPStatus(reply.status).phrase
    more = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    kind = "Content-Type: application/json\r\n"
    return f"HTTP/1.1 {reply.status} {phrase}\r\n{kind}{more}{length}\r\n\r\n".encode("latin-1")


def _whole(reply: Reply) -> bytes:
    return _head(reply, f"Content-Length: {len(reply.body)}") + reply.body
