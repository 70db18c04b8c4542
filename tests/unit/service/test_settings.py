"""Process settings."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from service.core.config import Auth, Settings, read_settings
from service.core.errors import SettingsInvalidError


def complaint(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalidError) as caught:
        read_settings()
    return caught.value.detail


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_says_what_it_controls(name: str) -> None:
    """Each setting has a sentence on what it controls and how to choose it."""
    description = Settings.model_fields[name].description or ""
    assert description.rstrip().endswith((".", "`."))
    assert len(description) >= 20


def test_defaults_are_valid() -> None:
    """Assay starts without any setting, on loopback, without keys."""
    settings = read_settings()
    assert (settings.loopback, settings.keys_required, settings.operating_threshold) == (True, False, "strict")


def test_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable ASSAY_NAME sets `name`."""
    monkeypatch.setenv("ASSAY_PORT", "9000")
    assert read_settings().port == 9_000


@pytest.mark.parametrize(
    ("text", "threshold"),
    [("strict", "strict"), ("balanced", "balanced"), ("0", 0.0), ("1", 1.0), ("0.85", 0.85), ("1e-3", 0.001)],
)
def test_thresholds(text: str, threshold: str | float) -> None:
    """A threshold is a name or a number in 0..1, both ends included."""
    assert Settings(threshold=text).operating_threshold == threshold


@pytest.mark.parametrize("text", ["", "lenient", "STRICT", "-0.1", "1.1", "nan", "inf", "50%", "0,5"])
def test_no_thresholds(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Anything else is refused by the variable's name."""
    assert "ASSAY_THRESHOLD" in complaint(monkeypatch, ASSAY_THRESHOLD=text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "::1", "[::1]"])
def test_loopback(host: str) -> None:
    """A loopback address needs no keys."""
    assert Settings(host=host).loopback
    assert not Settings(host=host).keys_required


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "[::]", "", "10.0.0.1", "192.168.1.5", "example.org", "127.0.0.1.example.org", "localhost.evil"],
)
def test_elsewhere_keys_are_required(host: str) -> None:
    """Anything but a loopback address needs keys, also what is no address at all."""
    assert not Settings(host=host).loopback
    assert Settings(host=host).keys_required


def test_keys_can_be_required_on_loopback() -> None:
    """`required` asks for keys everywhere."""
    assert Settings(auth=Auth.REQUIRED).keys_required


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ASSAY_PORT", "http"),
        ("ASSAY_PORT", "70000"),
        ("ASSAY_AUTH", "sometimes"),
        ("ASSAY_METRICS_OPEN", "perhaps"),
        ("ASSAY_DATABASE_URL", "mysql://root@db/assay"),
        ("ASSAY_DATABASE_URL", "postgresql://root@db/assay"),
        ("ASSAY_REDIS_URL", "cache:6379"),
        ("ASSAY_REDIS_URL", ""),
        ("ASSAY_QUEUE_NAME", "two words"),
        ("ASSAY_MAX_PENDING", "0"),
        ("ASSAY_ACCEPT_TIMEOUT_S", "0"),
        ("ASSAY_FLUSH_INTERVAL_S", "61"),
        ("ASSAY_MAX_BATCH_ITEMS", "10001"),
        ("ASSAY_SCORER", "gpt"),
        ("ASSAY_TAKE_ROWS", "0"),
        ("ASSAY_LEASE_S", "1"),
        ("ASSAY_WORKER_METRICS_PORT", "-2"),
        ("ASSAY_LOG_FORMAT", "xml"),
        ("ASSAY_LOG_LEVEL", "TRACE"),
    ],
)
def test_error_names_the_variable(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """A value that is not valid is refused by the name of the variable that the reader has to change."""
    assert complaint(monkeypatch, **{variable: value}).startswith(f"{variable}: ")


def test_all_errors_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One start shows all that is wrong."""
    text = complaint(monkeypatch, ASSAY_PORT="x", ASSAY_TAKE_ROWS="0")
    assert ("ASSAY_PORT" in text, "ASSAY_TAKE_ROWS" in text) == (True, True)


@pytest.mark.parametrize(
    "variable", ["ASSAY_LEASE_S", "ASSAY_STALL_S", "ASSAY_ACCEPT_TIMEOUT_S", "ASSAY_TICKER_INTERVAL_S"]
)
@pytest.mark.parametrize("value", ["inf", "nan"])
def test_times_are_finite(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """A lease that never ends would lose the rows of every dead worker."""
    assert variable in complaint(monkeypatch, **{variable: value})


def test_error_keeps_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that is refused is not printed: it may hold a password."""
    assert "hunter2" not in complaint(monkeypatch, ASSAY_DATABASE_URL="mysql://root:hunter2@db/assay")


def test_settings_keep_secrets() -> None:
    """Settings that are printed show no password."""
    settings = Settings(
        database_url=SecretStr("postgresql+psycopg://a:hunter2@db/assay"), redis_url=SecretStr("redis://:hunter2@r/0")
    )
    assert "hunter2" not in f"{settings!r} {settings}"


def test_default_lease_outlives_the_default_stall() -> None:
    """A worker that hangs is restarted before its lease ends, so that no row is scored twice for it."""
    settings = Settings()
    assert settings.stall_s < settings.lease_s


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ASSAY_DATABASE_URL", "postgresql+psycopg://assay:secret-word@db:port/assay"),
        ("ASSAY_DATABASE_URL", "mysql://assay:secret-word@db/assay"),
        ("ASSAY_REDIS_URL", "cache:6379"),
        ("ASSAY_REDIS_URL", "redis://:secret-word@cache:port/0"),
        ("ASSAY_REDIS_URL", ""),
    ],
)
def test_a_wrong_url_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """What no client can read is refused at start, and named; what it holds is not repeated."""
    detail = complaint(monkeypatch, **{name: value})
    assert name in detail
    assert "secret-word" not in detail


def test_secrets_are_read_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file named like the variable is its value, without the newline at its end; a variable that is set wins."""
    (tmp_path / "assay_database_url").write_text("postgresql+psycopg://a:hunter2@db/assay\n")
    (tmp_path / "assay_redis_url").write_text("redis://:from-file@cache/0\n")
    (tmp_path / "first_api_key").write_text("not a setting")
    monkeypatch.setenv("ASSAY_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("ASSAY_REDIS_URL", "redis://:from-variable@cache/0")
    settings = read_settings()
    assert settings.database_url.get_secret_value() == "postgresql+psycopg://a:hunter2@db/assay"
    assert settings.redis_url.get_secret_value() == "redis://:from-variable@cache/0"


def test_secrets_are_read_as_kubernetes_mounts_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kubernetes links each name, through a link it can swap, to a file in a hidden folder."""
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "assay_queue_name").write_text("from-file")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "assay_queue_name").symlink_to("..data/assay_queue_name")
    monkeypatch.setenv("ASSAY_SECRETS_DIR", str(tmp_path))
    assert read_settings().queue_name == "from-file"


def test_a_secret_that_is_refused_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A bad value from a file is named by its variable and never printed."""
    (tmp_path / "assay_database_url").write_text("mysql://root:hunter2@db/assay")
    text = complaint(monkeypatch, ASSAY_SECRETS_DIR=str(tmp_path))
    assert text.startswith("ASSAY_DATABASE_URL: ")
    assert "hunter2" not in text


@pytest.mark.parametrize("files", [[], ["database_url"], ["ASSAY_DATABASE"]])
def test_a_folder_without_a_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: list[str]
) -> None:
    """A slip in a file's name must not start a sidecar on an empty SQLite file of its own."""
    for name in files:
        (tmp_path / name).write_text("x")
    assert "ASSAY_SECRETS_DIR" in complaint(monkeypatch, ASSAY_SECRETS_DIR=str(tmp_path))


def test_a_folder_that_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So must not a secret that was not mounted."""
    assert "ASSAY_SECRETS_DIR" in complaint(monkeypatch, ASSAY_SECRETS_DIR=str(tmp_path / "none"))
