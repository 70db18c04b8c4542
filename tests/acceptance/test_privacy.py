"""Privacy with real processes: retention by the workers, removal by hand, and no text in any log."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from service.core.clock import utc_now
from service.core.db import Database
from tests.integration.support import new_sample, store
from tests.servers import Installation, RedisServer, wait_for

pytestmark = pytest.mark.acceptance

CANARY = "CANARY7f3a9"
POLICY = '[sampling]\nrate = 1.0\n[privacy]\nredact = ["email"]\n'


@pytest.fixture
def installation(make_url: Callable[[str], str], redis_server: RedisServer, tmp_path: Path) -> Iterator[Installation]:
    """Every submission is sampled and scored by the fake scorer; every line is logged."""
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    made = Installation(
        {
            "ASSAY_DATABASE_URL": make_url("sqlite"),
            "ASSAY_REDIS_URL": redis_server.url,
            "ASSAY_QUEUE_NAME": f"q-{tmp_path.name}"[:64],
            "ASSAY_POLICY_FILE": str(policy),
            "ASSAY_SCORER": "fake",
            "ASSAY_LEASE_S": "3",
            "ASSAY_TICKER_INTERVAL_S": "0.3",
            "ASSAY_LOG_LEVEL": "DEBUG",
            "ASSAY_ACCEPT_TIMEOUT_S": "1",
        }
    )
    assert made.assay("db", "upgrade").returncode == 0
    yield made
    made.stop()


def _file(installation: Installation) -> Path:
    return Path(installation.environment["ASSAY_DATABASE_URL"].removeprefix("sqlite:///"))


def _status(installation: Installation, sample_id: str) -> str:
    return str(httpx.get(f"{installation.base}/score/{sample_id}", timeout=10).json()["status"])


def _body(sample_id: str, response: str = "The kettle is blue.") -> dict[str, object]:
    return {
        "id": sample_id,
        "question": f"{CANARY}-question",
        "contexts": [f"The kettle is blue. {CANARY}-context anna.{CANARY}@example.com"],
        "response": f"{response} {CANARY}-response",
        "samples": [f"{CANARY}-alternative"],
        "tags": {"note": f"{CANARY}-tag"},
        "session_id": f"{CANARY}-session",
    }


def test_no_text_in_any_log(installation: Installation, tmp_path: Path) -> None:
    """What users wrote is in no line of sidecar or worker: accepted, refused, in conflict, crashing, unstorable."""
    logs = {name: tmp_path / f"{name}.log" for name in ("sidecar", "worker")}
    installation.start("sidecar", "serve", log=logs["sidecar"])
    installation.start("worker", "worker", log=logs["worker"])
    installation.await_ready()
    with httpx.Client(base_url=installation.base, timeout=20) as client:
        assert client.post("/score", json=_body("ok")).status_code == 202
        assert client.post("/score", params={"wait": "5"}, json=_body("waited")).status_code == 200
        assert client.post("/score", json=_body("ok", "Another one.")).status_code == 409
        for bad in (_body("bad") | {CANARY: 1}, _body("bad") | {"response": [CANARY]}, _body(f"{CANARY} bad id")):
            assert client.post("/score", json=bad).status_code == 422
        assert client.post("/score", content=f'{{"response": "{CANARY}'.encode()).status_code == 422
        assert client.post("/score/batch", content=f"{CANARY}\n".encode()).status_code == 422
        assert client.get("/hallucination-rate", params={"window": CANARY}).status_code == 400
        assert client.delete("/samples", params={CANARY: CANARY}).status_code == 400
        for name, directive in (("raise", "raise"), ("crash", "crash"), ("nan", "nan")):
            assert client.post("/score", json=_body(name, f"Hello. [[fake:{directive}]]")).status_code == 202
        for name in ("raise", "crash", "nan"):
            wait_for(lambda name=name: _status(installation, name) == "unscored", seconds=60)
        _break_the_database(installation, client)
    installation.stop()
    lines = {name: log.read_text() for name, log in logs.items()}
    assert "score_failed" in lines["worker"]
    assert "finish_failed" in lines["worker"]
    assert "accept_failed" in lines["sidecar"]
    assert [name for name, text in lines.items() if CANARY in text] == []


def _break_the_database(installation: Installation, client: httpx.Client) -> None:
    """A table that is away while a sample is scored, then a database that takes no row; both come back."""
    slow = _body("late", "The kettle is blue. [[fake:slow=1.5]]")
    assert client.post("/score", json=slow).status_code == 202
    time.sleep(0.7)
    with sqlite3.connect(_file(installation), timeout=20, isolation_level=None) as raw:
        raw.execute("ALTER TABLE scores RENAME TO scores_away")
        time.sleep(2)
        raw.execute("ALTER TABLE samples RENAME TO samples_away")
        assert client.post("/score", json=_body("nowhere")).status_code in {500, 503}
        raw.execute("ALTER TABLE samples_away RENAME TO samples")
        raw.execute("ALTER TABLE scores_away RENAME TO scores")
    raw.close()
    wait_for(lambda: _status(installation, "late") == "scored", seconds=30)


def test_the_workers_enforce_retention(installation: Installation) -> None:
    """Texts go by the worker's ticks, also by terms that were written while it runs, and leave the files."""
    database = Database(installation.environment["ASSAY_DATABASE_URL"])
    old = utc_now() - timedelta(days=31)
    text = {"response": f"It is {CANARY}.", "contexts": [{"id": "0", "text": f"It is {CANARY}.", "score": None}]}
    store(database, *[new_sample(f"old-{n}", received_at=old, **text) for n in range(30)], new_sample("new"))
    database.close()
    installation.start("sidecar", "serve")
    installation.start("worker", "worker")
    installation.await_ready()
    wait_for(lambda: _status(installation, "old-29") == "scored")
    before = _rate(installation)
    policy = Path(installation.environment["ASSAY_POLICY_FILE"])
    policy.write_text(POLICY + "text_days = 30\n")
    wait_for(lambda: _kept(installation) == {"old": 30}, seconds=40)
    assert _rate(installation) == before
    wait_for(lambda: not _in_files(installation), seconds=30)


def _rate(installation: Installation) -> object:
    query = {"from": "2026-01-01T00:00:00Z", "to": "2036-01-01T00:00:00Z"}
    return httpx.get(f"{installation.base}/hallucination-rate", params=query, timeout=10).json()["buckets"]


def _kept(installation: Installation) -> dict[str, int]:
    with sqlite3.connect(_file(installation)) as raw:
        rows = raw.execute("SELECT substr(id, 1, 3), count(*) FROM samples WHERE kept = 'row' GROUP BY 1").fetchall()
    raw.close()
    return dict(rows)


def _in_files(installation: Installation) -> list[str]:
    file = _file(installation)
    return [p.name for p in file.parent.iterdir() if p.name.startswith(file.name) and CANARY.encode() in p.read_bytes()]


def test_purge_by_hand(installation: Installation) -> None:
    """It says what it would do, asks, does it, and leaves nothing in the files."""
    database = Database(installation.environment["ASSAY_DATABASE_URL"])
    text = {"response": f"It is {CANARY}.", "received_at": utc_now() - timedelta(days=31)}
    store(database, *[new_sample(f"s-{n}", tenant=f"t{n % 2}", **text) for n in range(10)], new_sample("new"))
    database.close()
    assert "give --older-than" in installation.assay("purge").stderr
    assert "Must be a whole number" in installation.assay("purge", "--older-than", "soon").stderr
    dry = installation.assay("purge", "--older-than", "30d", "--dry-run")
    assert "Would remove the texts of 10 samples; 10 of them are pending" in " ".join(dry.stdout.split())
    assert installation.assay("purge", "--older-than", "30d").returncode == 1  # nobody said yes
    assert _in_files(installation) != []
    one = installation.assay("purge", "--older-than", "30d", "--tenant", "t1", "--yes")
    assert "Removed the texts of 5 samples" in one.stdout
    rest = installation.assay("purge", "--older-than", "30d", "--rows", "--yes")
    assert "10 samples (5 still had texts or digests)" in " ".join(rest.stdout.split())
    assert _in_files(installation) == []
    assert json.loads(json.dumps(_kept(installation))) == {}


def test_check_shows_the_terms(installation: Installation) -> None:
    """`assay check` says in words what is kept of whose texts."""
    policy = Path(installation.environment["ASSAY_POLICY_FILE"])
    policy.write_text(POLICY + 'text_days = 30\n[privacy.tenants.acme]\nstore_text = "hash"\n')
    said = installation.assay("check", str(policy)).stdout
    for part in ("acme", "keyed digests", "30 days", "never", "email", "ASSAY_DIGEST_KEY", "ASSAY_POLICY_FILE"):
        assert part in said


def test_digests_without_a_key_refuse_the_start(installation: Installation) -> None:
    """The sidecar says which variable is missing, without a traceback."""
    policy = Path(installation.environment["ASSAY_POLICY_FILE"])
    policy.write_text('[privacy]\nstore_text = "hash"\n')
    done = installation.assay("serve", timeout=30)
    assert done.returncode == 2
    assert "ASSAY_DIGEST_KEY" in done.stderr
    assert "Traceback" not in done.stderr
