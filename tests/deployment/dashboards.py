"""Grafana's files as the tests read them: panels with their expressions, variables in place."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from service.collectors.names import GAUGES
from service.core.metrics import SidecarMetrics, WorkerMetrics
from tests.deployment.support import ROOT
from workers.prometheus.recordings import recordings

GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
ALERTING = GRAFANA / "provisioning" / "alerting" / "assay.yaml"
NOT_YET: frozenset[str] = frozenset()  # gauges that panels have already and nothing exposes yet
VARIABLES = {"tenant": "default", "window": "1h", "release": "r1", "slo": "truthful", "__rate_interval": "1m"}


def read_dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard by its file's name."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS}


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its panels, rows left out."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def substituted(text: str) -> str:
    """The text with a value for each variable."""
    for name, value in VARIABLES.items():
        text = re.sub(rf"\${name}\b|\${{{name}}}", value, text)
    assert "$" not in text, text
    return text


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of every panel and variable with a name of where it is, variables substituted."""
    for file, dashboard in read_dashboards().items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield f"{file}: {panel['title']}: {target['refId']}", substituted(target["expr"])
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                selector = re.fullmatch(r"label_values\((.*), \w+\)", variable["definition"])
                assert selector, variable["definition"]
                yield f"{file}: variable {variable['name']}", substituted(selector[1])


def grafana_alerts() -> list[dict[str, Any]]:
    """The alert rules that Grafana is given."""
    return [rule for group in yaml.safe_load(ALERTING.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def metric_names() -> set[str]:
    """Whatever an expression may read: metrics that are exposed, and series that rules record."""
    families = [family for made in (SidecarMetrics(), WorkerMetrics()) for family in made.registry.collect()]
    exposed = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    return exposed | set(GAUGES) | {rule.record for rule in recordings()}


def read_by(expr: str) -> set[str]:
    """The metrics that an expression reads, parts of histograms by the histogram's name."""
    bare = re.sub(r'"[^"]*"', "", expr)
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bassay[:_][a-z0-9_:]+", bare)}
