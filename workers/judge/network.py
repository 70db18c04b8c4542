"""Connections of the judge's HTTP client: to addresses that were looked at, without proxies, and never without bound."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

import httpcore2
import httpx2

from workers.dialling import MOST_ADDRESSES, AddressRefusedError, Resolve, refusal, system_addresses

MAX_ANSWER_BYTES = 4 * 1024 * 1024
CONNECT_S = 5.0  # to one address, so that another of the host may be tried
SENT = (b"host", b"content-type", b"content-length", b"transfer-encoding", b"accept", b"user-agent")


@dataclass(slots=True)
class Sending:
    """How far the request that is under way has come."""

    begun: bool = False  # whether anything of its body may have reached the endpoint, which only then can answer it


# Of the task that calls: a connection is shared with nobody while it sends, but it outlives the call that opened it.
SENDING: ContextVar[Sending] = ContextVar("SENDING")


class AnswerTooLargeError(Exception):
    """An answer has more bytes than one can have."""


class AnswerEncodedError(Exception):
    """An answer is compressed, although nobody asked for that."""


class CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to an address of the host that was looked at, and to no other: the name is resolved once."""

    def __init__(self, *, allow_private: bool, resolve: Resolve = system_addresses) -> None:
        """`allow_private`: whether the host may be in a private network, or this machine."""
        self._allow_private = allow_private
        self._resolve = resolve
        self._plain = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Raises AddressRefusedError if any address of the host is not public, httpcore2.ConnectError if none answers."""
        addresses = await self._addresses(host, port)
        for address in [] if self._allow_private else addresses:
            if (reason := refusal(address)) is not None:
                raise AddressRefusedError(f"address {address} is {reason}: set allow_private = true if that is meant")
        failure: Exception = httpcore2.ConnectError("the host has no address")
        for address in addresses[:MOST_ADDRESSES]:
            try:
                within_s = timeout or CONNECT_S
                return _Plain(await self._plain.connect_tcp(address, port, within_s, local_address, socket_options))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        """Asked in a thread of its own, which may outlive whoever waits: the system's resolver knows no timeout."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[str]] = loop.create_future()

        def tell(found: Sequence[str] | None) -> None:
            if answer.done():
                return
            if found is None:
                answer.set_exception(httpcore2.ConnectError("the host name cannot be resolved"))
            else:
                answer.set_result(found)

        def ask() -> None:
            found: Sequence[str] | None = None
            with contextlib.suppress(OSError, UnicodeError):
                found = self._resolve(host, port)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(tell, found)

        threading.Thread(target=ask, name="resolver", daemon=True).start()
        return await answer


class _Plain(httpcore2.AsyncNetworkStream):
    """A TCP connection. Where TLS is broken off, it is closed, which the library leaves to chance."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as above
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class CheckedTransport(httpx2.AsyncBaseTransport):
    """HTTP/1.1 over such connections; an answer is bounded, and the environment has no say."""

    def __init__(self, network: httpcore2.AsyncNetworkBackend, connections: int, key: str) -> None:
        """Connects to nothing yet. `key`: sent as a bearer token."""
        self._own = [
            (b"accept-encoding", b"identity"),
            (b"authorization", b"Bearer " + key.encode("latin-1", "replace")),
        ]
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=30.0,
            network_backend=network,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises what `httpcore2` and the network raise."""
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        # No others: what the environment or a library adds may be a secret of somebody else's.
        headers = [(name, value) for name, value in request.headers.raw if name.lower() in SENT] + self._own
        sending = SENDING.get(None) or Sending()
        sending.begun = False

        async def trace(event: str, told: Mapping[str, object]) -> None:
            del told
            sending.begun = sending.begun or event == "http11.send_request_headers.complete"

        sent = httpcore2.Request(
            method=request.method, url=url, headers=headers, content=request.stream, extensions={"trace": trace}
        )
        response = await self._pool.handle_async_request(sent)
        if any(name.lower() == b"content-encoding" and value != b"identity" for name, value in response.headers):
            await response.aclose()
            raise AnswerEncodedError  # unpacked it may be of any size
        return httpx2.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Bounded(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._pool.aclose()


class _Bounded(httpx2.AsyncByteStream):
    """The body of an answer. Raises AnswerTooLargeError once it has too many bytes."""

    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_ANSWER_BYTES
        async for part in self._response.aiter_stream():
            left -= len(part)
            if left < 0:
                raise AnswerTooLargeError
            yield part

    async def aclose(self) -> None:
        await self._response.aclose()
