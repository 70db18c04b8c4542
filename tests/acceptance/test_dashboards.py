"""Every panel and every rule against a real Prometheus that scrapes a real service: what has no data shows nothing."""

import math
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from service.core.clock import utc_now
from service.core.db import Database, upgrade
from service.core.keys import Scope, make_key
from service.core.store.keys import add_key
from tests.deployment.dashboards import NOT_YET, VARIABLES, expressions, grafana_alerts, read_by
from tests.deployment.support import ROOT
from tests.integration.labelling import fill
from tests.integration.support import finish_pending, store
from tests.integration.test_metrics_of_tenants import contradicted, naming, sample
from tests.promtool import program
from tests.servers import Installation, free_port, wait_for
from workers.prometheus.recordings import recordings

pytestmark = pytest.mark.acceptance

FOLDER = ROOT / "deploy" / "prometheus"
PATIENCE_S = 30.0
LABELLED = 60
POLICY = f"""
[sampling]
rate = 1.0
[[alerts]]
name = "made-up"
metric = "flagged_rate"
above = 0.5
[[slos]]
name = "{VARIABLES["slo"]}"
metric = "flagged_rate"
objective = 0.9
"""


@pytest.fixture
def installation(make_url: Callable[[str], str], tmp_path: Path) -> Iterator[Installation]:
    """A sidecar and a worker on a database that has samples and documents already; no Redis."""
    program("prometheus")
    url, policy = make_url("sqlite"), tmp_path / "policy.toml"
    policy.write_text(POLICY)
    seed(url, tmp_path / "key")
    made = Installation(
        {
            "ASSAY_DATABASE_URL": url,
            "ASSAY_REDIS_URL": "redis://127.0.0.1:1/0",
            "ASSAY_POLICY_FILE": str(policy),
            "ASSAY_SCORER": "fake",
            "ASSAY_TICKER_INTERVAL_S": "0.3",
            "ASSAY_ALERT_INTERVAL_S": "1",
            "ASSAY_WORKER_METRICS_PORT": str(free_port()),
        }
    )
    made.start("sidecar", "serve")
    made.start("worker", "worker")
    made.await_ready()
    yield made
    made.stop()


def seed(url: str, key_file: Path) -> None:
    """Scored samples of a release, claims that documents contradict, and a key for Prometheus."""
    database = Database(url)
    upgrade(database)
    fill(database, LABELLED, release=VARIABLES["release"])
    store(database, sample("c", contexts=naming("q", "returns.md"), response="!!"))
    finish_pending(database, contradicted)
    key = make_key(tenant=VARIABLES["tenant"], scopes=frozenset({Scope.READ}), note="", now=utc_now())
    with database.write() as connection:
        add_key(connection, key.stored)
    database.close()
    key_file.write_text(f"{key.text}\n")


def submit(client: httpx.Client, number: int) -> None:
    """Some traffic: an answer that is supported, and one that is not."""
    for n, said in enumerate(("The kettle is blue.", "Dragons paint castles purple.")):
        body = {"id": f"live-{number}-{n}", "contexts": ["The kettle is blue."], "response": said, "release": "r2"}
        assert client.post("/score", json=body).status_code == 202


def label_all(client: httpx.Client) -> None:
    """What a person says of whatever is drawn."""
    for _ in range(2 * LABELLED):
        task = client.get("/labels/next", params={"annotator": "mira"}).json()["task"]
        if task is None:
            return
        said = {"sample_id": task["sample_id"], "annotator": "mira", "verdict": "faithful"}
        assert client.post("/labels", json={"labels": [said]}).is_success


class Prometheus:
    """A real one, with the configuration of the Compose file on the addresses of this machine."""

    def __init__(self, folder: Path, installation: Installation) -> None:
        config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(FOLDER / "rules.yml")]
        self.port = free_port()
        sidecar, worker, itself, _ = config["scrape_configs"]
        config["scrape_configs"] = [sidecar, worker, itself]  # nobody here has a judge
        sidecar["authorization"] = {"credentials_file": str(folder / "key")}
        ports = {"sidecar": installation.port, "worker": installation.environment["ASSAY_WORKER_METRICS_PORT"]}
        sidecar["static_configs"] = [{"targets": [f"127.0.0.1:{ports['sidecar']}"]}]
        worker["static_configs"] = [{"targets": [f"127.0.0.1:{ports['worker']}"]}]
        itself["static_configs"] = [{"targets": [f"127.0.0.1:{self.port}"]}]
        del worker["dns_sd_configs"]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.process = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/tsdb",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=error",
            ]
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/api/v1", timeout=10)

    def ask(self, path: str, **query: str) -> Any:
        answer = self.client.get(path, params=query)
        assert answer.status_code in {200, 503}, (query, answer.text)
        answer.raise_for_status()  # 503 while it starts
        return answer.json()["data"]

    def up(self) -> bool:
        """Whether it answers, and has scraped all its targets."""
        try:
            found = self.ask("/query", query="up")["result"]
        except httpx.HTTPError:
            return False
        return [each["value"][1] for each in found] == ["1", "1", "1"]

    def has_data(self, expr: str) -> bool:
        """Whether an expression has a value: a number, not the lack of one."""
        found = self.ask("/query", query=expr)["result"]
        return any(not math.isnan(float(each["value"][1])) for each in found)

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture
def prometheus(tmp_path: Path, installation: Installation) -> Iterator[Prometheus]:
    """Up, and scraping."""
    made = Prometheus(tmp_path, installation)
    try:
        wait_for(made.up)
        yield made
    finally:
        made.stop()


def without_data(prometheus: Prometheus, wanted: Mapping[str, str]) -> Mapping[str, str]:
    return {where: expr for where, expr in wanted.items() if not prometheus.has_data(expr)}


def test_every_expression_has_data(installation: Installation, prometheus: Prometheus) -> None:
    """Panels and variables of all dashboards, and recorded series; alerts are evaluated without an error."""
    everything = dict(expressions()) | {f"rule {rule.record}": rule.record for rule in recordings()}
    wanted = {where: expr for where, expr in everything.items() if not read_by(expr) & NOT_YET}
    assert len(wanted) > 45
    with httpx.Client(base_url=installation.base, timeout=10) as client:
        label_all(client)
        rounds = iter(range(1_000))

        def all_have_data() -> bool:
            submit(client, next(rounds))  # so that rates of counters are rates of something
            return not without_data(prometheus, wanted)

        try:
            wait_for(all_have_data, seconds=PATIENCE_S, every=0.5)
        except AssertionError:
            assert without_data(prometheus, wanted) == {}
    for expr in (everything[where] for where in set(everything) - set(wanted)):
        prometheus.ask("/query", query=expr)
    rules = [rule for group in prometheus.ask("/rules")["groups"] for rule in group["rules"]]
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    told = {rule["name"]: rule["state"] for rule in rules if rule["type"] == "alerting"}
    # A fifth of the first release is flagged; everything else is as it should be.
    assert {name for name, state in told.items() if state != "inactive"} == {"AssayFlaggedRateHigh"}
    assert {made["title"] for made in grafana_alerts()} <= set(told)
