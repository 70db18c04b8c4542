"""GET /hallucination-rate/compare: two windows or two groups, and where the change comes from."""

from datetime import timedelta
from typing import Any

import pytest

from service.core.db import Database
from service.core.store.scores import ScoredBy
from tests.integration.conftest import Start
from tests.integration.support import NOW, finish_pending, new_sample, scored, store

TWO = {
    "from": "2026-11-01T12:00:00Z",
    "to": "2026-11-01T13:00:00Z",
    "baseline_from": "2026-10-31T12:00:00Z",
    "baseline_to": "2026-10-31T13:00:00Z",
}
YESTERDAY = NOW - timedelta(days=1)


def fill(database: Database, flagged: int, of: int, fingerprint: str = "f1", **changes: Any) -> None:
    prefix = f"{changes.get('received_at', NOW):%d%H%M}-{changes.get('route', '')}-{changes.get('release', '')}-{fingerprint}"
    rows = [new_sample(f"{prefix}-{n}", **changes) for n in range(of)]
    bad = {row.response for row in rows[:flagged]}
    store(database, *rows)
    by = ScoredBy(scorer="told", fingerprint=fingerprint, attributes={})
    finish_pending(database, lambda row: scored() if row.response in bad else scored(0.1, flagged=False), by)


def ask(start: Start, **parameters: str) -> dict[str, Any]:
    answer = start().client.get("/hallucination-rate/compare", params=TWO | parameters)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_two_windows(start: Start, database: Database) -> None:
    """The second less the first, with an interval that knows both sides' uncertainty."""
    fill(database, 2, 40, received_at=YESTERDAY)
    fill(database, 20, 40)
    found = ask(start)
    assert found["flagged"]["value"] == pytest.approx(0.45)
    assert 0 < found["flagged"]["ci_low"] < 0.45 < found["flagged"]["ci_high"] < 0.7
    assert (found["first"]["flagged"]["rate"], found["second"]["flagged"]["rate"]) == (0.05, 0.5)
    assert (found["fingerprint"], found["reason"], found["split"], found["hallucination"]) == ("f1", None, None, None)


def test_the_time_before_is_the_default_baseline(start: Start, database: Database) -> None:
    """Without a baseline it is as long a time, right before."""
    fill(database, 1, 10, received_at=NOW - timedelta(minutes=30))
    fill(database, 5, 10)
    answer = start().client.get("/hallucination-rate/compare", params={k: TWO[k] for k in ("from", "to")}).json()
    assert answer["first"]["start"] == "2026-11-01T11:00:00Z"
    assert answer["flagged"]["value"] == pytest.approx(0.4)


def test_two_groups(start: Start, database: Database) -> None:
    """Two releases in the same time; other groups touch neither side."""
    fill(database, 1, 20, release="r1")
    fill(database, 9, 20, release="r2")
    fill(database, 20, 20, release="r3")
    answer = start().client.get(
        "/hallucination-rate/compare",
        params={k: TWO[k] for k in ("from", "to")} | {"dimension": "release", "first": "r1", "second": "r2"},
    )
    found = answer.json()
    assert found["flagged"]["value"] == pytest.approx(0.4)
    assert found["first"]["group"] == {"release": "r1"}
    assert found["second"]["counts"]["scored"] == 20


def test_a_change_of_the_mix_alone(start: Start, database: Database) -> None:
    """Each route answers as before, but more comes in on the bad one: all of the change is mix."""
    fill(database, 10, 100, received_at=YESTERDAY, route="good")
    fill(database, 10, 20, received_at=YESTERDAY, route="bad")
    fill(database, 2, 20, route="good")
    fill(database, 50, 100, route="bad")
    found = ask(start, split_by="route")
    part = found["split"]
    assert part["within"]["value"] == pytest.approx(0)
    assert part["mix"]["value"] == pytest.approx(found["flagged"]["value"])
    assert part["mix"]["ci_low"] > 0
    assert {group["group"]["route"] for group in part["groups"]} == {"good", "bad"}


def test_a_change_within_groups(start: Start, database: Database) -> None:
    """The mix is the same and one route got worse: all of the change is within, and that route's."""
    for when, bad in ((YESTERDAY, 5), (NOW, 25)):
        fill(database, 5, 50, received_at=when, route="steady")
        fill(database, bad, 50, received_at=when, route="worse")
    found = ask(start, split_by="route")
    part = found["split"]
    assert part["mix"]["value"] == pytest.approx(0)
    assert part["within"]["value"] == pytest.approx(0.2)
    first = part["groups"][0]
    assert (first["group"], first["within"]) == ({"route": "worse"}, pytest.approx(0.2))


def test_other_fingerprints_are_not_compared(start: Start, database: Database) -> None:
    """A change of the scorer is no change of the application: no difference, and what to do."""
    fill(database, 1, 10, fingerprint="old", received_at=YESTERDAY)
    fill(database, 5, 10, fingerprint="new")
    found = ask(start, split_by="route")
    assert (found["flagged"], found["split"], found["reason"]) == (None, None, "different_fingerprints")
    assert "assay rescore" in found["next_step"]


def test_nothing_scored_on_one_side(start: Start, database: Database) -> None:
    """Null, with the reason."""
    fill(database, 1, 10)
    found = ask(start)
    assert (found["flagged"], found["reason"]) == (None, "nothing_scored")
    assert found["first"]["counts"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("dimension=customer&first=a&second=b", "dimension"),
        ("dimension=route&first=a", "second"),
        ("first=a&second=b", "first"),
        ("baseline_from=2026-11-01T00:00:00Z", "baseline_to"),
        ("baseline_from=x&baseline_to=2026-11-01T00:00:00Z", "baseline_from"),
        ("dimension=route&first=a&second=b&split_by=route", "split_by"),
        ("split_by=customer", "split_by"),
        ("granularity=1h", "granularity"),
        ("estimand=both", "estimand"),
        ("window=601399d", "window"),
        ("window=30000d", "baseline_from"),
        ("from=1970-01-01T00:00:00Z&to=8999-01-01T00:00:00Z", "baseline_from"),
    ],
)
def test_bad_queries_are_named(start: Start, query: str, field: str) -> None:
    """400 with the parameter as it was sent."""
    answer = start().client.get(f"/hallucination-rate/compare?{query}")
    assert (answer.status_code, answer.json()["field"]) == (400, field)
