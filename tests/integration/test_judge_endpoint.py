"""The judge's client over real HTTP: whatever an endpoint does, a call ends within its limit, and is told for what it was."""

import asyncio
import os
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from pydantic import SecretStr

from models.claims import split_claims
from models.judge.prompt import ask, load_prompt
from models.judge.reply import read_reply
from models.judge.schema import reply_schema
from models.types import Context, Item, Verdict
from service.core.judge_metrics import JudgeMetrics
from service.core.review_tables import CallState
from service.core.reviewing.judge import Judge
from service.core.store.spending import Call, Settlement
from workers.judge.calling import Caller, OnBehalf, SpendLimitError, most_input_tokens
from workers.judge.chat import ChatFailedError, ChatReply, ChatRequest, FailureKind
from workers.judge.circuit import Circuit
from workers.judge.endpoint import EndpointChat
from workers.judge.scenario import Behaviour, scenario_of
from workers.judge.scripted import ScriptedEndpoint

AMPLE_S = 20.0  # a limit that no stall of a busy machine reaches
SHORT_S = 0.4  # where reaching the limit is the subject
NONCE = "0123456789abcdef0123456789abcdef"
ITEM = Item(
    response="The kettle is blue.", contexts=(Context(id="0", text="The kettle is blue."),), question="Which colour?"
)
CLAIMS = split_claims(ITEM.response)
RULES = [{"contains": f"do {each.value}!", "behaviour": each.value} for each in Behaviour]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[ScriptedEndpoint]:
    with ScriptedEndpoint(scenario_of({"rule": RULES, "retry_after_s": 0.01})) as started:
        yield started


def judge(url: str, **changes: Any) -> Judge:
    values = {
        "url": url,
        "model": "scripted",
        "tenants": ("default",),
        "allow_private": True,
        "input_price": 1,
        "output_price": 2,
        "timeout_s": AMPLE_S,
        "attempts": 2,
    }
    return Judge.model_validate(values | changes)


def limit_s(behaviour: str) -> float:
    """How long an endpoint that behaves so is waited for."""
    return SHORT_S if behaviour in {"hang", "hang_headers", "drip"} else AMPLE_S


def request(behaviour: str = "well", *, schema: bool = True, response: str = ITEM.response) -> ChatRequest:
    item = Item(response=response, contexts=ITEM.contexts, question=f"do {behaviour}!")
    return ChatRequest(
        messages=ask(load_prompt(), item, CLAIMS, NONCE),
        max_output_tokens=500,
        temperature=0.0,
        seed=3,
        schema=reply_schema(1, NONCE) if schema else None,
    )


def complete(model: Judge, asked: ChatRequest, key: str | None = "secret-key", times: int = 1) -> ChatReply:
    async def run() -> ChatReply:
        chat = EndpointChat(model, SecretStr(key) if key else None)
        try:
            for _ in range(times - 1):
                await chat.complete(asked)
            return await chat.complete(asked)
        finally:
            await chat.close()

    return asyncio.run(run())


def failure(model: Judge, asked: ChatRequest) -> ChatFailedError:
    with pytest.raises(ChatFailedError) as caught:
        complete(model, asked)
    return caught.value


def test_a_good_answer_is_a_verdict_with_its_tokens(endpoint: ScriptedEndpoint) -> None:
    """What the endpoint says comes back whole, and reads as a verdict."""
    reply = complete(judge(endpoint.url), request())
    [claim] = [each for each in read_reply(reply.text, NONCE, ITEM, CLAIMS).claims if each is not None]
    assert claim.verdict is Verdict.SUPPORTED
    assert reply.input_tokens is not None
    assert reply.input_tokens > 100


@pytest.mark.timed
@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ("hang", FailureKind.TIMED_OUT),
        ("hang_headers", FailureKind.TIMED_OUT),
        ("drip", FailureKind.TIMED_OUT),
        ("server_error", FailureKind.SERVER_ERROR),
        ("rate_limited", FailureKind.RATE_LIMITED),
        ("unauthorised", FailureKind.UNAUTHORISED),
        ("half_stream", FailureKind.CUT_OFF),
        ("not_a_completion", FailureKind.MALFORMED),
    ],
)
def test_each_failure_has_its_name_within_the_limit(
    endpoint: ScriptedEndpoint, behaviour: str, kind: FailureKind
) -> None:
    """A call never lasts longer than its limit, and no word of the question or the key is in what is raised."""
    began = time.monotonic()
    error = failure(judge(endpoint.url, timeout_s=limit_s(behaviour)), request(behaviour))
    assert error.kind is kind
    assert time.monotonic() - began < AMPLE_S
    told = f"{error!r} {error.__cause__!r} {error.args}"
    assert "kettle" not in told
    assert "secret-key" not in told


def test_what_a_server_does_not_read_is_left_out(endpoint: ScriptedEndpoint) -> None:
    """A schema that is refused is sent once, and then never again."""
    before = endpoint.counts()["requests"]
    reply = complete(judge(endpoint.url), request("refuse_schema"), times=3)
    assert reply.text
    assert endpoint.counts()["requests"] - before == 4


def test_a_schema_that_is_insisted_on_is_not_left_out(endpoint: ScriptedEndpoint) -> None:
    """`json_schema = "on"`: a server that refuses it fails the call."""
    error = failure(judge(endpoint.url, json_schema="on"), request("refuse_schema"))
    assert error.kind is FailureKind.BAD_REQUEST


def test_no_usage_is_unknown(endpoint: ScriptedEndpoint) -> None:
    """Tokens that the endpoint does not tell are not 0."""
    reply = complete(judge(endpoint.url), request("no_usage"))
    assert (reply.input_tokens, reply.output_tokens) == (None, None)


def test_nobody_listens() -> None:
    """A port without a server is unreachable, and costs nothing."""
    error = failure(judge("http://127.0.0.1:9/v1"), request())
    assert (error.kind, error.kind.may_cost) == (FailureKind.UNREACHABLE, False)


def test_a_private_address_is_refused_unless_allowed() -> None:
    """A name that leads to this machine is not called, over whatever name it is reached."""
    model = judge("https://judge.example/v1", allow_private=False)

    async def run() -> None:
        chat = EndpointChat(model, None, resolve=lambda _host, _port: ("127.0.0.1",))
        try:
            await chat.complete(request())
        finally:
            await chat.close()

    with pytest.raises(ChatFailedError) as caught:
        asyncio.run(run())
    assert caught.value.kind is FailureKind.ADDRESS_REFUSED


def test_the_environment_has_no_say(endpoint: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another library's variables choose neither key, nor organisation, nor proxy."""
    for name, value in {
        "OPENAI_API_KEY": "leaked",
        "OPENAI_ORG_ID": "leaked-org",
        "OPENAI_PROJECT_ID": "leaked-project",
        "OPENAI_BASE_URL": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    assert "HTTP_PROXY" in os.environ
    assert complete(judge(endpoint.url), request(), key=None).text
    [last] = endpoint.requests(last=1)
    assert not {"openai-organization", "openai-project"} & {name.lower() for name in last["header_names"]}
    assert last["authorization_sha256"] == sha256(b"Bearer none").hexdigest()


class Book:
    """A ledger in memory."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.opened: list[Call] = []
        self.settled: list[tuple[CallState, str | None, int | None]] = []

    def open(self, call: Call) -> int:
        if self.limit is not None and call.most_pico > self.limit:
            raise SpendLimitError
        self.opened.append(call)
        return len(self.opened)

    def settle(self, number: int, settled: Settlement) -> None:
        del number
        self.settled.append((settled.state, settled.reason, settled.cost_pico))


def call(model: Judge, book: Book, asked: ChatRequest, until_s: float = 60.0, break_off_s: float | None = None) -> Any:
    async def run() -> Any:
        caller = Caller("judge", EndpointChat(model, None), Circuit(), book, model, JudgeMetrics(), chance=lambda: 0.1)
        behalf = OnBehalf(review_seq=1, tenant="default", rule="default")
        until = asyncio.get_running_loop().time() + until_s
        try:
            async with asyncio.timeout(break_off_s):
                return await caller.call(asked, purpose="judge", on_behalf=behalf, until=until)
        finally:
            await caller.close()

    return asyncio.run(run())


class TestBooked:
    def test_at_the_most_before_and_at_what_it_cost_after(self, endpoint: ScriptedEndpoint) -> None:
        """No answer costs more than what was booked for it."""
        book, model = Book(), judge(endpoint.url)
        reply = call(model, book, request())
        [booked], [(state, _, cost)] = book.opened, book.settled
        assert (state, cost) == (CallState.ANSWERED, model.cost_pico(reply.input_tokens, reply.output_tokens))
        assert booked.most_pico == model.cost_pico(most_input_tokens(request()), 500) > cost

    def test_every_attempt_by_itself(self, endpoint: ScriptedEndpoint) -> None:
        """Attempts that were refused cost nothing; those that hung are unknown."""
        for behaviour, state, cost in (
            ("server_error", CallState.FAILED, 0),
            ("rate_limited", CallState.FAILED, 0),
            ("hang", CallState.UNKNOWN, None),
            ("no_usage", CallState.UNKNOWN, None),
        ):
            book = Book()
            try:
                call(judge(endpoint.url, timeout_s=limit_s(behaviour)), book, request(behaviour))
            except ChatFailedError:
                assert len(book.opened) == 2
            assert {(each[0], each[2]) for each in book.settled} == {(state, cost)}
            assert len(book.settled) == len(book.opened)

    def test_what_is_refused_for_good_is_not_tried_again(self, endpoint: ScriptedEndpoint) -> None:
        """A wrong key does not get better."""
        book = Book()
        with pytest.raises(ChatFailedError):
            call(judge(endpoint.url), book, request("unauthorised"))
        assert len(book.opened) == 1

    def test_nothing_is_sent_that_may_pass_the_limit(self, endpoint: ScriptedEndpoint) -> None:
        """The call that could cost too much is never made."""
        before = endpoint.counts()["requests"]
        with pytest.raises(SpendLimitError):
            call(judge(endpoint.url), Book(limit=1), request())
        assert endpoint.counts()["requests"] == before

    def test_broken_off_it_is_settled_as_unknown(self, endpoint: ScriptedEndpoint) -> None:
        """A call that a stop breaks off may have cost something."""
        book = Book()
        with pytest.raises(TimeoutError):
            call(judge(endpoint.url, timeout_s=30), book, request("hang"), break_off_s=0.3)
        assert book.settled == [(CallState.UNKNOWN, "broken_off", None)]
