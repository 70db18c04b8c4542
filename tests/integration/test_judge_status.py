"""`assay judge status` and `GET /judge`: who is called, what became of reviews, what calls cost."""

import json
from pathlib import Path

import pytest

from models.types import ReviewReason
from service.core.clock import utc_now
from service.core.db import Database
from service.core.review_tables import CallState
from service.core.reviewing.judge import PICO
from service.core.store.reviews import finish_review
from service.core.store.spending import Call, Settlement, open_call, settle_call
from tests.integration.commanded import Run, group_command
from tests.integration.conftest import Start
from tests.integration.reviewing import JUDGE, JUDGED_BY, end, reviewing_by, take_for, written
from tests.integration.support import scored


@pytest.fixture
def policy(database: Database, tmp_path: Path) -> Path:
    """That of a judge which has failed once, at a price, and has a review left."""
    file = written(tmp_path)
    end(database, reviewing_by(file), [scored(0.5), scored(0.5)], stratum="[bold]rule")
    [row, _] = take_for(database)
    call = Call(review_seq=row.seq, tenant="default", rule="[bold]rule", purpose="judge", model="m", most_pico=PICO)
    with database.write() as connection:
        number = open_call(connection, call, None, utc_now())
        assert number is not None
        spent = Settlement(state=CallState.ANSWERED, cost_pico=PICO // 4, input_tokens=1_200, output_tokens=80)
        settle_call(connection, number, spent, utc_now())
        finish_review(connection, row, ReviewReason.JUDGE_UNPARSEABLE, JUDGED_BY, utc_now())
    return tmp_path / "policy.toml"


@pytest.fixture
def run(database_url: str, policy: Path) -> Run:
    """Runs a command on the test's database and policy."""
    return group_command("judge", ASSAY_DATABASE_URL=database_url, ASSAY_POLICY_FILE=str(policy))


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_nothing_is_cut_off(run: Run, columns: int) -> None:
    """Whatever the terminal's width, days, states and costs stand there whole; names are text, not markup."""
    told = run("status", COLUMNS=str(columns)).stdout
    assert "…" not in told
    for words in (
        str(utc_now().date()),
        "unscored (judge_unparseable)",
        "0.25 USD of 100.00 USD",
        "[bold]rule",
        "1,200",
    ):
        assert words in told
    assert "No judge worker runs" in told


def test_command_and_api_say_the_same(start: Start, run: Run) -> None:
    """As JSON the command is the API's answer; there is no word of another tenant."""
    api = start(JUDGE).client.get("/judge").json()
    assert api == json.loads(run("status", "--json").stdout)
    assert (api["judge"], api["judged"], api["spent_today"], api["limit_today"]) == ("m", True, 0.25, 100.0)
    assert [(each["status"], each["reason"], each["reviews"]) for each in api["reviews"]] == [
        ("pending", None, 1),
        ("unscored", "judge_unparseable", 1),
    ]
    [spent] = api["spent"]
    assert (spent["rule"], spent["calls"], spent["state"], spent["cost"]) == ("[bold]rule", 1, "answered", 0.25)
    other = json.loads(run("status", "--json", "--tenant", "other").stdout)
    assert (other["judged"], other["reviews"], other["spent"], other["spent_today"]) == (False, [], [], 0.0)


def test_a_wrong_window_is_told(start: Start, run: Run) -> None:
    """The parameter and the fix are named."""
    problem = start(JUDGE).client.get("/judge?window=soon")
    assert (problem.status_code, problem.json()["field"]) == (400, "window")
    found = run("status", "--window", "soon")
    assert (found.exit_code, "window" in found.stderr) == (2, True)
