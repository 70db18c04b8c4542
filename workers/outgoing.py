"""HTTP POST to an address that a person wrote down: no redirects, no proxies, no private hosts, and never for long."""

import contextlib
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import httpcore

from service.core.web_address import WebAddress
from workers.dialling import Deadline, Dialler, NotReachedError, told

MAX_ANSWER_BYTES = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back, as far as it matters."""

    status: int
    retry_after: str | None = None  # the header, as it came


def post(
    address: WebAddress, body: bytes, headers: Mapping[str, str], dialler: Dialler, *, allow_private: bool
) -> Answer:
    """Sends it once and reads the answer's status; its body is thrown away, and read no further than 64 KiB.

    Raises AddressRefusedError if the host leads to an address that is not public, NotReachedError if no answer came.
    """
    deadline = dialler.deadline()
    network = _Network(dialler, deadline, allow_private=allow_private)
    url = httpcore.URL(scheme=address.scheme, host=address.host, port=address.port, target=address.target)
    sent = [("Host", address.authority), ("Content-Length", str(len(body))), *headers.items(), ("Connection", "close")]
    # Not httpx's client: it would log the URL, which may be a secret, and takes no connection that was checked before.
    with httpcore.ConnectionPool(ssl_context=dialler.tls(), network_backend=network) as pool:
        try:
            with pool.stream("POST", url, headers=sent, content=body) as response:
                answer = Answer(status=response.status, retry_after=_header(response, b"retry-after"))
                _drain(response)
        except httpcore.ProtocolError:
            raise NotReachedError("closed without a valid HTTP answer") from None
        except (httpcore.NetworkError, httpcore.TimeoutException) as error:
            raise NotReachedError(str(error) or "connection lost") from None
    return answer


def _header(response: httpcore.Response, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), None)


def _drain(response: httpcore.Response) -> None:
    """Some servers take it amiss if nobody listens to the end. The status stands, whatever becomes of the rest."""
    left = MAX_ANSWER_BYTES
    with contextlib.suppress(NotReachedError, httpcore.NetworkError, httpcore.ProtocolError):
        for part in response.iter_stream():
            left -= len(part)
            if left <= 0:
                return


class _Network(httpcore.NetworkBackend):
    """Connects by the dialler, within the deadline."""

    def __init__(self, dialler: Dialler, deadline: Deadline, *, allow_private: bool) -> None:
        self._dialler = dialler
        self._deadline = deadline
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[object] | None = None,
    ) -> httpcore.NetworkStream:
        del timeout, local_address, socket_options  # the deadline rules
        connection = self._dialler.dial(host, port, self._deadline, allow_private=self._allow_private)
        return _Stream(connection, self._deadline)


class _Stream(httpcore.NetworkStream):
    """A socket each of whose operations ends by the deadline: a server that drips byte by byte gains nothing."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._socket = connection
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        with self._in_time():
            return self._socket.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        # A server may answer before it has read everything: after this error httpcore looks for that answer.
        with self._in_time(httpcore.WriteError):
            self._socket.sendall(buffer)

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        del timeout
        with contextlib.ExitStack() as on_error, self._in_time():
            on_error.callback(self._socket.close)
            secured = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
            on_error.pop_all()
        return _Stream(secured, self._deadline)

    def get_extra_info(self, info: str) -> object:
        del info
        return None

    @contextlib.contextmanager
    def _in_time(self, failed: type[Exception] = NotReachedError) -> Iterator[None]:
        self._socket.settimeout(self._deadline.left_s())
        try:
            yield
        except TimeoutError:
            raise self._deadline.passed() from None
        except OSError as error:
            raise failed(told(error)) from None
