"""Real processes with a Hugging Face model in place of the bundled one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.checkpoints import save_checkpoint
from tests.servers import Installation, RedisServer, wait_for

pytestmark = pytest.mark.acceptance


@pytest.fixture
def installation(make_url: Callable[[str], str], redis_server: RedisServer, tmp_path: Path) -> Iterator[Installation]:
    """Not yet started; every submission is sampled, scored by a tiny model of two labels."""
    policy = tmp_path / "policy.toml"
    policy.write_text("[sampling]\nrate = 1.0\n")
    made = Installation(
        {
            "ASSAY_DATABASE_URL": make_url("sqlite"),
            "ASSAY_REDIS_URL": redis_server.url,
            "ASSAY_QUEUE_NAME": f"q-{tmp_path.name}"[:64],
            "ASSAY_POLICY_FILE": str(policy),
            "ASSAY_NLI_MODEL": str(save_checkpoint(tmp_path / "tiny", "roberta", ("hallucinated", "consistent"))),
            "HF_HUB_OFFLINE": "1",
        }
    )
    yield made
    made.stop()


def test_a_worker_scores_with_another_model(installation: Installation) -> None:
    """A submission is scored by the model of the setting, which is named beside the score."""
    installation.environment["ASSAY_THRESHOLD"] = "balanced"
    assert installation.assay("db", "upgrade").returncode == 0
    installation.start("sidecar", "serve")
    installation.start("worker", "worker")
    installation.await_ready()
    body = {"id": "a", "contexts": ["The kettle is blue."], "response": "The kettle is blue. It is 🫖 hot."}
    assert httpx.post(f"{installation.base}/score", json=body, timeout=10).status_code == 202
    url = f"{installation.base}/score/a"
    wait_for(lambda: httpx.get(url, timeout=10).json()["status"] == "scored", seconds=120, every=0.5)
    answer = httpx.get(url, timeout=10).json()
    assert (answer["threshold"], len(answer["claims"])) == (0.5, 2)
    assert answer["scores"][0]["attributes"]["model"] == "tiny"
    for claim in answer["claims"]:
        assert 0 < claim["probability"]["entailment"] < 1
        assert (claim["probability"]["neutral"], claim["probability"]["contradiction"]) == (None, None)
        assert claim["evidence"]["text"] == "The kettle is blue."


def test_a_worker_without_a_known_threshold_says_so(installation: Installation) -> None:
    """With the default threshold and no calibration the worker does not start, and names both ways out."""
    assert installation.assay("db", "upgrade").returncode == 0
    done = installation.assay("worker")
    assert done.returncode == 78
    assert "ASSAY_THRESHOLD" in done.stderr
    assert "assay calibrate" in done.stderr
