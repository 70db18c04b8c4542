"""Alerts with real processes: workers are killed at random moments, and everybody is told all the same, in order."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.receiver import Receiver
from tests.servers import Installation, wait_for

pytestmark = pytest.mark.acceptance

RULE = """
[sampling]
rate = 1

[[alerts]]
name = "made-up"
metric = "flagged_rate"
above = 0.2
group_by = ["route"]
for = "2s"
keep_firing_for = "0s"
"""
CONTEXT = "The kettle may be returned within thirty days. The blue model boils two litres of water."
KILLS = 6


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def installation(tmp_path: Path, make_url: Callable[[str], str], receiver: Receiver) -> Iterator[Installation]:
    """A sidecar and two workers that look at the rules twice a second."""
    policy = tmp_path / "policy.toml"
    policy.write_text(RULE + _sink(receiver))
    running = Installation(
        {
            "ASSAY_DATABASE_URL": make_url("postgresql"),
            "ASSAY_REDIS_URL": "redis://127.0.0.1:1/0",
            "ASSAY_SCORER": "fake",
            "ASSAY_POLICY_FILE": str(policy),
            "ASSAY_ALERT_INTERVAL_S": "0.5",
            "ASSAY_TICKER_INTERVAL_S": "0.3",
        }
    )
    assert running.assay("db", "upgrade").returncode == 0
    yield running
    running.stop()


def _sink(receiver: Receiver) -> str:
    url = f"http://127.0.0.1:{receiver.port}/hook"
    return f'\n[[sinks]]\nname = "hook"\ntype = "webhook"\nurl = "{url}"\nallow_private = true\n'


def _send(installation: Installation, prefix: str, route: str, response: str, count: int) -> None:
    items = [{"id": f"{prefix}-{n}", "contexts": [CONTEXT], "response": response, "route": route} for n in range(count)]
    assert httpx.post(f"{installation.base}/score/batch", json=items, timeout=30).is_success


def _alerts(installation: Installation) -> dict[str, str]:
    answer = httpx.get(f"{installation.base}/alerts", timeout=10).json()
    return {alert["group"]["route"]: alert["state"] for alert in answer["alerts"] if alert["group"]}


def _events(installation: Installation) -> list[tuple[str, str, str]]:
    """Route, event and what became of telling the sink, oldest first."""
    events = httpx.get(f"{installation.base}/alerts/history", timeout=10).json()["events"]
    return [
        (each["notice"]["group"].get("route"), each["notice"]["event"], delivery["state"])
        for each in reversed(events)
        for delivery in each["deliveries"]
    ]


def test_everybody_is_told_whoever_is_killed(installation: Installation, receiver: Receiver) -> None:
    """Each route that goes bad is told at least once, and its end after it; each was decided exactly once."""
    installation.start("sidecar", "serve")
    for name in ("w0", "w1"):
        installation.start(name, "worker")
    installation.await_ready()
    receiver.status = 503  # the sink is down, so that there is something to lose
    chance = random.Random(7)
    _send(installation, "good", "good", "The kettle may be returned within thirty days.", 60)
    for number in range(KILLS):
        _send(installation, f"bad{number}", f"bad{number}", "It is made of solid gold.", 60)
        time.sleep(chance.uniform(0.3, 2.0))
        name = f"w{number % 2}"
        installation.kill(name)
        installation.start(name, "worker")
    expected = {f"bad{number}": "firing" for number in range(KILLS)} | {"good": "ok"}
    receiver.status = 200
    wait_for(lambda: _alerts(installation) == expected, seconds=90)
    Path(installation.environment["ASSAY_POLICY_FILE"]).write_text(_sink(receiver))  # the rule goes
    wait_for(lambda: _alerts(installation) == {}, seconds=60)
    wait_for(lambda: {state for *_, state in _events(installation)} == {"delivered"}, seconds=90)
    for route in (f"bad{number}" for number in range(KILLS)):
        assert [event for group, event, _ in _events(installation) if group == route] == ["firing", "resolved"]
        order = [each.json["event"] for each in receiver.came.copy() if each.json["group"]["route"] == route]
        assert order.index("resolved") > order.index("firing")
        assert "firing" not in order[order.index("resolved") :]
