"""The client against a real sidecar: what is chosen is stored once, the rest is counted, whatever is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from assay_client import AssayClient, Settings
from sqlalchemy import select

from service.core.db import Database
from service.core.tables import samples
from service.sampling import position
from tests.servers import Installation, RedisServer, wait_for

pytestmark = pytest.mark.acceptance

RATE = 0.2
CONTEXT = "The kettle may be returned within thirty days."
QUICK = {"flush_interval_s": 0.05, "counts_interval_s": 0.2}


@pytest.fixture
def install(
    make_url: Callable[[str], str], redis_server: RedisServer, tmp_path: Path
) -> Iterator[Callable[..., Installation]]:
    """Starts a sidecar on SQLite, with a policy."""
    made: list[Installation] = []

    def start(policy: str, *workers: str) -> Installation:
        file = tmp_path / "policy.toml"
        file.write_text(f"[sampling]\n{policy}\n")
        installation = Installation(
            {
                "ASSAY_DATABASE_URL": make_url("sqlite"),
                "ASSAY_REDIS_URL": redis_server.url,
                "ASSAY_QUEUE_NAME": f"c-{tmp_path.name}"[:64],
                "ASSAY_POLICY_FILE": str(file),
                "ASSAY_SCORER": "fake",
                "ASSAY_FLUSH_INTERVAL_S": "0.2",
                "ASSAY_TICKER_INTERVAL_S": "0.5",
            }
        )
        made.append(installation)
        assert installation.assay("db", "upgrade").returncode == 0
        installation.start("sidecar", "serve")
        for worker in workers:
            installation.start(worker, "worker")
        installation.await_ready()
        return installation

    yield start
    for installation in made:
        installation.stop()


def client(installation: Installation, **settings: Any) -> AssayClient:
    return AssayClient(installation.base, settings=Settings(**{**QUICK, **settings}))


def stored(installation: Installation) -> list[str]:
    """The ids that have a row, sorted; one that is there twice is here twice."""
    database = Database(installation.environment["ASSAY_DATABASE_URL"])
    with database.read() as connection:
        ids = sorted(connection.execute(select(samples.c.id)).scalars())
    database.close()
    return ids


def counts(installation: Installation) -> dict[str, int]:
    answer = httpx.get(f"{installation.base}/hallucination-rate", timeout=20).raise_for_status().json()
    return dict(answer["buckets"][0]["counts"]) if answer["buckets"] else {}


@pytest.mark.parametrize("client_side", ["true", "false"])
def test_what_the_hash_chooses_is_stored_and_the_rest_is_counted(install: Any, client_side: str) -> None:
    """The rows are those of the hash, and the ledger has all others, whoever decides."""
    installation = install(f"rate = {RATE}\nclient_side = {client_side}")
    ids = [f"s-{number}" for number in range(1_000)]
    chosen = sorted(i for i in ids if position(i, "") < RATE)
    with client(installation) as assay:
        assert [assay.submit(id=i, response="Yes.", contexts=[CONTEXT], release="r1") for i in ids] == ids
        assert assay.flush(30)
        stats = assay.stats()
    assert stored(installation) == chosen
    expected = {"submitted": 1_000, "sampled_out": 1_000 - len(chosen), "pending": len(chosen)}
    wait_for(lambda: expected.items() <= counts(installation).items())
    delivered = len(chosen) if client_side == "true" else 1_000
    assert (stats.delivered, stats.sampled_out) == (delivered, 1_000 - delivered)


def test_a_sidecar_killed_in_midstream_costs_nothing(install: Any) -> None:
    """Killed with -9 three times while submissions come in: each id is stored exactly once, the rest is counted once."""
    installation = install(f"rate = {RATE}")
    ids = [f"s-{number}" for number in range(3_000)]
    chosen = sorted(i for i in ids if position(i, "") < RATE)
    with client(installation) as assay:
        for number, sample_id in enumerate(ids):
            assay.submit(id=sample_id, response="Yes.", contexts=[CONTEXT])
            if number % 1_000 == 500:
                installation.kill("sidecar")
                installation.start("sidecar", "serve")
            time.sleep(0.001)
        assert assay.flush(60)
        stats = assay.stats()
    assert stored(installation) == chosen
    assert (stats.dropped, stats.delivered, stats.sampled_out) == ({}, len(chosen), 3_000 - len(chosen))
    expected = {"submitted": 3_000, "sampled_out": 3_000 - len(chosen)}
    wait_for(lambda: expected.items() <= counts(installation).items())


def test_what_the_client_loses_widens_the_bounds(install: Any) -> None:
    """Submissions that a full buffer refused are unknown to the rate, and its worst-case bounds say so."""
    installation = install("rate = 1.0")
    with client(installation, buffer_items=10) as assay:
        taken = [assay.submit(response="Yes.", contexts=[CONTEXT]) for _ in range(50)]
        assert assay.flush(30)
        lost = taken.count(None)
        assert lost >= 40 - 10
        assert assay.stats().dropped == {"buffer_full": lost}

    def bucket() -> Any:
        answer = httpx.get(f"{installation.base}/hallucination-rate", timeout=20).json()
        return answer["buckets"] and answer["buckets"][0]["counts"]["submitted"] == 50 and answer["buckets"][0]

    counted = wait_for(bucket)["counts"]
    assert counted["dropped_by_client"] == lost


def test_a_guardrail_gets_its_score(install: Any) -> None:
    """With a worker at hand, score gives the verdict of each claim in time."""
    installation = install("rate = 0.0", "worker")
    with client(installation) as assay:
        result = wait_for(lambda: _scored(assay), seconds=30)
    assert result.flagged is not None
    assert [claim.text for claim in result.claims] == ["The kettle is made of gold."]


def _scored(assay: AssayClient) -> Any:
    result = assay.score(response="The kettle is made of gold.", contexts=[CONTEXT], wait=10)
    return result if result.status == "scored" else None


@pytest.mark.timed
def test_a_stopped_sidecar_blocks_nobody(install: Any) -> None:
    """With a sidecar that is frozen in the middle, submit is quick, score ends at its deadline, nothing is lost."""
    installation = install("rate = 1.0")
    with client(installation, request_timeout_s=1.0) as assay:
        assay.submit(id="before", response="Yes.", contexts=[CONTEXT])
        assert assay.flush(10)
        process = installation.processes["sidecar"]
        process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        ids = [assay.submit(id=f"s-{number}", response="Yes.", contexts=[CONTEXT]) for number in range(500)]
        result = assay.score(id="guard", response="Yes.", contexts=[CONTEXT], wait=0.5)
        elapsed = time.monotonic() - started
        process.send_signal(signal.SIGCONT)
        assert assay.flush(30)
    assert (result.status, elapsed < 1.5) == ("unavailable", True)
    assert set(stored(installation)) - {"guard"} == {"before", *ids}


def test_the_example_runs(install: Any) -> None:
    """The example application answers, and its answers reach Assay."""
    installation = install("rate = 1.0")
    example = Path(__file__).parents[2] / "client" / "examples" / "summariser.py"
    environment = {**os.environ, "SIDECAR_URL": installation.base}
    done = subprocess.run(
        [sys.executable, str(example), "--once"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(stored(installation)) == 2
    assert "summary" in done.stdout
