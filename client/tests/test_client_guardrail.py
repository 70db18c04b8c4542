"""Guardrails: an answer in time, or none; never a wait beyond the deadline."""

import asyncio
import contextlib
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from assay_client import AssayClient, AssayUnavailableError, AsyncAssayClient, Settings
from fake_assay import FakeAssay, Fault

Make = Callable[..., AssayClient]
SCORED = {
    "status": "scored",
    "reason": None,
    "score": 0.9,
    "flagged": True,
    "threshold": 0.7,
    "claims": [
        {
            "start": 0,
            "end": 3,
            "text": "No.",
            "verdict": "contradicted",
            "score": 0.9,
            "evidence": {"context_id": "0", "start": 0, "end": 4, "text": "Yes."},
        },
        {"start": 4, "end": 7, "text": "Hm?", "verdict": "not_checkable", "score": None, "evidence": None},
    ],
}
TIGHT_S = 0.25  # what a busy machine may add


def test_score_is_typed(assay: FakeAssay, make: Make) -> None:
    """A scored answer comes back with its claims and their evidence."""
    assay.result = SCORED
    result = make(assay.url).score(response="No. Hm?", contexts=["Yes."], id="a", wait=5)
    assert (result.id, result.status, result.flagged, result.score) == ("a", "scored", True, 0.9)
    assert [(c.verdict, c.evidence, c.context_id) for c in result.claims] == [
        ("contradicted", "Yes.", "0"),
        ("not_checkable", None, None),
    ]


def test_not_ready_is_pending(assay: FakeAssay, make: Make) -> None:
    """A 202 means that it is stored and not scored yet: flagged is None, not False."""
    result = make(assay.url).score(response="r", wait=1)
    assert (result.status, result.flagged, result.id in assay.stored) == ("pending", None, True)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(status=503, body=b'{"code": "store_unavailable", "field": null}'), "503 store_unavailable"),
        (Fault(status=422, body=b'{"code": "payload_invalid", "field": "id"}'), "422 payload_invalid (id)"),
        (Fault(status=200, body=b"<html>"), "unreadable"),
        (Fault(status=200, body=b"[]"), "unreadable"),
        (Fault(hang_up=True), "RemoteProtocolError"),
    ],
)
def test_it_fails_open(assay: FakeAssay, make: Make, fault: Fault, reason: str) -> None:
    """Whatever goes wrong, the result says `unavailable` and why; nothing is raised unless asked for."""
    assay.always["/score"] = fault
    client = make(assay.url)
    result = client.score(response="r", wait=2)
    assert (result.status, result.flagged, result.reason) == ("unavailable", None, reason)
    with pytest.raises(AssayUnavailableError):
        client.score(response="r", wait=2, fail_open=False)


@pytest.mark.timed
@pytest.mark.parametrize("wait", [0.05, 0.3])
def test_hanging_sidecar_blocks_no_longer_than_the_deadline(assay: FakeAssay, make: Make, wait: float) -> None:
    """With a sidecar that accepts and never answers, the call ends at its deadline, also while others wait."""
    assay.always["/score"] = assay.always["/score/batch"] = assay.always["/sampling"] = Fault()
    client = make(assay.url, request_timeout_s=30.0)
    client.submit(response="r")
    started = time.monotonic()
    result = client.score(response="r", wait=wait)
    assert time.monotonic() - started < wait + TIGHT_S
    assert (result.status, result.flagged) == ("unavailable", None)


def test_many_at_once_against_a_hanging_sidecar(assay: FakeAssay) -> None:
    """A hundred guardrails at once each end at their own deadline; none waits for another."""
    assay.always["/score"] = Fault()

    async def ask() -> float:
        async with AsyncAssayClient(assay.url) as client:
            started = time.monotonic()
            results = await asyncio.gather(*(client.score(response="r", wait=0.5) for _ in range(100)))
            assert {result.status for result in results} == {"unavailable"}
            return time.monotonic() - started

    assert asyncio.run(ask()) < 0.5 + 4 * TIGHT_S


@pytest.mark.timed
def test_unreachable_is_told_at_once_and_submitted_later(make: Make, nowhere: str) -> None:
    """Refused connections do not use up the deadline; the answer is kept for the rate and sent when Assay is back."""
    client = make(nowhere)
    started = time.monotonic()
    result = client.score(response="r", id="a", contexts=["c"], wait=5)
    assert (result.status, time.monotonic() - started < 2) == ("unavailable", True)
    assay = FakeAssay(port=int(nowhere.rpartition(":")[2])).start()
    assert client.flush(20)
    assay.stop()
    assert (assay.stored["a"]["response"], assay.stored["a"]["contexts"]) == ("r", ["c"])


@pytest.mark.parametrize(
    ("fault", "resubmitted"),
    [
        (Fault(status=408), True),
        (Fault(status=429), True),
        (Fault(status=503), True),
        (Fault(status=500), False),
        (Fault(status=504), False),
        (Fault(status=422), False),
        (Fault(status=200, body=b"<html>"), False),
        (Fault(hang_up=True), False),
        (Fault(), False),  # a read timeout
    ],
)
def test_what_was_not_taken_is_submitted(assay: FakeAssay, make: Make, fault: Fault, *, resubmitted: bool) -> None:
    """An answer that the sidecar said it did not take is submitted, so that the rate has it; else it may have it."""
    assay.faults["/score"] = deque([fault])
    client = make(assay.url)
    assert client.score(response="r", id="a", wait=1).status == "unavailable"
    assert client.flush(20)
    assert (client.stats().submitted, set(assay.stored)) == ((1, {"a"}) if resubmitted else (0, set()))


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone leaves connections to a full queue unanswered")
def test_a_connection_that_never_comes_about_is_submitted(make: Make, until: Any) -> None:
    """A time limit that ends while connecting is no read timeout: nothing was sent."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        client = make(f"http://127.0.0.1:{full.getsockname()[1]}")
        assert client.score(response="r", wait=0.3).status == "unavailable"
        until(lambda: client.stats().held == 1)


def test_closing_ends_a_guardrail(assay: FakeAssay, until: Any) -> None:
    """Where the client is closed under it, a guardrail fails open: its task is not cancelled by that."""
    assay.always["/score"] = Fault()

    async def ask(client: AsyncAssayClient) -> str:
        task = asyncio.create_task(client.score(response="r", wait=20))
        await asyncio.to_thread(until, lambda: "/score" in assay.requests and client.stats().policy_version)
        await client.close(5)
        return (await task).status

    assert asyncio.run(ask(AsyncAssayClient(assay.url))) == "unavailable"


@pytest.mark.parametrize("wait", [float("nan"), -1, "soon", None, 10**400, True])
def test_strange_waits_are_waits(assay: FakeAssay, make: Make, wait: Any) -> None:
    """A wait that is none is made one that the server takes."""
    assert make(assay.url).score(response="r", wait=wait).status in {"pending", "unavailable"}


def test_invalid_fields_are_unavailable(assay: FakeAssay, make: Make) -> None:
    """What cannot be sent is not scored, and not raised."""
    result = make(assay.url).score(response=5, id="a")  # type: ignore[typeddict-item]
    assert (result.status, result.reason) == ("unavailable", "invalid: response")


def test_async_client_does_it_all(assay: FakeAssay) -> None:
    """The asynchronous face has the same methods, from one event loop after another."""
    assay.result = SCORED

    async def once(client: AsyncAssayClient) -> str | None:
        sample_id = client.submit(response="r")
        result = await client.score(response="No. Hm?", wait=5)
        assert (result.status, await client.flush()) == ("scored", True)
        return sample_id

    client = AsyncAssayClient(assay.url, settings=Settings(flush_interval_s=0.02))
    ids = {asyncio.run(once(client)), asyncio.run(once(client))}
    assert asyncio.run(client.close())
    assert ids <= set(assay.stored)


def test_cancelled_guardrail_cancels_its_request(assay: FakeAssay) -> None:
    """A cancelled task ends at once, as tasks do."""
    assay.always["/score"] = Fault()

    async def cancel() -> float:
        async with AsyncAssayClient(assay.url) as client:
            task = asyncio.create_task(client.score(response="r", wait=20))
            await asyncio.sleep(0.1)
            started = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return time.monotonic() - started

    assert asyncio.run(cancel()) < TIGHT_S
