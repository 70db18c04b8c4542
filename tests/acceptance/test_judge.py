"""The judge's money and verdicts with real processes: killed with -9 in the midst of calls, nothing is lost or ended twice."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import func, select

from service.core.clock import utc_now
from service.core.db import Database
from service.core.review_tables import CallState, llm_calls, reviews
from service.core.store.spending import spent_on
from service.core.tables import State
from tests.servers import Installation, RedisServer, wait_for
from workers.judge.scenario import scenario_of
from workers.judge.scripted import ScriptedEndpoint

pytestmark = pytest.mark.acceptance

SENT = 150
KILLS = 4
POLICY = """
[sampling]
rate = 1.0
[judge]
url = "{url}"
allow_private = true
model = "scripted"
tenants = ["default"]
input_price = 1
output_price = 4
timeout_s = 2.0
attempts = 1
concurrency = 8
cascade = {{ band = [0.0, 1.0] }}
[spend]
cost = 1000
"""
SHARES = {"hang": 0.05, "server_error": 0.10, "garbage": 0.05, "slow": 0.8}
KNOWN = {None, "judge_unavailable", "judge_unparseable", "failed_alone"}


@dataclass
class Site:
    """An installation with a judge, and the endpoint that it calls."""

    installation: Installation
    endpoint: ScriptedEndpoint
    database: Database


@pytest.fixture(params=["sqlite", "postgresql"])
def site(
    request: pytest.FixtureRequest, make_url: Callable[[str], str], servers_folder: Path, tmp_path: Path
) -> Iterator[Site]:
    own = servers_folder / f"judge-{request.param}"
    own.mkdir()
    redis = RedisServer(own)
    redis.start()
    url = make_url(request.param)
    policy = tmp_path / "policy.toml"
    with ScriptedEndpoint(scenario_of({"seed": 3, "slow_s": 0.2, "shares": SHARES})) as endpoint:
        policy.write_text(POLICY.format(url=endpoint.url))
        installation = Installation(
            {
                "ASSAY_DATABASE_URL": url,
                "ASSAY_REDIS_URL": redis.url,
                "ASSAY_POLICY_FILE": str(policy),
                "ASSAY_SCORER": "fake",
                "ASSAY_TICKER_INTERVAL_S": "0.5",
            }
        )
        installation.assay("db", "upgrade")
        installation.start("sidecar", "serve")
        installation.await_ready()
        installation.start("worker", "worker")
        installation.start("judge", "judge", "worker")
        database = Database(url)
        try:
            yield Site(installation, endpoint, database)
        finally:
            database.close()
            installation.stop()
            redis.kill()


def send(base: str) -> None:
    items = [
        {
            "id": f"s-{n}",
            "question": "What of the kettle?",
            "contexts": ["The kettle may be returned within thirty days."],
            "response": f"The kettle number {n} may be returned within thirty days.",
        }
        for n in range(SENT)
    ]
    assert httpx.post(f"{base}/score/batch", json=items, timeout=30).status_code == 200


def kill_judge(site: Site, chance: random.Random) -> None:
    """Kill -9 of the child alone, which its parent starts again, or of the parent, which is started again here."""
    parent = psutil.Process(site.installation.processes["judge"].pid)
    if chance.random() < 0.5:
        for child in parent.children():
            with suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGKILL)
    else:
        site.installation.kill("judge")
        site.installation.start("judge", "judge", "worker")


def count(database: Database, *conditions: object) -> int:
    with database.read() as connection:
        statement = select(func.count()).select_from(reviews).where(*conditions)  # type: ignore[arg-type]
        return int(connection.execute(statement).scalar_one())


def test_killed_in_the_midst_of_calls(site: Site) -> None:
    """Each sample has one review with one stated end; no call was made that was not booked before; sums agree."""
    chance = random.Random(5)
    send(site.installation.base)
    for _ in range(KILLS):
        time.sleep(chance.uniform(1.0, 1.8))
        kill_judge(site, chance)
    wait_for(
        lambda: count(site.database) == SENT and count(site.database, reviews.c.state == State.PENDING) == 0,
        seconds=90,
        every=0.3,
    )
    with site.database.read() as connection:
        rows = connection.execute(select(reviews)).all()
        calls = connection.execute(select(llm_calls)).all()
        spent = spent_on(connection, "default", utc_now())
    counts = site.endpoint.counts()
    assert len({row.sample_seq for row in rows}) == len(rows) == SENT
    ends = Counter(row.state_reason for row in rows)
    assert set(ends) <= KNOWN
    assert ends[None] > 0.6 * SENT
    assert ends["judge_unparseable"] > 0
    assert all((row.score is None) is (row.state != State.SCORED) for row in rows)
    # Booked before it was sent: the endpoint never saw a call that is not in the table.
    assert counts["requests"] <= len(calls)
    assert spent == sum(call.cost_pico for call in calls)
    answered = [call for call in calls if call.state == CallState.ANSWERED]
    # A killed worker may leave calls that were answered and never settled: those are open, at the most they can cost.
    unsettled = [call for call in calls if call.state in {CallState.OPEN, CallState.UNKNOWN}]
    assert sum(call.input_tokens for call in answered) <= counts["prompt_tokens"]
    assert len(answered) + len(unsettled) >= counts["answered"]
    with httpx.Client(base_url=site.installation.base) as client:
        shown = client.get("/judge").json()
        sample = client.get("/score/s-1").json()
    assert sum(each["reviews"] for each in shown["reviews"]) == SENT
    assert sum(each["calls"] for each in shown["spent"]) == len(calls)
    assert shown["spent_today"] == pytest.approx(spent / 10**12)
    assert [each["reviewer"] for each in sample["reviews"]] == ["judge"]
    assert sample["judge_probability"] == 1.0
