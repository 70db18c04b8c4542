"""What the sidecar knows of its traffic: budgets lower probabilities, feedback and new releases are signals."""

from datetime import timedelta

import pytest

from service.core.clock import utc_now
from service.core.db import Database
from service.core.policy import parse_policy
from service.core.store.ledger import Flush, add_flush
from service.core.store.rollups import Place
from service.core.store.situation import MAX_RELEASES, note_releases
from service.core.tables import Outcome
from service.watch import MAX_NEW, Watch
from tests.integration.conftest import Start
from tests.integration.support import finish_pending, new_sample, store, submission

BUDGET = """
[sampling]
rate = 1.0
[sampling.budget]
samples = 1000
per = "day"
floor = 0.05
"""
RISKY = """
[sampling]
rate = 0.0
[[sampling.rules]]
name = "disliked"
rate = 1.0
signals = ["negative_feedback"]
[[sampling.rules]]
name = "new"
rate = 1.0
signals = ["new_release"]
"""


def look(database: Database, policy: str, *tenants: str) -> Watch:
    watch = Watch(database, lambda: parse_policy(policy))
    for tenant in tenants:
        watch.note(tenant, None)
    watch.look()
    return watch


def arrive(database: Database, submissions: int, stratum: str = "default") -> None:
    place = Place(
        minute=utc_now().replace(second=0, microsecond=0) - timedelta(minutes=1),
        tenant="default",
        outcome=Outcome.SAMPLED_OUT,
        stratum=stratum,
        inclusion_probability=0.5,
    )
    with database.write() as connection:
        add_flush(connection, Flush(replica=f"r{submissions}", sequence=1, counts={place: submissions}), utc_now())


def test_a_budget_that_is_enough_lowers_nothing(database: Database) -> None:
    """Few submissions: the policy's own rates."""
    arrive(database, 10)
    watch = look(database, BUDGET.replace("1000", "100000000"), "default")
    assert watch.situation.scales == {"default": 1.0}


def test_a_budget_lowers_by_what_is_wanted(database: Database) -> None:
    """So much traffic that the budget would be spent: a factor that makes it last the day."""
    arrive(database, 60_000)  # 100 a second
    watch = look(database, BUDGET, "default", "idle")
    assert 0 < watch.situation.scales["default"] < 1
    assert watch.situation.scales["idle"] == 1.0


def test_what_was_spent_counts(database: Database) -> None:
    """Samples of the period, pending or finished, are spent; with the budget gone nothing is chosen any more."""
    rows = [new_sample(f"s-{n}", received_at=utc_now()) for n in range(6)]
    store(database, *rows[:3])
    finish_pending(database)
    store(database, *rows[3:])
    arrive(database, 60_000)
    watch = look(database, BUDGET.replace("samples = 1000", "samples = 6"), "default")
    assert watch.situation.scales["default"] == 0.0


def test_below_the_floor_a_stratum_is_uncovered(start: Start, database: Database) -> None:
    """With nothing left, submissions have no chance, and the rate says that it does not cover them."""
    arrive(database, 600_000)
    running = start(BUDGET.replace("samples = 1000", "samples = 1"))
    running.sidecar.intake._watch.note("default", None)
    running.sidecar.intake._watch.look()
    answer = running.client.post("/score", json=submission("a")).json()
    assert (answer["decision"], answer["reason"], answer["inclusion_probability"]) == ("sampled_out", "budget", 0.0)


def test_lowered_probabilities_are_answered(start: Start, database: Database) -> None:
    """The probability in the answer is the one that was used, with the reason."""
    running = start(BUDGET)
    watch = running.sidecar.intake._watch
    watch.stop()  # what it reads by itself would take the place of this
    watch.situation = type(watch.situation)(scales={"default": 0.25})
    answers = [running.client.post("/score", json=submission(f"s{n}")).json() for n in range(40)]
    assert {answer["inclusion_probability"] for answer in answers} == {0.25}
    assert {answer["reason"] for answer in answers} == {"budget"}
    assert 2 <= sum(answer["decision"] == "sampled" for answer in answers) <= 20


def test_feedback_makes_a_trace_s_next_answer_risky(start: Start, database: Database) -> None:
    """A thumb down on a trace, and on a session through its sample, puts what follows into the stratum."""
    store(database, new_sample("a", session_id="s"))
    running = start(RISKY)
    watch = running.sidecar.intake._watch
    for body in ({"trace_id": "t", "rating": "down"}, {"id": "a", "rating": "down"}, {"trace_id": "u", "rating": "up"}):
        assert running.client.post("/feedback", json=body).status_code == 200
    watch.look()

    def stratum(name: str, value: str) -> str:
        body = submission(f"{name}-{value}") | {name: value}
        return str(running.client.post("/score", json=body).json()["stratum"])

    assert [stratum("trace_id", "t"), stratum("session_id", "s")] == ["disliked", "disliked"]
    assert [stratum("trace_id", "u"), stratum("session_id", "other")] == ["default", "default"]


def test_a_release_is_new_for_a_time(start: Start, database: Database) -> None:
    """First seen now: new; the time of the first is kept, over restarts and in all sidecars."""
    running = start(RISKY)
    watch = running.sidecar.intake._watch
    assert running.client.post("/score", json=submission("a") | {"release": "r1"}).json()["stratum"] == "new"
    watch.look()
    first = watch.situation.first_seen["default", "r1"]
    again = look(database, RISKY)
    again.note("default", "r1")
    again.look()
    assert again.situation.first_seen["default", "r1"] == first


def test_an_old_release_stays_old(start: Start, database: Database) -> None:
    """One that was first seen long ago is not new because its time is over."""
    with database.write() as connection:
        note_releases(connection, [("default", "old")], utc_now() - timedelta(days=90))
    running = start(RISKY)
    bodies = [submission(f"s-{name}") | {"release": name} for name in ("old", "unseen")]
    strata = [running.client.post("/score", json=body).json()["stratum"] for body in bodies]
    assert strata == ["default", "new"]


def test_one_tenant_s_releases_push_out_nobody_s(database: Database) -> None:
    """A tenant who makes up thousands of releases fills its own share."""
    now = utc_now()
    with database.write() as connection:
        note_releases(connection, [("default", "old")], now - timedelta(days=90))
        note_releases(connection, [("noisy", f"r-{n}") for n in range(MAX_RELEASES + 5)], now)
    seen = look(database, RISKY).situation.first_seen
    assert ("default", "old") in seen
    assert len(seen) == MAX_RELEASES + 1


def test_a_budget_is_known_before_the_first_submission(start: Start, database: Database) -> None:
    """After a restart in the midst of the day, a budget that is spent stays so: from the first submission on."""
    arrive(database, 600_000)
    store(database, *[new_sample(f"s-{n}", received_at=utc_now()) for n in range(6)])
    running = start(BUDGET.replace("samples = 1000", "samples = 6"))
    answer = running.client.post("/score", json=submission("first")).json()
    assert (answer["decision"], answer["reason"]) == ("sampled_out", "budget")


def test_a_spent_budget_stays_spent_in_quiet_times(start: Start, database: Database) -> None:
    """Nothing came for a while, so nothing seems to be wanted: what comes next finds nothing left all the same."""
    store(database, *[new_sample(f"s-{n}", received_at=utc_now().replace(hour=0, minute=0)) for n in range(6)])
    running = start(BUDGET.replace("samples = 1000", "samples = 6"))
    answer = running.client.post("/score", json=submission("first")).json()
    assert (answer["decision"], answer["reason"]) == ("sampled_out", "budget")


def test_a_claim_gets_past_no_budget(start: Start, database: Database) -> None:
    """A client that says that it chose this one by an older policy is decided like the others."""
    arrive(database, 600_000)
    store(database, *[new_sample(f"s-{n}", received_at=utc_now()) for n in range(6)])
    running = start(BUDGET.replace("samples = 1000", "samples = 6"))
    claim = {"policy_version": "0123456789ab", "stratum": "default", "inclusion_probability": 1.0}
    answer = running.client.post("/score", json=submission("claimed") | {"sampling": claim}).json()
    assert (answer["decision"], answer["reason"]) == ("sampled_out", "budget")


@pytest.mark.parametrize("policy", ["[sampling]\nrate = 0.5\n"])
def test_without_need_nothing_is_read(database: Database, policy: str) -> None:
    """A policy without signals and budget costs no look at the database."""
    watch = look(database, policy, "default")
    assert watch.situation.scales == {}


def test_made_up_releases_fill_nothing(database: Database) -> None:
    """A caller who makes up releases gets so many noted at a time; the others count as new, and nothing grows."""
    watch = Watch(database, lambda: parse_policy(RISKY))
    for n in range(1_000):
        watch.note("default", f"made-up-{n}")
    watch.look()
    assert len(watch.situation.first_seen) == MAX_NEW
