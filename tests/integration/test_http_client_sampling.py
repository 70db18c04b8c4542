"""Sampling in the client: the policy it is given, the decisions it sends, the counts of what it kept back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from service.app import CLIENT_KEYS
from service.core.clock import utc_now
from service.core.config import Auth
from service.core.db import Database
from service.core.keys import Scope
from service.core.store.ledger import REMEMBERED
from service.core.tables import ledger_flushes, rollup_deltas
from tests.integration.conftest import Start
from tests.integration.support import id_at, row_of, submission

RULES = """
[sampling]
rate = 0.1
salt = "pepper"
[[sampling.rules]]
name = "theirs"
rate = 0.2
match = { tenant = "other" }
[[sampling.rules]]
name = "mine"
rate = 0.3
match = { tenant = ["default", "other"], release = "2026.2" }
"""


def counts(sequence: int = 0, *, client: str = "web-1", **changes: Any) -> dict[str, Any]:
    """One flush of 190 submissions that were sampled out."""
    count = {
        "age_s": 1.0,
        "outcome": "sampled_out",
        "stratum": "default",
        "inclusion_probability": 0.05,
        "policy_version": "v1",
        "submissions": 190,
    }
    return {"client": client, "sequence": sequence, "counts": [count | changes]}


def counted(database: Database) -> dict[str, int]:
    """Submissions in the ledger by outcome."""
    statement = select(rollup_deltas.c.outcome, func.sum(rollup_deltas.c.number)).group_by(rollup_deltas.c.outcome)
    with database.read() as connection:
        return {outcome: int(total) for outcome, total in connection.execute(statement)}


class TestPolicy:
    def test_a_tenant_gets_its_own_rules(self, start: Start) -> None:
        """The policy as it concerns the caller's tenant: no rule of another, no condition on the tenant."""
        running = start(RULES)
        assert running.client.get("/sampling").json() == {
            "policy_version": running.sidecar.intake.policy.version,
            "domain": "assay.sampling.v1",
            "salt": "pepper",
            "tenant": "default",
            "rules": [{"stratum": "mine", "rate": 0.3, "match": {"release": ["2026.2"]}}],
            "default": {"stratum": "default", "rate": 0.1},
            "refresh_s": 30.0,
        }

    def test_the_policy_may_keep_the_decision(self, start: Start) -> None:
        """With `client_side = false` no salt is given away."""
        answer = start("[sampling]\nclient_side = false\nsalt = 'pepper'\n").client.get("/sampling")
        assert (answer.status_code, answer.json()["code"]) == (404, "client_sampling_off")
        assert "pepper" not in answer.text

    def test_the_salt_needs_the_scope_ingest(self, start: Start, new_key: Callable[..., str]) -> None:
        """A key that only reads rates learns no salt and adds no counts."""
        ingest, read = new_key(Scope.INGEST), new_key(Scope.READ)
        client = start(RULES, auth=Auth.REQUIRED).client
        for key, expected in ((ingest, 200), (read, 403)):
            headers = {"Authorization": f"Bearer {key}"}
            assert client.get("/sampling", headers=headers).status_code == expected
            assert client.post("/counts", headers=headers, json=counts()).status_code == expected


class TestDecisions:
    def decide(self, start: Start, sample_id: str, policy_version: str | None) -> tuple[dict[str, Any], str]:
        """What a client that chose this id under the given version is answered; None is the version in force."""
        running = start(0.01)
        current = running.sidecar.intake.policy.version
        sampling = {
            "policy_version": policy_version or current,
            "stratum": "new-release",
            "inclusion_probability": 0.5,
        }
        answer = running.client.post("/score", json=submission(sample_id, sampling=sampling))
        assert answer.status_code == 202
        return answer.json(), current

    def test_an_older_decision_stands(self, start: Start, database: Database) -> None:
        """Chosen under a policy that has changed since: stored with the probability that chose it."""
        name = id_at(0.01, inside=False)
        answer, _ = self.decide(start, name, "0123456789ab")
        assert answer | {"id": ""} == {
            "id": "",
            "decision": "sampled",
            "reason": "client",
            "stratum": "new-release",
            "inclusion_probability": 0.5,
            "policy_version": "0123456789ab",
            "status_url": f"/score/{name}",
        }
        row = row_of(database, name)
        assert (row.in_rate, row.inclusion_probability) == (True, 0.5)

    def test_the_policy_may_keep_the_decision(self, start: Start) -> None:
        """Where no client may decide, what it says of its decision changes nothing."""
        client = start("[sampling]\nrate = 0.01\nclient_side = false\n").client
        sampling = {"policy_version": "0123456789ab", "stratum": "s", "inclusion_probability": 1.0}
        answer = client.post("/score", json=submission(id_at(0.01, inside=False), sampling=sampling)).json()
        assert (answer["decision"], answer["inclusion_probability"]) == ("sampled_out", 0.01)

    @pytest.mark.parametrize("inside", [True, False])
    def test_a_current_decision_is_checked(self, start: Start, *, inside: bool) -> None:
        """Under the policy in force the sidecar's own hash decides, whatever the client says."""
        answer, current = self.decide(start, id_at(0.01, inside=inside), None)
        assert answer["decision"] == ("sampled" if inside else "sampled_out")
        assert (answer["inclusion_probability"], answer["policy_version"]) == (0.01, current)

    def test_a_retry_under_another_policy_is_the_same_submission(self, start: Start) -> None:
        """The decision is no part of the body's digest."""
        client = start(0.5).client
        name = id_at(0.5, inside=True)
        sampling = {"policy_version": "0123456789ab", "stratum": "s", "inclusion_probability": 0.25}
        first = client.post("/score", json=submission(name, sampling=sampling))
        again = client.post("/score", json=submission(name))
        assert (first.status_code, again.status_code) == (202, 202)
        assert first.json() == again.json()

    @pytest.mark.parametrize(
        ("field", "value"),
        [("inclusion_probability", 1e-200), ("inclusion_probability", 1.5), ("stratum", ""), ("policy_version", "a b")],
    )
    def test_what_no_policy_says_is_refused(self, start: Start, field: str, value: object) -> None:
        """A probability of 0 chose nothing; the field is named."""
        sampling = {"policy_version": "v", "stratum": "s", "inclusion_probability": 0.25} | {field: value}
        answer = start().client.post("/score", json=submission("a", sampling=sampling))
        assert (answer.status_code, answer.json()["field"]) == (422, f"sampling.{field}")


class TestCounts:
    def test_a_flush_counts_once(self, start: Start, database: Database) -> None:
        """Sent again unchanged it adds nothing, and says so."""
        client = start().client
        answers = [client.post("/counts", json=counts(n)).json()["counted"] for n in (0, 0, 1, 1, 0)]
        assert answers == [True, False, True, False, False]
        assert counted(database) == {"sampled_out": 380}

    def test_clients_and_tenants_are_apart(self, start: Start, database: Database, new_key: Callable[..., str]) -> None:
        """The same sequence of another client, or of another tenant's client of that name, is another flush."""
        other = {"Authorization": f"Bearer {new_key(Scope.INGEST, tenant='other')}"}
        client = start().client
        assert client.post("/counts", json=counts()).json() == {"counted": True}
        assert client.post("/counts", json=counts(client="web-2")).json() == {"counted": True}
        assert client.post("/counts", json=counts(), headers=other).json() == {"counted": True}
        assert counted(database) == {"sampled_out": 570}

    def test_counts_are_in_the_rate(self, start: Start) -> None:
        """What a client dropped is counted, and unknown to the bounds; equal keys of one flush add up."""
        client = start().client
        sent = counts(release="2026.2")
        sent["counts"] += counts(outcome="dropped_by_client", release="2026.2", submissions=3)["counts"]
        sent["counts"] += counts(release="2026.2", submissions=10)["counts"]
        assert client.post("/counts", json=sent).status_code == 200
        (bucket,) = client.get("/hallucination-rate?window=1h&group_by=release").json()["buckets"]
        assert bucket["group"] == {"release": "2026.2"}
        assert (bucket["counts"]["sampled_out"], bucket["counts"]["dropped_by_client"]) == (200, 3)
        assert bucket["counts"]["submitted"] == 203
        assert (bucket["bound_low"], bucket["bound_high"]) == (0.0, 1.0)

    def test_counts_are_placed_by_their_age(self, start: Start, database: Database) -> None:
        """Two hours old means two hours before they arrived, by the sidecar's clock."""
        start().client.post("/counts", json=counts(age_s=7_200.0))
        with database.read() as connection:
            minute = connection.execute(select(rollup_deltas.c.start)).scalar_one()
        assert abs(utc_now() - timedelta(hours=2) - minute) < timedelta(minutes=2)

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"submissions": 0}, "counts.0.submissions"),
            ({"age_s": -1}, "counts.0.age_s"),
            ({"outcome": "scored"}, "counts.0.outcome"),
            ({"release": "a\x00"}, "counts.0.release"),
            ({"route": "x" * 201}, "counts.0.route"),
        ],
    )
    def test_bad_counts_are_refused(self, start: Start, changes: dict[str, Any], field: str) -> None:
        """The field is named, and nothing of the flush is counted."""
        answer = start().client.post("/counts", json=counts(**changes))
        assert (answer.status_code, answer.json()["field"]) == (422, field)

    def test_too_many_counts_are_refused(self, start: Start) -> None:
        """A thousand are taken at once, no more."""
        sent = counts()
        sent["counts"] *= 1_001
        answer = start().client.post("/counts", json=sent)
        assert (answer.status_code, answer.json()["field"]) == (422, "counts")

    def test_kinds_without_end_fill_no_table(self, start: Start, database: Database) -> None:
        """So many kinds a minute for a tenant, then 429; what was counted before goes on being counted."""
        client = start().client
        for part in range(CLIENT_KEYS // 1_000):
            sent = counts(part)
            sent["counts"] = [sent["counts"][0] | {"route": f"r-{part}-{n}"} for n in range(1_000)]
            assert client.post("/counts", json=sent).status_code == 200
        refused = client.post("/counts", json=counts(90, route="one more"))
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
        assert counted(database) == {"sampled_out": 190 * CLIENT_KEYS}

    def test_a_flush_of_nothing_is_refused(self, start: Start) -> None:
        """It could only burn a sequence."""
        answer = start().client.post("/counts", json=counts() | {"counts": []})
        assert (answer.status_code, answer.json()["field"]) == (422, "counts")

    def test_old_flushes_are_forgotten(self, start: Start, database: Database) -> None:
        """What is remembered of one client does not grow for ever."""
        client = start().client
        for sequence in (0, 1, REMEMBERED + 1):
            client.post("/counts", json=counts(sequence))
        with database.read() as connection:
            held = connection.execute(
                select(ledger_flushes.c.sequence).where(ledger_flushes.c.replica.startswith("client-"))
            ).scalars()
            assert sorted(held) == [1, REMEMBERED + 1]
