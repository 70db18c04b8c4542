"""What becomes of a submission: delivered once, or dropped and counted."""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from assay_client import AssayClient
from fake_assay import FakeAssay, Fault

Make = Callable[..., AssayClient]
BATCH = "/score/batch"


def balanced(client: AssayClient) -> bool:
    """Whether the numbers add up."""
    stats = client.stats()
    ended = stats.sampled_out + stats.delivered + stats.held + sum(stats.dropped.values())
    return stats.submitted == ended and stats.held >= 0 and stats.held_bytes >= 0


def test_what_is_submitted_arrives_as_it_was(assay: FakeAssay, make: Make) -> None:
    """Every field arrives; the id that was given back is the one that is stored; the key is sent."""
    client = make(assay.url, api_key="secret")
    sent: dict[str, Any] = {
        "question": "How long?",
        "contexts": ["Thirty days.", {"id": "c2", "text": "Ünused.", "score": 0.5}],
        "response": "Ninety days.",
        "model": "m",
        "tags": {"tier": "gold"},
        "usage": {"input_tokens": 3},
        "latency_ms": 12.5,
    }
    sample_id = client.submit(**sent)
    assert client.flush()
    stored = assay.stored[str(sample_id)]
    assert {name: stored[name] for name in sent} == sent
    assert stored["sampling"] == {"policy_version": "v1", "stratum": "default", "inclusion_probability": 1.0}
    assert assay.authorizations == {"Bearer secret"}


def test_later_changes_do_not_arrive(assay: FakeAssay, make: Make) -> None:
    """What the caller does with its lists and dicts after submit is its own business."""
    client = make(assay.url)
    contexts: list[Any] = ["a", {"text": "b"}]
    tags = {"x": "1"}
    sample_id = client.submit(response="r", contexts=contexts, tags=tags)
    contexts.clear()
    tags["x"] = "2"
    client.flush()
    stored = assay.stored[str(sample_id)]
    assert (stored["contexts"], stored["tags"]) == (["a", {"text": "b"}], {"x": "1"})


def test_submissions_go_in_batches(assay: FakeAssay, make: Make) -> None:
    """At most batch_items in one request, in order, each once."""
    client = make(assay.url, batch_items=40)
    ids = [client.submit(response=str(number)) for number in range(100)]
    assert client.flush()
    assert [i for batch in assay.batches for i in batch] == ids
    assert max(map(len, assay.batches)) <= 40
    assert (client.stats().delivered, balanced(client)) == (100, True)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503),
        Fault(status=500),
        Fault(status=408),
        Fault(status=429, headers={"retry-after": "0"}),
        Fault(hang_up=True),
        Fault(status=200, body=b"<html>"),
        Fault(status=200, body=b'{"results": []}'),
        Fault(after=True, hang_up=True),
        Fault(after=True),
    ],
)
def test_failed_batch_is_sent_again(assay: FakeAssay, make: Make, fault: Fault) -> None:
    """After a failure that may pass, the same submissions are sent again until they are answered."""
    assay.faults[BATCH] = deque([fault, fault])
    client = make(assay.url, request_timeout_s=0.3)
    ids = {client.submit(response=str(number)) for number in range(5)}
    assert client.flush(20)
    assert set(assay.stored) == ids
    assert (client.stats().delivered, client.stats().dropped, balanced(client)) == (5, {}, True)


def test_retry_after_is_honoured(assay: FakeAssay, make: Make) -> None:
    """Nothing is sent before the time that the server named."""
    assay.faults[BATCH] = deque([Fault(status=429, headers={"retry-after": "0.8"})])
    client = make(assay.url)
    started = time.monotonic()
    client.submit(response="r")
    while not assay.stored and time.monotonic() - started < 10:
        time.sleep(0.01)
    assert time.monotonic() - started >= 0.8


def new_only() -> Callable[[dict[str, Any]], int]:
    """Takes an item once; again it is a conflict, as where the server keeps another form of the text."""
    arrived: set[str] = set()

    def item_status(item: dict[str, Any]) -> int:
        before = item["id"] in arrived
        arrived.add(item["id"])
        return 409 if before else 202

    return item_status


@pytest.mark.parametrize(
    "fault", [Fault(after=True, hang_up=True), Fault(after=True, status=504), Fault(after=True, status=200, body=b"<")]
)
def test_conflict_after_an_unclear_try_is_delivered(assay: FakeAssay, make: Make, fault: Fault) -> None:
    """A try whose answer was lost may have stored it: the conflict that the next one meets is with itself."""
    assay.item_status = new_only()
    assay.faults[BATCH] = deque([fault])
    client = make(assay.url)
    sample_id = client.submit(response="r")
    assert client.flush(20)
    assert (set(assay.stored), assay.arrivals[str(sample_id)]) == ({sample_id}, 2)
    assert (client.stats().delivered, client.stats().dropped, balanced(client)) == (1, {}, True)


@pytest.mark.parametrize("status", [408, 429, 503])
def test_conflict_after_a_try_that_was_not_taken_is_one(assay: FakeAssay, make: Make, status: int) -> None:
    """Where the server said that it took nothing, another submission has the id."""
    assay.item_status = lambda _: 409
    assay.faults[BATCH] = deque([Fault(status=status)])
    client = make(assay.url)
    client.submit(response="r", id="of-another")
    assert client.flush(20)
    assert (client.stats().delivered, client.stats().dropped) == (0, {"conflict": 1})


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_what_cannot_be_sent_is_counted_in_its_stratum(assay: FakeAssay, make: Make, until: Any, rate: float) -> None:
    """Of invalid submissions, those that the hash chose are losses of their stratum; the others were left out anyway."""
    assay.policy = {**(assay.policy or {}), "default": {"stratum": "all", "rate": rate}}
    client = make(assay.url)
    client.submit(response="r")
    until(lambda: client.stats().policy_version)
    client.submit(response=7, model="m")  # type: ignore[typeddict-item]
    assert client.flush(20)
    entries = [entry for entries in assay.counted.values() for entry in entries if entry["model"] == "m"]
    said = [(e["outcome"], e["stratum"], e["inclusion_probability"], e["submissions"]) for e in entries]
    assert said == [("sampled_out" if rate == 0 else "dropped_by_client", "all", rate, 1)]
    assert (client.stats().dropped, balanced(client)) == ({} if rate == 0 else {"invalid": 1}, True)


def test_same_bytes_are_sent_again(assay: FakeAssay, make: Make, until: Any) -> None:
    """A retry carries the decision of the first attempt, also where the policy has changed since."""
    assay.faults[BATCH] = deque([Fault(after=True, hang_up=True)])
    client = make(assay.url)
    sample_id = str(client.submit(response="r", trace_id="t"))
    until(lambda: assay.stored)
    first = assay.stored[sample_id]
    client.engine.shared.policy = None
    assay.policy = {**(assay.policy or {}), "policy_version": "v2", "default": {"stratum": "default", "rate": 0.0}}
    assert client.flush()
    assert (assay.stored[sample_id], assay.arrivals[sample_id]) == (first, 2)


@pytest.mark.parametrize(("status", "reason"), [(401, "refused"), (400, "refused"), (302, "refused")])
def test_refused_batch_is_dropped(assay: FakeAssay, make: Make, status: int, reason: str) -> None:
    """What the server refuses for good is not sent again; it is counted by reason, here and there."""
    assay.always[BATCH] = Fault(status=status)
    client = make(assay.url)
    for number in range(3):
        client.submit(response=str(number), model="m")
    assert client.flush()
    assert (client.stats().dropped, assay.requests.count(BATCH)) == ({reason: 3}, 1)
    (entry,) = [entry for entries in assay.counted.values() for entry in entries]
    said = (entry["outcome"], entry["stratum"], entry["inclusion_probability"], entry["model"], entry["submissions"])
    assert said == ("dropped_by_client", "default", 1.0, "m", 3)


def test_item_is_judged_alone(assay: FakeAssay, make: Make) -> None:
    """Of a batch, an item that failed for now is sent again alone; an invalid one is dropped; others are settled."""
    assay.item_status = lambda item: (
        422
        if item["response"] == "bad"
        else 409
        if item["response"] == "twice"
        else 503
        if item["response"] == "later" and assay.arrivals[item["id"]] < 3
        else 202
    )
    client = make(assay.url)
    ids = {text: client.submit(response=text) for text in ("good", "bad", "later", "twice", "fine")}
    assert client.flush(20)
    assert set(assay.stored) == {ids["good"], ids["later"], ids["fine"]}
    assert {text: assay.arrivals[str(i)] for text, i in ids.items()} == {
        "good": 1,
        "bad": 1,
        "later": 3,
        "twice": 1,
        "fine": 1,
    }
    assert (client.stats().dropped, balanced(client)) == ({"rejected": 1, "conflict": 1}, True)
    assert client.stats().last_problem == "some_code (response)"


def test_too_large_batch_is_split(assay: FakeAssay, make: Make) -> None:
    """A 413 halves the batch until it fits; what does not fit alone is dropped."""
    assay.max_body_bytes = 1_000
    client = make(assay.url)
    small = {client.submit(response="x" * 300) for _ in range(9)}
    client.submit(response="x" * 2_000)
    assert client.flush(20)
    assert (set(assay.stored), client.stats().dropped) == (small, {"too_large": 1})


def test_unreachable_then_there(make: Make, nowhere: str, until: Any) -> None:
    """What is submitted while the sidecar is down arrives when it is up."""
    client = make(nowhere)
    ids = {client.submit(response=str(number)) for number in range(10)}
    until(lambda: client.stats().last_problem)
    assay = FakeAssay(port=int(nowhere.rpartition(":")[2])).start()
    assert client.flush(20)
    assay.stop()
    assert (set(assay.stored), balanced(client)) == (ids, True)


def test_hanging_sidecar_holds_no_request_for_long(assay: FakeAssay, make: Make, until: Any) -> None:
    """A request ends after its total time, whatever the server does; then it is tried again."""
    assay.always[BATCH] = Fault()
    client = make(assay.url, request_timeout_s=0.1)
    client.submit(response="r")
    until(lambda: assay.requests.count(BATCH) >= 3, 15)
    assert client.stats().held == 1


def test_full_buffer_drops_and_counts(make: Make, nowhere: str) -> None:
    """Beyond the bounds new submissions are dropped: None comes back, and each is counted."""
    client = make(nowhere, buffer_items=10)
    answers = [client.submit(response="r") for _ in range(25)]
    assert ([a is None for a in answers], client.stats().dropped) == ([False] * 10 + [True] * 15, {"buffer_full": 15})
    assert (client.stats().held, balanced(client)) == (10, True)


def test_buffer_is_bounded_in_bytes(make: Make, nowhere: str) -> None:
    """Large texts fill the buffer before many items do."""
    client = make(nowhere, buffer_bytes=1_000_000)
    for _ in range(100):
        client.submit(response="é" * 100_000)
    assert (client.stats().held, client.stats().held_bytes <= 1_000_000) == (9, True)


def test_old_submissions_are_given_up(make: Make, nowhere: str, until: Any) -> None:
    """After max_age_s an undelivered submission is dropped as expired."""
    client = make(nowhere, max_age_s=0.2)
    client.submit(response="r")
    until(lambda: client.stats().dropped == {"expired": 1}, 20)
    assert (client.stats().held, balanced(client)) == (0, True)


@pytest.mark.timed
def test_close_counts_what_it_cannot_deliver(assay: FakeAssay, make: Make) -> None:
    """Close takes no longer than it may; what is left is dropped, and the server is told how many."""
    assay.always[BATCH] = Fault()
    client = make(assay.url, request_timeout_s=5.0)
    for number in range(7):
        client.submit(response=str(number))
    started = time.monotonic()
    assert client.close(1.0) is False
    assert time.monotonic() - started < 1.5
    assert (client.stats().dropped, assay.counts("dropped_by_client"), balanced(client)) == ({"closed": 7}, 7, True)


def warnings_of(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    """The warnings that hold these words."""
    messages = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    return [message for message in messages if words in message]


def test_close_says_what_it_could_not_count(make: Make, nowhere: str, caplog: pytest.LogCaptureFixture) -> None:
    """With the sidecar away to the end, close is False and the log names the number that the rate will not know."""
    client = make(nowhere)
    for _ in range(7):
        client.submit(response="r")
    assert client.close(0.5) is False
    (line,) = warnings_of(caplog, "missing from Assay's counts")
    assert (line.startswith("7 submissions"), client.stats().dropped) == (True, {"closed": 7})


def test_close_is_false_where_counts_were_refused(
    assay: FakeAssay, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """All that was held is delivered, and a loss was not counted: that is not all right, and close says so."""
    assay.always["/counts"] = Fault(status=401)
    client = make(assay.url)
    client.submit(response="r")
    client.submit(response=None)
    assert client.close(10) is False
    assert (len(assay.stored), len(warnings_of(caplog, "1 submissions that were not sent"))) == (1, 1)


def test_close_twice_at_once(assay: FakeAssay, make: Make, until: Any) -> None:
    """A second close, such as that of the exit, takes nothing out of the hands of the first."""
    assay.always[BATCH] = Fault(status=503)
    client = make(assay.url)
    for _ in range(20):
        client.submit(response="r")
    until(lambda: BATCH in assay.requests)
    first, second = client.engine.close(60.0), client.engine.close(60.0)
    assay.always.clear()
    assert (first.result(60), second.result(60)) == (True, True)
    assert (len(assay.stored), client.stats().dropped, client.stats().held) == (20, {}, 0)


def test_close_where_no_thread_could_start(
    assay: FakeAssay, make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that may start no more threads loses what it submits, and is told how much."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")  # in Python's words

    told: list[tuple[str, int]] = []
    client = make(assay.url, on_drop=lambda *loss: told.append(loss))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        ids = [client.submit(response="r") for _ in range(3)]
        assert (None in ids, client.stats().held, client.close(1.0)) == (False, 3, False)
    assert (client.stats().dropped, client.stats().held, told) == ({"closed": 3}, 0, [("closed", 3)])
    assert len(warnings_of(caplog, "3 submissions that were not sent")) == 1
    assert (client.close(), client.submit(response="r"), assay.requests) == (False, None, [])


def test_an_unused_client_closes_well(nowhere: str, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was submitted, so nothing was lost, and there is nothing to say."""
    assert (make(nowhere).close(), caplog.records) == (True, [])


def test_an_outage_is_two_lines(make: Make, until: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The first failure is logged with the URL, without its password, and so is the end; all failures are numbers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = make(f"http://user:word@127.0.0.1:{port}/sidecar/?key=word", api_key="word")
    client.submit(response="r")
    client.submit(response=None)
    until(lambda: client.stats().failed_requests >= 4, 60)  # of the policy and of the counts
    lines = warnings_of(caplog, "Assay at")
    assert len(lines) == 1
    assert lines[0].startswith(f"Assay at http://127.0.0.1:{port}/sidecar cannot be used (")
    assert "ConnectError" in lines[0]
    assert "word" not in caplog.text


def test_the_end_of_an_outage_is_logged(make: Make, nowhere: str, caplog: pytest.LogCaptureFixture, until: Any) -> None:
    """Once all that failed works again, and not before."""
    client = make(nowhere)
    client.submit(response="r")
    client.submit(response=None)
    until(lambda: client.stats().failed_requests >= 4, 60)
    assay = FakeAssay(port=int(nowhere.rpartition(":")[2])).start()
    assert client.flush(30)
    until(lambda: warnings_of(caplog, f"Assay at {nowhere} can be used again."))
    assay.stop()
    assert len(warnings_of(caplog, "Assay at")) == 2


def test_closed_client_takes_nothing(assay: FakeAssay, make: Make) -> None:
    """After close, submit drops and score is unavailable; neither raises; closing again is fine."""
    client = make(assay.url)
    client.submit(response="r")
    assert client.close()
    assert (client.submit(response="r"), client.close(), client.flush()) == (None, True, True)
    assert client.score(response="r", wait=0.5).status == "unavailable"
    assert client.stats().dropped == {"closed": 1}


def test_drops_are_told(assay: FakeAssay, make: Make, until: Any, caplog: pytest.LogCaptureFixture) -> None:
    """on_drop hears of each reason with its number; it may raise; the log has one line, without any text of users."""
    told: list[tuple[str, int]] = []

    def on_drop(reason: str, submissions: int) -> None:
        told.append((reason, submissions))
        raise RuntimeError("of the application")

    client = make(assay.url, on_drop=on_drop)
    for _ in range(5):
        client.submit(response=3)  # type: ignore[typeddict-item]
    until(lambda: sum(number for _, number in told) == 5)
    client.submit(response="private words", nonsense="private words")  # type: ignore[call-arg]
    client.close()
    assert (len(warnings_of(caplog, "not delivered")), "private" in caplog.text, {reason for reason, _ in told}) == (
        2,
        False,
        {"invalid"},
    )


def test_a_request_is_no_line_in_the_log(assay: FakeAssay, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """An application that logs at INFO does not hear of each request."""
    caplog.set_level("INFO")
    client = make(assay.url)
    client.submit(response="r")
    client.close()
    assert caplog.records == []
