"""Sampling in the client: what is left out is counted and never sent."""

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from assay_client import AssayClient
from assay_client.sampling import position
from fake_assay import POLICY, FakeAssay, Fault

Make = Callable[..., AssayClient]
HALF = {**POLICY, "default": {"stratum": "default", "rate": 0.5}}


def known(client: AssayClient, until: Any) -> None:
    """Waits until the client has its policy."""
    client.submit(response="first", id="first")
    until(lambda: client.engine.shared.policy)
    assert client.flush()


def test_only_chosen_ones_leave_the_process(assay: FakeAssay, make: Make, until: Any) -> None:
    """What the hash chooses is sent with its probability; the rest is counted: together they are all."""
    assay.policy = HALF
    client = make(assay.url)
    known(client, until)
    ids = [f"s-{number}" for number in range(300)]
    assert [client.submit(response="r", id=i, model="m") for i in ids] == ids
    assert client.flush()
    chosen = {i for i in ids if position(i, "") < 0.5}
    assert set(assay.stored) - {"first"} == chosen
    assert {item["sampling"]["inclusion_probability"] for item in assay.stored.values()} <= {0.5}
    first_out = position("first", "") >= 0.5
    assert assay.counts("sampled_out") == 300 - len(chosen) + first_out
    assert (client.stats().submitted, client.stats().sampled_out) == (301, 300 - len(chosen) + first_out)


def test_a_trace_is_in_or_out_as_a_whole(assay: FakeAssay, make: Make, until: Any) -> None:
    """The trace id is hashed where there is one."""
    assay.policy = HALF
    client = make(assay.url)
    known(client, until)
    inside = next(f"t-{n}" for n in range(99) if position(f"t-{n}", "") < 0.5)
    outside = next(f"t-{n}" for n in range(99) if position(f"t-{n}", "") >= 0.5)
    for number in range(20):
        client.submit(response="r", id=f"in-{number}", trace_id=inside)
        client.submit(response="r", id=f"out-{number}", trace_id=outside)
    client.flush()
    assert set(assay.stored) - {"first"} == {f"in-{number}" for number in range(20)}


def test_undecided_ones_wait_for_the_policy(assay: FakeAssay, make: Make, until: Any) -> None:
    """Before the policy is known nothing is sent and nothing is counted; then each is decided."""
    assay.policy = HALF
    assay.always["/sampling"] = Fault(status=503)
    client = make(assay.url)
    ids = [f"s-{number}" for number in range(50)]
    for i in ids:
        client.submit(response="r", id=i)
    until(lambda: assay.requests.count("/sampling") >= 2)
    assert (assay.stored, assay.counted, client.stats().held) == ({}, {}, 50)
    assay.always.clear()
    assert client.flush(20)
    chosen = {i for i in ids if position(i, "") < 0.5}
    assert (set(assay.stored), assay.counts("sampled_out")) == (chosen, 50 - len(chosen))


def test_one_that_cannot_be_decided_holds_up_nobody(assay: FakeAssay, make: Make, until: Any) -> None:
    """A trace id that is no Unicode is dropped, before and after the policy is known; others go their way."""
    assay.always["/sampling"] = Fault(status=503)
    client = make(assay.url)
    client.submit(response="r", trace_id="\ud800")
    client.submit(response="r", id="good")
    until(lambda: assay.requests.count("/sampling") >= 1)
    assay.always.clear()
    assert client.flush(20)
    client.submit(response="r", trace_id="\ud800")
    assert (set(assay.stored), client.stats().dropped) == ({"good"}, {"invalid": 2})


@pytest.mark.parametrize(
    "policy",
    [
        None,
        {**HALF, "domain": "assay.sampling.v9"},
        {**HALF, "rules": [{"stratum": "x", "rate": 0.0, "match": {"weather": ["fine"]}}]},
        {**HALF, "default": {"stratum": "default", "rate": 7}},
        {"detail": "another server"},
        ["another server"],
    ],
)
def test_where_it_cannot_decide_it_sends_all(assay: FakeAssay, make: Make, policy: Any) -> None:
    """Without client sampling, or with a policy that it cannot follow to the letter, the server decides."""
    assay.policy = policy
    client = make(assay.url)
    ids = {client.submit(response="r", id=f"s-{number}") for number in range(20)}
    assert client.flush()
    assert set(assay.stored) == ids
    assert [item for item in assay.stored.values() if "sampling" in item] == []


def test_switched_off_it_never_asks(assay: FakeAssay, make: Make) -> None:
    """With sample_locally off the policy is not fetched and everything is sent."""
    client = make(assay.url, sample_locally=False)
    client.submit(response="r")
    client.flush()
    assert ("/sampling" in assay.requests, len(assay.stored)) == (False, 1)


def test_first_matching_rule_decides(assay: FakeAssay, make: Make, until: Any) -> None:
    """Rules are looked at in order, over route, model, release and tags; one without fields matches all."""
    rules = [
        {"stratum": "gold", "rate": 1.0, "match": {"release": ["2", "3"], "tags.tier": ["gold"]}},
        {"stratum": "rest", "rate": 0.0, "match": {}},
    ]
    assay.policy = {**POLICY, "rules": rules}
    client = make(assay.url)
    known(client, until)
    client.submit(response="r", id="a", release="2", tags={"tier": "gold"})
    client.submit(response="r", id="b", release="2", tags={"tier": "tin"})
    client.submit(response="r", id="c", release="2")
    client.submit(response="r", id="d", release="1", tags={"tier": "gold"})
    client.flush()
    assert {i: item["sampling"]["stratum"] for i, item in assay.stored.items()} == {"a": "gold"}


def test_policy_is_refreshed(assay: FakeAssay, make: Make, until: Any) -> None:
    """A changed policy is taken over; what was decided before stays decided."""
    assay.policy = {**POLICY, "refresh_s": 1}
    client = make(assay.url)
    known(client, until)
    assay.policy = {**POLICY, "policy_version": "v2", "default": {"stratum": "default", "rate": 0.0}, "refresh_s": 1}
    until(lambda: client.stats().policy_version == "v2")
    client.submit(response="r", id="late")
    client.flush()
    assert (set(assay.stored), assay.counts("sampled_out")) == ({"first"}, 1)


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(after=True, hang_up=True), Fault(after=True)])
def test_counts_are_added_once(assay: FakeAssay, make: Make, until: Any, fault: Fault) -> None:
    """A report whose answer was lost is sent again under its number; it is not counted twice."""
    assay.policy = {**POLICY, "default": {"stratum": "default", "rate": 0.0}}
    client = make(assay.url, request_timeout_s=0.2)
    known(client, until)
    assay.faults["/counts"] = deque([fault, fault])
    for number in range(30):
        client.submit(response="r", id=f"s-{number}")
    assert client.flush(20)
    assert assay.counts("sampled_out") == 31
    sequences = sorted(sequence for _, sequence in assay.counted)
    assert sequences == list(range(1, len(sequences) + 1))


@pytest.mark.parametrize(
    "fault",
    [
        *(Fault(status=status) for status in (302, 400, 401, 404, 413)),
        Fault(status=200, body=b"<html>"),
        Fault(status=200, body=b'{"counted": "perhaps"}'),
    ],
)
def test_refused_counts_are_kept_but_nobody_waits(
    assay: FakeAssay, make: Make, until: Any, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    """Counts that an Assay did not say it has are kept, for it to have later; flush does not wait, the log has a line."""
    assay.policy = {**POLICY, "default": {"stratum": "default", "rate": 0.0}}
    client = make(assay.url)
    known(client, until)
    assert client.flush(20)
    assay.always["/counts"] = fault
    client.submit(response="r", id="out")
    assert client.flush(20)
    client.submit(response="r", id="out-2")
    assert client.flush(20)
    assert assay.counts("sampled_out") == 1
    assert len([record for record in caplog.records if "did not take counts" in record.getMessage()]) == 1
    assay.always.clear()
    assert client.close(20)  # tries once more, though the last answer was a refusal
    assert assay.counts("sampled_out") == 3
