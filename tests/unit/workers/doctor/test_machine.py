"""The doctor's checks that need no server: each alone, with a fix, and without a secret."""

import importlib.util
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.backends.cores import physical_cores
from service.core.config import Settings
from tests.property.strategies import LAW
from workers.doctor.examine import examine
from workers.doctor.finding import Finding, Level, examined, masked, ok
from workers.doctor.machine import check_cores, check_environment, check_extras, check_policy, check_scorer
from workers.doctor.port import check_address

SECRETS = st.text(alphabet="abC3?/@:#%&=", min_size=4, max_size=12)


def levels(findings: Iterator[Finding]) -> list[tuple[str, Level]]:
    found = list(findings)
    assert all((finding.fix is None) == (finding.level is Level.OK) for finding in found)
    return [(finding.check, finding.level) for finding in found]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://cache:6379/0", "redis://cache:6379/0"),
        ("redis://:secret@cache:6379/0", "redis://:***@cache:6379/0"),
        ("postgresql+psycopg://me:secret@db/x?password=also", "postgresql+psycopg://me:***@db/x"),
        ("postgresql+psycopg://me@db/x", "postgresql+psycopg://me@db/x"),
        ("sqlite:///.assay/assay.db", "sqlite:///.assay/assay.db"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock"),
    ],
)
def test_masked(url: str, expected: str) -> None:
    """Place and account stay readable; password and parameters do not."""
    assert masked(url) == expected


@LAW
@given(SECRETS, SECRETS)
def test_no_part_of_a_secret_is_shown(password: str, parameter: str) -> None:
    """Whatever signs a password or a parameter has, no part of it is shown."""
    shown = masked(f"redis://me:{password}@host:1/0?secret={parameter}")
    assert shown in {"redis://me:***@host:1/0", "redis://..."}


def test_a_check_that_breaks_is_a_finding() -> None:
    """The doctor never falls ill: what was found before stays, and the text of the error, which may hold anything, goes."""

    def broken() -> Iterator[Finding]:
        yield ok("a", "fine")
        raise RuntimeError("secret")

    first, second = examined("b", broken)
    assert (first.level, second.check, second.level) == (Level.OK, "b", Level.FAIL)
    assert "secret" not in second.text


def test_a_misspelt_setting_is_named() -> None:
    """A variable that nothing reads is a warning: its writer believes that it is in force."""
    (finding,) = check_environment({"ASSAY_PORT": "1", "ASSAY_PROT": "2", "PATH": "/"})
    assert (finding.level, "ASSAY_PROT" in finding.text, "ASSAY_PORT" in finding.text) == (Level.WARN, True, False)
    assert levels(check_environment({"ASSAY_PORT": "1"})) == [("settings", Level.OK)]


def test_invalid_settings_end_the_examination(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings there is nothing to ask of a database; the finding names the variable."""
    monkeypatch.setenv("ASSAY_PORT", "many")
    *_, last = examine({"ASSAY_PORT": "many"})
    assert (last.level, last.check, "ASSAY_PORT" in last.text) == (Level.FAIL, "settings", True)


def test_extras_that_are_here() -> None:
    """The test environment has all."""
    assert levels(check_extras(Settings())) == [("extras", Level.OK)]


def test_another_model_needs_an_extra_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch the bundled model runs and a Hugging Face one does not; the finding names the extra."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else found(name))
    assert levels(check_extras(Settings())) == [("extras", Level.OK)]
    (finding,) = check_extras(Settings(nli_model="tests/tiny"))
    assert (finding.level, "assay-llm[hf]" in (finding.fix or "")) == (Level.WARN, True)
    assert list(check_scorer(Settings(nli_model="tests/tiny"))) == []


def test_policy(tmp_path: Path) -> None:
    """No file is well; a missing or a wrong one fails."""
    wrong = tmp_path / "policy.toml"
    wrong.write_text("[sampling]\nrate = 2\n")
    assert levels(check_policy(Settings())) == [("policy", Level.OK)]
    for file in (wrong, tmp_path / "none.toml"):
        assert levels(check_policy(Settings(policy_file=file))) == [("policy", Level.FAIL)]


def test_too_many_threads() -> None:
    """More threads than cores slow a worker down."""
    assert levels(check_cores(Settings(threads=10_000))) == [("cores", Level.WARN)]
    assert levels(check_cores(Settings())) == [("cores", Level.OK)]


def test_cores_and_what_a_worker_makes_of_them() -> None:
    """The finding says how many processes a worker will run here, and with how many threads."""
    cores = len(physical_cores())
    for settings, expected in (
        (Settings(threads=1), "one process with 1 thread"),
        (Settings(nli_model="a/b"), f"one process with {cores} thread"),
        (Settings(worker_group_cores=1), f"{cores} processes with 1 thread each" if cores > 1 else "one process"),
    ):
        (finding,) = check_cores(settings)
        assert expected in finding.text


@pytest.mark.parametrize(
    ("settings", "level"), [({"scorer": "fake"}, Level.WARN), ({"scorer": "fake", "threshold": "0"}, Level.FAIL)]
)
def test_scorer(settings: dict[str, Any], level: Level) -> None:
    """A scorer that does not load fails; the fake one is a warning, as its figures mean nothing."""
    assert levels(check_scorer(Settings(**settings))) == [("scorer", level)]


def test_a_foreign_program_on_the_port() -> None:
    """It keeps the sidecar from starting; a free port is well."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert levels(check_address(Settings(port=port))) == [("port", Level.FAIL)]
    assert levels(check_address(Settings(port=port))) == [("port", Level.OK)]
