"""GET /alerts, /alerts/history and silences over HTTP: where rules stand, what was told, and who may keep it quiet."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.core import alert_answer
from service.core.clock import utc_now
from service.core.config import Auth
from service.core.db import Database
from service.core.keys import Scope
from service.core.store.outbox import take_due
from service.core.store.removal import By, Depth, Removal, remove_batch
from service.routes import alerts as route
from tests.integration.alerting import HOOK, RULE, Watched, watched
from tests.integration.conftest import Start
from tests.integration.support import in_threads, new_sample, store

BY_ROUTE = RULE.replace('for = "0s"', 'for = "0s"\ngroup_by = ["route"]')
QUIET = RULE.replace('"made-up"', '"never"').replace("0.1", "0.99")
POLICY = BY_ROUTE + QUIET + HOOK
NewKey = Callable[..., str]


@pytest.fixture
def watch(database: Database, tmp_path: Path) -> Watched:
    """An evaluator whose clock stands a little before now: the sidecar's clock cannot be moved."""
    made = watched(database, tmp_path / "alerts.toml", POLICY)
    made.clock.now = utc_now() - timedelta(minutes=3)
    return made


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def ask(client: TestClient, path: str, status: int = 200, **query: str) -> Any:
    answer = client.get(path, params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


def wanted(**changes: Any) -> dict[str, Any]:
    """A silence to send."""
    ends_at = (utc_now() + timedelta(hours=1)).isoformat()
    return {"ends_at": ends_at, "reason": "works", "created_by": "mira"} | changes


class TestAlerts:
    def test_before_any_look(self, start: Start, database: Database) -> None:
        """Rules are listed, and that no worker evaluates them is said, once there is something to evaluate."""
        running = start(POLICY)
        assert ask(running.client, "/alerts")["stale"] is False
        store(database, new_sample("a"))
        answer = ask(running.client, "/alerts")
        assert [rule["rule"] for rule in answer["rules"]] == ["made-up", "never"]
        assert answer["rules"][0]["sinks"] == ["hook"]
        assert (answer["evaluated_at"], answer["stale"], answer["alerts"]) == (None, True, [])

    def test_without_rules_nothing_is_stale(self, start: Start) -> None:
        """Where nothing is to be evaluated, nothing is late."""
        answer = ask(start().client, "/alerts")
        assert answer == {"evaluated_at": None, "stale": False, "rules": [], "alerts": [], "left_out": 0}

    def test_worst_first(self, start: Start, watch: Watched) -> None:
        """What fires stands before what is well, each with its reading and its groups."""
        watch.add(100, 0, route="a-good")
        watch.add(100, 60, route="bad")
        watch.look()
        answer = ask(start(POLICY).client, "/alerts")
        told = [(each["rule"], each["group"], each["state"]) for each in answer["alerts"]]
        assert told[0] == ("made-up", {"route": "bad"}, "firing")
        assert sorted(told[1:], key=str) == [("made-up", {"route": "a-good"}, "ok"), ("never", {}, "ok")]
        assert answer["alerts"][0]["reading"]["value"] == pytest.approx(0.6)
        assert answer["alerts"][0]["firing_since"] is not None
        assert answer["stale"] is False

    def test_an_old_look_is_stale(self, start: Start, watch: Watched) -> None:
        """Five intervals without a look: nobody evaluates any more."""
        watch.clock.move(minutes=-4)
        watch.add(100, 0, route="a")
        watch.look()
        assert ask(start(POLICY).client, "/alerts")["stale"] is True
        assert ask(start(POLICY, alert_interval_s=600).client, "/alerts")["stale"] is False

    def test_a_silence_is_shown(self, start: Start, watch: Watched) -> None:
        """Until when, on what it covers and on nothing else."""
        watch.add(100, 60, route="a")
        watch.add(100, 60, route="b")
        watch.look()
        client = start(POLICY).client
        sent = wanted(rule="made-up", group={"route": "a"})
        assert client.post("/alerts/silences", json=sent).status_code == 200
        until = {each["group"].get("route"): each["silenced_until"] for each in ask(client, "/alerts")["alerts"]}
        assert until["a"] is not None
        assert (until["b"], until[None]) == (None, None)

    def test_too_many_are_cut(self, start: Start, watch: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
        """The worst are shown, and how many are not."""
        for name, flagged in (("a", 0), ("b", 60), ("c", 0)):
            watch.add(100, flagged, route=name)
        watch.look()
        monkeypatch.setattr(alert_answer, "MAX_SHOWN", 1)
        answer = ask(start(POLICY).client, "/alerts")
        assert [each["group"] for each in answer["alerts"]] == [{"route": "b"}]
        assert answer["left_out"] == 3

    @pytest.mark.parametrize("path", ["/alerts", "/slos"])
    def test_unknown_parameters_are_refused(self, start: Start, path: str) -> None:
        """A mistyped parameter must not change what is asked."""
        assert ask(start(POLICY).client, path, 400, rule="made-up")["field"] == "rule"


class TestHistory:
    def test_what_was_told_and_whom(self, start: Start, watch: Watched) -> None:
        """The same notice that webhooks get, and what became of telling each sink."""
        watch.add(100, 60, route="bad")
        watch.look()
        (event,) = ask(start(POLICY, public_url="https://assay.example").client, "/alerts/history")["events"]
        assert event["summary"].startswith("FIRING error: made-up: flagged rate above 10%")
        assert (event["notice"]["seq"], event["notice"]["event"]) == (event["seq"], "firing")
        assert event["notice"]["examples"][0]["url"].startswith("https://assay.example/score/")
        (delivery,) = event["deliveries"]
        assert (delivery["sink"], delivery["state"], delivery["attempts"]) == ("hook", "waiting", 0)

    def test_pages(self, start: Start, watch: Watched) -> None:
        """Pages follow one another, newest first: together they are everything, once."""
        for number in range(5):
            watch.add(100, 60, route=f"r{number}")
        watch.look()
        client = start(POLICY).client
        seqs, before = [], {}
        for size in (2, 2, 1):
            page = ask(client, "/alerts/history", limit="2", **before)
            assert len(page["events"]) == size
            seqs += [event["seq"] for event in page["events"]]
            before = {"before": str(page["next_before"])}
        assert page["next_before"] is None
        assert seqs == sorted(seqs, reverse=True)
        assert len(set(seqs)) == 5

    def test_of_one_rule_and_one_time(self, start: Start, watch: Watched) -> None:
        """What is not asked for is left out."""
        watch.add(100, 60, route="bad")
        watch.look()
        client = start(POLICY).client
        assert ask(client, "/alerts/history", rule="never")["events"] == []
        assert len(ask(client, "/alerts/history", rule="made-up")["events"]) == 1
        assert ask(client, "/alerts/history", window="1m")["events"] == []

    def test_what_is_wrong_is_named(self, start: Start) -> None:
        """Every parameter is read strictly."""
        client = start(POLICY).client
        for field, value in (
            *(("limit", value) for value in ("0", "501", "x", "1" * 5_000, "٣", "1.0", "")),
            *(("before", value) for value in ("0", "-1", "9" * 30, "1e3")),
            ("rule", "a\0b"),
            ("window", "0h"),
            ("from", "yesterday"),
            ("unknown", "1"),
        ):
            assert ask(client, "/alerts/history", 400, **{field: value})["field"] == field


class TestErasure:
    def test_an_erased_sample_is_in_no_notice(self, start: Start, database: Database, watch: Watched) -> None:
        """An id may name a person: it goes from what was told, as from everywhere; what else was told stays."""
        watch.add(100, 60, route="bad")
        watch.look()
        client = start(POLICY).client
        shown = ask(client, "/alerts/history")["events"][0]["notice"]["examples"]
        erased = shown[0]["sample_id"]
        removal = Removal(tenant="default", depth=Depth.ROWS, by=By.REQUEST, sample_id=erased)
        with database.write() as connection:
            assert remove_batch(connection, removal, utc_now(), 10)
            for table in ("alert_events", "alert_examples", "alert_deliveries", "alert_states"):
                rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()  # noqa: S608 - our own names
                assert erased not in str(rows)
            (due,) = take_due(connection, utc_now(), 60, 1)  # what is still to be told
        assert [each.sample_id for each in due.notice.examples] == [each["sample_id"] for each in shown[1:]]
        left = ask(client, "/alerts/history")["events"][0]["notice"]["examples"]
        assert [each["sample_id"] for each in left] == [each["sample_id"] for each in shown[1:]]


class TestSilences:
    def test_one_is_made_listed_and_ended(self, start: Start) -> None:
        """It stays in the list of those that are over."""
        client = start(POLICY).client
        sent = wanted(rule="made-up", group={"route": "ü/\u2028"})
        made = client.post("/alerts/silences", json=sent).json()
        assert (made["rule"], made["group"], made["active"]) == ("made-up", {"route": "ü/\u2028"}, True)
        assert ask(client, "/alerts/silences")["silences"] == [made]
        ended = client.delete(f"/alerts/silences/{made['id']}").json()
        assert ended["active"] is False
        assert ask(client, "/alerts/silences")["silences"] == []
        assert ask(client, "/alerts/silences", ended="true")["silences"] == [ended]
        assert client.delete(f"/alerts/silences/{made['id']}").json() == ended

    def test_what_is_wrong_is_named(self, start: Start) -> None:
        """A silence that would silence something else, or for ever, is refused."""
        client = start(POLICY).client
        bad: tuple[tuple[dict[str, Any], str], ...] = (
            ({"ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
            ({"ends_at": "2027-01-01T00:00:00"}, "ends_at"),
            ({"ends_at": "9999-12-31T23:59:59Z"}, "ends_at"),
            ({"ends_at": "0001-01-01T00:00:00+23:59"}, "ends_at"),
            ({"ends_at": 1e308}, "ends_at"),
            ({"ends_at": None}, "ends_at"),
            ({"rule": "unheard-of"}, "rule"),
            ({"rule": ""}, "rule"),
            ({"group": {"planet": "mars"}}, ""),
            ({"group": {"route": 1}}, "group.route"),
            ({"group": {"route": "a\0"}}, "group.route"),
            ({"group": {"route": "x" * 201}}, "group.route"),
            ({"reason": ""}, "reason"),
            ({"reason": "x" * 501}, "reason"),
            ({"created_by": ""}, "created_by"),
            ({"id": 7}, "id"),
        )
        for changes, field in bad:
            answer = client.post("/alerts/silences", json=wanted(**changes))
            assert (answer.status_code, answer.json()["field"]) == (422, field), changes

    def test_what_is_no_silence_is_refused(self, start: Start) -> None:
        """Whatever bytes come, the answer says that they are not valid."""
        client = start(POLICY).client
        for body in (b"", b"[]", b"null", b'{"ends_at"', b"\xff", b"[" * 100_000, b'{"reason": "\\ud800"}'):
            assert client.post("/alerts/silences", content=body).status_code == 422, body[:20]

    def test_a_number_is_read_strictly(self, start: Start) -> None:
        """What is no number is not looked for."""
        client = start(POLICY).client
        for number in ("0", "-1", "x", "9" * 30, "1.5", "%00", "%F0%9F%98%80"):
            assert client.delete(f"/alerts/silences/{number}").status_code == 400, number

    def test_an_unknown_number(self, start: Start) -> None:
        """404 says so."""
        answer = start(POLICY).client.delete(f"/alerts/silences/{2**62}")
        assert (answer.status_code, answer.json()["code"]) == (404, "silence_unknown")

    def test_a_path_has_several_methods(self, start: Start) -> None:
        """405 names them all."""
        answer = start(POLICY).client.options("/alerts/silences")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")

    def test_not_without_end(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        """So many that nobody sees through them are refused; one that is over makes room."""
        monkeypatch.setattr(route, "MAX_SILENCES", 1)
        client = start(POLICY).client
        made = client.post("/alerts/silences", json=wanted()).json()
        assert client.post("/alerts/silences", json=wanted()).status_code == 422
        client.delete(f"/alerts/silences/{made['id']}")
        assert client.post("/alerts/silences", json=wanted()).status_code == 200

    def test_many_at_once(self, start: Start) -> None:
        """Each gets a number of its own."""
        client = start(POLICY).client
        made: list[int] = []
        in_threads(6, lambda _: made.append(client.post("/alerts/silences", json=wanted()).json()["id"]))
        assert len(set(made)) == 6
        assert len(ask(client, "/alerts/silences")["silences"]) == 6

    def test_a_group_without_a_value(self, start: Start) -> None:
        """Submissions without a route are a group too; a dimension that the rule has no groups of silences nothing."""
        running = start(RULE.replace('for = "0s"', 'for = "0s"\ngroup_by = ["route"]'))
        assert running.client.post("/alerts/silences", json=wanted(rule="made-up", group={"route": ""})).is_success
        refused = running.client.post("/alerts/silences", json=wanted(rule="made-up", group={"release": "r1"}))
        assert (refused.status_code, refused.json()["field"]) == (422, "group")


class TestAccess:
    def test_scopes(self, start: Start, new_key: NewKey) -> None:
        """`read` reads and tries, `admin` silences too, `ingest` does neither."""
        keys = {scope: bearer(new_key(scope)) for scope in (Scope.READ, Scope.INGEST, Scope.ADMIN)}
        client = start(POLICY, auth=Auth.REQUIRED).client
        made = client.post("/alerts/silences", json=wanted(), headers=keys[Scope.ADMIN]).json()["id"]
        reads = ("/alerts", "/alerts/history", "/alerts/silences", "/slos")
        tried = ("POST", "/alerts/never/backtest")
        silencing = (("POST", "/alerts/silences"), ("DELETE", f"/alerts/silences/{made}"))
        for scope, may_read, may_silence in ((Scope.INGEST, 403, 403), (Scope.READ, 200, 403), (Scope.ADMIN, 200, 200)):
            for method, path in (*(("GET", path) for path in reads), tried):
                body = {"above": 0.5} if method == "POST" else None
                assert client.request(method, path, headers=keys[scope], json=body).status_code == may_read, path
            for method, path in silencing:
                body = wanted() if method == "POST" else None
                assert client.request(method, path, headers=keys[scope], json=body).status_code == may_silence, path
        assert client.get("/alerts").status_code == 401

    def test_tenants_apart(self, start: Start, new_key: NewKey, watch: Watched) -> None:
        """States, events and silences of one are nothing to another, whose silences end none of them."""
        one, two = bearer(new_key(Scope.ADMIN, tenant="one")), bearer(new_key(Scope.ADMIN, tenant="two"))
        watch.add(100, 60, route="bad", tenant="one")
        watch.look()
        client = start(POLICY, auth=Auth.REQUIRED).client
        made = client.post("/alerts/silences", json=wanted(), headers=one).json()["id"]
        for path, name, of_one in (
            ("/alerts", "alerts", 2),
            ("/alerts/history", "events", 1),
            ("/alerts/silences", "silences", 1),
        ):
            assert len(client.get(path, headers=one).json()[name]) == of_one, path
            assert client.get(path, headers=two).json()[name] == [], path
        assert client.delete(f"/alerts/silences/{made}", headers=two).status_code == 404
        assert client.get("/alerts/silences", headers=one).json()["silences"][0]["active"] is True
