"""The `[[sinks]]` tables: what is taken, what is refused and how it is said, and that no secret is shown."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from service.core.alerting.sink import (
    EmailSink,
    PagerDutySink,
    SecretUnreadableError,
    Sink,
    SlackSink,
    WebhookSink,
)

TOKEN = "T0PSECRETtokenvalue"  # noqa: S105 - a value to look for
URL = f"https://hooks.example.com/services/{TOKEN}"
WEBHOOK = {"type": "webhook", "name": "ours", "url": URL}
SLACK = {"type": "slack", "name": "team", "url": URL}
PAGERDUTY = {"type": "pagerduty", "name": "phone", "routing_key": TOKEN}
EMAIL = {"type": "email", "name": "mail", "host": "smtp.example.com", "from": "assay@example.com", "to": ["a@b.org"]}
LOGIN = {"username": "assay", "password": TOKEN}


def sink(table: dict[str, Any], **changes: Any) -> Any:
    """The model; a change to None leaves the field out."""
    told = {name: value for name, value in (table | changes).items() if value is not None}
    return TypeAdapter(Sink).validate_python(told)


def refused(table: dict[str, Any], **changes: Any) -> str:
    """Places and words of the error, as people are told of a policy file; they must hold no secret."""
    with pytest.raises(ValidationError) as caught:
        sink(table, **changes)
    told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in caught.value.errors())
    assert TOKEN not in told
    return told


@pytest.mark.parametrize(
    ("table", "kind", "shown"),
    [
        (WEBHOOK, WebhookSink, "webhook hooks.example.com"),
        (SLACK, SlackSink, "slack hooks.example.com"),
        (PAGERDUTY, PagerDutySink, "pagerduty events.pagerduty.com"),
        (EMAIL | LOGIN, EmailSink, "email smtp.example.com"),
    ],
)
def test_each_kind_is_read_and_shows_no_secret(table: dict[str, Any], kind: type, shown: str) -> None:
    """The type chooses the model; what people see of it is type and host."""
    made = sink(table)
    assert (type(made), made.shown) == (kind, shown)
    told = f"{made!r} {made} {made.model_dump(mode='json')} {made.shown}"
    assert TOKEN not in told


@pytest.mark.parametrize(
    ("table", "changes", "words"),
    [
        (WEBHOOK, {"url": None}, "give `url` or `url_file`"),
        (WEBHOOK, {"url_file": "/run/url"}, "give `url` or `url_file`"),
        (WEBHOOK, {"url_file": "run/url", "url": None}, "absolute path"),
        (WEBHOOK, {"secret": "x" * 16, "secret_file": "/run/secret"}, "give `secret` or `secret_file`"),
        (WEBHOOK, {"secret": TOKEN[:15]}, "at least 16"),
        (WEBHOOK, {"url": f"http://example.com/{TOKEN}"}, "allow_private = true"),
        (WEBHOOK, {"url": f"ftp://example.com/{TOKEN}", "allow_private": True}, "https://"),
        (WEBHOOK, {"url": f"https://me:{TOKEN}@example.com/"}, "user name or password"),
        (WEBHOOK, {"url": f"https://example.com/{TOKEN}\r\nHost: other"}, "printable ASCII"),
        (WEBHOOK, {"url": f"https://example.com/{TOKEN} x"}, "visible ASCII"),
        (WEBHOOK, {"url": f"https://example.com\\@{TOKEN}.com/"}, "backslash"),
        (WEBHOOK, {"url": f"https://example.com:{TOKEN}/"}, "must be a URL"),
        (WEBHOOK, {"url": f"https://example.com:0/{TOKEN}"}, "must be a URL"),
        (WEBHOOK, {"url": f"https:///{TOKEN}"}, "must be a URL"),
        (WEBHOOK, {"name": "a b"}, "name"),
        (WEBHOOK, {"secrets": "x"}, "secrets"),
        (SLACK, {"type": "pigeon"}, "pigeon"),
        (SLACK, {"url": None}, "give `url` or `url_file`"),
        (PAGERDUTY, {"routing_key": None}, "give `routing_key` or `routing_key_file`"),
        (PAGERDUTY, {"url": "http://events.example.com"}, "allow_private = true"),
        (EMAIL, {"to": []}, "at least 1"),
        (EMAIL, {"to": ["a@b.org\r\nBcc: c@d.org"]}, "to.0"),
        (EMAIL, {"to": ["Someone <a@b.org>"]}, "to.0"),
        (EMAIL, {"from": "a@b.org\n"}, "from"),
        (EMAIL, {"host": "smtp.example.com\n"}, "host"),
        (EMAIL, {"port": 0}, "port"),
        (EMAIL, {"username": "assay"}, "goes with"),
        (EMAIL, {"password": TOKEN}, "goes with"),
        (EMAIL, LOGIN | {"username": "as\r\nsay"}, "username"),
        (EMAIL, LOGIN | {"password_file": "/run/password"}, "give `password` or `password_file`"),
        (EMAIL, LOGIN | {"security": "none"}, "starttls"),
    ],
)
def test_refusals_name_the_field_and_hold_no_secret(table: dict[str, Any], changes: dict[str, Any], words: str) -> None:
    """What is wrong is said in words that lead to the field; the value is never repeated."""
    assert words in refused(table, **changes)


def test_http_is_for_private_networks() -> None:
    """With `allow_private` an address may be plain http; its parts are those that are called."""
    address = sink(WEBHOOK, url="http://alerts.internal:8080/in?x=1#part", allow_private=True).read_address()
    assert (address.scheme, address.host, address.port, address.target) == (
        "http",
        "alerts.internal",
        8080,
        "/in?x=1",
    )
    assert (address.authority, TOKEN in repr(sink(WEBHOOK).read_address())) == ("alerts.internal:8080", False)


def test_secrets_are_read_from_files_at_each_sending(tmp_path: Path) -> None:
    """A rotated secret is used at once; one trailing newline is none of it."""
    file = tmp_path / "key"
    made = sink(PAGERDUTY, routing_key=None, routing_key_file=str(file))
    found = []
    for content in ("first\n", "second\r\n", "third"):
        file.write_text(content, newline="")
        found.append(made.read_key())
    assert found == ["first", "second", "third"]


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb\n", b"\xff\xfe", "ключ".encode(), b"x" * 9_000, b"a\x00b"])
def test_a_file_holds_one_printable_line(tmp_path: Path, content: bytes) -> None:
    """Anything else is an error that names field and file, and nothing of the content."""
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(SecretUnreadableError) as caught:
        sink(PAGERDUTY, routing_key=None, routing_key_file=str(file)).read_key()
    assert str(caught.value) == f"`routing_key_file`: {file} must hold one line of printable ASCII"


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """Field, file and what the system says."""
    with pytest.raises(SecretUnreadableError, match=r"`password_file`: cannot read .*/none: No such file"):
        sink(EMAIL, username="a", password_file=str(tmp_path / "none")).read_login()


@pytest.mark.parametrize(("url", "words"), [("http://example.com/", "allow_private"), (f"{TOKEN} {TOKEN}", "visible")])
def test_an_address_from_a_file_meets_the_same_rules(tmp_path: Path, url: str, words: str) -> None:
    """A file is no way around them, and its content is not shown."""
    file = tmp_path / "url"
    file.write_text(url)
    made = sink(SLACK, url=None, url_file=str(file))
    with pytest.raises(SecretUnreadableError, match=words) as caught:
        made.read_address()
    assert (TOKEN in str(caught.value), made.shown) == (False, "slack the address in url_file")


def test_a_signing_key_from_a_file_is_long_enough(tmp_path: Path) -> None:
    """Sixteen characters at least, as in the policy file."""
    file = tmp_path / "secret"
    file.write_text("x" * 15)
    made = sink(WEBHOOK, secret_file=str(file))
    with pytest.raises(SecretUnreadableError, match="less than 16"):
        made.read_key()
    file.write_text("x" * 16)
    assert (made.read_key(), sink(WEBHOOK).read_key()) == (b"x" * 16, None)


def test_tenants() -> None:
    """A sink gets the alerts of the tenants that it names; of all if it names none."""
    assert [sink(SLACK).gets("a"), sink(SLACK, tenants=["a"]).gets("a"), sink(SLACK, tenants=["a"]).gets("b")] == [
        True,
        True,
        False,
    ]
