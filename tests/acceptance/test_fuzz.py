"""The sidecar answers what its document says, whatever is sent; a short run of what `make fuzz` does at length."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.fuzzing import answered, decided, fuzz
from tests.servers import Installation, wait_for

pytestmark = pytest.mark.acceptance

ROUNDS_S = (12, 30, 90)  # the later ones where a machine is so busy that the fuzzer hardly starts in the earlier
LEAST_REQUESTS = 150


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    policy = tmp_path / "policy.toml"
    policy.write_text('[sampling]\nrate = 0.5\n[[alerts]]\nname = "0"\nmetric = "flagged_rate"\nabove = 0.5\n')
    made = Installation(
        {
            "ASSAY_DATABASE_URL": f"sqlite:///{tmp_path}/assay.db",
            "ASSAY_REDIS_URL": f"unix://{tmp_path}/none.sock",
            "ASSAY_SCORER": "fake",
            "ASSAY_TICKER_INTERVAL_S": "0.1",
            "ASSAY_POLICY_FILE": str(policy),
            "ASSAY_FLUSH_INTERVAL_S": "0.1",
        }
    )
    assert made.assay("db", "upgrade").returncode == 0
    made.start("sidecar", "serve")
    made.start("worker", "worker")
    made.await_ready()
    yield made
    made.stop()


def test_answers_are_as_documented(installation: Installation, tmp_path: Path) -> None:
    """Statuses, content types, headers and bodies are documented; none is 5xx; afterwards counts add up."""
    for seconds in ROUNDS_S:
        done = fuzz(installation.base, tmp_path, seconds=seconds)
        assert done.returncode == 0, done.stdout[-8_000:]
        statuses = answered(installation.base)
        if sum(statuses.values()) >= LEAST_REQUESTS:
            break
    assert sum(statuses.values()) >= LEAST_REQUESTS
    assert [key for key in statuses if key[1] >= 500] == []
    wait_for(lambda: _counts_add_up(installation.base))


def _counts_add_up(base: str) -> bool:
    answer = httpx.get(f"{base}/hallucination-rate?window=8d", timeout=10).raise_for_status().json()
    decisions = decided(base)
    counts = answer["buckets"][0]["counts"]
    return bool(
        counts["submitted"] == sum(decisions.values()) - decisions["duplicate"]
        and counts["dropped_by_client"] == decisions["dropped_by_client"]
        and counts["sampled_out"] == decisions["sampled_out"] + decisions["forced"]
        and counts["duplicate"] == decisions["duplicate"]
    )
