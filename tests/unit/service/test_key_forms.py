"""API keys: made, taken apart, compared."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.core.keys import TENANT_PATTERN, NewKey, Scope, make_key, matches, split_key

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def new_key() -> NewKey:
    return make_key(tenant="acme", scopes=frozenset({Scope.INGEST}), note="app", now=NOW)


def secret_of(key: NewKey) -> str:
    parts = split_key(key.text)
    assert parts is not None
    return parts[1]


def test_round_trip() -> None:
    """A new key comes apart into the id that is stored and a secret that matches."""
    key = new_key()
    parts = split_key(key.text)
    assert parts is not None
    assert (parts[0], matches(key.stored, parts[1])) == (key.stored.id, True)


def test_stored_fields() -> None:
    """Tenant, scopes, note and time are stored as given, and the key is valid."""
    stored = new_key().stored
    assert (stored.tenant, stored.scopes, stored.note, stored.created_at, stored.revoked_at) == (
        "acme",
        {"ingest"},
        "app",
        NOW,
        None,
    )


def test_secret_is_stored_as_its_digest_only() -> None:
    """What is stored does not hold the secret, only its sha256."""
    key = new_key()
    secret = secret_of(key)
    assert key.stored.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in repr(key.stored)


def test_secret_has_256_bits() -> None:
    """43 characters of URL-safe base64 are 32 bytes, which is why one plain sha256 is enough."""
    assert len(secret_of(new_key())) == 43


def test_wrong_secret() -> None:
    """Another key's secret does not match, nor one changed in its last character."""
    key = new_key()
    secret = secret_of(key)
    changed = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    assert [matches(key.stored, wrong) for wrong in (secret_of(new_key()), changed, "")] == [False, False, False]


def test_revoked_key() -> None:
    """A revoked key's secret does not match any more."""
    key = new_key()
    assert not matches(replace(key.stored, revoked_at=NOW), secret_of(key))


def test_two_keys_differ() -> None:
    """Ids and secrets are random."""
    one, other = new_key(), new_key()
    assert one.stored.id != other.stored.id
    assert one.text != other.text


@pytest.mark.parametrize(
    "changed",
    [
        lambda text: text[:0],
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.upper(),
        lambda text: text.replace("assay_", "other_", 1),
        lambda text: text[:-1] + "é",
        lambda text: text[:-1] + "=",
        lambda text: text.replace("_", "-"),
    ],
)
def test_text_that_is_no_key(changed: Callable[[str], str]) -> None:
    """What has not the exact form of a key is none, whatever it resembles."""
    assert split_key(changed(new_key().text)) is None


@pytest.mark.parametrize(
    ("tenant", "accepted"),
    [("default", True), ("a" * 64, True), ("A_b.c-1", True), ("", False), ("a" * 65, False), ("a b", False)],
)
def test_names_of_tenants(tenant: str, accepted: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A tenant has 1 to 64 letters, digits, _ . and -, nothing else."""
    assert (TENANT_PATTERN.fullmatch(tenant) is not None) == accepted
