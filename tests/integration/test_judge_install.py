"""The judge's image: a judge worker needs its own extra alone, no model runtime."""

import subprocess
import sys
from pathlib import Path

from tests.integration.reviewing import JUDGE
from tests.integration.test_light_install import HIDDEN, HIDING

OWN = {"openai", "sentencex"}
LANE = """
from pathlib import Path
from service.core.config import Settings
from service.core.db import Database
from service.core.judge_metrics import JudgeMetrics
from service.core.policy import read_policy
from service.core.review_tables import Reviewer
from workers.judge import child
from workers.judge.lanes import LaneMaker

policy = read_policy(Path("policy.toml"))
maker = LaneMaker(settings=Settings(), database=Database("sqlite:///x"), metrics=JudgeMetrics(), current=lambda: policy)
print(maker.make(policy, Reviewer.JUDGE).caller.name)
"""


def test_a_judge_worker_needs_its_own_extra_alone(tmp_path: Path) -> None:
    """Everything that it runs can be imported, and its lane made, where no other extra is installed."""
    (tmp_path / "policy.toml").write_text(JUDGE, encoding="utf-8")
    hiding = HIDING.replace(repr(HIDDEN), repr([name for name in HIDDEN if name not in OWN]))
    assert hiding != HIDING
    command = [sys.executable, "-c", hiding + LANE]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (told.returncode, told.stdout, told.stderr) == (0, "judge 127.0.0.1:9\n", "")
