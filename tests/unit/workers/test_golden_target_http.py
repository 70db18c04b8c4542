"""An endpoint as the target of a golden run: over real HTTP to a server on loopback."""

import itertools
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from service.core.errors import StartRefusedError
from tests.receiver import HERE, Receiver
from tests.unit.workers.golden_support import POLICY, item
from workers.commands.golden_target import Http, application_of
from workers.golden.target import MAX_ANSWER_BYTES, HttpApplication, NoAnswerError
from workers.golden.template import CHAT_INSTRUCTION, plain_template

YES = {"response": "Yes."}
QUESTION = "Can I return a kettle, asks a?"


def options(**changes: Any) -> Http:
    """As the command line gives them."""
    values: dict[str, Any] = {
        "template": None,
        "response_path": "",
        "chat": None,
        "temperature": None,
        "headers": (),
        "timeout_s": 5.0,
        "attempts": 1,
    }
    return Http(**values | changes)


def send(handler: BaseHTTPRequestHandler, document: Any, status: int = 200, **headers: str) -> None:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that answers `Yes.`."""
    with Receiver(answer=lambda handler: send(handler, YES)) as started:
        yield started


def application(receiver: Receiver, path: str = "/ask", **changes: Any) -> HttpApplication:
    made = application_of(f"http://{HERE}:{receiver.port}{path}", options(**changes))
    assert isinstance(made, HttpApplication)
    return made


def reason(receiver: Receiver, **changes: Any) -> str:
    with pytest.raises(NoAnswerError) as raised:
        application(receiver, **changes).answer(item())
    return str(raised.value)


def test_a_plain_question(receiver: Receiver) -> None:
    """Question and contexts go as JSON by the names of POST /score, in one request."""
    assert application(receiver).answer(item()) == "Yes."
    (came,) = receiver.came
    assert (came.path, came.json) == ("/ask", {"question": QUESTION, "contexts": [POLICY]})
    assert came.headers["content-type"] == "application/json"


def test_a_chat(receiver: Receiver) -> None:
    """A model's name is enough: path, body and place of the response are those of chat completions."""
    receiver.answer = lambda handler: send(handler, {"choices": [{"message": {"content": "Yes."}}]})
    assert application(receiver, "/v1", chat="m", temperature=0.5).answer(item()) == "Yes."
    (came,) = receiver.came
    assert came.path == "/v1/chat/completions"
    assert came.json == {
        "model": "m",
        "messages": [
            {"role": "system", "content": CHAT_INSTRUCTION},
            {"role": "user", "content": f"{POLICY}\n\nQuestion: {QUESTION}"},
        ],
        "temperature": 0.5,
    }


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("/d?api-version=1/2", "/d/chat/completions?api-version=1/2"),
        ("/d/chat/completions?api-version=1", "/d/chat/completions?api-version=1"),
        ("", "/chat/completions"),
    ],
)
def test_where_a_chat_is(receiver: Receiver, target: str, url: str) -> None:
    """The path goes before the query, and is not put there twice."""
    assert application(receiver, target, chat="m").url == f"http://{HERE}:{receiver.port}{url}"


def test_a_template_of_one_s_own(receiver: Receiver, tmp_path: Path) -> None:
    """Given or in a file, with the path of the response."""
    receiver.answer = lambda handler: send(handler, {"out": [{"text": "Yes."}]})
    text = '{"in": "{{question}}", "docs": "{{contexts}}"}'
    (tmp_path / "body.json").write_text(text, encoding="utf-8")
    for template in (text, f"@{tmp_path / 'body.json'}"):
        assert application(receiver, template=template, response_path="out.0.text").answer(item()) == "Yes."
    assert [each.json for each in receiver.came] == [{"in": QUESTION, "docs": [POLICY]}] * 2


def test_headers_by_variables(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the variables hold is sent, in place of a header of ours; neither name nor record shows it."""
    monkeypatch.setenv("BOT_TOKEN", "Bearer sk-secret\n")
    monkeypatch.setenv("BOT_TYPE", "application/x-own")
    made = application(receiver, headers=("Authorization=BOT_TOKEN", "Content-Type=BOT_TYPE"))
    assert made.answer(item()) == "Yes."
    (came,) = receiver.came
    assert (came.headers["authorization"], came.headers["content-type"]) == ("Bearer sk-secret", "application/x-own")
    assert "sk-secret" not in repr(made) + made.name + repr(made.options)


@pytest.mark.parametrize(
    ("header", "value", "told"),
    [
        ("Authorization", "x", "names no variable"),
        ("=BOT_TOKEN", "x", "names no variable"),
        ("A=", "x", "names no variable"),
        ("A=NOT_SET_ANYWHERE", "x", "no environment variable NOT_SET_ANYWHERE"),
        ("A B=BOT_TOKEN", "x", "cannot stand in a header"),
        ("A=BOT_TOKEN", "sk-1\nHost: x", "cannot stand in a header"),
        ("A=BOT_TOKEN", "sk-1é", "cannot stand in a header"),
    ],
)
def test_headers_that_are_refused(monkeypatch: pytest.MonkeyPatch, header: str, value: str, told: str) -> None:
    """Before anything is asked, and without what a variable holds."""
    monkeypatch.setenv("BOT_TOKEN", value)
    with pytest.raises(StartRefusedError, match=told) as raised:
        application_of(f"http://{HERE}", options(headers=(header,)))
    assert "sk-1" not in str(raised.value)


def test_a_query_is_a_secret(receiver: Receiver) -> None:
    """It is sent, and what is recorded has only a digest, by which an interrupted run sees that it changed."""
    made, other = (application(receiver, f"/ask?key={key}") for key in ("sk-1", "sk-2"))
    assert made.answer(item()) == "Yes."
    assert receiver.came[0].path == "/ask?key=sk-1"
    assert made.name == f"http://{HERE}:{receiver.port}/ask"
    assert "sk-1" not in repr(made.options)
    assert made.options != other.options


@pytest.mark.parametrize("url", ["http://", "http://user:sk-1@host/", "https://host:99999/", "http://ho st/"])
def test_a_url_that_is_none(url: str) -> None:
    """Refused without its text, which may hold a key."""
    with pytest.raises(StartRefusedError, match=re.escape("The target's URL")) as raised:
        application_of(url, options())
    assert "sk-1" not in str(raised.value)


def test_it_waits_as_long_as_it_is_told(receiver: Receiver) -> None:
    """After 429 with Retry-After it asks again, not before."""
    numbers = itertools.count()
    receiver.answer = lambda handler: (
        send(handler, {}, 429, Retry_After="1") if next(numbers) == 0 else send(handler, YES)
    )
    began = time.monotonic()
    assert application(receiver, attempts=2).answer(item()) == "Yes."
    assert time.monotonic() - began >= 1
    assert len(receiver.came) == 2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_never_passes(receiver: Receiver, status: int) -> None:
    """It is asked as often as allowed, then the status is the reason."""
    receiver.status, receiver.answer = status, None
    assert reason(receiver, attempts=2) == f"http_{status}"
    assert len(receiver.came) == 2


@pytest.mark.parametrize("status", [302, 307, 400, 401, 404])
def test_what_is_asked_once(receiver: Receiver, status: int) -> None:
    """Nothing that another attempt would mend is repeated, and a redirect is not followed: it would carry the key."""
    receiver.status, receiver.answer = status, None
    receiver.headers = {"Location": f"http://{HERE}:{receiver.port}/elsewhere"}
    assert reason(receiver, attempts=3) == f"http_{status}"
    assert [each.path for each in receiver.came] == ["/ask"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>", "answer_is_not_json"),
        (b"", "answer_is_not_json"),
        (b'"\xff"', "answer_is_not_json"),
        (b"[" * 100_000, "answer_is_not_json"),
        (b'{"result": "Yes."}', "no_response_in_answer"),
        (b"null", "no_response_in_answer"),
        (b" " * MAX_ANSWER_BYTES + b'"x"', "answer_too_large"),
    ],
)
def test_answers_that_cannot_be_read(receiver: Receiver, body: bytes, told: str) -> None:
    """Each has its reason, and is not asked for again."""
    receiver.answer = lambda handler: send(handler, body)
    assert reason(receiver, attempts=3) == told
    assert len(receiver.came) == 1


@pytest.mark.timed
def test_one_that_hangs(receiver: Receiver) -> None:
    """The limit is on the whole answer: nothing, headers alone, and a byte now and then all end by it."""
    over = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        path = handler.path
        if path != "/nothing":
            handler.send_response(200)
            handler.end_headers()
        while not over.wait(0.02):
            if path == "/drip":
                handler.wfile.write(b" ")

    receiver.answer = hang
    began = time.monotonic()
    for path in ("/nothing", "/headers", "/drip"):
        with pytest.raises(NoAnswerError, match="timed_out"):
            application(receiver, path, timeout_s=0.15).answer(item())
    over.set()
    assert time.monotonic() - began < 4


def test_connections_that_end(receiver: Receiver) -> None:
    """Dropped before or within the answer; asked again, as it may pass."""
    parts = itertools.cycle([b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
    receiver.answer = lambda handler: handler.wfile.write(next(parts)) and None
    assert reason(receiver, attempts=2) == "connection_lost"
    assert len(receiver.came) == 2
    numbers = itertools.count()
    receiver.answer = lambda handler: None if next(numbers) == 0 else send(handler, YES)
    assert application(receiver, attempts=2).answer(item()) == "Yes."


def test_nobody_there() -> None:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind((HERE, 0))
        made = application_of(f"http://{HERE}:{free.getsockname()[1]}/", options())
        assert made is not None
        with pytest.raises(NoAnswerError, match="not_reached"):
            made.answer(item())


def test_no_proxy(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies of the environment are not asked: they would see questions and keys."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert application(receiver).answer(item()) == "Yes."


@pytest.mark.parametrize(
    ("target", "changes", "told"),
    [
        ("bot:answer", {"template": '"{{question}}"'}, "are of a URL"),
        ("scorer", {"response_path": "a"}, "are of a URL"),
        ("scorer", {"headers": ("A=B",)}, "are of a URL"),
        ("bot:answer", {"chat": "m"}, "are of a URL"),
        ("http://x", {"temperature": 0.5}, "is of --chat"),
        ("http://x", {"chat": "m", "template": '"{{question}}"'}, "has its own template"),
        ("http://x", {"chat": "m", "response_path": "a"}, "has its own template"),
        ("http://x", {"template": "@/no/such/file"}, "cannot be read"),
        ("http://x", {"template": "no json"}, "is not JSON"),
        ("bot", {}, "is no target"),
        ("", {}, "is no target"),
    ],
)
def test_options_that_do_not_belong_together(target: str, changes: dict[str, Any], told: str) -> None:
    """Refused, not left unheard."""
    with pytest.raises(StartRefusedError, match=told):
        application_of(target, options(**changes))


def test_the_scorer_is_no_application() -> None:
    """There is nobody to ask; and a URL's defaults are those of the command line."""
    assert application_of("scorer", options()) is None
    assert HttpApplication(url="https://x", template=plain_template("")).attempts == 3
