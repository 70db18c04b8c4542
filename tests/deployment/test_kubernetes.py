"""The Kubernetes manifests: valid by the API's schemas, held to rules of our own, and rendered where kubectl is."""

import json
import re
import shutil
import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.collectors.names import GAUGES
from service.core.config import Settings
from service.core.policy import read_policy
from service.routes import ops
from tests.deployment.rendering import read, render
from tests.deployment.support import ROOT, SERVICES_GRACE_S, compose, image_environment
from workers.main import POLL_S, STOP_S

FOLDER = ROOT / "deploy" / "kubernetes"
OLDEST, NEWEST = "1.30.0", "1.37.0"
CUSTOM = {"Kustomization", "ScaledObject"}  # no schema of Kubernetes' own


FOLDERS = ["base", "judge", "keda"]
IMAGES = {"assay-sidecar:0.1.0", "assay-worker:0.1.0"}


def _objects(folder: str) -> list[dict[str, Any]]:
    parts = [part for path in sorted((FOLDER / folder).glob("*.yaml")) for part in read(path)]
    return [part for part in parts if part["kind"] != "Kustomization"]


BASE, JUDGE = _objects("base"), _objects("judge")
OBJECTS = BASE + JUDGE
DEPLOYMENTS = {part["metadata"]["name"]: part for part in OBJECTS if part["kind"] == "Deployment"}
(SCALED,) = read(FOLDER / "keda" / "scaledobject.yaml")


def _pod(name: str) -> dict[str, Any]:
    return dict(DEPLOYMENTS[name]["spec"]["template"]["spec"])


def _containers(name: str) -> list[dict[str, Any]]:
    return [*_pod(name)["initContainers"], *_pod(name)["containers"]]


def _name(part: dict[str, Any]) -> str:
    return f"{part['kind']}-{part['metadata']['name']}"


CONTAINERS = [(name, container["name"]) for name in DEPLOYMENTS for container in _containers(name)]


def _container(deployment: str, name: str) -> dict[str, Any]:
    return next(container for container in _containers(deployment) if container["name"] == name)


def test_it_is_what_these_tests_are_about() -> None:
    """A folder that lost its manifests would pass every rule about each."""
    assert sorted(DEPLOYMENTS) == ["assay-judge", "assay-sidecar", "assay-worker"]
    assert len(CONTAINERS) == 7
    kinds = {"Namespace", "ServiceAccount", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"}
    assert {part["kind"] for part in OBJECTS} == kinds


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("part", OBJECTS, ids=_name)
def test_valid_by_the_schema(part: dict[str, Any], version: str) -> None:
    """The API's own schema takes each object, with no field that it does not know."""
    kubernetes_validate.validate(part, version, strict=True)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_manifest_is_listed(folder: str) -> None:
    """A file that kustomization.yaml forgets would never be applied."""
    (listed,) = read(FOLDER / folder / "kustomization.yaml")
    files = {path.name for path in (FOLDER / folder).glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(listed["resources"]) - {"../base"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_rendered(folder: str) -> None:
    """What `kubectl apply -k` would send is valid, in our namespace, with tagged images and a policy that rolls."""
    parts = render(FOLDER / folder)
    for part in parts:
        if part["kind"] not in CUSTOM:
            kubernetes_validate.validate(part, NEWEST, strict=True)
            assert part["metadata"]["labels"]["app.kubernetes.io/part-of"] == "assay"
        assert part["kind"] == "Namespace" or part["metadata"]["namespace"] == "assay"
    more = {"base": [], "judge": JUDGE, "keda": [SCALED]}[folder]
    assert len(parts) == len(BASE) + 1 + len(more)  # and the policy
    text = json.dumps(parts)
    assert set(re.findall(r'"image": "([^"]+)"', text)) == IMAGES | ({"assay-judge:0.1.0"} if more == JUDGE else set())
    (policy,) = [part["metadata"]["name"] for part in parts if part["kind"] == "Secret"]
    assert re.fullmatch(r"assay-policy-\w+", policy)
    assert text.count(policy) == (4 if more == JUDGE else 3)  # itself, the sidecar and the worker; the judge
    worker = next(part for part in parts if part["metadata"]["name"] == "assay-worker" and part["kind"] == "Deployment")
    assert ("replicas" in worker["spec"]) is (folder != "keda")


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="nothing to compare our rendering with")
def test_rendered_as_kubectl_does(folder: str) -> None:
    """Our rendering is kubectl's, but for the digest in a name."""
    command = ["kubectl", "kustomize", str(FOLDER / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    theirs = sorted(_without_digest(part) for part in yaml.safe_load_all(done.stdout))
    assert theirs == sorted(_without_digest(part) for part in render(FOLDER / folder))


def _without_digest(part: dict[str, Any]) -> str:
    if part["kind"] == "Secret":  # kubectl breaks the lines of base64
        part["data"] = {name: "".join(text.split()) for name, text in part["data"].items()}
    return re.sub(r"assay-policy-\w+", "assay-policy", json.dumps(part, sort_keys=True))


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_pods_have_no_rights(name: str) -> None:
    """No root, no token, no free system calls."""
    pod = _pod(name)
    context = pod["securityContext"]
    user = compose()["services"]["sidecar"]["user"]
    assert f"{context['runAsUser']}:{context['runAsGroup']}" == user
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]


@pytest.mark.parametrize(("deployment", "name"), CONTAINERS)
def test_containers_have_no_rights(deployment: str, name: str) -> None:
    """Nothing can be written but /tmp, no capability is held, and no machine is taken whole."""
    container = _container(deployment, name)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all(mount.get("readOnly") or mount["name"] == "tmp" for mount in container["volumeMounts"])
    assert set(container["resources"]) == {"requests", "limits"}
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}


@pytest.mark.parametrize(("deployment", "name"), CONTAINERS)
def test_settings_exist(deployment: str, name: str) -> None:
    """Each variable is a setting, with a value that it takes, and none is a secret."""
    container = _container(deployment, name)
    given = image_environment(container["image"].removeprefix("assay-"))
    given |= {pair["name"]: pair["value"] for pair in container["env"]}
    values = {key.removeprefix("ASSAY_").lower(): value for key, value in given.items() if key.startswith("ASSAY_")}
    assert set(values) <= set(Settings.model_fields)
    assert not {"database_url", "redis_url"} & set(values)
    Settings(**values)


def test_the_commands_are_those_that_compose_runs() -> None:
    """One set of commands, which the acceptance test runs; only the key's path differs."""
    services = compose()["services"]
    expected = {name: services[name]["command"] for name in ("migrate", "keys", "sidecar", "worker", "judge")}
    found = {name: _container(deployment, name)["command"] for deployment, name in CONTAINERS}
    found["keys"] = [word.replace("/run/secrets/key/", "/run/secrets/") for word in found["keys"]]
    assert found == expected


def test_the_schema_comes_first_then_the_key() -> None:
    """Every kind of pod brings the schema up before it starts; the sidecar's then stores the first key."""
    names = {name: [container["name"] for container in _containers(name)] for name in DEPLOYMENTS}
    assert names == {
        "assay-sidecar": ["migrate", "keys", "sidecar"],
        "assay-worker": ["migrate", "worker"],
        "assay-judge": ["migrate", "judge"],
    }


def test_probes_ask_what_is_there() -> None:
    """Paths that are routes; alive never asks for the database, and the worker's check is the image's."""
    routes = {route.path for route in ops.router.routes}  # type: ignore[attr-defined]
    sidecar, worker = _container("assay-sidecar", "sidecar"), _container("assay-worker", "worker")
    paths = {kind: sidecar[kind]["httpGet"]["path"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert set(paths.values()) <= routes
    check = compose()["services"]["worker"]["healthcheck"]["test"][1:]
    for one in (worker, _container("assay-judge", "judge")):
        assert one["livenessProbe"]["exec"]["command"] == check == one["startupProbe"]["exec"]["command"]


def test_ports_are_named_and_answered() -> None:
    """The Service, the scrape annotations and the settings speak of the same ports."""
    sidecar, worker = _container("assay-sidecar", "sidecar"), _container("assay-worker", "worker")
    judge = _container("assay-judge", "judge")
    (service,) = [part for part in OBJECTS if part["kind"] == "Service"]
    assert service["spec"]["ports"][0]["targetPort"] == sidecar["ports"][0]["name"]
    assert sidecar["ports"][0]["containerPort"] == Settings().port
    for container in (worker, judge):
        environment = {pair["name"]: pair["value"] for pair in container["env"]}
        assert environment["ASSAY_WORKER_METRICS_PORT"] == str(container["ports"][0]["containerPort"])
    for name, container in (("assay-sidecar", sidecar), ("assay-worker", worker), ("assay-judge", judge)):
        annotations = DEPLOYMENTS[name]["spec"]["template"]["metadata"]["annotations"]
        assert annotations["prometheus.io/port"] == str(container["ports"][0]["containerPort"])


def test_selectors_find_their_pods() -> None:
    """Every Service, budget and policy selects pods that exist."""
    labels = [part["spec"]["template"]["metadata"]["labels"] for part in DEPLOYMENTS.values()]
    wanted = [part["spec"]["selector"] for part in OBJECTS if part["kind"] == "Service"]
    wanted += [part["spec"]["selector"]["matchLabels"] for part in OBJECTS if part["kind"] == "PodDisruptionBudget"]
    wanted += [
        part["spec"]["podSelector"].get("matchLabels", {}) for part in OBJECTS if part["kind"] == "NetworkPolicy"
    ]
    assert len(wanted) == 9
    assert [one for one in wanted if not any(one.items() <= held.items() for held in labels)] == []


def test_a_stop_is_given_its_time() -> None:
    """Kubernetes kills later than the worker's parent would, and than uvicorn and the writer need."""
    for name in ("assay-worker", "assay-judge"):
        assert _pod(name)["terminationGracePeriodSeconds"] > STOP_S + 2 * POLL_S
    rest = _container("assay-sidecar", "sidecar")["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert _pod("assay-sidecar")["terminationGracePeriodSeconds"] >= rest + SERVICES_GRACE_S


def test_threads_fit_the_limit() -> None:
    """A container sees every core of its node; it may use as many as its limit gives."""
    worker = _container("assay-worker", "worker")
    environment = {pair["name"]: pair["value"] for pair in worker["env"]}
    assert environment["ASSAY_THREADS"] == worker["resources"]["limits"]["cpu"]


def test_secrets_are_referred_to_and_least() -> None:
    """No Secret but the policy is made here; a worker sees the stores' URLs, and only the job `keys` the first key."""
    assert "Secret" not in {part["kind"] for part in OBJECTS}
    stores = {"assay_database_url", "assay_redis_url"}
    for name, wanted in {"assay-sidecar": stores | {"assay_digest_key"}, "assay-worker": stores}.items():
        volumes = {volume["name"]: volume.get("secret") for volume in _pod(name)["volumes"]}
        assert {item["key"] for item in volumes["secrets"]["items"]} == wanted
    mounts = {name: {mount["name"] for mount in _container(of, name)["volumeMounts"]} for of, name in CONTAINERS}
    assert [name for name, held in mounts.items() if "key" in held] == ["keys"]


def test_keys_of_endpoints_reach_the_judge_alone() -> None:
    """Beside the stores' URLs, in the one folder that settings are read from; who needs none need not make the Secret."""
    assert [name for name in DEPLOYMENTS if '"assay-judge"' in json.dumps(_pod(name)["volumes"])] == ["assay-judge"]
    volumes = {volume["name"]: volume for volume in _pod("assay-judge")["volumes"]}
    stores, keys = (source["secret"] for source in volumes["secrets"]["projected"]["sources"])
    assert {item["key"] for item in stores["items"]} == {"assay_database_url", "assay_redis_url"}
    assert stores["items"] == volumes["stores"]["secret"]["items"]
    assert keys == {"name": "assay-judge", "optional": True}
    mounts = {mount["name"] for mount in _container("assay-judge", "migrate")["volumeMounts"]}
    assert mounts == {"stores", "tmp"}


def test_only_judge_and_sinks_lead_out() -> None:
    """Text leaves the cluster from the judge alone; workers reach the policy's sinks, sidecars nothing but the stores."""
    policies = [part["spec"] for part in OBJECTS if part["kind"] == "NetworkPolicy"]
    out = {
        (spec["podSelector"]["matchLabels"]["app.kubernetes.io/component"], port["port"])
        for spec in policies
        if spec["podSelector"]
        for rule in spec.get("egress", [])
        for port in rule["ports"]
    }
    assert out == {("worker", 443), ("worker", 465), ("worker", 587), ("judge", 443)}


def test_the_policy_is_valid() -> None:
    """The policy that is shipped is one that the sidecar takes, and holds no salt, which all would share."""
    assert read_policy(FOLDER / "base" / "policy.toml").sampling.salt == ""


@pytest.mark.parametrize(
    ("deployment", "name"), [("assay-sidecar", "sidecar"), ("assay-worker", "worker"), ("assay-judge", "judge")]
)
def test_the_policy_reaches_all(deployment: str, name: str) -> None:
    """What the sidecar promises of texts the workers keep: all read the one policy where it is mounted."""
    container = _container(deployment, name)
    (file,) = [pair["value"] for pair in container["env"] if pair["name"] == "ASSAY_POLICY_FILE"]
    (folder,) = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "policy"]
    (volume,) = [volume for volume in _pod(deployment)["volumes"] if volume["name"] == "policy"]
    assert file == f"{folder}/policy.toml"
    assert volume["secret"]["secretName"] == "assay-policy"


def test_the_network_is_closed_first() -> None:
    """One policy takes every pod and every direction; the others only add."""
    policies = {part["metadata"]["name"]: part["spec"] for part in OBJECTS if part["kind"] == "NetworkPolicy"}
    assert policies["assay-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert all("from" in rule for spec in policies.values() for rule in spec.get("ingress", []))


def test_budgets_never_block_a_node() -> None:
    """A budget that allows no eviction at the smallest number of replicas would hold up every drain."""
    budgets = [part["spec"] for part in OBJECTS if part["kind"] == "PodDisruptionBudget"]
    assert {budget["maxUnavailable"] for budget in budgets} == {1, "50%"}


def test_scaling_follows_the_age_of_the_queue() -> None:
    """KEDA reads metrics that the sidecar serves, scales the worker, and takes no answer as no reason to scale."""
    spec = SCALED["spec"]
    (trigger,) = spec["triggers"]
    names = set(re.findall(r"assay_\w+", trigger["metadata"]["query"]))
    assert names == {"assay_oldest_pending_seconds", "assay_pending_samples"}
    assert names <= set(GAUGES)
    assert spec["scaleTargetRef"]["name"] in DEPLOYMENTS
    assert (trigger["type"], trigger["metricType"]) == ("prometheus", "Value")
    assert trigger["metadata"]["ignoreNullValues"] == "false"
    assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"]
    assert float(trigger["metadata"]["threshold"]) > 2 * Settings().ticker_interval_s
