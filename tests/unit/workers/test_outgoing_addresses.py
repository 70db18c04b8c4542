"""Which addresses an outgoing call may reach, and that it calls the one that was looked at."""

import socket
import threading
from collections.abc import Sequence

import pytest

from workers.dialling import AddressRefusedError, Dialler, NotReachedError, refusal

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (PUBLIC, None),
        ("1.1.1.1", None),
        ("172.32.0.1", None),
        ("2606:2800:220:1::1", None),
        ("2002:5db8:d822::1", None),  # 6to4 of the public address
        ("64:ff9b::5db8:d822", None),  # NAT64 of it
        ("::ffff:93.184.216.34", None),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("2002:7f00:1::1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("::ffff:10.0.0.1", "private"),
        ("2002:a00:1::", "private"),
        ("64:ff9b::c0a8:101", "private"),
        ("fd00:ec2::254", "private"),
        ("198.18.0.1", "private"),
        ("192.0.2.1", "private"),
        ("240.0.0.1", "private"),
        ("255.255.255.255", "private"),
        ("169.254.169.254", "link-local"),
        ("::ffff:169.254.169.254", "link-local"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("ff0e::1", "multicast"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("0.1.2.3", "private"),
        ("100.64.0.1", "not public"),
        ("100.100.100.200", "not public"),
        ("168.63.129.16", "not public"),
        ("192.0.0.192", "not public"),
        ("192.88.99.1", "not public"),
        ("fec0::1", "not public"),
        ("::127.0.0.1", "not public"),
        ("::ffff:0:7f00:1", "not public"),
        ("64:ff9b:1::a00:1", "not public"),
        ("3fff::1", "not public"),
        ("5f00::1", "not public"),
        ("2001::1", "private"),
        ("example.com", "no address"),
        ("2130706433", "no address"),
        ("", "no address"),
    ],
)
def test_refusal(address: str, reason: str | None) -> None:
    """Only what is the public internet's is called; what carries an IPv4 address is what it carries.

    For a few networks versions of Python differ on whether they are private; that they are refused is what counts.
    """
    found = refusal(address)
    assert (found is None) is (reason is None)
    assert found == reason or {found, reason} == {"private", "not public"}


class Net:
    """A resolver whose answers change, and connections that are only noted."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.called: list[tuple[str, int]] = []

    def resolve(self, host: str, port: int) -> Sequence[str]:
        del host, port
        return self.answers.pop(0)

    def connect(self, address: tuple[str, int], timeout_s: float) -> socket.socket:
        del timeout_s
        self.called.append(address)
        raise ConnectionRefusedError

    def dial(self, *, allow_private: bool = False) -> str:
        dialler = Dialler(resolve=self.resolve, connect=self.connect)
        with pytest.raises((AddressRefusedError, NotReachedError)) as caught:
            dialler.dial("sink.test", 443, dialler.deadline(), allow_private=allow_private)
        return str(caught.value)


def test_the_address_that_was_checked_is_called() -> None:
    """A name that first is public and then private gains nothing: it is asked for once, and the answer is called."""
    net = Net([PUBLIC], ["127.0.0.1"])
    assert (net.dial(), net.called, len(net.answers)) == ("connection refused", [(PUBLIC, 443)], 1)


@pytest.mark.parametrize("answers", [["10.0.0.1"], [PUBLIC, "10.0.0.1"], [*[PUBLIC] * 20, "10.0.0.1"]])
def test_one_private_address_refuses_the_host(answers: list[str]) -> None:
    """No address is called before all are looked at."""
    net = Net(answers)
    assert (net.dial(), net.called) == (
        "address 10.0.0.1 is private: set allow_private = true if that is meant",
        [],
    )


def test_private_addresses_may_be_allowed() -> None:
    """Then every address is tried in turn."""
    net = Net(["10.0.0.1", "::1"])
    assert (net.dial(allow_private=True), net.called) == ("connection refused", [("10.0.0.1", 443), ("::1", 443)])


def test_a_resolver_that_hangs_is_not_waited_for() -> None:
    """The deadline is that of the whole call, and the system's resolver knows none."""
    release = threading.Event()

    def resolve(host: str, port: int) -> Sequence[str]:
        del host, port
        release.wait(5)
        return ()

    dialler = Dialler(resolve=resolve, total_s=0.05)
    try:
        with pytest.raises(NotReachedError, match=r"not answered within 0\.05 s"):
            dialler.dial("sink.test", 443, dialler.deadline(), allow_private=False)
    finally:
        release.set()


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost"])
def test_other_ways_to_write_loopback(host: str) -> None:
    """The system's resolver reads many forms; what it makes of them is what is looked at."""
    dialler = Dialler()
    with pytest.raises(AddressRefusedError, match="is loopback"):
        dialler.dial(host, 443, dialler.deadline(), allow_private=False)
