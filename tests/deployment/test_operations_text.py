"""docs/operations.md: every metric, setting, command and file it names exists, and it leaves out no metric."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from service.collectors.names import GAUGES
from service.core.config import Settings
from service.core.judge_metrics import JudgeMetrics
from service.core.metrics import SidecarMetrics, WorkerMetrics
from tests.deployment.support import ROOT, compose
from workers.cli import app

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def _metrics() -> set[str]:
    families = [
        family for made in (SidecarMetrics(), WorkerMetrics(), JudgeMetrics()) for family in made.registry.collect()
    ]
    own = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    return own | set(GAUGES)


def _commands() -> set[str]:
    root: Any = typer.main.get_command(app)
    found = set()
    for name in root.list_commands(None):
        command = root.get_command(None, name)
        found |= {name} | {f"{name} {inner}" for inner in getattr(command, "commands", {})}
    return found


def test_metrics_are_those_of_the_code() -> None:
    """The table of alarms has every metric and no other."""
    assert len(_metrics()) > 15
    assert set(re.findall(r"`(assay_[a-z_]+)`", TEXT)) == _metrics()


@pytest.mark.parametrize("query", re.findall(r"rate\((assay_\w+)", TEXT))
def test_queries_read_metrics_that_are_there(query: str) -> None:
    """A query that can be copied finds its metric."""
    assert query in _metrics()


def test_settings_exist() -> None:
    """Every setting named is one."""
    named = {name.lower() for name in re.findall(r"\bASSAY_([A-Z0-9_]+)\b", TEXT)}
    assert len(named) > 8
    assert named <= set(Settings.model_fields)


def test_commands_exist() -> None:
    """Every `assay` command named is one; `bench` is described where it is."""
    named = {match.strip() for match in re.findall(r"`assay ((?:[a-z]+ ?){1,2})", TEXT)} - {"bench"}
    assert len(named) >= 3
    assert named <= _commands()


def test_files_exist() -> None:
    """Every file named is in the repository, or made by the script that is."""
    named = set(re.findall(r"\bdeploy/[\w./-]+\w", TEXT))
    assert len(named) >= 4
    missing = {path for path in named if not (ROOT / path).exists()}
    made = {Path(secret["file"]).as_posix() for secret in compose()["secrets"].values()}
    assert missing <= made
