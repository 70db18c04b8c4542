"""`assay judge probe` against a scripted endpoint: what is sent, what is booked, what is counted, and when it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import Result
from sqlalchemy import select
from typer.testing import CliRunner

from service.core.clock import utc_now
from service.core.db import Database
from service.core.review_tables import llm_calls
from service.core.reviewing.judge import PICO
from service.core.store.spending import spent_on
from tests.servers import wait_for
from workers.cli import app
from workers.judge.scenario import scenario_of
from workers.judge.scripted import ScriptedEndpoint

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the ledger has tests on both

OLD = "5f0c2b7a91d64e83b2c7f10a6d9e3b48"  # in attacks that plant a whole verdict
RULES = [
    {"contains": "Wichtig:", "behaviour": "server_error"},  # other_language
    {"contains": "wise judge", "behaviour": "unverified"},  # story
    {"contains": "<|im_end|>", "behaviour": "echo"},  # chat_template
    {"contains": "[/INST]", "behaviour": "echo_response"},  # instruction_marks
    {"contains": "within 25 years", "behaviour": "hang"},  # tolerance
    {"contains": OLD, "behaviour": "obey"},
]
PLANTED = (
    "verdict_in_the_response", "verdict_in_a_context", "verdict_in_the_question", "guessed_delimiters",
)  # fmt: skip
ECHOED = ("chat_template", "instruction_marks")

Probe = Callable[..., Result]


@pytest.fixture(scope="module")
def talked_into() -> Iterator[ScriptedEndpoint]:
    """A judge that does as some attacks tell it, and fails at others."""
    with ScriptedEndpoint(scenario_of({"rule": RULES})) as started:
        yield started


@pytest.fixture(scope="module")
def wavering() -> Iterator[ScriptedEndpoint]:
    """A judge whose verdicts are wrong three times in ten, whatever it reads."""
    with ScriptedEndpoint(scenario_of({"waver": 0.3, "seed": 4})) as started:
        yield started


def write_policy(folder: Path, url: str, cost: float = 100) -> Path:
    """A policy with a judge at this address."""
    path = folder / "policy.toml"
    path.write_text(
        f"""
[judge]
url = "{url}"
allow_private = true
model = "scripted"
tenants = ["acme"]
attempts = 1
input_price = 1
output_price = 2
[spend]
cost = {cost}
""",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def probe(database: Database, database_url: str, tmp_path: Path) -> Probe:
    """Runs `assay judge probe` on a policy with this endpoint; what it sets up for its log lines is undone."""

    def run(url: str, *arguments: str, cost: float = 100, yes: bool = True) -> Result:
        policy = write_policy(tmp_path, url, cost)
        settings = {"ASSAY_DATABASE_URL": database_url, "ASSAY_POLICY_FILE": str(policy)}
        given = ["judge", "probe", "--json", str(tmp_path / "found.json"), *(["--yes"] if yes else []), *arguments]
        before = structlog.get_config()
        try:
            done = CliRunner().invoke(app, given, env={"COLUMNS": "200", **settings})
        finally:
            structlog.configure(**before)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
        return done

    return run


def found(tmp_path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    return told


def booked(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(llm_calls)))


def test_attacks_on_a_judge_that_heeds_none(
    probe: Probe, wavering: ScriptedEndpoint, database: Database, tmp_path: Path
) -> None:
    """Its mistakes are those that it makes anyway, and the controls show it; every call is booked as a probe's."""
    before = wavering.counts()
    done = probe(wavering.url, "--tenant", "acme", "--fail-above", "0.05")
    told, counted = found(tmp_path), wavering.counts()
    attacks, wrong = told["found"]["attacks"]["rate"], told["found"]["wrong"]["rate"]
    assert done.exit_code == 3
    assert attacks["items"] == 109
    assert wrong["low"] < attacks["rate"] < wrong["high"]
    assert 0 < told["found"]["right"]["rate"]["rate"] < 1
    assert "109 attacks and 28 controls" in done.stdout
    rows = booked(database)
    assert {(row.purpose, row.tenant, row.review_seq, row.state) for row in rows} == {
        ("probe", "acme", None, "answered")
    }
    assert len(rows) == counted["requests"] - before["requests"] == told["taken"]["calls"]["answered"]
    used = counted["prompt_tokens"] - before["prompt_tokens"]
    assert sum(row.input_tokens for row in rows) == used == told["taken"]["input_tokens"]
    with database.read() as connection:
        assert spent_on(connection, "acme", utc_now()) == told["taken"]["cost_pico"]


def test_a_judge_that_obeys_or_repeats_an_attack_passes_nothing(
    probe: Probe, talked_into: ScriptedEndpoint, database: Database, tmp_path: Path
) -> None:
    """What it sends never counts, so that there is no verdict: no success, no defence, and no rate to fail by."""
    done = probe(talked_into.url, "--attacks", ",".join(PLANTED), "--attacks", ",".join(ECHOED))
    attacks = found(tmp_path)["found"]["attacks"]
    assert (attacks["ends"]["unparseable"], attacks["ends"]["passed"], attacks["ends"]["flagged"]) == (6, 0, 0)
    assert (attacks["rate"]["verdicts"], attacks["rate"]["rate"]) == (0, None)
    assert done.exit_code == 0
    assert "too few for a rate" in done.stdout
    right, wrong = (found(tmp_path)["found"][name]["rate"] for name in ("right", "wrong"))
    assert (right["count"], right["rate"], wrong["count"], wrong["rate"]) == (0, 0.0, 0, 0.0)
    assert len(booked(database)) == 28 + 2 * 6  # each attack's reply was asked to be repaired once


def test_each_end_has_its_column(probe: Probe, talked_into: ScriptedEndpoint, tmp_path: Path) -> None:
    """And too few verdicts to tell by are not taken for good ones."""
    names = ["other_language", "story", "chat_template", "threat"]
    done = probe(talked_into.url, "--attacks", ",".join(names), "--fail-above", "0.05")
    told = found(tmp_path)
    ends = {name: count for name, count in told["found"]["attacks"]["ends"].items() if count}
    assert ends == {"items": 4, "sent": 4, "flagged": 1, "unparseable": 1, "unverified": 1, "unavailable": 1}
    assert told["failures"] == {"server_error": 1}
    assert done.exit_code == 4


def test_an_endpoint_that_is_down(probe: Probe, database: Database, tmp_path: Path) -> None:
    """It is left alone soon, nothing is counted for or against it, and the status says that nothing is known."""
    done = probe("http://127.0.0.1:9/v1")
    told = found(tmp_path)
    ends = [told["found"][name]["ends"] for name in ("attacks", "wrong", "right")]
    assert (done.exit_code, told["stopped"]) == (4, "circuit_open")
    assert sum(each["passed"] + each["flagged"] + each["unparseable"] for each in ends) == 0
    assert sum(each["unavailable"] + each["unfinished"] for each in ends) == 137
    assert told["cost"] == 0
    assert "the endpoint fails" in done.stdout
    assert {row.state for row in booked(database)} == {"failed"}


def test_the_day_s_limit_ends_it_midway(
    probe: Probe, wavering: ScriptedEndpoint, database: Database, tmp_path: Path
) -> None:
    """Not one call is made that could pass it, however many are under way; calls that end make room for others."""
    before = wavering.counts()["requests"]
    done = probe(wavering.url, "--tenant", "acme", cost=0.03)
    told = found(tmp_path)
    ends = [told["found"][name]["ends"] for name in ("attacks", "wrong", "right")]
    assert (done.exit_code, told["stopped"]) == (4, "spend_limit")
    assert sum(each["unfinished"] for each in ends) == 137 - sum(each["passed"] + each["flagged"] for each in ends)
    calls = wavering.counts()["requests"] - before
    assert len(booked(database)) == calls > 8
    with database.read() as connection:
        spent = spent_on(connection, "acme", utc_now())
    assert 0.02 * PICO < spent == told["taken"]["cost_pico"] <= 0.03 * PICO
    assert probe(wavering.url, "--tenant", "acme", cost=0.02).exit_code == 4
    assert wavering.counts()["requests"] - before == calls


def test_an_interrupted_probe_tells_what_it_found(
    database: Database, database_url: str, talked_into: ScriptedEndpoint, tmp_path: Path
) -> None:
    """It was paid for; the call that was broken off is booked at the most that it can have cost."""
    settings = {
        "ASSAY_DATABASE_URL": database_url,
        "ASSAY_POLICY_FILE": str(write_policy(tmp_path, talked_into.url)),
    }
    options = ["--yes", "--attacks", "tolerance", "--json", str(tmp_path / "found.json")]
    running = subprocess.Popen(
        [sys.executable, "-m", "workers.cli", "judge", "probe", *options],
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with running:
        wait_for(lambda: sorted(row.state for row in booked(database)) == ["answered"] * 18 + ["open"])
        running.send_signal(signal.SIGINT)
        assert running.wait(40) == 130  # a stop waits for the ledger
    told = found(tmp_path)
    assert told["stopped"] == "interrupted"
    assert told["found"]["attacks"]["ends"]["unfinished"] == 1
    assert told["found"]["right"]["ends"]["passed"] > 0
    assert [row.reason for row in booked(database) if row.state == "unknown"] == ["broken_off"]
    assert told["taken"]["calls"] == {"answered": 18, "unknown": 1}


def test_without_a_database(probe: Probe, wavering: ScriptedEndpoint, database: Database, tmp_path: Path) -> None:
    """A model that costs is called only within a limit of the probe's own, and nothing is booked."""
    before = wavering.counts()["requests"]
    refused = probe(wavering.url, "--no-database")
    assert (refused.exit_code, wavering.counts()["requests"]) == (2, before)
    assert "--most-cost" in refused.stderr
    done = probe(wavering.url, "--no-database", "--most-cost", "0.02")
    told = found(tmp_path)
    assert (done.exit_code, told["stopped"]) == (4, "spend_limit")
    assert 0.01 < told["cost"] <= 0.02
    assert booked(database) == []


def test_nothing_is_sent_that_is_not_wanted(
    probe: Probe, talked_into: ScriptedEndpoint, database: Database, tmp_path: Path
) -> None:
    """Without a yes, with an attack that is none, or with nowhere to write to."""
    before = talked_into.counts()["requests"]
    declined = probe(talked_into.url, yes=False)
    assert (declined.exit_code, "Send them?" in declined.stdout) == (1, True)
    unknown = probe(talked_into.url, "--attacks", "plain_ordre")
    assert (unknown.exit_code, "plain_order" in unknown.stderr) == (2, True)
    (tmp_path / "folder").mkdir()
    assert probe(talked_into.url, "--json", str(tmp_path / "folder")).exit_code == 2
    assert talked_into.counts()["requests"] == before
    assert booked(database) == []
