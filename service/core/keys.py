"""API keys: made at random, shown once, stored as a digest, compared in constant time."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from service.core.errors import StartRefusedError
from service.core.store.keys import StoredKey

PREFIX = "assay"
DEFAULT_TENANT = "default"
TENANT_PATTERN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_FORM = re.compile(r"assay_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


class Scope(StrEnum):
    """What a key may do."""

    INGEST = "ingest"  # POST /score, POST /score/batch, POST /feedback
    READ = "read"  # GET samples, rates and metrics
    LABEL = "label"  # GET what to label, with its texts; POST /labels
    ADMIN = "admin"  # everything


@dataclass(frozen=True, kw_only=True, slots=True)
class NewKey:
    """A key just made; `text` is shown once and kept nowhere."""

    text: str = field(repr=False)
    stored: StoredKey


def make_key(*, tenant: str, scopes: frozenset[Scope], note: str, now: datetime) -> NewKey:
    """A key with 256 random bits, which is why a plain sha256 is enough to store it."""
    text = f"{PREFIX}_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"
    return declared_key(text, tenant=tenant, scopes=scopes, note=note, now=now)


def declared_key(text: str, *, tenant: str, scopes: frozenset[Scope], note: str, now: datetime) -> NewKey:
    """A key whose text was made elsewhere, such as a deployment's secret. Raises StartRefusedError."""
    parts = split_key(text)
    if parts is None:
        raise StartRefusedError(
            "The file holds no API key: assay_, 12 hexadecimal digits, _, and 43 letters, digits, - or _.",
            next_step="Write one with `assay keys create`, or let `deploy/compose/secrets.sh` make it.",
        )
    key_id, secret = parts
    stored = StoredKey(
        id=key_id,
        tenant=tenant,
        scopes=frozenset(scope.value for scope in scopes),
        note=note,
        secret_sha256=_digest(secret),
        created_at=now,
    )
    return NewKey(text=text, stored=stored)


def require_valid_key(keys: Iterable[StoredKey], host: str) -> None:
    """Raises StartRefusedError unless one of the keys is valid; asked before a sidecar binds where keys are needed."""
    if all(key.revoked_at is not None for key in keys):
        raise StartRefusedError(
            f"There is no API key, and ASSAY_HOST={host} needs one.",
            next_step="Make one with `assay keys create --scope ingest --scope read`, or bind 127.0.0.1.",
        )


def split_key(text: str) -> tuple[str, str] | None:
    """The id and the secret of a key; None if it has not the form of one."""
    match = _FORM.fullmatch(text)
    return (match[1], match[2]) if match else None


def matches(stored: StoredKey, secret: str) -> bool:
    """Whether this is the secret of a key that is still valid; constant time."""
    return hmac.compare_digest(stored.secret_sha256, _digest(secret)) and stored.revoked_at is None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
