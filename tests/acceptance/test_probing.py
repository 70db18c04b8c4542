"""Probes in real worker processes: rounds are written while samples are scored, and a kill loses the round at most."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from service.core.clock import EPOCH, utc_now
from service.core.db import Database, upgrade
from service.core.golden.probes import ProbeRound
from service.core.store.probes import read_rounds
from tests.integration.probing import probe_set
from tests.integration.support import new_sample, states, store
from tests.servers import RedisServer, free_port, wait_for

pytestmark = pytest.mark.acceptance

INTERVAL_S = 0.5
CONTEXT = "The kettle is blue and boils two litres of water."
# Another set than the shipped one, whose content is not this test's business.
WORKER = """
import sys
from pathlib import Path
from service.core.golden import sets
sets.FOLDER = Path(sys.argv.pop(1))
from workers.child import main
sys.exit(main())
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, make_url: Callable[[str], str]) -> str:
    return make_url(request.param)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = Database(url)
    upgrade(made)
    yield made
    made.close()


def write_set(folder: Path, slow: str = "") -> None:
    """Ten items that the fake scorer gets right."""
    (folder / "probes").mkdir()
    items = [
        each.model_copy(
            update={
                "contexts": (each.contexts[0].model_copy(update={"text": CONTEXT}),),
                "response": f"{'Gold statues sing loudly.' if each.hallucinated else 'The kettle is blue.'} {slow}".strip(),
            }
        )
        for each in probe_set().items
    ]
    lines = "\n".join(each.model_dump_json() for each in items)
    (folder / "probes" / "items.jsonl").write_text(lines + "\n", encoding="utf-8")


class Worker:
    """A worker process without a parent."""

    def __init__(self, folder: Path, url: str, redis_url: str) -> None:
        self.port = free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
        environment = {
            **kept,
            "ASSAY_DATABASE_URL": url,
            "ASSAY_REDIS_URL": redis_url,
            "ASSAY_QUEUE_NAME": f"q-{folder.name}"[:64],
            "ASSAY_SCORER": "fake",
            "ASSAY_LEASE_S": "2",
            "ASSAY_TICKER_INTERVAL_S": "0.1",
            "ASSAY_PROBE_INTERVAL_S": str(INTERVAL_S),
            "ASSAY_WORKER_METRICS_PORT": str(self.port),
            "ASSAY_LOG_LEVEL": "WARNING",
        }
        command = [sys.executable, "-c", WORKER, str(folder)]
        self.process = subprocess.Popen(command, env=environment)

    def metrics(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5).text

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


Start = Callable[[], Worker]


@pytest.fixture
def start(tmp_path: Path, url: str, database: Database, redis_server: RedisServer) -> Iterator[Start]:
    del database  # it has the schema
    made: list[Worker] = []

    def run() -> Worker:
        made.append(Worker(tmp_path, url, redis_server.url))
        return made[-1]

    yield run
    for worker in made:
        worker.process.terminate()
    for worker in made:
        worker.process.wait(30)


def rounds(database: Database) -> list[ProbeRound]:
    with database.read() as connection:
        return read_rounds(connection, EPOCH)


def test_rounds_come_and_samples_too(start: Start, database: Database, tmp_path: Path) -> None:
    """Two workers write round after round, all right, while every sample is scored once."""
    write_set(tmp_path)
    workers = [start(), start()]
    for number in range(30):
        store(database, new_sample(f"s-{number}", received_at=utc_now()))
        time.sleep(0.05)
    wait_for(lambda: {state for state, _ in states(database).values()} == {"scored"})
    wait_for(lambda: len(rounds(database)) >= 8 and len({made.worker for made in rounds(database)}) == 2)
    assert {(made.right, made.wrong, made.unknown) for made in rounds(database)} == {(10, 0, 0)}
    for worker in workers:
        text = worker.metrics()
        assert 'assay_probe_items{result="right"} 10.0' in text
        assert 'assay_probe_rounds_total{result="done"}' in text


def test_a_kill_loses_the_round_at_most(start: Start, database: Database, tmp_path: Path) -> None:
    """Kill -9 in the midst of rounds: no half of one is written, no sample is lost, and the next process goes on."""
    write_set(tmp_path, slow="[[fake:slow=0.2]]")  # a round takes two seconds
    before = -1
    for number in range(3):
        worker = start()
        wait_for(lambda before=before: len(rounds(database)) > before)
        store(database, new_sample(f"s-{number}", received_at=utc_now()))
        time.sleep(1.0)  # the next round is under way
        worker.kill()
        before = len(rounds(database))
    start()
    wait_for(lambda: len(rounds(database)) > before)
    wait_for(lambda: {state for state, _ in states(database).values()} == {"scored"})
    assert len(states(database)) == 3
    assert {(made.right, len(made.scores)) for made in rounds(database)} == {(10, 10)}
