"""Process settings: environment variables `ASSAY_*`, read once by each entry point."""

import os
import re
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from redis import Redis
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from service.core.errors import SettingsInvalidError

MIN_DIGEST_KEY = 32
PUBLIC_URL = re.compile(r"https?://[A-Za-z0-9\[\]._:-]+(/[A-Za-z0-9._~%/-]*)?")
Threshold = Literal["strict", "balanced"] | float


class Auth(StrEnum):
    """Whether requests need an API key."""

    OPTIONAL = "optional"  # a key is checked if sent; only possible on loopback
    REQUIRED = "required"  # every request needs one but /healthz, /readyz and the documentation


class ScorerKind(StrEnum):
    """Which scorer the workers load."""

    NLI = "nli"  # a cross-encoder, the bundled one unless another is named
    FAKE = "fake"  # word overlap and rehearsed failures; for tests and demonstrations


class LogFormat(StrEnum):
    """How log lines are written."""

    CONSOLE = "console"
    JSON = "json"


class Settings(BaseSettings):
    """All process settings. The docstring under each says what it controls and how to choose it."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", use_attribute_docstrings=True, frozen=True)

    host: str = "127.0.0.1"
    """Address the sidecar binds. Anything but a loopback address needs API keys (`assay keys create`)."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port the sidecar binds. Change it when another program has the port."""
    auth: Auth = Auth.OPTIONAL
    """`optional` or `required`: whether requests on loopback need an API key. Elsewhere they always do."""
    allowed_hosts: str = "localhost,127.0.0.1,[::1]"
    """Host header names answered while keys are optional, comma-separated; stops web pages from reaching the sidecar."""
    metrics_open: bool = False
    """Whether `/metrics` answers without a key of scope `read`. Turn on where the network is trusted."""

    database_url: SecretStr = SecretStr("sqlite:///.assay/assay.db")
    """Where rows live: `sqlite:///FILE` (one sidecar) or `postgresql+psycopg://user:password@host/name`."""
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    """The doorbell: `redis://`, `rediss://` or `unix:///path`. Losing it costs latency, never a sample."""
    queue_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")] = "assay"
    """Name of the RQ queue. Give each installation that shares a Redis its own."""
    policy_file: Path | None = None
    """TOML file with the sampling policy; without one every submission is sampled at 5%. Check it: `assay check FILE`."""

    alert_interval_s: Annotated[float, Field(gt=0, le=3_600)] = 60.0
    """Seconds between looks at the policy's alert rules. What they are worth is measured at 60; docs/statistics/alarms.md."""
    public_url: str = ""
    """The sidecar's address as people reach it, `https://assay.example.org`: links in alerts begin with it."""

    digest_key: SecretStr | None = None
    """Key of stored digests of texts and bodies; at least 32 characters. `store_text = "hash"` needs one."""

    max_pending: Annotated[int, Field(ge=1)] = 100_000
    """Pending rows above which new samples are `rejected_overload`. About what workers can score in a day."""
    accept_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """Seconds a POST waits for its row to be committed before it answers 503."""
    flush_interval_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Seconds between flushes of unsampled counts; what a kill -9 of the sidecar may lose of them."""

    max_body_bytes: Annotated[int, Field(ge=1_024)] = 32 * 1024 * 1024
    """Largest request body in bytes."""
    body_timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    """Seconds in which a request body must have come; headers, and reading an answer, get 10 s of it at most."""
    max_connections: Annotated[int, Field(ge=8, le=100_000)] = 4_096
    """Most connections at once; one more is answered 429 and closed. Keep it below the limit of open files."""
    max_batch_items: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    """Most submissions in one `POST /score/batch`."""
    max_contexts: Annotated[int, Field(ge=1)] = 100
    """Most contexts of one submission."""
    max_context_chars: Annotated[int, Field(ge=1)] = 1_000_000
    """Longest single context in code points."""
    max_total_context_chars: Annotated[int, Field(ge=1)] = 2_000_000
    """Most code points of all contexts of one submission together."""
    max_response_chars: Annotated[int, Field(ge=1)] = 200_000
    """Longest question, response or alternative response in code points."""

    scorer: ScorerKind = ScorerKind.NLI
    """`nli` (a model: the bundled one, or `ASSAY_NLI_MODEL`) or `fake` (no model; for tests)."""
    nli_model: str = ""
    """Another NLI model: a Hugging Face name or a folder; needs the extra `hf`. Empty: the bundled one. docs/models.md."""
    nli_revision: str = ""
    """Commit, tag or branch of `ASSAY_NLI_MODEL` on the hub. Give a commit; without one every start takes the newest."""
    nli_labels: str = ""
    """What the outputs of `ASSAY_NLI_MODEL` mean, comma-separated in order, where its own configuration does not say."""
    nli_calibration: Path | None = None
    """File that `assay calibrate` wrote for the model; without one another model has no `strict` threshold."""
    threshold: str = "strict"
    """Operating threshold: `strict` (95% specificity per response), `balanced` (0.5), or a number up to 1, above the
    model's least score (0.240 for the bundled one)."""
    nli_languages: str | None = None
    """Languages that the model reads, as `en,de`; a response in another is `unscored(language)`. Unset: English for the
    bundled model, any for another. Empty: any."""
    max_pairs: Annotated[int, Field(ge=1)] = 4_096
    """Most (window, claim) pairs that one row may need; beyond it the row is `unscored(too_many_pairs)`."""
    pair_cache: Annotated[int, Field(ge=0)] = 16_384
    """Pairs whose answers a worker remembers, about 0.5 kB each. Worth more where answers or passages recur; 0: none."""
    threads: Annotated[int, Field(ge=0)] = 0
    """Inference threads of a worker in one process. 0: one for each physical core that it may use, its container's
    limit counted in, in several processes if they are many. Where N workers share a machine: cores / N."""
    worker_group_cores: Annotated[int, Field(ge=1)] = 8
    """Most cores of one worker process while `ASSAY_THREADS` is 0. Each has its model, 0.4 GB; another model than the
    bundled one stays in one process."""
    judge_api_key: SecretStr | None = None
    """Key of the policy's `[judge]` endpoint. Only judge workers need it; it is never stored or logged."""
    generator_api_key: SecretStr | None = None
    """Key of the policy's `[consistency.generator]` endpoint; likewise."""
    take_rows: Annotated[int, Field(ge=1, le=1_000)] = 64
    """Most rows a worker takes at once."""
    take_tokens: Annotated[int, Field(ge=1)] = 60_000
    """Estimated pair tokens a worker takes at once; at most 10 s of work, so measure tokens/s on a slow machine."""
    lease_s: Annotated[float, Field(ge=2, le=3_600)] = 60.0
    """Seconds after which a taken row of a dead worker may be taken again. Six times the longest take."""
    ticker_interval_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Seconds between a worker's own looks at the table; the latency while Redis is down."""
    stall_s: Annotated[float, Field(ge=1, le=3_600)] = 45.0
    """Seconds without progress after which a worker's parent restarts it. Below the lease, above the slowest batch."""
    probe_interval_s: Annotated[float, Field(ge=0, le=3_600)] = 300.0
    """Seconds between a worker's rounds over the known-answer probes, which show a broken scorer; 0: none. docs/alerts.md."""
    worker_metrics_port: Annotated[int, Field(ge=-1, le=65535)] = 0
    """Port of a worker's `/metrics` on loopback; 0 picks a free one and logs it, -1 serves none. A worker in several
    processes serves each on a port of its own: this one and those after it."""

    worker_metrics_host: str = "127.0.0.1"
    """Address a worker's `/metrics` binds. It asks for no key, so open it to a trusted network only, as `0.0.0.0`."""
    beat_file: Path | None = None
    """File that a worker touches as it makes progress. `python -m workers.probe`, a container's health check, reads it.
    With several processes it is as old as the one that has stalled for longest."""

    secrets_dir: Path | None = None
    """Folder with settings as files: `assay_database_url` holds ASSAY_DATABASE_URL. A variable that is set wins."""
    log_format: LogFormat = LogFormat.CONSOLE
    """`console` for people, `json` for machines."""
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    """Least severe level that is logged."""

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("must start with sqlite:/// or postgresql+psycopg://")
        try:
            make_url(value.get_secret_value())
        except (ArgumentError, ValueError):
            raise ValueError("is not a database URL; is its port a number?") from None  # theirs may quote the password
        return value

    @field_validator("redis_url")
    @classmethod
    def _known_redis(cls, value: SecretStr) -> SecretStr:
        try:
            Redis.from_url(value.get_secret_value())  # connects to nothing yet
        except ValueError:
            raise ValueError("must be redis://HOST:PORT/NUMBER, rediss://... or unix:///PATH") from None
        return value

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if value and not PUBLIC_URL.fullmatch(value):
            raise ValueError("must begin with https:// or http://, and hold no spaces, quotes, ? and #")
        return value.rstrip("/")

    @field_validator("digest_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < MIN_DIGEST_KEY:
            raise ValueError("must have at least 32 characters; make one with: openssl rand -hex 32")
        return value

    @field_validator("threshold")
    @classmethod
    def _known_threshold(cls, value: str) -> str:
        if value in {"strict", "balanced"}:
            return value
        try:
            inside = 0.0 <= float(value) <= 1.0
        except ValueError:
            inside = False
        if not inside:
            raise ValueError("must be strict, balanced or a number in 0..1")
        return value

    @property
    def loopback(self) -> bool:
        """Whether the sidecar binds a loopback address only."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def keys_required(self) -> bool:
        """Whether a request without a key is refused."""
        return self.auth is Auth.REQUIRED or not self.loopback

    @property
    def operating_threshold(self) -> Threshold:
        """The threshold as the scorer takes it: a name or a number."""
        match self.threshold:
            case "strict" | "balanced" as name:
                return name
            case number:
                return float(number)


def read_settings() -> Settings:
    """Reads the environment. Raises SettingsInvalidError, which names the variable and the fix."""
    folder = os.environ.get("ASSAY_SECRETS_DIR")
    if folder:
        _check_secrets(Path(folder))
    try:
        return Settings(_secrets_dir=folder or None)  # type: ignore[call-arg] # BaseSettings takes it; the plugin is off
    except ValidationError as error:
        lines = [f"ASSAY_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_url=False)]
        raise SettingsInvalidError("; ".join(lines)) from None


def _check_secrets(folder: Path) -> None:
    """Raises SettingsInvalidError where the files cannot be meant: else a slip would quietly choose the defaults."""
    known = {f"assay_{name}" for name in Settings.model_fields}
    try:
        files = [path for path in folder.iterdir() if path.name.lower() in known]
    except OSError as error:
        raise SettingsInvalidError(f"ASSAY_SECRETS_DIR: {folder} is no folder that this user may read.") from error
    if not files:
        raise SettingsInvalidError(f"ASSAY_SECRETS_DIR: {folder} has no file named like a setting, assay_database_url.")
    for path in files:
        if not os.access(path, os.R_OK):
            raise SettingsInvalidError(f"ASSAY_SECRETS_DIR: this user may not read {path}.")
