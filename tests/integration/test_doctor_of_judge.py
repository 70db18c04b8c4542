"""`assay doctor` on a judge: what is missing, what does not answer, what is nearly spent."""

from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database
from service.core.reviewing.judge import PICO
from service.core.store.circuits import Circuit, write_circuit
from service.core.store.spending import Call, open_call
from tests.integration.reviewing import JUDGE
from workers.doctor.finding import Level
from workers.doctor.judge import check_judge


def found(database: Database, folder: Path, text: str = JUDGE, key: str | None = None) -> list[tuple[Level, str]]:
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    settings = Settings(policy_file=path, judge_api_key=SecretStr(key) if key else None)
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
    prompt = public.replace('model = "m"', f'model = "m"\nprompt = "{tmp_path}/none.toml"')
    assert tuple(level for level, _ in found(database, tmp_path, prompt, key="k")) == (Level.FAIL, Level.OK)


def test_nearly_spent(database: Database, tmp_path: Path) -> None:
    """Before the limit stops calls, somebody can know."""
    at_work(database, "closed", None)
    call = Call(review_seq=None, tenant="default", rule="r", purpose="judge", model="m", most_pico=95 * PICO)
    with database.write() as connection:
        open_call(connection, call, None, utc_now())
    assert (Level.WARN, "default has spent 95% of today's money") in found(database, tmp_path)
