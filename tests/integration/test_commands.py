"""The commands that answer: `assay rate`, `assay db status`, `assay doctor`, each as a process of its own."""

import json
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from models.load import ScorerConfig, load_scorer
from models.types import Outcome
from service.core.clock import utc_now
from service.core.db import Database
from service.core.store.rescoring import finish_rescores, take_rescores
from service.core.store.scores import ScoredBy
from service.core.store.taking import Finished, Taken
from tests.integration.conftest import Start
from tests.integration.support import BY, DEAD_REDIS, LIMITS, finish_pending, new_sample, scored, store
from tests.servers import Installation, free_port

HOUR = {"from": "2026-11-01T12:00:00Z", "to": "2026-11-01T13:00:00Z"}
OPTIONS = [part for name, value in HOUR.items() for part in (f"--{name}", value)]


def outcome(row: Taken) -> Outcome:
    return scored(flagged="s-0" in row.response)


@pytest.fixture
def installation(database: Database) -> Installation:
    """Commands on a database with four scored samples of two releases and one pending."""
    store(database, *[new_sample(f"s-{n}", release=f"r{n % 2}") for n in range(4)])
    finish_pending(database, outcome, BY)
    store(database, new_sample("p", release="\x1b[31mred"))
    url = database.engine.url.render_as_string(hide_password=False)
    return Installation({"ASSAY_DATABASE_URL": url, "ASSAY_REDIS_URL": DEAD_REDIS, "ASSAY_SCORER": "fake"})


def test_rate_json_is_the_api_s(installation: Installation, start: Start) -> None:
    """`--json` prints what GET /hallucination-rate answers."""
    asked = {"group_by": "release", "unit": "claim", "confidence": "0.9", "granularity": "1h"}
    options = [part for name, value in asked.items() for part in (f"--{name.replace('_', '-')}", value)]
    told = installation.assay("rate", *OPTIONS, *options, "--json")
    api = start().client.get("/hallucination-rate", params=HOUR | asked).json()
    assert (told.returncode, json.loads(told.stdout)) == (0, api)
    assert len(api["buckets"]) == 3


def test_rate_table(installation: Installation) -> None:
    """Rate, interval, worst case and counts, with what they are; text of users moves no cursor."""
    installation.environment["COLUMNS"] = "160"
    told = installation.assay("rate", *OPTIONS, "--group-by", "release")
    for expected in (
        "50.0%",
        "2.5% to 97.5%",
        "95% interval",
        "submitted 2",
        "unknown",
        "share that this scorer would",
    ):
        assert expected in told.stdout
    assert r"\x1b[31mred" in told.stdout
    assert "\x1b" not in told.stdout


def test_rate_on_a_narrow_terminal(installation: Installation) -> None:
    """What does not fit as a table is a paragraph for each bucket, with nothing cut off."""
    installation.environment["COLUMNS"] = "80"
    told = installation.assay(
        "rate", *OPTIONS, "--from", "2026-11-01T11:00:00Z", "--group-by", "release,route", "--granularity", "1h"
    ).stdout
    assert "from 2026-11-01 12:0" in told
    for expected in ("release r0, route none, fingerprint", "50.0%, 95% interval 2.5% to 97.5%", "submitted 2"):
        assert expected in told
    assert "…" not in told


def test_rate_of_another_tenant(installation: Installation) -> None:
    """Nobody else's submissions are counted; nothing is said to be nothing."""
    told = installation.assay("rate", *OPTIONS, "--tenant", "other")
    assert (told.returncode, "Nothing was submitted" in told.stdout) == (0, True)


def test_rate_refuses_by_option(installation: Installation) -> None:
    """A wrong value names the option as it was typed."""
    told = installation.assay("rate", "--group-by", "customer")
    assert (told.returncode, "--group-by" in told.stderr) == (2, True)
    told = installation.assay("rate", "--match", "customer=x")
    assert (told.returncode, "--match" in told.stderr) == (2, True)


def test_rate_of_some(installation: Installation) -> None:
    """Only what matches."""
    told = json.loads(installation.assay("rate", *OPTIONS, "--match", "release=r1", "--json").stdout)
    assert (told["match"], told["buckets"][0]["counts"]["scored"]) == ({"release": ["r1"]}, 2)


def test_db_status(installation: Installation, make_url: Callable[[str], str], tmp_path: Path) -> None:
    """0 where the schema is current; else 1 and the command to run, and no file is made."""
    assert installation.assay("db", "status").returncode == 0
    empty = Installation({"ASSAY_DATABASE_URL": make_url("sqlite")})
    before = sorted(tmp_path.iterdir())
    told = empty.assay("db", "status")
    assert (told.returncode, "no schema yet" in told.stdout, "assay db upgrade" in told.stdout) == (1, True, True)
    assert sorted(tmp_path.iterdir()) == before


def test_doctor(installation: Installation) -> None:
    """Its exit status says whether anything fails; for machines it prints JSON."""
    installation.environment["ASSAY_PORT"] = str(free_port())
    told = installation.assay("doctor", "--json")
    findings = {finding["check"]: finding for finding in json.loads(told.stdout)["findings"]}
    assert [name for name, finding in findings.items() if finding["level"] == "FAIL"] == ["workers"]
    assert (told.returncode, json.loads(told.stdout)["ok"], told.stderr) == (1, False, "")
    plain = installation.assay("doctor")
    assert re.search(r"^1 of \d+ checks failed, \d+ warned", plain.stdout.splitlines()[-1])
    assert "FAIL  workers" in plain.stdout
    assert "fix: Run `assay worker`." in plain.stdout


def test_version(installation: Installation) -> None:
    """The version of what is installed."""
    told = installation.assay("--version")
    assert (told.returncode, told.stdout) == (0, f"assay {version('assay-llm')}\n")


def test_policy_simulate(installation: Installation, tmp_path: Path, database: Database) -> None:
    """What is stored, under another policy: how many samples, how wide, what it costs; fields and signals both match."""
    rows = [
        new_sample(f"n-{n}", received_at=utc_now(), route="a" if n % 2 else "b", response="It takes 30 days.")
        for n in range(40)
    ]
    store(database, *rows)
    finish_pending(database)
    policy = tmp_path / "try.toml"
    policy.write_text(
        '[sampling]\nrate = 0.0\n[[sampling.rules]]\nname = "a"\nmatch = { route = "a" }\nrate = 1.0\n'
        '[[sampling.rules]]\nname = "digits"\nsignals = ["digits"]\nrate = 0.5\n'
    )
    installation.environment["COLUMNS"] = "160"
    told = installation.assay("policy", "simulate", str(policy), "--window", "1d", "--cost-per-sample", "0.5").stdout
    assert "Of 80 submissions 60 would have been sampled in 1 days." in told
    assert "costs 30.00 a day" in told
    assert "points wide" in told


def test_policy_simulate_over_nothing(installation: Installation, tmp_path: Path) -> None:
    """Nothing stored, nothing told, no failure."""
    policy = tmp_path / "try.toml"
    policy.write_text("[sampling]\nrate = 0.1\n")
    told = installation.assay("policy", "simulate", str(policy), "--window", "1h")
    assert (told.returncode, "nothing to tell it from" in told.stdout) == (0, True)


def test_rescore(installation: Installation, database: Database) -> None:
    """Asks the workers, says for how many; with scores of two scorers it tells the offset."""
    told = installation.assay("rescore", "--from", "2026-11-01T12:00:00Z", "--no-wait")
    assert (told.returncode, "Asked for 4 samples" in told.stdout) == (0, True)
    assert "one scorer" in told.stdout
    with database.write() as connection:
        new = load_scorer(ScorerConfig(kind="fake")).fingerprint
        rows = take_rescores(connection, LIMITS, new, alone=False)
        assert len(rows) == 4
        done = [Finished(taken=row, outcome=scored()) for row in rows]
        finish_rescores(connection, done, ScoredBy(scorer="fake", fingerprint=new, attributes={}), utc_now())
    installation.environment["COLUMNS"] = "160"
    told = installation.assay("rescore", "--from", "2026-11-01T12:00:00Z", "--dry-run")
    assert f"Of 4 samples that both scored, f1 flags 25.0% and {new[:8]} 100.0%: +75 points" in told.stdout
    told = installation.assay("rescore", "--from", "2026-11-01T12:00:00Z", "--no-wait")
    assert "Nothing to score again" in told.stdout
