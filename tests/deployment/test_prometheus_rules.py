"""The rules of `assay prometheus rules`, as Prometheus' own checker reads and tries them."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from service.collectors.names import GAUGES
from service.core.metrics import SidecarMetrics, WorkerMetrics
from tests.deployment.support import ROOT
from tests.promtool import complaints, promtool
from workers.cli import app
from workers.prometheus.alerts import alerts
from workers.prometheus.recordings import recordings
from workers.prometheus.rule import Options
from workers.prometheus.rule_file import rule_file

CASES = Path(__file__).with_name("prometheus_cases.yml")
COMMITTED = ROOT / "deploy" / "prometheus" / "rules.yml"
OTHER = ["--flagged-above", "0.1", "--flagged-window", "24h", "--flagged-for", "1h", "--for", "5m"]
OTHER += ["--queue-older-s", "60", "--unscored-above", "0.5", "--sidecar-job", "side", "--worker-job", "work"]


def generated(*arguments: str) -> str:
    """What the command prints."""
    done = CliRunner().invoke(app, ["prometheus", "rules", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def rules(text: str) -> list[dict[str, Any]]:
    """The rules of a file, in order."""
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def test_the_file_says_what_the_rules_are() -> None:
    """YAML written by hand is read back as what was meant, line for line."""
    options = Options()
    wanted: list[dict[str, Any]] = [{"record": rule.record, "expr": rule.expr} for rule in recordings()]
    wanted += [
        {
            "alert": alert.name,
            "expr": alert.expr,
            "for": alert.for_,
            "labels": {"severity": alert.severity.value},
            "annotations": {"summary": alert.summary, "description": alert.description},
        }
        for alert in alerts(options)
    ]
    assert rules(rule_file(options)) == wanted


def test_the_committed_file_is_what_the_command_prints() -> None:
    """Who runs Compose gets the rules of this version."""
    assert COMMITTED.read_text(encoding="utf-8") == generated()


@pytest.mark.parametrize("arguments", [[], OTHER], ids=["defaults", "options"])
def test_promtool_takes_the_file(tmp_path: Path, arguments: list[str]) -> None:
    """Every expression and every template."""
    (tmp_path / "rules.yml").write_text(generated(*arguments), encoding="utf-8")
    assert complaints(promtool("check", "rules", "--lint-fatal", str(tmp_path / "rules.yml"))) == ""


def test_the_rules_do_what_they_say(tmp_path: Path) -> None:
    """Each alert where it should be and not where it should not; each recorded series has its value."""
    shutil.copy(CASES, tmp_path / "cases.yml")
    (tmp_path / "rules.yml").write_text(generated(), encoding="utf-8")
    done = promtool("test", "rules", str(tmp_path / "cases.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_broken_rule_fails_the_cases(tmp_path: Path) -> None:
    """Cases that pass whatever the rules are would prove nothing."""
    shutil.copy(CASES, tmp_path / "cases.yml")
    (tmp_path / "rules.yml").write_text(generated("--queue-older-s", "601"), encoding="utf-8")
    assert promtool("test", "rules", str(tmp_path / "cases.yml")).returncode != 0


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    """And with its severity."""
    told = set()
    for case in yaml.safe_load(CASES.read_text(encoding="utf-8"))["tests"]:
        for query in case["promql_expr_test"]:
            for sample in query["exp_samples"]:
                found = dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"]))
                told.add((found.get("alertname"), found.get("severity")))
    assert told - {(None, None)} == {(alert.name, alert.severity.value) for alert in alerts(Options())}


def test_rules_read_metrics_that_are_there() -> None:
    """A rule on a name that nothing exposes would never fire."""
    families = [family for made in (SidecarMetrics(), WorkerMetrics()) for family in made.registry.collect()]
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families} | set(GAUGES)
    recorded = {rule.record for rule in recordings()}
    exprs = [rule.expr for rule in (*recordings(), *alerts(Options()))]
    used = {name for expr in exprs for name in re.findall(r"\bassay[:_][a-z0-9_:]+", expr)}
    assert len(used) > 15
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in used} <= names | recorded


@pytest.mark.parametrize(
    "arguments",
    [["--for", "10"], ["--flagged-for", "soon"], ["--sidecar-job", 'a"b'], ["--flagged-window", "7d"]],
    ids=lambda arguments: arguments[0],
)
def test_what_would_break_the_file_is_refused(arguments: list[str]) -> None:
    """With status 2, before anything is printed."""
    done = CliRunner().invoke(app, ["prometheus", "rules", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
