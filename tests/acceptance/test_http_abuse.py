"""A sidecar under abuse: whatever clients do with their connections, others are answered and nothing is miscounted."""

import json
import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from tests.servers import Installation, wait_for

pytestmark = [pytest.mark.acceptance, pytest.mark.timed]

MEGABYTE = 1024 * 1024
BODY_TIMEOUT_S = 2.0
CONNECTIONS = 1_400
MAX_BODY = 4 * MEGABYTE
ONE = json.dumps({"response": "The kettle is blue.", "contexts": ["The kettle is blue."]}).encode()


@dataclass
class Site:
    """A running sidecar, and how often each kind of submission was accepted."""

    installation: Installation
    submitted: int = 0

    @property
    def memory(self) -> int:
        return psutil.Process(self.installation.processes["sidecar"].pid).memory_info().rss

    def post(self) -> None:
        """A normal submission is accepted soon."""
        started = time.monotonic()
        answer = httpx.post(f"{self.installation.base}/score", content=ONE, timeout=10)
        assert answer.status_code == 202
        self.submitted += 1
        assert time.monotonic() - started < 2

    def alive(self) -> None:
        """Healthz answers within a second."""
        assert httpx.get(f"{self.installation.base}/healthz", timeout=1).status_code == 200

    def counted(self) -> int:
        answer = httpx.get(f"{self.installation.base}/hallucination-rate", timeout=10).raise_for_status().json()
        return sum(bucket["counts"]["submitted"] for bucket in answer["buckets"])

    def connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.installation.port), timeout=15)
        made.settimeout(15)
        return made

    def ask(self, request: bytes) -> bytes:
        """Sends bytes on a connection of their own; everything that comes until it is closed or silent."""
        with self.connect() as client:
            client.sendall(request)
            return read(client)


def read(client: socket.socket, silence_s: float = BODY_TIMEOUT_S + 2) -> bytes:
    """What comes until the connection ends, or for so long nothing does."""
    client.settimeout(silence_s)
    parts = []
    try:
        while part := client.recv(65_536):
            parts.append(part)
    except (TimeoutError, ConnectionError):
        pass
    return b"".join(parts)


def status(answer: bytes) -> int:
    """The status of the first answer."""
    return int(answer.split(b" ", 2)[1])


def request(body: bytes, *headers: str, path: str = "/score", method: str = "POST", length: bool = True) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("abuse")
    policy = folder / "policy.toml"
    policy.write_text("[sampling]\nrate = 0.5\n")
    installation = Installation(
        {
            "ASSAY_DATABASE_URL": f"sqlite:///{folder}/assay.db",
            "ASSAY_REDIS_URL": f"unix://{folder}/none.sock",
            "ASSAY_POLICY_FILE": str(policy),
            "ASSAY_FLUSH_INTERVAL_S": "0.1",
            "ASSAY_BODY_TIMEOUT_S": str(BODY_TIMEOUT_S),
            "ASSAY_MAX_BODY_BYTES": str(MAX_BODY),
            "ASSAY_MAX_CONNECTIONS": str(CONNECTIONS),
        }
    )
    assert installation.assay("db", "upgrade").returncode == 0
    installation.start("sidecar", "serve")
    installation.await_ready()
    site = Site(installation)
    for _ in range(20):
        site.post()  # warm: what is imported and cached at first use
    yield site
    installation.stop()


@pytest.fixture
def site(running: Site) -> Iterator[Site]:
    """The sidecar; after the test it is as it was: it answers, accepts, has let go of memory, and counts add up."""
    before = running.memory
    yield running
    running.alive()
    running.post()
    wait_for(lambda: running.memory < before + 40 * MEGABYTE, seconds=10)
    wait_for(lambda: running.counted() == running.submitted, seconds=5)


@contextmanager
def many_files() -> Iterator[None]:
    """Lets this process hold as many sockets as the attack needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4_096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_slow_headers_end_and_keep_nobody_waiting(site: Site) -> None:
    """A thousand connections that dribble headers: others are answered meanwhile, and all of them end by themselves."""
    with many_files(), ExitStack() as stack:
        clients = [stack.enter_context(site.connect()) for _ in range(1_000)]
        started = time.monotonic()
        for client in clients:
            client.sendall(b"POST /score HTTP/1.1\r\n")
        for _ in range(2):
            site.alive()
            site.post()
            for client in clients[:100]:
                client.sendall(b"X: y\r\n")
            time.sleep(0.5)
        answers = [read(client) for client in clients]
        assert time.monotonic() - started < 3 * BODY_TIMEOUT_S
    assert {status(answer) for answer in answers} == {408}


def test_a_connection_that_says_nothing_ends(site: Site) -> None:
    """Silence, and line ends without a request, are ended too; also after an answer."""
    with site.connect() as silent, site.connect() as dribbling, site.connect() as idle:
        idle.sendall(request(b"", path="/healthz", method="GET"))
        started = time.monotonic()
        while time.monotonic() - started < BODY_TIMEOUT_S + 1:
            for client in (dribbling, idle):
                with suppress(OSError):
                    client.sendall(b"\r\n")
            time.sleep(1)
        assert status(read(silent, 2)) == 408
        assert read(dribbling, 1)
        assert b"alive" in read(idle, 1)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_slow_body_is_ended_and_not_counted(site: Site, *, chunked: bool) -> None:
    """A body that comes byte by byte is answered 408 when its time is over; what came of it counts for nothing."""
    header = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(ONE)}"
    with site.connect() as client:
        client.sendall(request(b"", header, length=False))
        started = time.monotonic()
        client.settimeout(0.2)
        answer = b""
        for byte in ONE:
            client.sendall(b"1\r\n%c\r\n" % byte if chunked else bytes([byte]))
            try:
                answer = client.recv(65_536)
                break
            except TimeoutError:
                site.alive()
        assert status(answer) == 408
        assert b"body_too_slow" in answer
        assert time.monotonic() - started < BODY_TIMEOUT_S + 2


def test_slow_bodies_hold_memory_within_a_bound(site: Site) -> None:
    """Many half-sent bodies at once: beyond eight of the largest size all together the next are refused, 429."""
    before = site.memory
    part = request(b"", f"Content-Length: {MAX_BODY}", length=False) + b" " * (MAX_BODY - 1)
    answers = []
    with ExitStack() as stack:
        clients = [stack.enter_context(site.connect()) for _ in range(20)]
        for client in clients:
            with suppress(OSError):  # refused before it was all sent
                client.sendall(part)
        highest = site.memory
        site.alive()
        site.post()
        answers = [read(client, BODY_TIMEOUT_S + 3) for client in clients]
    assert highest - before < 12 * MAX_BODY
    statuses = [status(answer) for answer in answers if answer]
    assert set(statuses) <= {408, 429}
    assert statuses.count(408) in range(1, 9)


def test_answers_that_nobody_reads_are_dropped(site: Site) -> None:
    """A client that asks and asks and never reads is cut off; what was kept for it is let go."""
    ask = request(b"", path="/openapi.json", method="GET")
    with ExitStack() as stack:
        clients = [stack.enter_context(site.connect()) for _ in range(8)]
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.settimeout(0.2)
            try:
                for _ in range(400):
                    client.sendall(ask)
            except TimeoutError:
                pass
        site.alive()
        site.post()
        wait_for(lambda: _open_connections(site) <= 3, seconds=25)


def _open_connections(site: Site) -> int:
    process = psutil.Process(site.installation.processes["sidecar"].pid)
    return sum(c.status == psutil.CONN_ESTABLISHED for c in process.net_connections("tcp"))


def test_connections_beyond_the_limit_are_refused(site: Site) -> None:
    """One connection too many is told so and closed; once the others are gone all is well."""
    with many_files(), ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(site.connect())
        time.sleep(0.5)
        with site.connect() as last:
            answer = read(last, 3)
        assert status(answer) == 429
        assert b"Retry-After" in answer
    wait_for(lambda: _open_connections(site) <= 1, seconds=10)


def test_a_flood_of_headers_is_refused(site: Site) -> None:
    """Headers and trailers without end are cut off at a fixed size."""
    for start in (b"", b"Transfer-Encoding: chunked\r\n\r\n1\r\n \r\n0\r\n"):
        with site.connect() as client:
            client.sendall(b"POST /score HTTP/1.1\r\nHost: 127.0.0.1\r\n" + start)
            sent = 0
            try:
                while sent < 40 * MEGABYTE:
                    client.sendall(b"X: " + b"y" * 65_536 + b"\r\n")
                    sent += 65_536
            except OSError:
                pass
            assert sent < 8 * MEGABYTE  # socket buffers included


def test_requests_dropped_half_way_count_for_nothing(site: Site) -> None:
    """A client that hangs up in the middle of its body leaves nothing behind."""
    for cut in range(0, len(ONE), 4):
        with site.connect() as client:
            client.sendall(request(ONE)[: -len(ONE) + cut] if cut else request(ONE)[: -len(ONE)])


def test_a_client_that_leaves_before_the_answer_is_counted_at_most_once(site: Site) -> None:
    """Whether it counts is open, as its client was told nothing; it never counts twice."""
    for _ in range(50):
        with site.connect() as client:
            client.sendall(request(ONE))
    time.sleep(0.5)  # a flush
    counted = site.counted()
    assert site.submitted <= counted <= site.submitted + 50
    site.submitted = counted


def test_bodies_over_the_limit(site: Site) -> None:
    """413 with and without an announced length, also where the rest never comes."""
    body = b" " * (MAX_BODY + 1)
    assert status(site.ask(request(body, "Connection: close"))) == 413
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [b" " * MEGABYTE] * 5) + b"0\r\n\r\n"
    chunked = request(b"", "Transfer-Encoding: chunked", "Connection: close", length=False) + chunks
    assert status(site.ask(chunked)) == 413


def test_an_announced_length_that_is_wrong(site: Site) -> None:
    """Too short: refused as a broken document. Too long: ended after the timeout. Not a number, or two: refused."""
    assert status(site.ask(request(b"", "Content-Length: 10", "Connection: close", length=False) + ONE)) == 422
    assert status(site.ask(request(b"", "Content-Length: 10000", length=False) + ONE)) == 408
    for header in ("Content-Length: ten", "Content-Length: -1", "Content-Length: 5\r\nContent-Length: 6"):
        assert status(site.ask(request(b"", header, length=False) + ONE)) == 400


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding : chunked"],
        ["Content-Length: 5", " folded: x"],
    ],
)
def test_a_body_of_two_lengths_is_refused(site: Site, headers: list[str]) -> None:
    """What two servers in a row could read as different requests is one refusal, never two answers."""
    smuggled = b"0\r\n\r\n" + request(ONE)
    answer = site.ask(request(b"", *headers, length=False) + smuggled)
    assert status(answer) == 400
    assert b"application/problem+json" in answer
    assert answer.count(b"HTTP/1.1 ") == 1


def test_expect_continue(site: Site) -> None:
    """A client that asks first is told to go on; one whose body is refused by its headers is told at once."""
    with site.connect() as client:
        client.sendall(request(b"", "Expect: 100-continue", f"Content-Length: {len(ONE)}", length=False))
        assert client.recv(100).startswith(b"HTTP/1.1 100")
        client.sendall(ONE)
        assert status(read(client, 1)) == 202
        site.submitted += 1
        client.sendall(
            request(b"", "Expect: 100-continue", "Content-Encoding: gzip", "Content-Length: 9", length=False)
        )
        assert status(read(client, 1)) == 415


def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    """Many requests in one segment: as many answers."""
    answer = site.ask(request(ONE) * 49 + request(ONE, "Connection: close"))
    site.submitted += 50
    assert answer.count(b"HTTP/1.1 202") == 50


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("HEAD /score", 405),
        ("OPTIONS /score", 405),
        ("TRACE /score", 405),
        ("OPTIONS *", 404),
        ("CONNECT 127.0.0.1:80", 400),
        ("GET /score/../../etc/passwd", 404),
        ("GET /score/%2e%2e/%2e%2e/etc/passwd", 404),
        ("GET /score/%00", 404),
        ("GET /score/%ff%fe", 404),
        ("GET /score/" + "x" * 20_000, 404),
        ("GET //score", 404),
        ("GET http://elsewhere/healthz", 200),
        ("GET /healthz?" + "a=b&" * 5_000, 200),
        ("PRI * HTTP/2.0", 400),
        ("GET /\xff", 400),
    ],
)
def test_odd_request_lines(site: Site, line: str, expected: int) -> None:
    """Odd methods and paths are refused by what they are; none is a failure of the sidecar."""
    version = "" if line.startswith("PRI") else " HTTP/1.1"
    sent = f"{line}{version}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode("latin-1")
    assert status(site.ask(sent)) == expected


def test_an_upgrade_is_not_taken(site: Site) -> None:
    """The sidecar speaks HTTP/1.1 alone; the request is answered as if nothing else had been asked."""
    upgrade = request(
        b"", "Connection: Upgrade, close", "Upgrade: websocket", "Sec-WebSocket-Version: 13", method="GET"
    )
    answer = site.ask(upgrade.replace(b"/score", b"/healthz").replace(b"Content-Length: 0\r\n", b""))
    assert status(answer) in {200, 400}


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/json; charset=utf-16", "x" * 1_000, "\t"])
def test_the_content_type_decides_nothing_about_one(site: Site, media_type: str) -> None:
    """One submission is read as JSON in UTF-8, whatever it is called."""
    assert status(site.ask(request(ONE, f"Content-Type: {media_type}", "Connection: close"))) == 202
    site.submitted += 1


def test_a_compressed_body_is_refused_with_a_reason(site: Site) -> None:
    """415 and what to do; nothing is unpacked, so that a small body cannot become a large one."""
    answer = site.ask(request(b"\x1f\x8b", "Content-Encoding: gzip", "Connection: close"))
    assert status(answer) == 415
    assert b"Content-Encoding" in answer


def test_a_storm_of_reloads(site: Site) -> None:
    """SIGHUP again and again, with a policy that is wrong: the old one stays in force and others are answered."""
    policy = Path(site.installation.environment["ASSAY_POLICY_FILE"])
    before = policy.read_text()
    policy.write_text("[sampling]\nrate = 'half'\n")
    for _ in range(300):
        site.installation.processes["sidecar"].send_signal(signal.SIGHUP)
        time.sleep(0.001)
    site.alive()
    site.post()
    policy.write_text(before)


def test_a_reload_while_it_starts_ends_nothing(site: Site, tmp_path: Path) -> None:
    """SIGHUP before the sidecar can act on it is ignored."""
    installation = Installation(site.installation.environment | {"ASSAY_DATABASE_URL": f"sqlite:///{tmp_path}/a.db"})
    assert installation.assay("db", "upgrade").returncode == 0
    installation.start("sidecar", "serve")
    process = psutil.Process(installation.processes["sidecar"].pid)
    ignored = 1 << (signal.SIGHUP - 1)

    def ignores() -> bool:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        masks = {
            line.split(":")[0]: int(line.split()[1], 16) for line in lines if line.startswith(("SigIgn", "SigCgt"))
        }
        return bool((masks["SigIgn"] | masks["SigCgt"]) & ignored)

    wait_for(ignores, seconds=20, every=0.002)
    while not installation._ready():
        process.send_signal(signal.SIGHUP)
        time.sleep(0.01)
    installation.stop()
