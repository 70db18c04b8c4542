"""`assay doctor` on a judge: what is missing, what does not answer, what is nearly spent."""

import sys
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database
from service.core.review_tables import Reviewer, reviews
from service.core.reviewing.judge import PICO
from service.core.store.circuits import Circuit, write_circuit
from service.core.store.spending import Call, open_call
from tests.integration.reviewing import JUDGE, end, reviewing_by, written
from tests.integration.support import scored
from workers.doctor.finding import Level
from workers.doctor.judge import check_judge


def found(database: Database, folder: Path, text: str = JUDGE, key: str | None = None) -> list[tuple[Level, str]]:
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    settings = Settings(policy_file=path, judge_api_key=None if key is None else SecretStr(key))
    return [(each.level, each.text) for each in check_judge(settings, database)]


def at_work(database: Database, state: str, reason: str | None) -> None:
    now = utc_now()
    circuit = Circuit(
        endpoint="judge h", holder="w" * 32, state=state, reason=reason, since=now - timedelta(minutes=5), seen_at=now
    )
    with database.write() as connection:
        write_circuit(connection, circuit)


def test_no_judge_no_word(database: Database, tmp_path: Path) -> None:
    """A policy without a language model is no finding."""
    assert found(database, tmp_path, "[sampling]\nrate = 0.5\n") == []


def test_nobody_calls(database: Database, tmp_path: Path) -> None:
    """A judge without a worker judges nothing."""
    assert found(database, tmp_path) == [(Level.WARN, "no judge worker has told of itself for a minute")]


def test_at_work(database: Database, tmp_path: Path) -> None:
    """All is well."""
    at_work(database, "closed", None)
    assert [level for level, _ in found(database, tmp_path)] == [Level.OK]


def test_left_alone(database: Database, tmp_path: Path) -> None:
    """An open circuit, with its reason."""
    at_work(database, "open", "unauthorised")
    [(level, text)] = found(database, tmp_path)
    assert level is Level.WARN
    assert "unauthorised" in text


def test_key_and_prompt(database: Database, tmp_path: Path) -> None:
    """A public endpoint without a key, and a prompt that is not there."""
    at_work(database, "closed", None)
    public = JUDGE.replace("http://127.0.0.1:9/v1", "https://api.example.com/v1").replace("allow_private = true\n", "")
    assert [level for level, _ in found(database, tmp_path, public)] == [Level.WARN, Level.OK]
    assert [level for level, _ in found(database, tmp_path, public, key="k")] == [Level.OK]
    # An empty file among the secrets is no key.
    assert [level for level, _ in found(database, tmp_path, public, key="")] == [Level.WARN, Level.OK]
    prompt = public.replace('model = "m"', f'model = "m"\nprompt = "{tmp_path}/none.toml"')
    assert tuple(level for level, _ in found(database, tmp_path, prompt, key="k")) == (Level.FAIL, Level.OK)


def test_nearly_spent(database: Database, tmp_path: Path) -> None:
    """Before the limit stops calls, somebody can know."""
    at_work(database, "closed", None)
    call = Call(review_seq=None, tenant="default", rule="r", purpose="judge", model="m", most_pico=95 * PICO)
    with database.write() as connection:
        open_call(connection, call, None, utc_now())
    assert (Level.WARN, "default has spent 95% of today's money") in found(database, tmp_path)


def test_the_library_is_missed_where_nobody_calls(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No judge worker can run here; one that is at work runs elsewhere, as in containers, and has it there."""
    monkeypatch.setitem(sys.modules, "openai", None)
    assert found(database, tmp_path)[0] == (Level.FAIL, "openai is not installed, and the policy names an endpoint")
    at_work(database, "closed", None)
    assert [level for level, _ in found(database, tmp_path)] == [Level.OK]


@pytest.mark.parametrize(
    ("reviewer", "minutes", "late"),
    [(Reviewer.JUDGE, 60, False), (Reviewer.JUDGE, 62, True), (Reviewer.CONSISTENCY, 62, True)],
)
def test_left_waiting(database: Database, tmp_path: Path, reviewer: Reviewer, minutes: int, late: bool) -> None:  # noqa: FBT001
    """What has waited for longer than it may: nobody ends it."""
    at_work(database, "closed", None)
    end(database, reviewing_by(written(tmp_path)), [scored(0.5)])
    with database.write() as connection:
        aged = utc_now() - timedelta(minutes=minutes)
        connection.execute(update(reviews).values(created_at=aged, reviewer=reviewer.value))
    texts = [text for level, text in found(database, tmp_path) if level is Level.WARN]
    assert [f"a review by {reviewer.value} has waited" in text for text in texts] == [True] * late
