"""The judge's client against servers that are broken or hostile, byte by byte: nothing gets past `complete` unnamed."""

import asyncio
import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from models.judge.prompt import Message
from service.core.reviewing.judge import Judge
from tests.certificates import make_certificate
from workers.dialling import Resolve, system_addresses
from workers.judge.chat import ChatFailedError, ChatReply, ChatRequest, FailureKind
from workers.judge.endpoint import EndpointChat

AMPLE_S = 20.0  # a limit that no stall of a busy machine reaches
SHORT_S = 0.3  # where reaching the limit is the subject
USAGE = {"prompt_tokens": 3, "completion_tokens": 1}
SCHEMA = {"type": "object"}

Answer = tuple[int, dict[str, str], bytes]
Say = Callable[[dict[str, Any]], Answer]


class RawServer:
    """A server on a socket: it answers what it is told to, and keeps what it was sent, to the byte."""

    def __init__(self) -> None:
        self.say: Say = lambda _body: completion()
        self.heads: list[bytes] = []
        self.bodies: list[dict[str, Any]] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        head, body = b"", b""
        while b"\r\n\r\n" not in head:
            if not (part := connection.recv(65_536)):
                return
            head += part
        head, _, body = head.partition(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(body) < int(length.partition(b":")[2]):
            body += connection.recv(65_536)
        self.heads.append(head)
        self.bodies.append(json.loads(body))
        status, headers, answer = self.say(self.bodies[-1])
        told = {"Content-Length": str(len(answer)), "Connection": "close"} | headers
        lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in told.items())]
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + answer)


@pytest.fixture
def server() -> Iterator[RawServer]:
    started = RawServer()
    yield started
    started.close()


def completion(message: object = None, usage: object = USAGE, **choice: object) -> Answer:
    said = {"message": {"role": "assistant", "content": "well"} if message is None else message} | choice
    return 200, {}, json.dumps({"choices": [said], "usage": usage}).encode()


def refused(message: str) -> Answer:
    return 400, {}, json.dumps({"error": {"message": message}}).encode()


def complete(
    url: str,
    key: str | None = None,
    *,
    schema: bool = False,
    times: int = 1,
    resolve: Resolve = system_addresses,
    **changes: Any,
) -> ChatReply:
    values = {"url": url, "model": "m", "tenants": ("default",), "allow_private": True, "timeout_s": AMPLE_S}
    model = Judge.model_validate(values | {"input_price": 1, "output_price": 2} | changes)
    request = ChatRequest(
        messages=(Message(role="user", content="the kettle is blue"),),
        max_output_tokens=50,
        temperature=0.5,
        seed=3,
        schema=SCHEMA if schema else None,
        logprobs=True,
    )

    async def run() -> ChatReply:
        chat = EndpointChat(model, SecretStr(key) if key else None, resolve)
        try:
            for _ in range(times - 1):
                await chat.complete(request)
            return await chat.complete(request)
        finally:
            await chat.close()

    return asyncio.run(run())


def failure(url: str, **changes: Any) -> ChatFailedError:
    with pytest.raises(ChatFailedError) as caught:
        complete(url, **changes)
    return caught.value


@pytest.mark.timed
class TestNeverSent:
    """Nothing can be charged for what never reached the endpoint, however long it was waited for."""

    @staticmethod
    def _is_unreachable(url: str, **changes: Any) -> None:
        began = time.monotonic()
        error = failure(url, **({"timeout_s": SHORT_S} | changes))
        assert (error.kind, error.kind.may_cost) == (FailureKind.UNREACHABLE, False)
        assert time.monotonic() - began < AMPLE_S

    def test_a_name_that_nobody_resolves_in_time(self) -> None:
        """The limit holds although the system's resolver knows none."""
        over = threading.Event()

        def resolve(_host: str, _port: int) -> tuple[str, ...]:
            over.wait(2 * AMPLE_S)
            return ("127.0.0.1",)

        self._is_unreachable("http://judge.example/v1", resolve=resolve)
        over.set()

    def test_a_host_that_takes_no_connection(self) -> None:
        """As behind a firewall that drops what it does not let through."""
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as open_ones:
            for _ in range(3):
                waiting = open_ones.enter_context(socket.socket())
                waiting.settimeout(0)
                waiting.connect_ex(full.getsockname())
            self._is_unreachable(f"http://127.0.0.1:{full.getsockname()[1]}/v1")

    def test_a_server_that_never_speaks_tls(self) -> None:
        """The connection stands, and no byte of the request is sent."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            self._is_unreachable(f"https://127.0.0.1:{silent.getsockname()[1]}/v1")

    def test_a_certificate_that_nobody_vouches_for(self, tmp_path: Path) -> None:
        """TLS is verified, also in a private network."""
        context = make_certificate(tmp_path, "judge.example").server()
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def shake() -> None:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    context.wrap_socket(connection, server_side=True).close()

            thread = threading.Thread(target=shake, daemon=True)
            thread.start()
            self._is_unreachable(
                f"https://judge.example:{listening.getsockname()[1]}/v1",
                resolve=lambda _host, _port: ("127.0.0.1",),
                timeout_s=AMPLE_S,
            )
            thread.join(5)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((200, {}, b"x" * 4_300_000), FailureKind.TOO_LARGE),
        ((500, {}, b"x" * 4_300_000), FailureKind.TOO_LARGE),
        ((200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"), FailureKind.MALFORMED),
        ((200, {}, b"not JSON"), FailureKind.MALFORMED),
        ((200, {}, b'{"choices":' + b"[" * 100_000), FailureKind.MALFORMED),
        ((200, {"Content-Length": "1000"}, b'{"choices": ['), FailureKind.CUT_OFF),
        ((402, {}, b'{"error": "x"}'), FailureKind.BAD_REQUEST),
        ((403, {}, b"null"), FailureKind.UNAUTHORISED),
        ((404, {}, b"[]"), FailureKind.MODEL_UNKNOWN),
        ((503, {}, b"\xff\xfe"), FailureKind.SERVER_ERROR),
        ((504, {}, b""), FailureKind.CUT_OFF),
    ],
)
def test_each_answer_that_is_none_has_its_name(server: RawServer, answer: Answer, kind: FailureKind) -> None:
    """Whatever stands in its body, and however long that is."""
    server.say = lambda _body: answer
    assert failure(server.url).kind is kind
    assert len(server.heads) == 1


def test_a_redirect_is_not_followed(server: RawServer) -> None:
    """The text goes where the policy says, and nowhere else."""
    server.say = lambda _body: (307, {"Location": f"{server.url}/elsewhere"}, b"")
    assert not failure(server.url).kind.passes
    assert len(server.heads) == 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("1.5", 1.5),
        ("-3", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("nan", None),
        ("soon", None),
        ("Mon, 99999999999 Jan 2026 00:00:00 GMT", None),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999999999999", None),
    ],
)
def test_retry_after_is_read_or_left(server: RawServer, said: str, seconds: float | None) -> None:
    """Seconds or a date; what is neither is no word at all, and no fault of ours."""
    server.say = lambda _body: (429, {"Retry-After": said}, b"{}")
    error = failure(server.url)
    assert (error.kind, error.retry_after_s) == (FailureKind.RATE_LIMITED, seconds)


def test_retry_after_may_be_a_date_to_come(server: RawServer) -> None:
    """It counts from now."""
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    server.say = lambda _body: (503, {"Retry-After": then}, b"{}")
    assert failure(server.url).retry_after_s == pytest.approx(58, abs=3)


class TestLeftOut:
    def test_the_newer_name_of_the_limit_is_learnt_once(self, server: RawServer) -> None:
        """A server that refuses `max_tokens` is sent `max_completion_tokens` from then on."""
        server.say = lambda body: (
            refused("Use 'max_completion_tokens' instead of 'max_tokens'.") if "max_tokens" in body else completion()
        )
        complete(server.url, times=2)
        assert [(body.get("max_tokens"), body.get("max_completion_tokens")) for body in server.bodies] == [
            (50, None),
            (None, 50),
            (None, 50),
        ]

    def test_what_is_named_is_left_out_one_by_one(self, server: RawServer) -> None:
        """The schema goes only where it is what was refused."""

        def say(body: dict[str, Any]) -> Answer:
            unknown = [name for name in ("logprobs", "seed") if name in body]
            return refused(f"unknown field {unknown[0]}") if unknown else completion()

        server.say = say
        complete(server.url, schema=True, times=2)
        assert len(server.bodies) == 4
        assert {"logprobs", "seed"}.isdisjoint(server.bodies[-1])
        assert server.bodies[-1]["response_format"]["json_schema"]["schema"] == SCHEMA

    def test_a_refusal_of_the_request_itself_ends(self, server: RawServer) -> None:
        """A server that refuses whatever is left out is asked a few times, never for ever."""
        server.say = lambda _body: refused("no: seed, logprobs, temperature, response_format, max_completion_tokens")
        assert failure(server.url, schema=True).kind is FailureKind.BAD_REQUEST
        assert len(server.bodies) == 6

    def test_off_sends_no_schema(self, server: RawServer) -> None:
        """`json_schema = "off"`."""
        complete(server.url, schema=True, json_schema="off")
        assert "response_format" not in server.bodies[0]


class TestSecrets:
    def test_the_key_is_in_one_header_and_no_other_is_added(
        self, server: RawServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What another library's environment names is sent to nobody."""
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Leaked: leaked")
        monkeypatch.setenv("OPENAI_ORG_ID", "leaked")
        complete(server.url, "secret-key")
        [head] = server.heads
        lines = head.lower().split(b"\r\n")[1:]
        assert [line for line in lines if b"secret-key" in line] == [b"authorization: bearer secret-key"]
        assert b"leaked" not in head
        assert b"secret-key" not in json.dumps(server.bodies).encode()
        names = {line.partition(b":")[0] for line in lines}
        assert names <= {
            *(b"host", b"accept", b"content-type", b"content-length", b"user-agent"),
            *(b"accept-encoding", b"authorization"),
        }

    @pytest.mark.parametrize("key", ["schlüssel", "k€y", "key\n"])
    def test_a_key_that_no_header_can_hold_is_in_no_error(self, server: RawServer, key: str) -> None:
        """The call is made with what can be sent of it; the endpoint refuses it or not."""
        assert complete(server.url, key).text == "well"

    def test_the_libraries_log_nothing_of_a_call(self, server: RawServer, caplog: pytest.LogCaptureFixture) -> None:
        """Neither address nor headers, also where OPENAI_LOG asks for it, which sets the library's level so."""
        names = ("openai", "httpx2", "httpcore2")
        before = {name: logging.getLogger(name).level for name in names}
        for name in names:
            logging.getLogger(name).setLevel(logging.DEBUG)
        caplog.set_level(logging.DEBUG)
        try:
            complete(server.url, "secret-key")
        finally:
            for name, level in before.items():
                logging.getLogger(name).setLevel(level)
        assert not [record.name for record in caplog.records if record.name.startswith(names)]
        assert "kettle" not in caplog.text
        assert "secret-key" not in caplog.text


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -1}, {"prompt_tokens": True}, {"prompt_tokens": 1.5}])
def test_usage_that_is_none_is_unknown(server: RawServer, usage: object) -> None:
    """Never 0."""
    server.say = lambda _body: completion(usage=usage)
    assert complete(server.url).input_tokens is None


@pytest.mark.parametrize("message", [{"content": None, "refusal": "no"}, {"content": [{"type": "text"}]}, {}])
def test_what_is_no_text_is_empty(server: RawServer, message: object) -> None:
    """It was answered and has its cost; what it is worth, the parser says."""
    server.say = lambda _body: completion(message=message)
    reply = complete(server.url)
    assert (reply.text, reply.output_tokens) == ("", 1)


@pytest.mark.parametrize(
    ("content", "likelihood"),
    [
        ([{"logprob": -1.0}, {"logprob": -2.0}], -1.5),
        ([], None),
        ([{"logprob": None}], None),
        ([{}], None),
        (["x"], None),
        ([{"logprob": float("-inf")}], None),
    ],
)
def test_likelihoods_are_read_or_unknown(server: RawServer, content: object, likelihood: float | None) -> None:
    """A reply that was paid for is not lost with them."""
    server.say = lambda _body: completion(logprobs={"content": content}, finish_reason="length")
    reply = complete(server.url)
    assert (reply.text, reply.likelihood, reply.cut) == ("well", likelihood, True)
