"""Golden runs through real processes: sent to a sidecar, scored by workers that are killed meanwhile."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.servers import Installation, RedisServer, wait_for

pytestmark = pytest.mark.acceptance

ITEMS = 60
KILLS = 4
POISON = 17
CONTEXT = "The kettle may be returned within thirty days. The blue model boils two litres of water."


@pytest.fixture
def installation(make_url: Callable[[str], str], redis_server: RedisServer, tmp_path: Path) -> Iterator[Installation]:
    """On PostgreSQL, where two workers do write at the same time."""
    made = Installation(
        {
            "ASSAY_DATABASE_URL": make_url("postgresql"),
            "ASSAY_REDIS_URL": redis_server.url,
            "ASSAY_QUEUE_NAME": f"q-{tmp_path.name}"[:64],
            "ASSAY_SCORER": "fake",
            "ASSAY_LEASE_S": "2",
            "ASSAY_TICKER_INTERVAL_S": "0.5",
        }
    )
    assert made.assay("db", "upgrade").returncode == 0
    made.start("sidecar", "serve")
    made.start("worker-1", "worker")
    made.start("worker-2", "worker")
    made.await_ready()
    yield made
    made.stop()


def _item(number: int) -> dict[str, Any]:
    """The odd ones are hallucinated; one makes the scorer fail on all that is scored with it."""
    text = "It is made of solid gold." if number % 2 else "The kettle may be returned within thirty days."
    directive = "[[fake:raise]]" if number == POISON else "[[fake:slow=0.1]]"
    return {
        "id": f"i-{number}",
        "question": f"Question {number}?",
        "contexts": [{"id": "0", "text": CONTEXT}],
        "response": f"{text} {directive}",
        "hallucinated": number % 2 == 1,
    }


def _kill_a_worker(installation: Installation, chance: random.Random) -> None:
    """Kill -9 of a child, which its parent starts again, or of a parent, which is started again here."""
    name = chance.choice(["worker-1", "worker-2"])
    with suppress(psutil.Error):
        parent = psutil.Process(installation.processes[name].pid)
        if chance.random() < 0.5:
            for child in parent.children():
                child.send_signal(signal.SIGKILL)
            return
    installation.kill(name)
    installation.start(name, "worker")


def test_every_answer_ends_once(installation: Installation) -> None:
    """Workers killed again and again: each answer has the end that it has without, the run ends, and stays as it is."""
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")  # noqa: T201 - shown by pytest when the test fails
    chance = random.Random(seed)
    body = {"id": "r", "set": "kettles", "target": "scorer", "items": [_item(n) for n in range(ITEMS)]}
    with httpx.Client(base_url=installation.base, timeout=20) as client:

        def told(query: str = "") -> dict[str, Any]:
            answer: dict[str, Any] = client.get(f"/golden-runs/r{query}").raise_for_status().json()
            return answer

        for _ in range(2):  # a client that saw no answer sends it again
            assert client.post("/golden-runs", json=body).status_code == 202
        held_back = []
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 0.9))
            _kill_a_worker(installation, chance)
            held_back.append(told()["answers"]["pending"])
        assert held_back[0] > 0  # the kills came while there was something to lose
        wait_for(lambda: told()["state"] == "finished", seconds=60, every=0.2)
        ended = told("?record=true")
        time.sleep(1.5)
        assert told("?record=true") == ended
    assert ended["answers"] == {"pending": 0, "scored": ITEMS - 1, "not_applicable": 0, "unscored": 1, "failed": 0}
    answers = {each["item"]["id"]: each["answers"] for each in ended["record"]["items"]}
    assert {len(given) for given in answers.values()} == {1}
    assert answers[f"i-{POISON}"][0]["reason"] == "failed_alone"
    flagged = {name: given[0]["flagged"] for name, given in answers.items() if name != f"i-{POISON}"}
    assert flagged == {f"i-{n}": n % 2 == 1 for n in range(ITEMS) if n != POISON}
    assert len(ended["scored_by"]) == 1
    known = ended["record"]["known_answers"]  # a worker asks its scorer before it takes any answer
    assert (known["hallucinated"]["items"], known["supported"]) == (20, {"items": 20, "right": 20, "unknown": 0})
    assert ended["record"]["runtime"] == {"backend": "fake"}
