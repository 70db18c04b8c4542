"""Connections to hosts that a person wrote down: every address is looked at first, and exactly that one is called."""

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

MOST_ADDRESSES = 8  # tried of one host
_IPv4 = ipaddress.IPv4Address
_IPv6 = ipaddress.IPv6Address

# What Python calls global, at least in some versions, and what is none of the public internet's.
_NOT_PUBLIC_4 = tuple(
    ipaddress.IPv4Network(each)
    for each in (
        "168.63.129.16/32",  # Azure's platform, reached from within a machine only
        "192.0.0.0/24",  # IETF protocols; Oracle's metadata
        "192.88.99.0/24",  # relays of 6to4
    )
)
_NOT_PUBLIC_6 = tuple(
    ipaddress.IPv6Network(each)
    for each in (
        "2001::/23",  # IETF protocols, Teredo
        "2001:db8::/32",  # documentation
        "3fff::/20",
    )
)
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")  # all that is given out
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[tuple[str, int], float], socket.socket]


class AddressRefusedError(Exception):
    """A host leads where it must not. Its words name the address."""


class NotReachedError(Exception):
    """Nobody answered, or not in time. Its words hold no path and no secret."""


def refusal(address: str) -> str | None:
    """Why an address is not one of the public internet; None: it is.

    An IPv6 address that carries an IPv4 one (mapped, 6to4, NAT64) is what it carries.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "no address"
    carried = _carried(parsed) if isinstance(parsed, _IPv6) else None
    return _kind(parsed if carried is None else carried)


def _carried(address: _IPv6) -> _IPv4 | None:
    if address in _NAT64:
        return _IPv4(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour


def _kind(address: _IPv4 | _IPv6) -> str | None:
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    if address.is_unspecified:
        return "unspecified"
    if address.is_private:
        return "private"
    return None if _is_public(address) else "not public"


def _is_public(address: _IPv4 | _IPv6) -> bool:
    if isinstance(address, _IPv4):
        return address.is_global and not any(address in each for each in _NOT_PUBLIC_4)
    return address.is_global and address in _PUBLIC_6 and not any(address in each for each in _NOT_PUBLIC_6)


def system_addresses(host: str, port: int) -> tuple[str, ...]:
    """The system's answer. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def connect(address: tuple[str, int], timeout_s: float) -> socket.socket:
    """A TCP connection. Raises OSError."""
    return socket.create_connection(address, timeout=timeout_s)


class Deadline:
    """When a call must be over, whatever the other side does meanwhile."""

    def __init__(self, seconds: float) -> None:
        """Runs from now on."""
        self._seconds = seconds
        self._at = time.monotonic() + seconds

    def left_s(self, most: float = float("inf")) -> float:
        """Seconds left, at most so many. Raises NotReachedError if there are none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise self.passed()
        return min(left, most)

    def passed(self) -> NotReachedError:
        """The error that says so."""
        return NotReachedError(f"not answered within {self._seconds:g} s")


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialler:
    """Opens connections. The parts that reach outside are given, so that tests can stand in for the internet."""

    resolve: Resolve = system_addresses
    connect: Connect = connect
    tls: Callable[[], ssl.SSLContext] = httpx.create_ssl_context  # verifies; SSL_CERT_FILE names other authorities
    connect_s: float = 5.0  # to one address
    total_s: float = 15.0  # of a whole call, from the name to the last byte

    def deadline(self) -> Deadline:
        """That of a call that begins now."""
        return Deadline(self.total_s)

    def dial(self, host: str, port: int, deadline: Deadline, *, allow_private: bool) -> socket.socket:
        """A connection to an address of the host that was looked at, and to no other: the name is resolved once.

        Raises AddressRefusedError if any address of the host is not public, NotReachedError if none answers.
        """
        addresses = self._addresses(host, port, deadline)
        for address in [] if allow_private else addresses:
            reason = refusal(address)
            if reason is not None:
                raise AddressRefusedError(f"address {address} is {reason}: set allow_private = true if that is meant")
        failure = "the host has no address"
        for address in addresses[:MOST_ADDRESSES]:
            try:
                return self.connect((address, port), deadline.left_s(self.connect_s))
            except OSError as error:
                failure = told(error)
        raise NotReachedError(failure)

    def _addresses(self, host: str, port: int, deadline: Deadline) -> Sequence[str]:
        """Asked in a thread of its own: the system's resolver knows no timeout."""
        answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self.resolve(host, port))
            except (OSError, UnicodeError) as error:
                answers.put(error)

        threading.Thread(target=ask, name="resolver", daemon=True).start()
        try:
            answer = answers.get(timeout=deadline.left_s())
        except queue.Empty:
            raise deadline.passed() from None
        if isinstance(answer, Exception):
            raise NotReachedError("the host name cannot be resolved") from None
        return answer


def told(error: OSError) -> str:
    """A network error in a few words, without what the other side chose."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not valid: {error.verify_message}"
        case ssl.SSLError():
            return "TLS failed"
        case TimeoutError():
            return "timed out"
        case ConnectionRefusedError():
            return "connection refused"
        case ConnectionError():
            return "connection lost"
        case _:
            return error.strerror or type(error).__name__
