"""The Compose file: valid by the specification's schema, and held to rules of our own."""

import json
import re
import stat
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from service.core.config import Settings
from service.core.keys import split_key
from service.core.policy import read_policy
from tests.deployment.support import (
    COMPOSE_FILE,
    ROOT,
    SECRETS_SCRIPT,
    SERVICES_GRACE_S,
    compose,
    image_environment,
    seconds,
    stages,
)
from workers.main import POLL_S, STOP_S

SERVICES = compose()["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
JOBS = sorted(name for name, service in SERVICES.items() if service.get("restart") == "no")
STAYING = sorted(set(SERVICES) - set(JOBS))


def test_it_is_what_these_tests_are_about() -> None:
    """A file that lost its services would pass every rule about each."""
    stores, ours = {"postgres", "redis"}, {"judge", "keys", "migrate", "sidecar", "worker"}
    assert set(SERVICES) == ours | stores | {"grafana", "prometheus"}
    assert set(OURS) == ours
    assert JOBS == ["keys", "migrate"]


def test_only_the_judge_is_asked_for() -> None:
    """A plain `up` starts everything but what calls language models; nothing that it starts needs the judge."""
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {
        "judge": ["judge"]
    }
    assert not [name for name, service in SERVICES.items() if "judge" in service.get("depends_on", {})]


def test_valid_by_the_specification() -> None:
    """The Compose Specification's own JSON schema takes it; check-jsonschema carries that schema."""
    path = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)
    errors = validator(schema).iter_errors(compose())
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_rights_are_left(name: str) -> None:
    """No root, no capability, no way to gain one, and a file system that cannot be written."""
    service = SERVICES[name]
    user = re.fullmatch(r"(\d+):\d+", service["user"])
    assert user
    assert int(user[1]) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "network_mode"} & set(service)


@pytest.mark.parametrize("name", OURS)
def test_our_containers_run_as_the_images_user(name: str) -> None:
    """The user whose folder /data is."""
    (user,) = {rest for instruction, rest in stages()[SERVICES[name]["build"]["target"]] if instruction == "USER"}
    assert SERVICES[name]["user"] == user


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_pinned(name: str) -> None:
    """Every image names a version."""
    assert re.search(r":v?\d+(\.\d+)*(-[a-z]+)?$", SERVICES[name]["image"])


@pytest.mark.parametrize("name", STAYING)
def test_what_stays_is_watched(name: str) -> None:
    """What runs for good has a health check, comes back by itself, and is told to stop in time."""
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert service["restart"] == "unless-stopped"
    assert seconds(service["stop_grace_period"]) > 0


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_limits(name: str) -> None:
    """None can take the whole machine, and none fills the disk with its log."""
    assert set(SERVICES[name]["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert set(SERVICES[name]["logging"]["options"]) == {"max-size", "max-file"}


def test_a_worker_is_given_the_time_it_takes_to_stop() -> None:
    """Docker kills later than the worker's own parent would."""
    for name in ("worker", "judge"):
        assert seconds(SERVICES[name]["stop_grace_period"]) > STOP_S + 2 * POLL_S


def test_a_sidecar_is_given_the_time_it_takes_to_stop() -> None:
    """Requests end, what waits is committed, counts are flushed."""
    assert seconds(SERVICES["sidecar"]["stop_grace_period"]) >= SERVICES_GRACE_S


def test_threads_fit_the_limit() -> None:
    """A container sees every core of the machine; it may use as many as its limit gives."""
    worker = SERVICES["worker"]
    assert worker["environment"]["ASSAY_THREADS"] == worker["deploy"]["resources"]["limits"]["cpus"]


@pytest.mark.parametrize("name", OURS)
def test_settings_exist(name: str) -> None:
    """Each variable of ours is a setting, with a value that it takes."""
    given = image_environment(SERVICES[name]["build"]["target"]) | SERVICES[name]["environment"]
    values = {key.removeprefix("ASSAY_").lower(): value for key, value in given.items() if key.startswith("ASSAY_")}
    assert set(values) <= set(Settings.model_fields)
    Settings(**values)


def test_the_schema_comes_first_then_the_key() -> None:
    """Migration, then the first key, then what needs them."""
    finished = {"condition": "service_completed_successfully"}
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICES["keys"]["depends_on"] == {"migrate": finished}
    assert SERVICES["sidecar"]["depends_on"]["keys"] == finished
    assert SERVICES["worker"]["depends_on"]["migrate"] == SERVICES["judge"]["depends_on"]["migrate"] == finished


def test_workers_have_the_policy() -> None:
    """What the sidecar promises of texts the workers keep: all read one file, and digests have their key."""
    files = {SERVICES[name]["environment"]["ASSAY_POLICY_FILE"] for name in ("sidecar", "worker", "judge")}
    assert files == {"/run/secrets/policy"}
    assert "assay_digest_key" in SERVICES["sidecar"]["secrets"]


def test_state_is_in_volumes() -> None:
    """What the stores write outlives their containers."""
    data = compose()
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql/data"]
    assert "prometheus:/prometheus" in SERVICES["prometheus"]["volumes"]
    assert "grafana:/var/lib/grafana" in SERVICES["grafana"]["volumes"]
    assert set(data["volumes"]) == {"redis", "postgres", "prometheus", "grafana"}


def test_redis_keeps_and_refuses() -> None:
    """Append-only file on; full, it refuses writes instead of dropping jobs; its limit is below the container's."""
    command = SERVICES["redis"]["command"]
    options = dict(zip(command[2::2], command[3::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    limit = SERVICES["redis"]["deploy"]["resources"]["limits"]["memory"]
    assert int(options["--maxmemory"].removesuffix("mb")) < int(limit.removesuffix("m"))


def test_only_sidecar_and_grafana_are_reached_and_only_from_here() -> None:
    """Two published ports, on loopback; the stores' network leads nowhere, and who reaches Grafana is not in it."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"sidecar": ["127.0.0.1:8000:8000"], "grafana": ["127.0.0.1:3000:3000"]}
    networks = compose()["networks"]
    assert networks["backend"] == networks["monitoring"] == {"internal": True}
    beyond = {name: service["networks"] for name, service in SERVICES.items() if service["networks"] != ["backend"]}
    assert beyond == {
        "sidecar": ["backend", "edge"],
        "worker": ["backend", "sinks"],
        "judge": ["backend", "models"],
        "prometheus": ["backend", "monitoring"],
        "grafana": ["monitoring", "edge"],
    }


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [str(value)]


def test_no_secret_is_in_the_file() -> None:
    """No URL with a password and no variable that is one: secrets are files, and those are not in the repository."""
    data = compose()
    names = [key for service in SERVICES.values() for key in service.get("environment", {})]
    assert not [name for name in names if re.search(r"(PASSWORD|SECRET|TOKEN|KEY|_URL)$", name)]
    assert not [text for text in _texts(data) if re.search(r"://[^/\s]*@", text)]
    folder = Path("deploy/compose/secrets")
    assert {Path(secret["file"]).parent for secret in data["secrets"].values()} == {folder}
    assert f"{folder}/" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()


def test_each_secret_goes_only_where_it_is_used() -> None:
    """The database's password never enters Redis, nor the first key a worker, nor an endpoint's any but the judge."""
    given = {name: sorted(service["secrets"]) for name, service in SERVICES.items()}
    assert given == {
        "redis": ["redis_conf"],
        "postgres": ["postgres_password"],
        "migrate": ["assay_database_url", "assay_redis_url"],
        "keys": ["assay_database_url", "assay_redis_url", "first_api_key"],
        "sidecar": ["assay_database_url", "assay_digest_key", "assay_redis_url", "policy"],
        "worker": ["assay_database_url", "assay_redis_url", "policy"],
        "judge": ["assay_database_url", "assay_generator_api_key", "assay_judge_api_key", "assay_redis_url", "policy"],
        "prometheus": ["first_api_key"],
        "grafana": ["grafana_admin_password", "grafana_secret_key"],
    }


def _make(folder: Path) -> dict[str, str]:
    subprocess.run(["sh", str(SECRETS_SCRIPT), str(folder)], check=True, capture_output=True, timeout=30)
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_the_script_makes_every_secret(tmp_path: Path) -> None:
    """The files that the Compose file names, which fit each other; others may not even enter their folder."""
    made = _make(tmp_path / "secrets")
    assert set(made) == {Path(secret["file"]).name for secret in compose()["secrets"].values()}
    assert f":{made['postgres_password']}@postgres:5432/" in made["assay_database_url"]
    assert f":{made['redis_conf'].split()[1]}@redis:6379/" in made["assay_redis_url"]
    assert split_key(made["first_api_key"].strip())
    Settings(digest_key=made["assay_digest_key"].strip())
    assert made["assay_judge_api_key"] == made["assay_generator_api_key"] == ""  # nobody but the endpoints makes these
    assert len(made["grafana_admin_password"].strip()) == 32
    assert len(read_policy(tmp_path / "secrets" / "policy").sampling.salt) == 32
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_the_script_keeps_what_is_there(tmp_path: Path) -> None:
    """Run again it changes nothing; what is missing is made to fit the rest; two installations share nothing."""
    folder = tmp_path / "secrets"
    first = _make(folder)
    assert _make(folder) == first
    (folder / "assay_database_url").unlink()
    assert _make(folder) == first
    other = _make(tmp_path / "other")
    assert set(first.values()) & set(other.values()) == {""}


@pytest.mark.parametrize("path", [COMPOSE_FILE, *sorted((ROOT / "deploy").rglob("*.yaml"))], ids=lambda path: path.name)
def test_yaml_is_clean(path: Path) -> None:
    """No duplicate keys, no stray spaces, no line over 120 characters."""
    rules = {"extends": "default", "rules": {"line-length": {"max": 120}, "braces": {"max-spaces-inside": 0}}}
    rules["rules"] |= {"document-start": "disable", "truthy": {"allowed-values": ["true", "false"]}}  # type: ignore[dict-item]
    done = subprocess.run(
        [sys.executable, "-m", "yamllint", "--strict", "-d", yaml.safe_dump(rules), str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "")
