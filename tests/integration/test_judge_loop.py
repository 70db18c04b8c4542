"""A judge worker over a scripted endpoint: every review ends in a stated state, and the bill is the endpoint's own."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from models.types import Unscored, UnscoredReason
from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database
from service.core.judge_metrics import JudgeMetrics
from service.core.review_tables import CallState, Place, Reviewer, llm_calls
from service.core.reviewing.judge import PICO
from service.core.store.circuits import read_circuits
from service.core.store.removal import By, Depth, Removal, remove_batch
from service.core.store.spending import spent_on
from tests.integration.reviewing import end, reviewing_by, rows_of, written
from tests.integration.support import scored
from tests.servers import wait_for
from workers.judge.lanes import LaneMaker
from workers.judge.loop import JudgeLoop
from workers.judge.scenario import scenario_of
from workers.judge.scripted import ScriptedEndpoint
from workers.policy_file import PolicyFile
from workers.progress import Progress

UNSURE = scored(0.5)
POLICY = """
[judge]
url = "{url}"
allow_private = true
model = "scripted"
tenants = ["default"]
input_price = 1
output_price = 2
timeout_s = {limit_s}
attempts = 2
{more}
[spend]
cost = {cost}
"""
GENERATOR = """
[consistency.generator]
url = "{url}"
allow_private = true
model = "scripted"
tenants = ["default"]
input_price = 0
output_price = 0
rate = 1.0
samples = 3
"""

Judging = Callable[..., "Judge"]


class Judge:
    """A judge worker's loop in this process."""

    def __init__(self, database: Database, policy_file: PolicyFile) -> None:
        self.progress = Progress(None)
        self.metrics = JudgeMetrics()
        settings = Settings()
        self.loop = JudgeLoop(
            database=database,
            policy_file=policy_file,
            metrics=self.metrics,
            progress=self.progress,
            interval_s=0.1,
            stop_s=0.5,
            make_lane=LaneMaker(
                settings=settings, database=database, metrics=self.metrics, current=policy_file.read
            ).make,
        )
        self.loop.start()

    def stop(self) -> None:
        self.progress.request_stop()
        self.loop.join()


@pytest.fixture
def judging() -> Iterator[Callable[[Database, PolicyFile], Judge]]:
    started: list[Judge] = []

    def start(database: Database, policy_file: PolicyFile) -> Judge:
        started.append(Judge(database, policy_file))
        return started[-1]

    yield start
    for judge in started:
        judge.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "judge"]


def policy_of(
    folder: Path, endpoint: ScriptedEndpoint, *, cost: float = 100, limit_s: float = 20, more: str = "", after: str = ""
) -> PolicyFile:
    text = POLICY.format(url=endpoint.url, cost=cost, limit_s=limit_s, more=more) + after.replace("{url}", endpoint.url)
    return written(folder, text)


def all_ended(database: Database) -> bool:
    return all(row.state != "pending" for row in rows_of(database))


def booked(database: Database) -> tuple[int, int]:
    """Tokens in and out of the calls that were answered."""
    with database.read() as connection:
        sums = [func.coalesce(func.sum(llm_calls.c[name]), 0) for name in ("input_tokens", "output_tokens")]
        row = connection.execute(select(*sums).where(llm_calls.c.state == CallState.ANSWERED.value)).one()
    return int(row[0]), int(row[1])


def wait_until_ended(database: Database) -> list[Any]:
    wait_for(lambda: all_ended(database), seconds=60)
    return rows_of(database)


def test_every_review_ends_and_the_bill_is_the_endpoints(
    database: Database, tmp_path: Path, judging: Callable[..., Judge]
) -> None:
    """Some samples hang, some fail, some are answered with nonsense: each ends as what it was, and is paid for once."""
    rules = [
        {"contains": f"s{n}.", "behaviour": b} for n, b in enumerate(("hang", "server_error", "garbage", "unverified"))
    ]
    with ScriptedEndpoint(scenario_of({"rule": rules})) as endpoint:
        policy = policy_of(tmp_path, endpoint, limit_s=2)  # for the one that hangs
        end(database, reviewing_by(policy), [UNSURE] * 8)
        judging(database, policy)
        rows = wait_until_ended(database)
        ends = {row.sample: (row.state, row.state_reason) for row in rows}
        assert ends == {
            "s0": ("unscored", "judge_unavailable"),
            "s1": ("unscored", "judge_unavailable"),
            "s2": ("unscored", "judge_unparseable"),
            "s3": ("unscored", "judge_unverified"),
            **{f"s{n}": ("scored", None) for n in range(4, 8)},
        }
        assert {row.attributes["failure"] for row in rows if row.state_reason == "judge_unavailable"} == {
            "timed_out",
            "server_error",
        }
        counts = endpoint.counts()
        assert booked(database) == (counts["prompt_tokens"], counts["completion_tokens"])
        assert sum(row.calls for row in rows) == counts["requests"] == 2 + 2 + 2 + 2 + 4
    with database.read() as connection:
        assert spent_on(connection, "default", utc_now()) == sum(row.cost_pico for row in rows)
    assert next(row for row in rows if row.sample == "s2").transcript[0]["reply"]
    assert next(row for row in rows if row.sample == "s2").score is None


def test_the_limit_holds(database: Database, tmp_path: Path, judging: Callable[..., Judge]) -> None:
    """With money for few calls the others end as such, unsent; at no time is more spent than allowed."""
    with ScriptedEndpoint(scenario_of({"shares": {"slow": 1.0}, "slow_s": 0.3})) as endpoint:
        end(database, reviewing_by(policy_of(tmp_path, endpoint)), [UNSURE] * 6)
        policy = policy_of(tmp_path, endpoint, cost=0.012)
        judging(database, policy)
        rows = wait_until_ended(database)
        requests = endpoint.counts()["requests"]
    reasons = [row.state_reason for row in rows]
    assert 0 < reasons.count(None) < 6
    assert set(reasons) == {None, "spend_limit"}
    assert requests == reasons.count(None)
    with database.read() as connection:
        assert spent_on(connection, "default", utc_now()) <= 0.012 * PICO


def test_an_endpoint_that_is_down_opens_the_circuit_and_the_rest_waits(
    database: Database, tmp_path: Path, judging: Callable[..., Judge]
) -> None:
    """After some failures nothing is sent any more; what was not begun waits, and everybody can see why."""
    with ScriptedEndpoint(scenario_of({"shares": {"server_error": 1.0}})) as endpoint:
        policy = policy_of(tmp_path, endpoint, more="concurrency = 2")
        end(database, reviewing_by(policy), [UNSURE] * 40)
        judge = judging(database, policy)

        def is_open() -> bool:
            with database.read() as connection:
                return any(each.state != "closed" for each in read_circuits(connection, utc_now()))

        wait_for(is_open, seconds=60)
        with database.read() as connection:
            [circuit] = read_circuits(connection, utc_now())
        assert (circuit.reason, circuit.endpoint.split(" ")[0]) == ("server_error", "judge")
        assert endpoint.counts()["requests"] <= 20
        assert sum(row.state == "pending" for row in rows_of(database)) >= 30
        judge.stop()
    with database.read() as connection:
        assert read_circuits(connection, utc_now()) == []


def test_votes_are_counted_with_their_variance(
    database: Database, tmp_path: Path, judging: Callable[..., Judge]
) -> None:
    """Three replies to one sample: three calls, one score, and how far they differ."""
    with ScriptedEndpoint(scenario_of({"waver": 0.5})) as endpoint:
        policy = policy_of(tmp_path, endpoint, more="votes = 3\ntemperature = 0.7\nseed = 1")
        end(database, reviewing_by(policy), [UNSURE] * 6)
        judging(database, policy)
        rows = wait_until_ended(database)
    assert {(row.state, row.votes, row.calls) for row in rows} == {("scored", 3, 3)}
    assert all(0 <= row.variance <= 0.25 for row in rows)
    assert any(row.variance > 0 for row in rows)


def test_alternatives_are_drawn_and_passed_on(
    database: Database, tmp_path: Path, judging: Callable[..., Judge]
) -> None:
    """Drawn responses lie ready for a worker with an NLI model, under the same review."""
    with ScriptedEndpoint() as endpoint:
        policy = policy_of(tmp_path, endpoint, more="cascade = { band = [0.0, 0.1], floor = 0.0 }", after=GENERATOR)
        end(database, reviewing_by(policy), [UNSURE], question="Which colour?")
        judging(database, policy)
        wait_for(lambda: [row.place for row in rows_of(database)] == [Place.LOCAL.value], seconds=60)
    [row] = rows_of(database)
    assert (row.reviewer, row.why, row.state) == (Reviewer.CONSISTENCY.value, "drawn", "pending")
    assert len(row.drawn) == 3
    assert all(each["text"] and each["likelihood"] <= 0 for each in row.drawn)


def test_a_stop_gives_back_what_is_under_way(database: Database, tmp_path: Path, judging: Callable[..., Judge]) -> None:
    """A worker that is told to stop in the midst of a call leaves the review for the next one, untouched."""
    with ScriptedEndpoint(scenario_of({"shares": {"hang": 1.0}})) as endpoint:
        policy = policy_of(tmp_path, endpoint, limit_s=60, more="wait_s = 60")
        end(database, reviewing_by(policy), [UNSURE])
        judge = judging(database, policy)
        wait_for(lambda: endpoint.counts()["open"] == 1, seconds=60)
        judge.stop()
    [row] = rows_of(database)
    assert (row.state, row.failures, row.lease_until) == ("pending", 0, None)


def test_what_the_first_scorer_cannot_read_the_judge_can(
    database: Database, tmp_path: Path, judging: Callable[..., Judge]
) -> None:
    """A sample without a first score is judged all the same."""
    with ScriptedEndpoint() as endpoint:
        policy = policy_of(tmp_path, endpoint)
        end(database, reviewing_by(policy), [Unscored(reason=UnscoredReason.LANGUAGE)])
        judging(database, policy)
        [row] = wait_until_ended(database)
    assert (row.state, row.why) == ("scored", "band")


def test_a_tenant_that_opts_out_is_not_sent(
    database: Database, tmp_path: Path, judging: Callable[[Database, PolicyFile], Judge]
) -> None:
    """What waits when the policy stops naming its tenant ends unsent, whatever a worker finds first."""
    with ScriptedEndpoint() as endpoint:
        end(database, reviewing_by(policy_of(tmp_path, endpoint)), [UNSURE] * 4)
        text = Path(policy_of(tmp_path, endpoint)._path).read_text().replace('["default"]', '["other"]')
        judging(database, written(tmp_path, text))
        rows = wait_until_ended(database)
        assert endpoint.counts()["requests"] == 0
    assert {row.state_reason for row in rows} == {"turned_off"}


@pytest.mark.parametrize("how", ["erased", "opted out"])
def test_no_further_call_is_made_of_what_must_not_be_sent_any_more(
    database: Database, tmp_path: Path, judging: Callable[[Database, PolicyFile], Judge], how: str
) -> None:
    """The call under way cannot be taken back; the next vote of the same sample is not asked for."""
    with ScriptedEndpoint(scenario_of({"shares": {"slow": 1.0}, "slow_s": 0.6})) as endpoint:
        policy = policy_of(tmp_path, endpoint, more="votes = 5\ntemperature = 0.5")
        text = Path(policy._path).read_text()
        end(database, reviewing_by(policy), [UNSURE])
        judging(database, policy)
        wait_for(lambda: endpoint.counts()["requests"] == 1, seconds=60)
        if how == "erased":
            removal = Removal(tenant="default", depth=Depth.TEXTS, by=By.REQUEST)
            with database.write() as connection:
                remove_batch(connection, removal, utc_now(), 10)
        else:
            written(tmp_path, text.replace('["default"]', '["other"]'))
        wait_until_ended(database)
        time.sleep(1.5)  # in which a second vote would have come
        assert endpoint.counts()["requests"] == 1
    [row] = rows_of(database)
    assert (row.state, row.state_reason) == ("unscored", "erased" if how == "erased" else "turned_off")
