"""GET /hallucination-rate: estimates over what was scored, and what they leave out."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from models.types import NotApplicable, NotApplicableReason, Outcome, Unscored, UnscoredReason
from service.core.db import Database
from service.core.store.ledger import Flush, add_flush
from service.core.store.rollups import OTHER, Place, fold
from service.core.store.samples import NewSample
from service.core.store.scores import ScoredBy
from service.core.tables import Outcome as Counted
from tests.integration.conftest import Start
from tests.integration.support import NOW, finish_pending, id_at, new_sample, scored, store, submission
from tests.servers import wait_for

HOUR = {"from": "2026-11-01T12:00:00Z", "to": "2026-11-01T13:00:00Z"}


def ask(start: Start, **parameters: str) -> list[dict[str, Any]]:
    answer = start().client.get("/hallucination-rate", params=HOUR | parameters)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["buckets"])


def score_rows(database: Database, rows: Sequence[tuple[NewSample, Outcome]], fingerprint: str = "f1") -> None:
    """Stores rows and finishes each with its outcome."""
    store(database, *[row for row, _ in rows])
    outcomes = {row.response: outcome for row, outcome in rows}
    by = ScoredBy(scorer="told", fingerprint=fingerprint, attributes={})
    finish_pending(database, lambda row: outcomes[row.response], by)


def flagged(count: int, of: int, prefix: str = "s", **changes: Any) -> list[tuple[NewSample, Outcome]]:
    return [(new_sample(f"{prefix}-{n}", **changes), scored(flagged=n < count)) for n in range(of)]


class TestRate:
    def test_over_nothing_there_is_no_bucket(self, start: Start) -> None:
        """No submission, no rate: not 0."""
        assert ask(start) == []

    def test_over_nothing_scored_it_is_null(self, start: Start, database: Database) -> None:
        """Pending rows have no rate yet; the bounds say that all is open."""
        store(database, new_sample("a"))
        (bucket,) = ask(start)
        assert bucket["flagged"] == {"rate": None, "ci_low": None, "ci_high": None, "method": "hajek-wilson"}
        assert (bucket["fingerprint"], bucket["effective_n"], bucket["hallucination"]) == (None, None, None)
        assert (bucket["bound_low"], bucket["bound_high"]) == (0.0, 1.0)

    def test_one_probability_is_a_plain_share(self, start: Start, database: Database) -> None:
        """With equal weights the rate is flagged over scored, the interval Wilson's but for the few that were flagged."""
        score_rows(database, flagged(1, 4))
        (bucket,) = ask(start)
        assert bucket["flagged"]["rate"] == 0.25
        assert bucket["effective_n"] == pytest.approx(4)
        assert bucket["flagged"]["ci_low"] == pytest.approx(0.0127, abs=1e-4)
        assert bucket["flagged"]["ci_high"] == pytest.approx(0.7601, abs=1e-4)

    def test_samples_count_by_what_they_stand_for(self, start: Start, database: Database) -> None:
        """A sample that was chosen with probability 0.1 weighs ten."""
        rare = flagged(1, 1, "rare", inclusion_probability=0.1)
        sure = flagged(0, 10, "sure", inclusion_probability=1.0)
        score_rows(database, rare + sure)
        (bucket,) = ask(start)
        assert bucket["flagged"]["rate"] == pytest.approx(0.5)

    def test_every_state_is_counted(self, start: Start, database: Database) -> None:
        """The counts add up to what was submitted; bounds treat unscored as unknown, not_applicable never."""
        rows = [
            *flagged(1, 2),
            (new_sample("u"), Unscored(reason=UnscoredReason.NOT_FINITE)),
            (new_sample("n"), NotApplicable(reason=NotApplicableReason.NO_CLAIMS)),
        ]
        score_rows(database, rows)
        store(database, new_sample("p"))
        key = Place(
            minute=NOW,
            tenant="default",
            outcome=Counted.SAMPLED_OUT,
            stratum="default",
            inclusion_probability=0.5,
        )
        with database.write() as connection:
            add_flush(connection, Flush(replica="r", sequence=1, counts={key: 6}), NOW)
        (bucket,) = ask(start)
        assert bucket["counts"] == {
            "submitted": 11,
            "sampled_out": 6,
            "rejected_overload": 0,
            "dropped_by_client": 0,
            "pending": 1,
            "scored": 2,
            "scored_by_others": 0,
            "not_applicable": 1,
            "unscored": 1,
            "duplicate": 0,
            "uncovered": 0,
        }
        assert bucket["flagged"]["rate"] == 0.5
        assert (bucket["bound_low"], bucket["bound_high"]) == (0.25, 0.75)

    def test_forced_samples_count_in_no_rate(self, start: Start, database: Database) -> None:
        """What was scored only because a caller waited is, to the rate, sampled out."""
        score_rows(database, flagged(1, 1, in_rate=False, decision="forced"))
        (bucket,) = ask(start)
        assert bucket["flagged"]["rate"] is None
        assert (bucket["counts"]["sampled_out"], bucket["counts"]["scored"]) == (1, 0)
        assert bucket["counts"]["submitted"] == 1

    def test_unit_claim_is_a_share_of_claims(self, start: Start, database: Database) -> None:
        """A response weighs by its checked claims; bounds are null, since unscored claims cannot be counted."""
        long = (new_sample("long"), scored(flagged=False, checked=6))
        short = (new_sample("short"), scored(flagged=True, checked=2))
        score_rows(database, [long, short])
        (bucket,) = ask(start, unit="claim")
        assert bucket["flagged"]["rate"] == 0.25
        assert (bucket["bound_low"], bucket["bound_high"]) == (None, None)

    def test_confidence_widens_the_interval(self, start: Start, database: Database) -> None:
        """A surer interval contains the less sure one, around the same rate."""
        score_rows(database, flagged(3, 10))
        client = start().client
        (narrow,), (wide,) = (
            client.get("/hallucination-rate", params=HOUR | {"confidence": level}).json()["buckets"]
            for level in ("0.8", "0.99")
        )
        assert wide["flagged"]["rate"] == narrow["flagged"]["rate"]
        assert wide["flagged"]["ci_low"] < narrow["flagged"]["ci_low"]
        assert wide["flagged"]["ci_high"] > narrow["flagged"]["ci_high"]

    def test_fingerprints_are_never_mixed(self, start: Start, database: Database) -> None:
        """Scores of two fingerprints are two series; each knows nothing of what the other scored."""
        score_rows(database, flagged(2, 2, "old"), fingerprint="f-old")
        score_rows(database, flagged(0, 2, "new"), fingerprint="f-new")
        new, old = ask(start)
        assert (new["fingerprint"], old["fingerprint"]) == ("f-new", "f-old")
        assert (new["flagged"]["rate"], old["flagged"]["rate"]) == (0.0, 1.0)
        assert [b["counts"]["scored"] for b in (new, old)] == [2, 2]
        assert [b["counts"]["scored_by_others"] for b in (new, old)] == [2, 2]
        assert (new["bound_low"], new["bound_high"]) == (0.0, 0.5)
        assert (old["bound_low"], old["bound_high"]) == (0.5, 1.0)

    def test_the_answer_says_what_it_is(self, start: Start) -> None:
        """Estimand, unit, confidence and what the interval leaves out come with every answer."""
        answer = start().client.get("/hallucination-rate", params=HOUR).json()
        assert (answer["unit"], answer["confidence"], answer["granularity_s"]) == ("response", 0.95, 3600)
        assert "sampling error only" in answer["interval_covers"]
        assert answer["estimand"]
        assert answer["bounds_cover"]

    def test_it_costs_five_statements(self, start: Start, database: Database) -> None:
        """However many rows there are; one of them asks whether a judge was at work at all."""
        score_rows(database, flagged(5, 50))
        running = start()
        with running.statements() as seen:
            running.client.get("/hallucination-rate", params=HOUR | {"group_by": "route,model", "granularity": "1h"})
        assert len(seen) == 5


class TestDivision:
    def test_group_by_divides(self, start: Start, database: Database) -> None:
        """One bucket a group; what the caller did not give is null."""
        rows = flagged(1, 1, "a", release="r1", route="chat") + flagged(0, 1, "b", release="r1") + flagged(0, 1, "c")
        score_rows(database, rows)
        groups = {(b["group"]["release"], b["group"]["route"]): b for b in ask(start, group_by="release,route")}
        assert set(groups) == {("r1", "chat"), ("r1", None), (None, None)}
        assert groups["r1", "chat"]["flagged"]["rate"] == 1.0
        assert groups["r1", None]["flagged"]["rate"] == 0.0

    @pytest.mark.parametrize("unit", ["response", "claim"])
    @pytest.mark.parametrize("folded", [True, False])
    def test_match_leaves_the_others_out(self, start: Start, database: Database, *, folded: bool, unit: str) -> None:
        """What is asked of one value is what its group has, whether folded or pending; several values add up."""
        rows = flagged(2, 9, "a", route="chat", release="r1") + flagged(1, 5, "b", route="search", release="r1")
        score_rows(database, rows + flagged(4, 7, "c", release="r1"))
        store(database, *[new_sample(f"p-{n}", route="chat", release="r1") for n in range(3)])
        if folded:
            with database.write() as connection:
                fold(connection, 1_000)
        running = start()

        def answered(**query: Any) -> list[dict[str, Any]]:
            answer = running.client.get("/hallucination-rate", params=HOUR | {"unit": unit} | query)
            assert answer.status_code == 200
            return [
                {name: b[name] for name in ("flagged", "counts", "bound_low", "bound_high")}
                for b in answer.json()["buckets"]
            ]

        grouped = running.client.get("/hallucination-rate", params=HOUR | {"unit": unit, "group_by": "route"}).json()
        for bucket in grouped["buckets"]:
            (found,) = answered(route=bucket["group"]["route"] or "")
            assert found == {name: bucket[name] for name in found}
        (both,) = answered(route=["chat", "search"], release="r1")
        assert both["counts"]["scored"] == 14
        assert both["counts"]["pending"] == 3
        assert answered(route="chat", release="r2") == []

    def test_match_says_of_what_it_knows_nothing(self, start: Start, database: Database) -> None:
        """Submissions beyond so many kinds a day have lost their route: maybe they match, and the answer says how many."""
        score_rows(database, flagged(1, 1, route="chat"))
        of_other = dict.fromkeys(("model", "release", "prompt_version", "route"), OTHER)
        key = Place(
            minute=NOW,
            tenant="default",
            outcome=Counted.SAMPLED_OUT,
            inclusion_probability=0.5,
            stratum="s",
            **of_other,
        )
        with database.write() as connection:
            add_flush(connection, Flush(replica="r", sequence=1, counts={key: 7}), NOW)
        running = start()

        def unknown(**query: str) -> int | None:
            answer = running.client.get("/hallucination-rate", params=HOUR | query).json()
            found: int | None = answer["match_unknown"]
            return found

        assert unknown() is None
        assert [unknown(route="chat"), unknown(route="chat", stratum="s"), unknown(stratum="s")] == [7, 7, 0]
        assert [unknown(route="chat", stratum="default"), unknown(route=OTHER)] == [0, 0]

    def test_match_says_what_it_left_out(self, start: Start) -> None:
        """The answer names it; a value that no database takes is refused by its name."""
        running = start()
        answer = running.client.get("/hallucination-rate", params={"route": ["a", "b"], "stratum": ""}).json()
        assert answer["match"] == {"route": ["a", "b"], "stratum": [""]}
        for query in ("route=%00", "&".join(f"route={n}" for n in range(101))):
            refused = running.client.get(f"/hallucination-rate?{query}")
            assert (refused.status_code, refused.json()["field"]) == (400, "route")

    @pytest.mark.parametrize("name", ["model", "release", "prompt_version", "route", "stratum"])
    def test_every_dimension_groups(self, start: Start, database: Database, name: str) -> None:
        """Samples and unsampled counts meet in the same group."""
        score_rows(database, flagged(1, 1, **{name: "x"}))
        values = {"stratum": "x"} if name == "stratum" else {"stratum": "default", name: "x"}
        key = Place(
            minute=NOW,
            tenant="default",
            outcome=Counted.SAMPLED_OUT,
            inclusion_probability=0.5,
            **values,  # type: ignore[arg-type]
        )
        with database.write() as connection:
            add_flush(connection, Flush(replica="r", sequence=1, counts={key: 1}), NOW)
        (bucket,) = ask(start, group_by=name)
        assert bucket["group"] == {name: "x"}
        assert (bucket["counts"]["scored"], bucket["counts"]["sampled_out"]) == (1, 1)

    def test_granularity_divides_time(self, start: Start, database: Database) -> None:
        """A bucket starts at a whole multiple; the last one ends with the stretch; empty ones are left out."""
        score_rows(database, flagged(1, 1, "a", received_at=NOW + timedelta(hours=2, seconds=-1)))
        score_rows(database, flagged(0, 1, "b", received_at=NOW + timedelta(hours=4)))
        buckets = ask(start, granularity="2h", **{"from": "2026-11-01T13:00:00Z", "to": "2026-11-01T17:00:00Z"})
        assert [(b["start"], b["end"]) for b in buckets] == [
            ("2026-11-01T12:00:00Z", "2026-11-01T14:00:00Z"),
            ("2026-11-01T16:00:00Z", "2026-11-01T17:00:00Z"),
        ]
        assert [b["flagged"]["rate"] for b in buckets] == [1.0, 0.0]

    def test_from_is_inclusive_and_to_exclusive(self, start: Start, database: Database) -> None:
        """A row at the very start counts, one at the very end does not."""
        last = timedelta(hours=1)
        rows = flagged(1, 1, "a", received_at=NOW) + flagged(1, 1, "b", received_at=NOW + last)
        score_rows(database, rows + flagged(1, 1, "c", received_at=NOW + last - timedelta(microseconds=1)))
        (bucket,) = ask(start)
        assert bucket["counts"]["scored"] == 2

    def test_window_reaches_back_from_to(self, start: Start, database: Database) -> None:
        """A window is short for from = to - window."""
        score_rows(
            database, flagged(1, 1, "a", received_at=NOW) + flagged(0, 1, "b", received_at=NOW - timedelta(days=2))
        )
        client = start().client
        parameters = {"window": "1d", "to": "2026-11-01T13:00:00Z"}
        answer = client.get("/hallucination-rate", params=parameters).json()
        assert (answer["start"], answer["end"]) == ("2026-10-31T13:00:00Z", "2026-11-01T13:00:00Z")
        assert answer["buckets"][0]["counts"]["scored"] == 1

    def test_another_zone_is_the_same_time(self, start: Start, database: Database) -> None:
        """Times may be given in any zone."""
        score_rows(database, flagged(1, 1))
        (bucket,) = ask(start, **{"from": "2026-11-01T13:00:00+01:00", "to": "2026-11-01T05:00:00-08:00"})
        assert bucket["counts"]["scored"] == 1

    def test_the_last_day_is_the_default(self, start: Start) -> None:
        """Without any parameter the current minute is inside."""
        client = start(0.5).client
        for inside in (True, False):
            client.post("/score", json=submission(id_at(0.5, inside=inside)))

        def counts() -> list[dict[str, int]]:
            return [bucket["counts"] for bucket in client.get("/hallucination-rate").json()["buckets"]]

        wait_for(lambda: counts()[0]["sampled_out"] == 1)
        assert counts()[0]["pending"] == 1
        assert counts()[0]["submitted"] == 2
