"""The `[[sinks]]` tables of the policy file: where alerts are sent. Secrets stand in the file, or in files of their own."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from service.core.alerting.rule import Name
from service.core.web_address import WebAddress, web_address

PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
LEAST_SECRET_CHARS = 16
MAX_SECRET_BYTES = 8_192


class SecretUnreadableError(Exception):
    """What a sink needs from a file is not there. Its words hold the file's path, never what is in it."""


def _printable(secret: SecretStr) -> SecretStr:
    if not _is_printable(secret.get_secret_value()):
        raise ValueError("must be printable ASCII, and not empty")
    return secret


def _absolute(path: Path) -> Path:
    """Workers may run in another folder than the command that checks the policy file."""
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


Secret = Annotated[SecretStr, AfterValidator(_printable)]
SecretFile = Annotated[Path, AfterValidator(_absolute)]
Host = Annotated[str, Field(pattern=r"^([A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45})$")]
# Enough to keep out what would end a header or a command; the mail server knows which addresses there are.
Mailbox = Annotated[str, Field(max_length=254, pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+$")]


class _Sink(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)

    name: Name
    tenants: tuple[str, ...] = ()  # whose alerts it gets; all if none is named
    allow_private: bool = False  # whether its host may be in a private network, or this machine

    def gets(self, tenant: str) -> bool:
        """Whether this tenant's alerts are for it."""
        return not self.tenants or tenant in self.tenants


class _WithUrl(_Sink):
    url: Secret | None = None
    url_file: SecretFile | None = None

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        _one_of("url", self.url, self.url_file)
        if self.url is not None:
            _address(self.url.get_secret_value(), "url", allow_private=self.allow_private)
        return self

    def read_address(self) -> WebAddress:
        """Where to post, read now. Raises SecretUnreadableError."""
        if self.url is not None:
            return _address(self.url.get_secret_value(), "url", allow_private=self.allow_private)
        text = _read(self.url_file, "url_file")
        try:
            return _address(text, "url_file", allow_private=self.allow_private)
        except ValueError as error:
            raise SecretUnreadableError(str(error)) from None

    def _place(self) -> str:
        return "the address in url_file" if self.url is None else self.read_address().host


class WebhookSink(_WithUrl):
    """Posts the notice as JSON, signed if it has a secret."""

    type: Literal["webhook"]
    secret: Annotated[Secret, Field(min_length=LEAST_SECRET_CHARS)] | None = None
    secret_file: SecretFile | None = None

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        _at_most_one_of("secret", self.secret, self.secret_file)
        return self

    def read_key(self) -> bytes | None:
        """What signs, read now; None: nothing is signed. Raises SecretUnreadableError."""
        if self.secret is None and self.secret_file is None:
            return None
        key = _either(self.secret, self.secret_file, "secret_file")
        if len(key) < LEAST_SECRET_CHARS:
            raise SecretUnreadableError(f"`secret_file` holds less than {LEAST_SECRET_CHARS} characters")
        return key.encode()

    @property
    def shown(self) -> str:
        """What people are told of it: no path, no secret."""
        return f"webhook {self._place()}"


class SlackSink(_WithUrl):
    """Posts to an incoming webhook of Slack, or of what understands the same."""

    type: Literal["slack"]

    @property
    def shown(self) -> str:
        """What people are told of it: no path, no secret."""
        return f"slack {self._place()}"


class PagerDutySink(_Sink):
    """Opens and resolves incidents by PagerDuty's Events API v2."""

    type: Literal["pagerduty"]
    url: str = PAGERDUTY  # no secret: the key is
    routing_key: Secret | None = None
    routing_key_file: SecretFile | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _one_of("routing_key", self.routing_key, self.routing_key_file)
        _address(self.url, "url", allow_private=self.allow_private)
        return self

    def read_address(self) -> WebAddress:
        """Where to post."""
        return _address(self.url, "url", allow_private=self.allow_private)

    def read_key(self) -> str:
        """The routing key, read now. Raises SecretUnreadableError."""
        return _either(self.routing_key, self.routing_key_file, "routing_key_file")

    @property
    def shown(self) -> str:
        """What people are told of it: no path, no secret."""
        return f"pagerduty {self.read_address().host}"


class EmailSink(_Sink):
    """Sends a plain text message by SMTP."""

    type: Literal["email"]
    host: Host
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    from_: Annotated[Mailbox, Field(alias="from")]
    to: Annotated[tuple[Mailbox, ...], Field(min_length=1, max_length=50)]
    username: Annotated[str, Field(pattern=r"^[ -~]{1,254}$")] | None = None
    password: Secret | None = None
    password_file: SecretFile | None = None

    @model_validator(mode="after")
    def _login(self) -> Self:
        _at_most_one_of("password", self.password, self.password_file)
        has_password = self.password is not None or self.password_file is not None
        if has_password is (self.username is None):
            raise ValueError("`username` goes with `password` or `password_file`: give both, or none")
        if has_password and self.security == "none":
            raise ValueError('a password over `security = "none"` could be read by anybody: use "starttls" or "tls"')
        return self

    def read_login(self) -> tuple[str, str] | None:
        """User name and password, read now; None: without. Raises SecretUnreadableError."""
        if self.username is None:
            return None
        return self.username, _either(self.password, self.password_file, "password_file")

    @property
    def shown(self) -> str:
        """What people are told of it: no path, no secret."""
        return f"email {self.host}"


Sink = Annotated[WebhookSink | SlackSink | PagerDutySink | EmailSink, Field(discriminator="type")]


def _at_most_one_of(name: str, inline: SecretStr | None, file: Path | None) -> None:
    if inline is not None and file is not None:
        raise ValueError(f"give `{name}` or `{name}_file`, not both")


def _one_of(name: str, inline: SecretStr | None, file: Path | None) -> None:
    if (inline is None) is (file is None):
        raise ValueError(f"give `{name}` or `{name}_file`, and not both")


def _address(text: str, field: str, *, allow_private: bool) -> WebAddress:
    try:
        return web_address(text, allow_private=allow_private)
    except ValueError as error:
        raise ValueError(f"`{field}` {error}") from None


def _either(inline: SecretStr | None, file: Path | None, field: str) -> str:
    return inline.get_secret_value() if inline is not None else _read(file, field)


def _is_printable(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()


def _read(path: Path | None, field: str) -> str:
    """The file's one line. Read at each sending, so that a secret can be rotated without a restart."""
    if path is None:
        raise SecretUnreadableError(f"`{field}` is not given")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise SecretUnreadableError(f"`{field}`: cannot read {path}: {error.strerror}") from None
    text = content.decode("ascii", errors="replace").removesuffix("\n").removesuffix("\r")
    if len(content) > MAX_SECRET_BYTES or not _is_printable(text):
        raise SecretUnreadableError(f"`{field}`: {path} must hold one line of printable ASCII")
    return text
