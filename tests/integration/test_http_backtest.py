"""POST /alerts/{rule}/backtest and GET /slos: what a rule would have done, and what is left of error budgets."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.core import backtest_answer
from service.core.clock import utc_now
from service.core.db import Database
from service.core.store.rollups import HOUR_S, MINUTE_S, floor
from service.routes import alerts as route
from tests.integration.conftest import Start
from tests.integration.traffic import Minute, add_traffic

MINUTE, HOUR = timedelta(seconds=MINUTE_S), timedelta(seconds=HOUR_S)
RULES = """
[[alerts]]
name = "rate"
metric = "flagged_rate"
above = 0.2
for = "5m"
keep_firing_for = "5m"
window = "30m"
no_data = "ok"

[[alerts]]
name = "silences"
metric = "claim_rate"
above = 0.2

[[alerts]]
name = "labels"
metric = "hallucination_rate"
above = 0.2

[[alerts]]
name = "queue"
metric = "queue_age_s"
above = 60
"""
SLO = """
[[slos]]
name = "made-up"
metric = "flagged_rate"
objective = 0.9
match = { route = "a" }
"""


def replay(client: TestClient, rule: str, status: int = 200, body: Any = None, **query: str) -> Any:
    answer = client.post(f"/alerts/{rule}/backtest", params=query, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def bad_half_hour(database: Database) -> datetime:
    """Five hours of good traffic but for half an hour, which begins at the time that is returned."""
    now = floor(utc_now(), MINUTE_S)
    begin = now - 3 * HOUR
    add_traffic(
        database,
        (
            Minute(at=at, scored=10, flagged=6 if begin <= at < begin + HOUR / 2 else 0, route="a")
            for at in (now - number * MINUTE for number in range(1, 300))
        ),
    )
    return begin


class TestBacktest:
    def test_when_and_for_how_long(self, start: Start, database: Database) -> None:
        """One incident: begun soon after the traffic went bad, ended after it was good again."""
        begin = bad_half_hour(database)
        answer = replay(start(RULES).client, "rate", window="4h")
        (incident,) = answer["incidents"]
        since, until = datetime.fromisoformat(incident["start"]), datetime.fromisoformat(incident["end"])
        assert begin + 10 * MINUTE < since < begin + 30 * MINUTE
        assert begin + 30 * MINUTE < until < begin + 65 * MINUTE
        assert incident["duration_s"] == answer["firing_s"] == (until - since).total_seconds()
        assert (answer["firings"], answer["no_data"], answer["left_out"]) == (1, 0, 0)
        assert (incident["event"], incident["group"]) == ("firing", {})
        assert incident["reading"]["low"] > 0.2
        assert answer["firings_per_30_days"] is None  # four hours say nothing of a month
        assert (answer["changed"], answer["not_covered"], answer["low_coverage_share"]) == ([], None, 0.0)

    def test_how_often_in_a_month(self, start: Start, database: Database) -> None:
        """By the time that was tested, if it is a day or more."""
        bad_half_hour(database)
        answer = replay(start(RULES).client, "rate", window="36h")
        hours = (datetime.fromisoformat(answer["end"]) - datetime.fromisoformat(answer["start"])) / HOUR
        assert answer["firings"] == 1
        assert answer["firings_per_30_days"] == pytest.approx(30 * 24 / hours)

    def test_other_values_are_tried(self, start: Start, database: Database) -> None:
        """A higher threshold would not have fired; `below` in place of `above`, and groups, can be tried too."""
        bad_half_hour(database)
        client = start(RULES).client
        assert replay(client, "rate", body={"above": 0.7}, window="4h")["firings"] == 0
        tried = replay(client, "rate", body={"below": 0.05, "for": "1m", "group_by": ["route"]}, window="4h")
        assert tried["changed"] == ["below", "for", "group_by"]
        assert tried["incidents"][0]["group"] == {"route": "a"}
        assert replay(client, "rate", window="4h")["firings"] == 1  # the policy is as it was

    def test_before_minutes_are_kept_hours_are(self, start: Start) -> None:
        """A rule of whole hours is looked at hourly there; of another nothing is said, and that is said."""
        client = start(RULES).client
        hourly = replay(client, "rate", body={"window": "2h"}, window="10d")
        assert [each["every_s"] for each in hourly["segments"]] == [HOUR_S, MINUTE_S]
        assert "once an hour" in hourly["not_covered"]
        minutes = replay(client, "rate", window="10d")
        assert [each["every_s"] for each in minutes["segments"]] == [MINUTE_S]
        assert "no whole hours" in minutes["not_covered"]
        assert minutes["segments"][0]["start"] == minutes["start"]
        assert replay(client, "rate", body={"window": "4321m"}, window="10d")["segments"] == []

    def test_an_unknown_rule(self, start: Start) -> None:
        """404 says so, whatever the name; a rule may be named as another path is."""
        client = start(RULES).client
        for name in ("unheard-of", "%00", "x" * 5_000, "%F0%9F%98%80", "..%2f"):
            assert client.post(f"/alerts/{name}/backtest").status_code == 404, name
        assert replay(client, "silences")["rule"] == "silences"

    def test_what_the_past_does_not_show(self, start: Start) -> None:
        """Labels come later, and the queue's past is not kept; the answer says what to do instead."""
        client = start(RULES).client
        assert "flagged_rate" in replay(client, "labels", 400)["detail"]
        assert "assay_oldest_pending_seconds" in replay(client, "queue", 400)["detail"]
        assert replay(client, "labels", body={"metric": "flagged_rate"})["rule"] == "labels"

    def test_wrong_values_are_named(self, start: Start) -> None:
        """The field of the first that is wrong; nothing else happens, whatever is sent."""
        client = start(RULES).client
        bad: tuple[tuple[Any, str], ...] = (
            ({"name": "x"}, "name"),
            ({"tenants": ["other"]}, "tenants"),
            ({"sinks": []}, "sinks"),
            ({"unheard-of": 1}, "unheard-of"),
            ({"x" * 100_000: 1}, "x" * 200),
            ({"window": 1e308}, "window"),
            ({"window": 10**400}, "window"),
            ({"window": "1y"}, "window"),
            ({"window": None}, "window"),
            ({"window": {}}, "window"),
            ({"for": None}, "for"),
            ({"for": -1}, "for"),
            ({"for_": "1m"}, "for_"),
            ({"short_window": [[[]]]}, "short_window"),
            ({"group_by": "route"}, "group_by"),
            ({"group_by": [1]}, "group_by.0"),
            ({"above": "much"}, "above"),
            ({"above": -1}, "above"),
            ({"confidence": 1}, "confidence"),
            ({"min_coverage": 2}, "min_coverage"),
            ({"severity": "dire"}, "severity"),
            ({"no_data": []}, "no_data"),
            ({"on": "mean"}, "on"),
            ({"metric": "x"}, "metric"),
            ({"match": []}, "match"),
            ({"match": {"route": []}}, "match.route"),
            ({"match": {"route": {}}}, "match.route"),
            ([], ""),
            ("above", ""),
            (1, ""),
            # What is wrong with several fields together is said of none of them.
            ({"above": None}, ""),
            ({"above": 0.1, "below": 0.1}, ""),
            ({"above": 1}, ""),
            ({"group_by": ["planet"]}, ""),
            ({"group_by": ["route", "route"]}, ""),
            ({"match": {"planet": "mars"}}, ""),
            ({"match": {"route": ["x"] * 101}}, ""),
            ({"window": "91d"}, ""),
            ({"window": "90s"}, ""),
            ({"window": 1e-6}, ""),
            ({"short_window": "1h"}, ""),
        )
        for body, field in bad:
            answer = replay(client, "rate", 422, body)
            assert answer["field"].startswith(field) if field else answer["field"] == "", (body, answer)
            assert len(str(answer)) < 1_000

    def test_what_is_no_json_is_refused(self, start: Start) -> None:
        """Whatever bytes come."""
        client = start(RULES).client
        deep = b'{"match": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        for body in (
            b"{",
            b"\xff",
            b"NaN",
            b'{"above": NaN}',
            b'{"above": Infinity}',
            deep,
            b'{"match":{"route":"\\u0000"}}',
        ):
            assert client.post("/alerts/rate/backtest", content=body).status_code == 422, body[:30]
        named = client.post("/alerts/rate/backtest", content=b'{"' + b"x" * 100_000 + b'": "\\ud800"}').json()
        assert len(str(named)) < 1_000

    def test_how_far_back(self, start: Start) -> None:
        """Up to 90 days, as a duration."""
        client = start(RULES).client
        for window in ("91d", "0d", "-1d", "x", "999999w"):
            assert replay(client, "rate", 400, window=window)["field"] == "window"
        assert replay(client, "rate", body={"window": "90d"}, window="90d")["looks"] > 2_000
        assert replay(client, "rate", 400, windw="1d")["field"] == "windw"

    def test_too_much_is_refused(self, start: Start, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """It would hold up submissions; the answer says what to ask for instead."""
        bad_half_hour(database)
        client = start(RULES).client
        for name, most in (("MAX_ROWS", 300), ("MAX_READINGS", 200)):
            with monkeypatch.context() as patch:
                patch.setattr(backtest_answer, name, most)
                answer = replay(client, "rate", 400, window="4h")
            assert answer["field"] == "window"
            assert "`group_by`" in answer["detail"]

    def test_one_at_a_time(self, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        """A second one is told to come again; afterwards there is room."""
        client = start(RULES).client
        begun, go_on, answer_backtest = threading.Event(), threading.Event(), route.answer_backtest

        def wait(*arguments: Any) -> Any:
            begun.set()
            assert go_on.wait(10)
            return answer_backtest(*arguments)

        monkeypatch.setattr(route, "answer_backtest", wait)
        first = threading.Thread(target=replay, args=(client, "rate"))
        first.start()
        assert begun.wait(10)
        assert replay(client, "rate", 429)["code"] == "overloaded"
        go_on.set()
        first.join()
        assert replay(client, "rate")["looks"] > 0


class TestObjectives:
    def test_what_is_left(self, start: Start, database: Database) -> None:
        """6 of 100 are bad where 10 may be: 40% of the budget is left; other routes do not count."""
        at = floor(utc_now(), MINUTE_S) - 3 * HOUR
        add_traffic(
            database,
            [Minute(at=at, scored=100, flagged=6, route="a"), Minute(at=at, scored=100, flagged=90, route="b")],
        )
        (slo,) = start(SLO).client.get("/slos").json()["slos"]
        assert slo["rate"] == pytest.approx(0.06)
        assert slo["budget_left"] == pytest.approx(0.4)
        assert slo["budget_left_low"] == pytest.approx(1 - slo["ci_high"] / 0.1)
        assert slo["budget_left_high"] == pytest.approx(1 - slo["ci_low"] / 0.1)
        assert slo["coverage"] == 1.0

    def test_burn_rates(self, start: Start, database: Database) -> None:
        """The rate of each window over what is allowed; a window in which nothing came has none."""
        at = floor(utc_now(), MINUTE_S) - 3 * HOUR
        add_traffic(database, [Minute(at=at, scored=100, flagged=20, route="a")])
        (slo,) = start(SLO).client.get("/slos").json()["slos"]
        assert slo["budget_left"] == pytest.approx(-1.0)
        burn = {each["long_s"]: each for each in slo["burn"]}
        assert burn[6 * HOUR_S]["burn_long"] == pytest.approx(2.0)
        assert burn[6 * HOUR_S]["burn_short"] is None
        assert burn[6 * HOUR_S]["rule"] == "made-up.burn-6h"
        assert burn[6 * HOUR_S]["state"] is None

    def test_nothing_came(self, start: Start) -> None:
        """Unknown is null, never a full budget."""
        (slo,) = start(SLO).client.get("/slos").json()["slos"]
        known = ("rate", "ci_low", "ci_high", "budget_left", "budget_left_low", "budget_left_high", "coverage")
        assert [slo[name] for name in known] == [None] * len(known)
        assert all(each["burn_long"] is None for each in slo["burn"])

    def test_what_could_not_fire_is_said(self, start: Start, database: Database) -> None:
        """Of pairs of windows, by the objective; and by the traffic of the last day, whatever was expected."""
        (slo,) = start(SLO + "samples_per_hour = 100000\n").client.get("/slos").json()["slos"]
        assert any("nothing burns faster than 10" in why for why in slo["left_out"])
        assert all("0 samples" in each["warning"] for each in slo["burn"])
        at = floor(utc_now(), MINUTE_S) - 3 * HOUR
        add_traffic(database, [Minute(at=at, scored=5_000_000, flagged=20, route="a")])
        (slo,) = start(SLO).client.get("/slos").json()["slos"]
        assert [each["warning"] for each in slo["burn"]] == [None, None]

    def test_of_other_tenants(self, start: Start) -> None:
        """An objective that names tenants is shown to them alone."""
        assert start(SLO + 'tenants = ["other"]\n').client.get("/slos").json()["slos"] == []
