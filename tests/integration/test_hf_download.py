"""Downloading a model: from a mirror, nothing but what is read, and once."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkpoints import save_checkpoint
from tests.mirror import COMMIT, Mirror

PROGRAM = """
import json, sys
from models.load import ScorerConfig, load_scorer
scorer = load_scorer(ScorerConfig(model="tests/tiny", revision=sys.argv[1], threshold="balanced"))
print(json.dumps({**scorer.attributes, "fingerprint": scorer.fingerprint}))
"""


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    """A model with what repositories also hold: pickled weights, code, a read-me."""
    folder = save_checkpoint(tmp_path / "repository", "bert")
    for name in ("pytorch_model.bin", "modeling.py", "README.md"):
        (folder / name).write_text("not to be fetched")
    mirror = Mirror(folder)
    mirror.start()
    yield mirror
    mirror.stop()


def load(mirror: Mirror, home: Path, revision: str = "") -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    environment |= {"HF_ENDPOINT": mirror.url, "HF_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, revision], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def test_a_model_is_fetched_from_a_mirror(mirror: Mirror, tmp_path: Path) -> None:
    """Weights, configuration and tokenizer come from HF_ENDPOINT; pickles and code are not even fetched."""
    loaded = load(mirror, tmp_path / "home")
    assert (loaded["model"], loaded["revision"]) == ("tests/tiny", COMMIT)
    fetched = {path.rsplit("/", 1)[1] for path in mirror.asked if "/resolve/" in path}
    assert fetched == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def test_a_fetched_model_needs_no_network(mirror: Mirror, tmp_path: Path) -> None:
    """Once it is in the cache, the same scorer loads with the hub away, by its commit and by name."""
    fetched = load(mirror, tmp_path / "home", COMMIT)
    by_name = load(mirror, tmp_path / "home")
    mirror.stop()
    assert load(mirror, tmp_path / "home", COMMIT) == fetched == by_name
    assert load(mirror, tmp_path / "home") == fetched
