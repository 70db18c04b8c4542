"""The workflow for GitHub Actions: it is one, and says of `assay golden run` what that command knows."""

import re
from typing import Any

import typer
import yaml

from tests.deployment.support import ROOT
from workers.cli import app
from workers.commands.golden_outputs import EXIT_CANNOT_TELL

WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "github" / "golden.yaml").read_text(encoding="utf-8"))
STEPS = WORKFLOW["jobs"]["gate"]["steps"]
COMMAND = next(step["run"] for step in STEPS if "assay golden run" in step.get("run", ""))


def golden_run() -> Any:
    """The command as it is shipped."""
    command: Any = typer.main.get_command(app)
    return command.get_command(None, "golden").commands["run"]


def test_its_options_are_those_of_the_command() -> None:
    """No option that the command does not have."""
    used = set(re.findall(r"(--[a-z-]+)", re.sub(r"#.*", "", COMMAND)))
    known = {option for parameter in golden_run().params for option in parameter.opts}
    assert used
    assert used <= known


def test_cannot_tell_is_told_apart() -> None:
    """Whoever copies it sees that `cannot tell` is neither a pass nor a failure, and decides."""
    assert f'"$status" = {EXIT_CANNOT_TELL}' in COMMAND
    assert "::warning::" in COMMAND


def test_it_runs_with_few_rights_and_keeps_its_report() -> None:
    """Reading is all it may do, it ends by itself, and the report is there also where the gate failed."""
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert WORKFLOW["jobs"]["gate"]["timeout-minutes"] <= 60
    kept = next(step for step in STEPS if step.get("uses", "").startswith("actions/upload-artifact"))
    assert kept["if"] == "always()"
    assert {"golden.html", "golden.xml"} <= set(kept["with"]["path"].split())
