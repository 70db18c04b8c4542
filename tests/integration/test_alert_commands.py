"""`assay alerts`: what people at a terminal are told of rules, and what they do about them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from service.core.alert_tables import Delivery
from service.core.clock import utc_now
from service.core.db import Database
from service.core.store.outbox import end_delivery, retry_delivery, take_due
from service.core.store.silences import read_silences
from tests.integration.alerting import HOOK, RULE, Watched, watched
from tests.integration.commanded import Run, alerts_command
from tests.integration.conftest import Start
from tests.integration.support import new_sample, store

ROUTES = RULE.replace("above = 0.1", 'above = 0.1\nconfidence = 0.99\ngroup_by = ["route"]')
PAGER = HOOK.replace('"hook"', '"pager"')
SLO = """
[[slos]]
name = "answers"
metric = "flagged_rate"
objective = 0.9
samples_per_hour = 1000
"""
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the queries have tests on both
ESCAPE = "\x1b[31mred"


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Run:
    """Runs a command on the test's database and policy."""
    url = database.engine.url.render_as_string(hide_password=False)
    return alerts_command(ASSAY_DATABASE_URL=url, ASSAY_POLICY_FILE=str(tmp_path / "alerts.toml"))


@pytest.fixture
def watch(database: Database, tmp_path: Path) -> Watched:
    """One route is bad, by name of a colour; the rule fires for it. Ten minutes ago, by the clock on the wall."""
    made = watched(database, tmp_path / "alerts.toml", ROUTES + HOOK + PAGER)
    made.clock.now = utc_now() - timedelta(minutes=10)
    made.add(100, 60, route=ESCAPE)
    made.add(100, 0, route="good")
    made.look()
    return made


class TestList:
    def test_worst_first_with_what_is_known(self, watch: Watched, run: Run) -> None:
        """State, value with interval, n, threshold; what a caller chose moves no cursor."""
        watch.look(minutes=9)
        said = run("list").stdout
        bad, good = (next(line for line in said.splitlines() if word in line) for word in ("firing", " ok "))
        assert said.index(bad) < said.index(good)
        for part in (r"route=\x1b[31mred", "60.0% (99% interval", "n=100", "flagged rate above 10%"):
            assert part in bad
        assert "Last looked at" in said
        assert "No worker" not in said

    @pytest.mark.usefixtures("watch")
    def test_on_a_narrow_terminal(self, run: Run) -> None:
        """What does not fit as a table is a paragraph for each group, with nothing cut off."""
        said = run("list", COLUMNS="60").stdout
        assert "\n  state   firing\n" in said
        assert "60.0% (99% interval" in said
        assert "…" not in said

    def test_nobody_evaluates(self, watch: Watched, run: Run) -> None:
        """Old news is called so, with what to do; what was never looked at as well."""
        assert "Out of date: the last look was " in run("list").stdout
        watch.file.write_text(watch.file.read_text() + RULE.replace("made-up", "new"))
        said = run("list").stdout
        assert "not looked at yet" in said
        assert "ASSAY_POLICY_FILE" in said
        assert "this tenant has sent no sample yet" in run("list", "--tenant", "other").stdout
        store(watch.database, new_sample("a", tenant="other"))
        assert "Nothing was ever evaluated" in run("list", "--tenant", "other").stdout

    def test_no_rules(self, run: Run, tmp_path: Path) -> None:
        """Says which it is: no rules in the policy, or no policy."""
        (tmp_path / "alerts.toml").write_text("")
        said = run("list")
        assert (said.exit_code, "no alert rules" in said.stdout, "is not set" in said.stdout) == (0, True, False)
        assert "ASSAY_POLICY_FILE is not set" in run("list", ASSAY_POLICY_FILE=None).stdout

    def test_nobody_is_told(self, watch: Watched, run: Run) -> None:
        """A rule without a sink wakes nobody, and that is said."""
        assert "No sink is told" not in run("list").stdout
        watch.file.write_text(RULE)
        assert "No sink is told of made-up" in run("list").stdout

    def test_json_is_the_api_s(self, watch: Watched, run: Run, start: Start) -> None:
        """The same document as GET /alerts and its kin."""
        client = start(watch.file.read_text()).client
        assert json.loads(run("list", "--json").stdout) == client.get("/alerts").json()
        told = json.loads(run("history", "--json").stdout)
        assert told["events"] == client.get("/alerts/history").json()["events"]
        assert len(told["events"]) == 1


class TestHistory:
    @pytest.mark.usefixtures("watch")
    def test_what_became_of_each_sink(self, database: Database, run: Run) -> None:
        """Told; waits, how often it was tried, why it failed, when it is tried again; given up, and why."""
        assert run("history").stdout.count("waits to be told") == 2
        now = utc_now()
        with database.write() as connection:
            for due in take_due(connection, now, 60, 10):
                if due.sink == "hook":
                    end_delivery(connection, due, Delivery.DELIVERED, now)
                else:
                    retry_delivery(connection, due, now, "answered 500")
        said = run("history").stdout
        assert "FIRING error: made-up: flagged rate above 10%" in said
        assert "\n  hook: told 20" in said
        assert "\n  pager: waits after 1 attempt: answered 500; next try 20" in said
        with database.write() as connection:
            (due,) = take_due(connection, now, 60, 10)
            end_delivery(connection, due, Delivery.FAILED, now, "answered 404")
        assert "\n  pager: given up after 2 attempts: answered 404" in run("history").stdout

    def test_newest_first_and_no_more_than_asked_for(self, database: Database, tmp_path: Path, run: Run) -> None:
        """Events of a rule in a time, the newest of them."""
        made = watched(database, tmp_path / "alerts.toml", RULE + HOOK)
        made.clock.now = utc_now() - timedelta(hours=3)
        made.add(100, 60)
        made.look()
        made.look(minutes=90)
        made.add(100, 0)
        made.look()
        made.look(minutes=6)
        said = run("history").stdout
        assert 0 < said.index("RESOLVED error: made-up") < said.index("FIRING error: made-up")
        assert "newest" not in said
        said = run("history", "--limit", "1").stdout
        assert ("RESOLVED" in said, "FIRING" in said, "These are the newest 1" in said) == (True, False, True)
        assert "FIRING" not in run("history", "--window", "2h").stdout
        assert "Nothing was decided" in run("history", "--rule", "other").stdout
        assert "Nothing was decided" in run("history", "--tenant", "other").stdout

    def test_silenced(self, database: Database, tmp_path: Path, run: Run) -> None:
        """What nobody was told of is there, and says so."""
        made = watched(database, tmp_path / "alerts.toml", RULE + HOOK)
        made.clock.now = utc_now() - timedelta(minutes=2)
        assert run("silence", "--all", "--for", "1h", "--reason", "Rebuild.", "--by", "mira").exit_code == 0
        made.add(100, 60)
        made.look()
        assert "nobody was told: silenced" in run("history").stdout


class TestSilence:
    @pytest.mark.usefixtures("watch")
    def test_from_beginning_to_end(self, database: Database, run: Run) -> None:
        """Made by a name for a reason, seen in both lists, ended by its number."""
        options = ("--for", "2h", "--reason", f"Index {ESCAPE}", "--group", "route=good", "--by", "mira@example.org")
        made = run("silence", "made-up", *options)
        assert (made.exit_code, "made-up where route=good until" in made.stdout) == (0, True)
        with database.read() as connection:
            (stored,) = read_silences(connection, "default", utc_now())
        assert stored.ends_at - stored.created_at == timedelta(hours=2)
        assert stored.covers("made-up", {"route": "good"})
        assert not stored.covers("made-up", {"route": ESCAPE})
        listed = run("silences").stdout
        assert "mira@example.org" in listed
        assert r"Index \x1b[31mred" in listed
        rows = run("list").stdout.splitlines()
        until = f"{stored.ends_at:%Y-%m-%d %H:%M} UTC"
        assert [until in row for row in rows if "flagged rate" in row] == [False, True]
        assert "is over since" in run("unsilence", str(stored.number)).stdout
        assert "Nothing is silenced" in run("silences").stdout
        assert "(over)" in run("silences", "--ended").stdout

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("made-up", "--all"), "name a rule, or give --all"),
            ((), "name a rule, or give --all"),
            (("other",), "made-up"),  # lists what there is
            (("made-up", "--group", "customer=x"), "--group"),
            (("made-up", "--group", "release=x"), "not grouped by release"),
            (("made-up", "--by", "a b"), "--by"),
            (("made-up", "--for", "soon"), "for"),
            (("made-up", "--for", "2y"), "for"),
            (("made-up", "--for", "400d"), "366d"),
            (("made-up", "--reason", ""), "--reason"),
        ],
    )
    @pytest.mark.usefixtures("watch")
    def test_what_silences_nothing_is_refused(
        self, database: Database, run: Run, arguments: tuple[str, ...], said: str
    ) -> None:
        """By the option, and nothing is written."""
        refused = run("silence", "--for", "1h", "--reason", "Why.", "--by", "mira", *arguments)
        assert (refused.exit_code, said in refused.stderr) == (2, True)
        with database.read() as connection:
            assert read_silences(connection, "default", None) == []

    @pytest.mark.usefixtures("watch")
    def test_ending_what_is_not_there(self, run: Run) -> None:
        """Neither another number nor another tenant's."""
        run("silence", "made-up", "--for", "1h", "--reason", "Why.", LOGNAME="mira")
        assert "mira" in run("silences").stdout  # the login name, as none was given
        refused = run("unsilence", "1000000")
        assert (refused.exit_code, "There is no silence" in refused.stderr) == (2, True)
        number = run("silences").stdout.split("made-up")[0].split()[-1]
        assert run("unsilence", number, "--tenant", "other").exit_code == 2
        assert "made-up" in run("silences").stdout


class TestBacktest:
    @pytest.mark.usefixtures("watch")
    def test_how_often_and_for_how_long(self, run: Run) -> None:
        """As the policy has it, then with a threshold that is never reached, and without groups."""
        said = run("backtest", "made-up", "--window", "1h").stdout
        assert "It would have fired once" in said
        assert "still open" in said
        assert r"route=\x1b[31mred" in said
        assert "looked at once an hour" not in said
        said = run("backtest", "made-up", "--window", "1h", "--set", "above=0.9", "--set", "for=30m").stdout
        assert "It would have fired never" in said
        assert "above = 0.9, for = 30m" in said
        told = json.loads(run("backtest", "made-up", "--window", "7d", "--set", "group_by=", "--json").stdout)
        assert (told["changed"], told["not_covered"] is None) == (["group_by"], False)
        (incident,) = (each for each in told["incidents"] if each["event"] == "firing")
        assert incident["group"] == {}

    @pytest.mark.usefixtures("watch")
    def test_what_is_not_covered_is_said(self, run: Run) -> None:
        """Before the last two days it is looked at by the hour."""
        assert "looked at once an hour" in run("backtest", "made-up", "--window", "7d").stdout

    @pytest.mark.usefixtures("watch")
    def test_values_as_people_write_them(self, run: Run) -> None:
        """Lists with commas, JSON where it is JSON, text where not."""
        changes = ("group_by=route,release", 'match={"route": "good"}', "no_data=ok", "renotify=null")
        options = [part for change in changes for part in ("--set", change)]
        said = run("backtest", "made-up", "--window", "1h", *options)
        assert (said.exit_code, 'group_by = ["route", "release"]' in said.stdout) == (0, True)
        assert "fired never" in said.stdout  # the other route is not meant

    def test_many_incidents_are_cut(self, watch: Watched, run: Run) -> None:
        """Twenty, and how many more there are."""
        for number in range(22):
            watch.add(30, 30, route=f"r{number:02}")
        said = run("backtest", "made-up", "--window", "1h", "--set", "no_data=ok").stdout
        assert said.count("still open") == 20
        assert "and 3 more" in said

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("other",), "no alert rule"),
            (("made-up", "--set", "above"), "FIELD=VALUE"),
            (("made-up", "--set", "above=2"), "could never fire"),
            (("made-up", "--set", "sinks=x"), "sinks"),
            (("made-up", "--set", "metric=hallucination_rate"), "Labels come after"),
            (("made-up", "--window", "91d"), "--window"),
            (("made-up", "--policy", "/nowhere.toml"), "/nowhere.toml"),
        ],
    )
    @pytest.mark.usefixtures("watch")
    def test_refused(self, run: Run, arguments: tuple[str, ...], said: str) -> None:
        """What cannot be tried names what is wrong."""
        refused = run("backtest", *arguments)
        assert (refused.exit_code, said in " ".join(refused.stderr.split())) == (2, True)

    @pytest.mark.usefixtures("watch")
    def test_another_policy_file(self, run: Run, tmp_path: Path) -> None:
        """A rule can be tried before it is in force."""
        other = tmp_path / "other.toml"
        other.write_text(ROUTES.replace("made-up", "planned"))
        assert run("backtest", "planned", "--window", "1h").exit_code == 2
        assert "fired once" in run("backtest", "planned", "--window", "1h", "--policy", str(other)).stdout


class TestSlos:
    def test_budget_and_burn(self, watch: Watched, run: Run) -> None:
        """The rate, what is left of the budget, how fast it burns beside the rate it fires at, and what cannot fire."""
        watch.file.write_text(SLO)
        said = run("slos").stdout
        assert "answers: flagged rate of at most 10% over 28d" in said
        assert "30.0% (95% interval" in said
        assert "-200.0%" in said
        assert "more was spent than there was" in said
        row = next(line for line in said.splitlines() if "answers.burn-6h" in line)
        for part in ("6h and 30m", "3 and 3", "5.6", "not looked at yet"):
            assert part in row
        assert "Left out: A burn rate of 13.4 is 134% bad answers" in said
        assert "answers.burn-6h had too little to judge by in the last day: 30m have 4.1" in said

    @pytest.mark.usefixtures("watch")
    def test_none(self, run: Run) -> None:
        """Says so."""
        assert "no objectives" in run("slos").stdout
        assert json.loads(run("slos", "--json").stdout)["slos"] == []
