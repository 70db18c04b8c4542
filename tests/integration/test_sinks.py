"""Notices posted to real servers: what arrives, what is refused, when it ends, and what is never told."""

import contextlib
import hashlib
import hmac
import json
import logging
import socket
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from service.core.alerting.machine import Event
from tests.certificates import Certificate, make_certificate
from tests.integration.sinks import BASE, HOST, NOW, TOKEN, dialler, email, failure, made
from tests.receiver import HERE, Receiver, Request
from tests.smtp import SmtpServer
from tests.unit.service.alerting.notices import notice
from workers.dialling import connect
from workers.outgoing import MAX_ANSWER_BYTES
from workers.sinks.failure import SinkFailedError
from workers.sinks.send import send
from workers.sinks.slack import MAX_SECTION_CHARS, slack_message


def webhook(receiver: Receiver, **changes: Any) -> Any:
    return made("webhook", **({"url": f"http://{HOST}:{receiver.port}/in/{TOKEN}"} | changes))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"), HOST)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


# Webhook


def verified(request: Request, key: bytes) -> bool:
    """As the documentation has receivers verify."""
    signed = request.headers["assay-timestamp"].encode() + b"." + request.body
    expected = "v1=" + hmac.new(key, signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, request.headers["assay-signature"])


def test_webhook_signs_what_it_sends(receiver: Receiver) -> None:
    """The signature holds for the body and the time as they came, and for nothing else."""
    send(webhook(receiver, secret=TOKEN), notice(), BASE, NOW, dialler())
    (request,) = receiver.came
    assert (request.path, request.json["version"], request.json["seq"]) == (f"/in/{TOKEN}", 1, 7)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "assay"
    assert request.headers["host"] == f"{HOST}:{receiver.port}"
    assert request.headers["assay-timestamp"] == str(int(NOW.timestamp()))
    assert verified(request, TOKEN.encode())
    later = Request(request.path, request.headers | {"assay-timestamp": "1"}, request.body)
    other = Request(request.path, request.headers, request.body.replace(b"0.081", b"0.001"))
    assert [verified(later, TOKEN.encode()), verified(other, TOKEN.encode()), verified(request, b"y" * 16)] == [
        False
    ] * 3


def test_webhook_without_a_secret_is_not_signed(receiver: Receiver) -> None:
    """No signature rather than one that says nothing."""
    send(webhook(receiver), notice(), BASE, NOW, dialler())
    assert "assay-signature" not in receiver.came[0].headers


def test_a_retry_has_the_same_idempotency_key(receiver: Receiver) -> None:
    """It names the event and the sink: receivers drop what they have."""
    for sink, seq, later in ((webhook(receiver), 7, 0), (webhook(receiver), 7, 60), (webhook(receiver), 8, 60)):
        send(sink, notice(seq=seq), BASE, NOW + timedelta(seconds=later), dialler())
    send(webhook(receiver, name="theirs"), notice(), BASE, NOW, dialler())
    keys = [request.headers["idempotency-key"] for request in receiver.came]
    assert keys == ["7:ours", "7:ours", "8:ours", "7:theirs"]


@pytest.mark.parametrize(
    ("status", "header", "retry", "wait_s"),
    [
        (400, None, False, None),
        (401, "60", False, None),
        (404, None, False, None),
        (408, None, True, None),
        (425, None, True, None),
        (429, "30", True, 30.0),
        (429, "999999", True, 3_600.0),
        (429, "soon", True, None),
        (429, "-5", True, None),
        (503, "Sun, 01 Nov 2026 10:07:30 GMT", True, 90.0),
        (503, "Sun, 01 Nov 2026 09:00:00 GMT", True, 0.0),
        (503, "Sun, 01 Nov 2026 23:00:00 GMT", True, 3_600.0),
        (500, None, True, None),
    ],
)
def test_what_is_worth_another_try(status: int, header: str | None, retry: bool, wait_s: float | None) -> None:  # noqa: FBT001
    """Only what may pass; a wait that is asked for is kept, an hour at most."""
    with Receiver(status=status, headers={"Retry-After": header} if header else {}) as receiver:
        failed = failure(webhook(receiver))
    assert (failed.detail, failed.retry, failed.retry_after_s) == (f"answered {status}", retry, wait_s)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    """An answer must not choose whom to call: the other server is never asked, and the failure says why."""
    with Receiver(status=status, headers={"Location": f"http://{HERE}:{receiver.port}/"}) as first:
        failed = failure(webhook(first))
    assert (failed.retry, "redirects are not followed" in failed.detail, receiver.came) == (False, True, [])


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name itself, after it was checked."""
    with Receiver() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{HERE}:{proxy.port}")
        send(webhook(receiver), notice(), BASE, NOW, dialler())
    assert (len(receiver.came), len(proxy.came)) == (1, 0)


# Addresses


def test_a_private_address_is_refused_unless_allowed(receiver: Receiver) -> None:
    """Nothing is sent there, another try does not help, and the failure says what to set."""
    sink = webhook(receiver, url=f"https://{HOST}:{receiver.port}/{TOKEN}", allow_private=False)
    failed = failure(sink)
    assert (failed.retry, failed.detail, receiver.came) == (
        False,
        "address 127.0.0.1 is loopback: set allow_private = true if that is meant",
        [],
    )


def test_rebinding_gains_nothing(certificate: Certificate, receiver: Receiver) -> None:
    """A name that is public when it is looked at and private later: what was looked at is called."""
    answers = [["93.184.216.34"], [HERE], [HERE]]
    with Receiver(certificate=certificate) as public:
        places = {("93.184.216.34", 443): public.port, (HERE, 443): receiver.port}
        mapped = dialler(
            resolve=lambda *_: answers.pop(0),
            connect=lambda address, timeout_s: connect((HERE, places[address]), timeout_s),
            tls=certificate.client,
        )
        send(made("webhook", url=f"https://{HOST}/in", allow_private=False), notice(), BASE, NOW, mapped)
    assert (len(public.came), receiver.came, len(answers)) == (1, [], 2)


@pytest.mark.parametrize(("host", "arrives"), [(HOST, True), ("other.test", False)])
def test_the_certificate_is_verified_against_the_name(certificate: Certificate, host: str, arrives: bool) -> None:  # noqa: FBT001
    """Though it is an address that is called."""
    with Receiver(certificate=certificate) as receiver:
        sink = webhook(receiver, url=f"https://{host}:{receiver.port}/")
        if arrives:
            send(sink, notice(), BASE, NOW, dialler(tls=certificate.client))
        else:
            failed = failure(sink, tls=certificate.client)
            assert (failed.retry, "certificate is not valid" in failed.detail) == (True, True)
    assert len(receiver.came) == int(arrives)


def test_an_unknown_authority_is_refused(certificate: Certificate) -> None:
    """With the trust that is shipped nobody's own certificate holds."""
    with Receiver(certificate=certificate) as receiver:
        failed = failure(webhook(receiver, url=f"https://{HOST}:{receiver.port}/"))
    assert ("certificate is not valid" in failed.detail, receiver.came) == (True, [])


# Servers that behave badly


def drip_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(100):
        handler.wfile.write(b"x")
        time.sleep(0.05)


def drip_body(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        handler.wfile.write(b"x")
        time.sleep(0.05)


@pytest.mark.timed
def test_a_server_that_drips_its_headers_is_left() -> None:
    """Each byte comes soon after the last: it is the whole call that has a limit."""
    with Receiver(answer=drip_headers) as receiver:
        began = time.monotonic()
        failed = failure(webhook(receiver), total_s=0.4)
        took_s = time.monotonic() - began
    assert (failed.detail, failed.retry, took_s < 2) == ("not answered within 0.4 s", True, True)


@pytest.mark.timed
def test_a_server_that_drips_its_body_has_answered() -> None:
    """The status is all that counts; the rest is not waited for beyond the limit."""
    with Receiver(answer=drip_body) as receiver:
        began = time.monotonic()
        send(webhook(receiver), notice(), BASE, NOW, dialler(total_s=0.4))
        assert time.monotonic() - began < 2


def test_a_huge_answer_is_not_read() -> None:
    """What is beyond 64 KiB stays with the server, which cannot send it."""
    sent: list[int] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(b"x" * 65_536)
                sent.append(65_536)

    with Receiver(answer=answer) as receiver:
        send(webhook(receiver), notice(), BASE, NOW, dialler())
    assert sum(sent) < 1_000 * MAX_ANSWER_BYTES  # of a thousand million bytes what the system's buffers hold


def test_endless_headers_are_not_read() -> None:
    """Nor kept."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            handler.wfile.write(b"X-More: " + b"x" * 10_000 + b"\r\n")

    with Receiver(answer=answer) as receiver:
        failed = failure(webhook(receiver))
    assert (failed.detail, failed.retry) == ("closed without a valid HTTP answer", True)


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_what_is_no_http_is_a_failure(said: bytes) -> None:
    """Whatever listens there."""
    with Receiver(answer=lambda handler: handler.wfile.write(said) and None) as receiver:
        failed = failure(webhook(receiver))
    assert (failed.detail, failed.retry) == ("closed without a valid HTTP answer", True)


def test_nobody_listens() -> None:
    """A refused connection, and a name that cannot be resolved: both may pass."""

    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(8, f"{TOKEN} is unknown")

    with Receiver() as receiver:
        sink = webhook(receiver)
    failed = [failure(sink), failure(sink, resolve=unknown)]
    assert [(each.detail, each.retry) for each in failed] == [
        ("connection refused", True),
        ("the host name cannot be resolved", True),
    ]


# Secrets


def test_an_unreadable_secret_is_tried_again(tmp_path: Path, receiver: Receiver) -> None:
    """It may be on its way: once it is there, the same sink works."""
    file = tmp_path / "secret"
    sink = webhook(receiver, secret_file=str(file))
    failed = failure(sink)
    assert (failed.retry, "secret_file" in failed.detail, receiver.came) == (True, True, [])
    file.write_text(TOKEN)
    send(sink, notice(), BASE, NOW, dialler())
    assert verified(receiver.came[0], TOKEN.encode())


@pytest.mark.parametrize("status", [200, 404])
def test_no_secret_is_logged(status: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """Not even by the libraries, at the level that tells most."""
    caplog.set_level(logging.DEBUG)
    with Receiver(status=status) as receiver, contextlib.suppress(SinkFailedError):
        send(webhook(receiver, secret=TOKEN), notice(), BASE, NOW, dialler())
        send(pagerduty(receiver), notice(), BASE, NOW, dialler())
    with SmtpServer() as server, contextlib.suppress(SinkFailedError):
        send(email(server, username="u", password=TOKEN, security="tls"), notice(), BASE, NOW, dialler())
    out, err = capfd.readouterr()
    assert caplog.records  # something was logged at all
    assert TOKEN not in caplog.text + out + err


# PagerDuty


def pagerduty(receiver: Receiver) -> Any:
    return made("pagerduty", url=f"http://{HOST}:{receiver.port}/v2/enqueue", routing_key=TOKEN)


def test_pagerduty_resolves_what_it_opened(receiver: Receiver) -> None:
    """Events of one incident have one key; another incident has another."""
    receiver.status = 202
    for event in (Event.FIRING, Event.STILL_FIRING, Event.NO_DATA, Event.RESOLVED):
        send(pagerduty(receiver), notice(event=event), BASE, NOW, dialler())
    for end in ("a", "b"):
        send(pagerduty(receiver), notice(incident="i" * 300 + end), BASE, NOW, dialler())
    told = [request.json for request in receiver.came]
    assert [each["event_action"] for each in told[:4]] == ["trigger", "trigger", "trigger", "resolve"]
    assert {each["dedup_key"] for each in told[:4]} == {notice().incident}
    long = [each["dedup_key"] for each in told[4:]]
    assert (long[0] == long[1], max(map(len, long)) <= 255) == (False, True)


def test_pagerduty_event(receiver: Receiver) -> None:
    """What the Events API v2 asks for, within its limits."""
    send(pagerduty(receiver), notice(), BASE, NOW, dialler())
    (event,) = [request.json for request in receiver.came]
    payload = event["payload"]
    assert (event["routing_key"], receiver.came[0].path) == (TOKEN, "/v2/enqueue")
    assert {name: payload[name] for name in ("severity", "component", "group", "class", "timestamp")} == {
        "severity": "error",
        "component": "summariser-rate",
        "group": "route=search",
        "class": "flagged_rate",
        "timestamp": "2026-11-01T10:05:00.000+00:00",
    }
    assert (payload["custom_details"]["version"], len(payload["summary"]) <= 1_024) == (1, True)
    assert event["links"] == [{"href": f"{BASE}/score/a%2F1", "text": "sample a/1, claim 2, contradicted"}]
    send(pagerduty(receiver), notice(), None, NOW, dialler())
    assert "links" not in receiver.came[1].json


# Slack


def texts(message: dict[str, Any]) -> list[dict[str, Any]]:
    blocks = [*message["blocks"], *message["attachments"][0]["blocks"]]
    return [block["text"] for block in blocks]


def test_slack_obeys_nothing_that_callers_chose(receiver: Receiver) -> None:
    """No mention, no link, no entity: signs of control come as entities, and nothing is parsed for addresses."""
    hostile = "<!channel> & <https://evil.example|ok> @here"
    sink = made("slack", url=f"http://{HOST}:{receiver.port}/services/{TOKEN}")
    send(sink, notice(group={"route": hostile}), BASE, NOW, dialler())
    message = receiver.came[0].json
    whole = json.dumps(message)
    assert ("<" in whole, ">" in whole, "&lt;!channel&gt; &amp; &lt;https://evil.example|ok&gt;" in whole) == (
        False,
        False,
        True,
    )
    assert all(text["type"] == "plain_text" or text["verbatim"] for text in texts(message))
    assert (message["unfurl_links"], message["unfurl_media"]) == (False, False)


def test_slack_limits() -> None:
    """Long messages are spread over sections; each keeps to what Slack takes."""
    examples = notice().examples * 10
    message = slack_message(
        notice(rule="r" * 64, group={"route": "<" * 200}, examples=examples), "https://h/" + "x" * 900
    )
    lengths = [len(text["text"]) for text in texts(message) if text["type"] == "mrkdwn"]
    assert (max(lengths) <= MAX_SECTION_CHARS, len(lengths) > 3, len(message["blocks"][0]["text"]["text"]) <= 150) == (
        True,
        True,
        True,
    )
