"""API keys as stored: hashed, bound to a tenant, revocable."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from service.core.store import dialect
from service.core.tables import api_keys


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredKey:
    """A key without its secret."""

    id: str
    tenant: str
    scopes: frozenset[str]
    note: str
    secret_sha256: str  # of the secret part, hexadecimal
    created_at: datetime
    revoked_at: datetime | None = None


def add_key(connection: Connection, key: StoredKey) -> None:
    """Stores a new key."""
    connection.execute(insert(api_keys).values(_columns(key)))


def add_key_once(connection: Connection, key: StoredKey) -> bool:
    """Stores a key unless its id is taken; False if it was."""
    statement = dialect.insert(connection, api_keys).values(_columns(key)).on_conflict_do_nothing(index_elements=["id"])
    return connection.execute(statement.returning(api_keys.c.id)).first() is not None


def _columns(key: StoredKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "tenant": key.tenant,
        "scopes": ",".join(sorted(key.scopes)),
        "note": key.note,
        "secret_sha256": key.secret_sha256,
        "created_at": key.created_at,
    }


def all_keys(connection: Connection) -> list[StoredKey]:
    """Every key, revoked ones too, oldest first."""
    rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id))
    return [StoredKey(**{**row._asdict(), "scopes": frozenset(row.scopes.split(","))}) for row in rows]


def revoke_key(connection: Connection, key_id: str, now: datetime) -> bool:
    """Revokes a key; False if there is none of that id that is still valid."""
    statement = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
    return connection.execute(statement).rowcount == 1
