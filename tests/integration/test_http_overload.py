"""Overload: new samples are rejected and counted, callers that wait are told to come back, old ones go on."""

import pytest

from service.core.db import Database
from tests.integration.conftest import Running, Start
from tests.integration.support import finish_pending, id_at, scored, states, submission
from tests.servers import wait_for


def counts(running: Running) -> dict[str, int]:
    (bucket,) = running.client.get("/hallucination-rate").json()["buckets"]
    return dict(bucket["counts"])


def test_a_sample_beyond_the_limit_is_rejected(start: Start, database: Database) -> None:
    """It is answered 202 as rejected, with the probability that it had, and has no row."""
    client = start(1.0, max_pending=2).client
    answers = [client.post("/score", json=submission(f"s-{n}")) for n in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    rejected = answers[2].json()
    assert (rejected["decision"], rejected["reason"]) == ("rejected_overload", "overload")
    assert (rejected["inclusion_probability"], rejected["status_url"]) == (1.0, None)
    assert set(states(database)) == {"s-0", "s-1"}


def test_rows_from_before_the_start_count(start: Start) -> None:
    """A sidecar that starts on a full table rejects from its first request."""
    start(1.0).client.post("/score", json=submission("a"))
    answer = start(1.0, max_pending=1).client.post("/score", json=submission("b")).json()
    assert answer["decision"] == "rejected_overload"


def test_a_forced_one_is_refused(start: Start, database: Database) -> None:
    """A caller that waits for what the hash left out gets 429, when to come back, and the id."""
    client = start(0.5, max_pending=1).client
    client.post("/score", json=submission(id_at(0.5, inside=True)))
    outside = id_at(0.5, inside=False)
    answer = client.post("/score?wait=5", json=submission(outside))
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert (answer.json()["code"], answer.json()["id"]) == ("overloaded", outside)
    assert outside not in states(database)


@pytest.mark.parametrize("inside", [True, False])
def test_a_refused_one_is_not_counted(start: Start, *, inside: bool) -> None:
    """Who gets 429 is told to come back: it counts when it is taken, however often it was refused before."""
    running = start(0.5, max_pending=1)
    running.client.post("/score", json=submission(id_at(0.5, inside=True)))
    waited_for = submission(id_at(0.5, inside=inside, prefix="b"))
    assert [running.client.post("/score?wait=5", json=waited_for).status_code for _ in range(3)] == [429, 429, 429]
    running.client.post("/score", json=submission(id_at(0.5, inside=False, prefix="c")))
    wait_for(lambda: counts(running)["submitted"] == 2)
    assert (counts(running)["sampled_out"], counts(running)["rejected_overload"]) == (1, 0)


def test_rejected_samples_widen_the_bounds(start: Start, database: Database) -> None:
    """A rejected sample is unknown: absent from the rate, in the counts and in the bounds."""
    running = start(1.0, max_pending=2)
    for n in range(4):
        running.client.post("/score", json=submission(f"s-{n}", response="wrong" if n == 0 else "right"))
    finish_pending(database, lambda row: scored(flagged=row.response == "wrong"))
    wait_for(lambda: counts(running)["rejected_overload"] == 2)
    (bucket,) = running.client.get("/hallucination-rate").json()["buckets"]
    assert bucket["counts"]["submitted"] == 4
    assert bucket["counts"]["scored"] == 2
    assert bucket["flagged"]["rate"] == 0.5
    assert (bucket["bound_low"], bucket["bound_high"]) == (0.25, 0.75)


@pytest.mark.timed
def test_finished_rows_make_room(start: Start, database: Database) -> None:
    """Once workers have caught up, samples are accepted again within a second."""
    client = start(1.0, max_pending=1).client
    client.post("/score", json=submission("a"))
    assert client.post("/score", json=submission("b")).json()["decision"] == "rejected_overload"
    finish_pending(database)
    wait_for(lambda: client.post("/score", json=submission("c")).json()["decision"] == "sampled", seconds=2)


def test_overload_does_not_concern_what_is_not_sampled(start: Start) -> None:
    """A submission that the hash leaves out is answered as ever."""
    client = start(0.5, max_pending=1).client
    for n in range(2):
        client.post("/score", json=submission(id_at(0.5, inside=True, prefix=f"p{n}")))
    answer = client.post("/score", json=submission(id_at(0.5, inside=False))).json()
    assert answer["decision"] == "sampled_out"
