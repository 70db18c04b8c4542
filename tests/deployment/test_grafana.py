"""Grafana and Prometheus of the Compose file: the files that they are given fit each other, and what is exposed."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.collectors.names import GAUGES
from service.core.config import Settings
from tests.deployment.dashboards import (
    GRAFANA,
    NOT_YET,
    expressions,
    grafana_alerts,
    metric_names,
    panels,
    read_by,
    read_dashboards,
)
from tests.deployment.support import ROOT, compose
from tests.promtool import complaints, promtool
from workers.prometheus.alerts import alerts
from workers.prometheus.rule import Options

PROMETHEUS = ROOT / "deploy" / "prometheus"
CONFIG: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
SERVICES = compose()["services"]
ALL = [(f"{file}: {panel['title']}", panel) for file, made in read_dashboards().items() for panel in panels(made)]
ISSUE = {  # what must be seen, by a metric that shows it
    "flagged rate by release": "assay_flagged_rate",
    "its interval": "assay_flagged_rate_low",
    "coverage": "assay_coverage",
    "claims by verdict": "assay_window_claims",
    "scoring latency": "assay_wait_seconds",
    "queue age": "assay:oldest_pending_seconds:max",
    "most contradicted documents": "assay_contradicted_claims",
    "budget of objectives": "assay_slo_budget_left",
    "alerts": "assay_alert_groups",
}


@pytest.mark.parametrize("panel", [panel for _, panel in ALL], ids=[name for name, _ in ALL])
def test_a_panel_explains_itself(panel: dict[str, Any]) -> None:
    """Title, description and unit; unknown is a gap and never a zero."""
    assert panel["title"]
    assert len(panel["description"]) > 10
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["noValue"] == "unknown"
    assert panel["datasource"]["uid"] == "${datasource}"
    if panel["type"] == "timeseries":
        assert defaults["custom"]["spanNulls"] is False


def test_everything_asked_for_is_shown() -> None:
    """Each by at least one panel."""
    shown = {name for _, expr in expressions() for name in read_by(expr)}
    assert {what for what, name in ISSUE.items() if name not in shown} == set()


def test_a_rate_over_time_is_shown_in_its_interval() -> None:
    """Every panel with a lower end fills from the upper end down to it."""
    bands = [
        panel
        for _, panel in ALL
        if panel["type"] == "timeseries" and "low" in {target["legendFormat"] for target in panel["targets"]}
    ]
    assert len(bands) == 3
    for panel in bands:
        legends = {target["legendFormat"] for target in panel["targets"]}
        filled = {
            (override["matcher"]["options"], given["value"])
            for override in panel["fieldConfig"]["overrides"]
            for given in override["properties"]
            if given["id"] == "custom.fillBelowTo"
        }
        assert filled == {("high", "low")}
        assert {"rate", "high", "low"} <= legends


def test_panels_lie_beside_each_other() -> None:
    """No id twice, none wider than the screen, none over another."""
    for dashboard in read_dashboards().values():
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(ids) == len(set(ids))
        places = [panel["gridPos"] for panel in dashboard["panels"]]
        assert all(place["x"] + place["w"] <= 24 for place in places)
        for one, other in itertools.combinations(places, 2):
            beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
            assert beside or below, (one, other)


def test_expressions_read_what_is_exposed() -> None:
    """A panel on a name that nothing exposes stays empty for ever; what comes later is named here."""
    used = {name for _, expr in expressions() for name in read_by(expr)}
    assert len(used) > 20
    assert used - metric_names() == NOT_YET
    assert set(GAUGES) & NOT_YET == set()


def test_expressions_parse(tmp_path: Path) -> None:
    """By Prometheus' own parser, those too that have no data yet."""
    rules = [{"record": f"panel:{n}", "expr": expr} for n, (_, expr) in enumerate(expressions())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert complaints(promtool("check", "rules", "--lint=none", str(tmp_path / "rules.yml"))) == ""


def test_grafana_alerts_are_rules_of_prometheus() -> None:
    """The same expression, patience and severity; one that has no value says that all is well."""
    rules = {alert.name: alert for alert in alerts(Options())}
    found = grafana_alerts()
    assert len(found) == 2
    for made in found:
        rule = rules[made["title"]]
        query, threshold = made["data"]
        assert query["model"]["expr"] == rule.expr
        assert (made["for"], made["labels"]) == (rule.for_, {"severity": rule.severity.value})
        assert made["annotations"]["description"] == rule.description
        assert (made["condition"], threshold["model"]["expression"]) == (threshold["refId"], query["refId"])
        assert made["noDataState"] == "OK"


def test_provisioned_files_have_no_dollar_sign() -> None:
    """Grafana would replace what follows it by a variable of its environment."""
    files = sorted((GRAFANA / "provisioning").rglob("*.yaml"))
    assert len(files) == 3
    assert [path.name for path in files if "$" in path.read_text().replace("No dollar sign", "")] == []


def test_the_data_source_is_the_service() -> None:
    """Its address, and the name by which alerts and dashboards find it."""
    (source,) = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yaml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
    assert set(SERVICES["prometheus"]["networks"]) & set(SERVICES["grafana"]["networks"])
    uids = {part["datasourceUid"] for made in grafana_alerts() for part in made["data"]}
    assert uids == {source["uid"], "__expr__"}
    for dashboard in read_dashboards().values():
        (variable,) = [each for each in dashboard["templating"]["list"] if each["type"] == "datasource"]
        assert variable["current"]["value"] == source["uid"]


def test_dashboards_are_mounted_where_they_are_looked_for() -> None:
    """The provider's folder and the home page."""
    (provider,) = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "assay.yaml").read_text())["providers"]
    folder = provider["options"]["path"]
    assert f"./deploy/grafana/dashboards:{folder}:ro" in SERVICES["grafana"]["volumes"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.removeprefix(f"{folder}/") in read_dashboards()


def test_grafana_lets_nobody_in_and_calls_nobody() -> None:
    """No guests, no sign-up, no reports, no updates, no pictures from elsewhere; the password is a file."""
    given = SERVICES["grafana"]["environment"]
    off = {name for name, value in given.items() if value == "false"}
    assert {
        "GF_AUTH_ANONYMOUS_ENABLED",
        "GF_USERS_ALLOW_SIGN_UP",
        "GF_ANALYTICS_REPORTING_ENABLED",
        "GF_ANALYTICS_CHECK_FOR_UPDATES",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES",
        "GF_NEWS_NEWS_FEED_ENABLED",
        "GF_SNAPSHOTS_EXTERNAL_ENABLED",
    } <= off
    assert given["GF_SECURITY_DISABLE_GRAVATAR"] == "true"
    assert given["GF_SECURITY_ADMIN_PASSWORD__FILE"].removeprefix("/run/secrets/") in SERVICES["grafana"]["secrets"]


def test_prometheus_scrapes_the_services() -> None:
    """Under the names of the rules, at the ports that the services listen on, the sidecar with its key."""
    sidecar, worker, _, judge = CONFIG["scrape_configs"]
    assert (sidecar["job_name"], worker["job_name"]) == (Options().sidecar_job, Options().worker_job)
    assert sidecar["static_configs"] == [{"targets": [f"sidecar:{Settings().port}"]}]
    key = sidecar["authorization"]["credentials_file"]
    assert key.removeprefix("/run/secrets/") in SERVICES["prometheus"]["secrets"]
    for name, job in (("worker", worker), ("judge", judge)):
        (found,) = job["dns_sd_configs"]
        assert found["names"] == [name]
        assert str(found["port"]) == SERVICES[name]["environment"]["ASSAY_WORKER_METRICS_PORT"]


def test_promtool_takes_the_configuration(tmp_path: Path) -> None:
    """With the rules beside it, and the key where it is mounted."""
    (tmp_path / "key").write_text("assay_key")
    (tmp_path / "rules.yml").write_text((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))
    text = (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8")
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets/first_api_key", "key"))
    assert complaints(promtool("check", "config", str(tmp_path / "prometheus.yml"))) == ""
