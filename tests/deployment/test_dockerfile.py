"""The Dockerfile: what ends up in the images, and as whom it runs. No engine is needed to read it."""

import json
import re
import tomllib

import pytest

from tests.deployment.support import DOCKERFILE, ROOT, image_environment, instructions, stages

IMAGES = ["sidecar", "worker", "judge"]


def _last(stage: str, instruction: str) -> str:
    return [rest for name, rest in stages()[stage] if name == instruction][-1]


def _project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("image", IMAGES)
def test_runs_as_a_fixed_user_without_rights(image: str) -> None:
    """A number, so that Kubernetes can tell that it is not root, and the same in every release: volumes are theirs."""
    assert _last(image, "USER") == "10001:10001"


@pytest.mark.parametrize("image", IMAGES)
def test_signals_reach_the_process(image: str) -> None:
    """The command is a list: a shell in between would keep SIGTERM to itself."""
    assert json.loads(_last(image, "CMD"))[0] == "assay"
    assert not [rest for name, rest in stages()[image] if name == "ENTRYPOINT"]


@pytest.mark.parametrize("image", IMAGES)
def test_health_is_asked_with_python(image: str) -> None:
    """The check is a list and needs no program that the image would have to add."""
    command = json.loads(_last(image, "HEALTHCHECK").partition(" CMD ")[2])
    assert command[:2] == ["python", "-m"]
    assert (ROOT / (command[2].replace(".", "/") + ".py")).exists()


@pytest.mark.parametrize("image", IMAGES)
def test_the_build_stays_behind(image: str) -> None:
    """Of the stages that build, the image takes the finished environment and nothing else."""
    copied = [rest for name, rest in stages()[image] if name == "COPY"]
    assert copied == [f"--from={image}-environment /opt/assay /opt/assay"]
    assert not [rest for name, rest in stages()[image] if name == "ADD" or "apt-get" in rest]


@pytest.mark.parametrize("image", IMAGES)
def test_no_setting_of_the_image_hides_a_secret(image: str) -> None:
    """A variable wins over a secret's file, so the image sets none that a deployment gives as a file."""
    assert not {name for name in image_environment(image) if name.endswith("_URL")}


def test_the_sidecar_has_no_model_runtime() -> None:
    """Only the worker installs the extras that bring one; a judge worker calls models that are elsewhere."""
    installs = {stage: rest for stage, parts in stages().items() for name, rest in parts if "install " in rest}
    assert installs["sidecar-environment"].endswith('[postgres]"')
    assert installs["worker-environment"].endswith('[${WORKER_EXTRAS}]"')
    assert installs["judge-environment"].endswith('[${JUDGE_EXTRAS}]"')
    assert ("ARG", "JUDGE_EXTRAS=judge,postgres") in instructions()


def test_the_named_extras_exist() -> None:
    """The extras that the file installs by default are in pyproject.toml."""
    defaults = [rest.partition("=") for name, rest in instructions() if name == "ARG" and "_EXTRAS=" in rest]
    assert [name for name, _, _ in defaults] == ["WORKER_EXTRAS", "JUDGE_EXTRAS"]
    wanted = {"postgres", *(extra for _, _, extras in defaults for extra in extras.split(","))}
    assert wanted <= set(_project()["optional-dependencies"])  # type: ignore[call-overload]


def test_versions_are_pinned() -> None:
    """Every install obeys constraints.txt, and the base names a minor version and its distribution."""
    assert image_environment("wheel")["PIP_CONSTRAINT"] == "/src/constraints.txt"
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.\d+-slim-[a-z]+$", text, re.MULTILINE)
    foreign = {rest.partition(" AS ")[0] for name, rest in instructions() if name == "FROM"} - set(stages())
    assert foreign == {"${PYTHON_IMAGE}"}


def test_the_label_says_the_version() -> None:
    """The version on the image is the package's."""
    assert ("ARG", f"VERSION={_project()['version']}") in instructions()


def test_the_context_holds_what_is_built_and_no_more() -> None:
    """The .dockerignore lets in what the Dockerfile copies, and what the wheel packs is copied."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        source.removeprefix("./") for name, rest in stages()["wheel"] if name == "COPY" for source in rest.split()[:-1]
    }
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = packed["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert "*" in lines
    assert allowed == copied
    assert set(packages) <= copied
    assert all((ROOT / path).exists() for path in copied)
