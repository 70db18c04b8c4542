"""The scripted endpoint as a process: every behaviour over real HTTP, and its account of them."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import typer
from typer.testing import CliRunner

from models.claims import split_claims
from models.judge.prompt import ask, load_prompt
from models.judge.reply import read_reply
from models.types import Context, Item, Verdict
from service.core.errors import StartRefusedError
from workers.commands.judge_scripted import PASSED_ON, judge_scripted
from workers.judge.scenario import Behaviour, scenario_of
from workers.judge.scripted import ScriptedEndpoint

KEY = "Bearer sk-a-key-that-nobody-has"
RULES = [{"contains": f"do {behaviour}.", "behaviour": behaviour} for behaviour in Behaviour]
SCENARIO = {"rule": RULES, "slow_s": 0.2, "drip_s": 0.01, "retry_after_s": 0.25}
UNANSWERED = (Behaviour.HANG, Behaviour.HANG_HEADERS, Behaviour.DRIP, Behaviour.HALF_STREAM)


def item(text: str) -> Item:
    return Item(response="Water is wet.", contexts=(Context(id="a", text="Water is wet and blue."),), question=text)


def body(text: str, nonce: str, **more: Any) -> dict[str, Any]:
    one = item(text)
    messages = ask(load_prompt(), one, split_claims(one.response), nonce)
    return {"model": "m", "messages": [{"role": each.role, "content": each.content} for each in messages], **more}


def post(endpoint: ScriptedEndpoint, text: str, timeout: float = 5, **more: Any) -> httpx.Response:
    headers = {"Authorization": KEY}
    told = body(text, uuid4().hex, **more)
    return httpx.post(f"{endpoint.url}/chat/completions", json=told, headers=headers, timeout=timeout)


def hanging(endpoint: ScriptedEndpoint) -> socket.socket:
    """A connection on which a request was sent that hangs."""
    sent = json.dumps(body("do hang.", uuid4().hex)).encode()
    connection = socket.create_connection(("127.0.0.1", endpoint.port))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent)}\r\n\r\n"
    connection.sendall(head.encode() + sent)
    return connection


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until_open(endpoint: ScriptedEndpoint, count: int) -> dict[str, Any]:
    """The account, once so many requests are not over."""
    deadline = time.monotonic() + 10
    while (counts := endpoint.counts())["open"] != count:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return counts


@pytest.fixture(scope="module")
def endpoint() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(scenario_of(SCENARIO)) as started:
        yield started


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [(Behaviour.RATE_LIMITED, {429}), (Behaviour.SERVER_ERROR, {500, 502, 503}), (Behaviour.UNAUTHORISED, {401})],
)
def test_refusals(endpoint: ScriptedEndpoint, behaviour: Behaviour, status: set[int]) -> None:
    """Each is an error as the API words it, free of charge."""
    before = endpoint.counts()
    answer = post(endpoint, f"do {behaviour}.")
    after = endpoint.counts()
    assert answer.status_code in status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert answer.headers.get("Retry-After") == ("0.25" if behaviour is Behaviour.RATE_LIMITED else None)
    assert after["by_status"][str(answer.status_code)] == before["by_status"].get(str(answer.status_code), 0) + 1
    assert (after["prompt_tokens"], after["billed_untold"]) == (before["prompt_tokens"], before["billed_untold"])


@pytest.mark.parametrize(
    "behaviour", [each for each in Behaviour if each not in (*UNANSWERED, Behaviour.NO_USAGE, Behaviour.REFUSE_SCHEMA)]
)
def test_completions_are_billed_as_they_say(endpoint: ScriptedEndpoint, behaviour: Behaviour) -> None:
    """What an answer says that it used is what the account has, at once; what says nothing has nothing."""
    before = endpoint.counts()
    answer = post(endpoint, f"do {behaviour}.").json()
    after = endpoint.counts()
    usage = answer.get("usage", {"prompt_tokens": 0, "completion_tokens": 0})
    grown = {
        name: after[name] - before[name] for name in ("requests", "answered", "prompt_tokens", "completion_tokens")
    }
    assert grown == {
        "requests": 1,
        "answered": int("usage" in answer),
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
    }
    assert after["by_behaviour"][behaviour] == before["by_behaviour"].get(behaviour, 0) + 1


def test_a_good_verdict_is_read(endpoint: ScriptedEndpoint) -> None:
    """Over the wire too."""
    nonce, text = uuid4().hex, "Is it wet?"
    told = httpx.post(f"{endpoint.url}/chat/completions", json=body(text, nonce)).json()
    read = read_reply(told["choices"][0]["message"]["content"], nonce, item(text), split_claims(item(text).response))
    assert read.claims[0].verdict is Verdict.SUPPORTED


def test_slow_waits(endpoint: ScriptedEndpoint) -> None:
    """It answers after the scenario's time; a client that does not wait for it is not billed."""
    before = endpoint.counts()
    began = time.monotonic()
    assert post(endpoint, "do slow.").is_success
    assert time.monotonic() - began >= 0.2
    with pytest.raises(httpx.ReadTimeout):
        post(endpoint, "do slow.", timeout=0.03)
    assert until_open(endpoint, 0)["answered"] == before["answered"] + 1


@pytest.mark.parametrize("behaviour", [Behaviour.HANG, Behaviour.HANG_HEADERS])
def test_hanging_never_answers(endpoint: ScriptedEndpoint, behaviour: Behaviour) -> None:
    """The client's own limit ends it, and nothing is billed."""
    before = endpoint.counts()
    with pytest.raises(httpx.ReadTimeout):
        post(endpoint, f"do {behaviour}.", timeout=0.05)
    after = until_open(endpoint, 0)
    status = "none" if behaviour is Behaviour.HANG else "200"
    assert after["by_status"][status] == before["by_status"].get(status, 0) + 1
    assert after["prompt_tokens"] == before["prompt_tokens"]


def test_dripping_outlasts_a_limit_between_bytes(endpoint: ScriptedEndpoint) -> None:
    """Bytes come again and again, and no answer: only a limit on the whole call ends it."""
    with httpx.stream("POST", f"{endpoint.url}/chat/completions", json=body("do drip.", uuid4().hex)) as answer:
        chunks = answer.iter_raw()
        assert set(b"".join(next(chunks) for _ in range(5))) == set(b" ")
    assert until_open(endpoint, 0)["by_behaviour"]["drip"] == 1


def test_half_a_stream_is_billed_and_untold(endpoint: ScriptedEndpoint) -> None:
    """So is an answer without usage: the endpoint has counted what the client cannot know."""
    before = endpoint.counts()["billed_untold"]
    with pytest.raises(httpx.RemoteProtocolError):
        post(endpoint, "do half_stream.")
    answer = post(endpoint, "do no_usage.").json()
    after = endpoint.counts()["billed_untold"]
    assert "usage" not in answer
    assert after["requests"] == before["requests"] + 2
    assert after["completion_tokens"] > before["completion_tokens"] + 20


def test_a_schema_may_be_refused(endpoint: ScriptedEndpoint) -> None:
    """Only a request that has one is."""
    refused = post(endpoint, "do refuse_schema.", response_format={"type": "json_schema"})
    assert (refused.status_code, post(endpoint, "do refuse_schema.").status_code) == (400, 200)


def test_echo_and_models(endpoint: ScriptedEndpoint) -> None:
    """The whole user message comes back; the model is listed; elsewhere there is nothing."""
    told = body("do echo.", uuid4().hex)
    answer = httpx.post(f"{endpoint.url}/chat/completions", json=told).json()
    assert answer["choices"][0]["message"]["content"] == told["messages"][1]["content"]
    assert httpx.get(f"{endpoint.url}/models").json()["data"][0]["id"] == "scripted"
    assert httpx.get(f"{endpoint.url}/elsewhere").status_code == 404


def test_requests_are_told_without_their_text(endpoint: ScriptedEndpoint) -> None:
    """Names of headers, the key's digest, sample and bill; neither text nor key."""
    post(endpoint, "Is the secret word plumage?", temperature=0.5)
    last = endpoint.requests(1)[0]
    assert last["authorization_sha256"] == hashlib.sha256(KEY.encode()).hexdigest()
    assert (last["behaviour"], last["status"], last["temperature"], last["asked"]) == ("well", 200, 0.5, "judge")
    assert "authorization" in last["header_names"]
    assert "plumage" not in json.dumps(last)
    assert KEY[8:] not in json.dumps(last)


def test_nonsense_is_refused(endpoint: ScriptedEndpoint) -> None:
    """What is no JSON, or no request, gets 400; what is no HTTP, the end of the connection."""
    for sent in (b"{", b"[]", b"[" * 100_000):
        answer = httpx.post(f"{endpoint.url}/chat/completions", content=sent)
        assert answer.status_code == 400
    for sent in (b"\x16\x03\x01\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"x" * 100_000):
        with closing(socket.create_connection(("127.0.0.1", endpoint.port), timeout=5)) as connection:
            try:
                connection.sendall(sent)
                assert connection.recv(100) == b""
            except ConnectionError:
                pass
    assert endpoint.counts()["by_behaviour"]["invalid"] == 3


def test_counts_add_up_beside_two_hundred_that_hang(tmp_path: Path) -> None:
    """With 200 connections that hang, samples are answered as drawn, and the account has every one of them once."""
    scenario = scenario_of({"seed": 7, "rule": RULES[:1], "shares": {"garbage": 0.2, "server_error": 0.2}})
    file = tmp_path / "counts.json"
    with ExitStack() as stack, ScriptedEndpoint(scenario, counts_file=file) as endpoint:
        for _ in range(200):
            stack.enter_context(closing(hanging(endpoint)))
        assert until_open(endpoint, 200)["most_at_once"] == 200
        texts = [f"Question {number}?" for number in range(60)]
        with httpx.Client() as client:

            def send(text: str) -> httpx.Response:
                return client.post(f"{endpoint.url}/chat/completions", json=body(text, uuid4().hex))

            with ThreadPoolExecutor(8) as pool:
                first, second = (list(pool.map(send, texts)) for _ in range(2))
        assert [each.status_code for each in first] == [each.status_code for each in second]
        expected = [
            scenario.behaviour(f"Water is wet and blue.\n{each}\nWater is wet.", request=0, before=0) for each in texts
        ]
        counts = endpoint.counts()
        assert counts["by_behaviour"] == {"hang": 200} | {each: 2 * expected.count(each) for each in set(expected)}
        usages = [each.json()["usage"] for each in (*first, *second) if each.is_success]
        assert counts["answered"] == len(usages) == 2 * counts["samples_answered"]
        for name in ("prompt_tokens", "completion_tokens"):
            assert counts[name] == sum(usage[name] for usage in usages)
        assert (counts["requests"], counts["open"], counts["samples"]) == (320, 200, 61)
        assert sum(counts["by_status"].values()) == 120
    written = json.loads(file.read_text())
    assert (written["open"], written["by_status"]["none"]) == (0, 200)
    assert written["completion_tokens"] == counts["completion_tokens"]


def test_the_command_line(tmp_path: Path) -> None:
    """It says where it listens, writes its port and its account, takes options over a file, and ends on SIGTERM."""
    scenario = tmp_path / "scenario.toml"
    scenario.write_text('seed = 3\n[shares]\nhang = 1.0\n[[rule]]\ncontains = "do echo."\nbehaviour = "echo"\n')
    files = ["--port-file", str(tmp_path / "port"), "--counts-file", str(tmp_path / "counts")]
    command = [sys.executable, "-m", "workers.judge.scripted", "--scenario", str(scenario), *files, "--fail", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        url = line.removeprefix("listening on ")
        assert url == f"http://127.0.0.1:{(tmp_path / 'port').read_text().strip()}/v1"
        statuses = [
            httpx.post(f"{url}/chat/completions", json=body(t, uuid4().hex)).status_code for t in ("do echo.", "?")
        ]
        process.terminate()
        assert process.wait(10) == 0
    assert statuses[0] == 200
    assert statuses[1] >= 500
    assert json.loads((tmp_path / "counts").read_text())["requests"] == 2


def test_it_ends_with_its_parent() -> None:
    """A parent that is killed leaves no endpoint behind."""
    code = (
        "import os, signal\nfrom workers.judge.scripted import ScriptedEndpoint\n"
        "with ScriptedEndpoint() as endpoint:\n    print(endpoint.port, flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    port = int(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, env=os.environ, check=False).stdout)
    deadline = time.monotonic() + 10
    while listens(port):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_start_that_fails_is_told(endpoint: ScriptedEndpoint, capfd: pytest.CaptureFixture[str]) -> None:
    """A port that is taken ends the child, which has said so."""
    with pytest.raises(StartRefusedError), ScriptedEndpoint(port=endpoint.port):
        pass
    assert f"Port {endpoint.port} cannot be listened on" in capfd.readouterr().err


def test_as_a_command_of_assay() -> None:
    """Its options are the endpoint's own, as is its help; a scenario that cannot be is refused."""
    app = typer.Typer()
    app.command("scripted", context_settings=PASSED_ON)(judge_scripted)
    helped = CliRunner().invoke(app, ["--help"])
    assert (helped.exit_code, "--rate-limited" in helped.output) == (0, True)
    refused = CliRunner().invoke(app, ["--hang", "0.7", "--garbage", "0.7", "--port", "0"])
    assert (refused.exit_code, "more than 1" in refused.output) == (2, True)
