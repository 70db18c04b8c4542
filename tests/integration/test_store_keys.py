"""API keys in the store: hashed, bound to a tenant, revocable."""

from sqlalchemy import select

from service.core.db import Database
from service.core.keys import NewKey, Scope, make_key, matches, split_key
from service.core.store.keys import add_key, all_keys, revoke_key
from service.core.tables import api_keys
from tests.integration.support import NOW


def add(database: Database, tenant: str = "default", *scopes: Scope) -> NewKey:
    key = make_key(tenant=tenant, scopes=frozenset(scopes or {Scope.READ}), note="a note", now=NOW)
    with database.write() as connection:
        add_key(connection, key.stored)
    return key


def test_a_key_comes_back_as_stored(database: Database) -> None:
    """Tenant, scopes and note are kept."""
    key = add(database, "acme", Scope.READ, Scope.INGEST)
    with database.read() as connection:
        assert all_keys(connection) == [key.stored]


def test_the_secret_is_not_stored(database: Database) -> None:
    """No column holds the secret; the digest matches it and no other."""
    key = add(database)
    parts = split_key(key.text)
    assert parts is not None
    with database.read() as connection:
        assert parts[1] not in str(connection.execute(select(api_keys)).one())
        (stored,) = all_keys(connection)
    assert matches(stored, parts[1])
    assert not matches(stored, parts[1][::-1])


def test_a_revoked_key_matches_no_longer(database: Database) -> None:
    """Revoking keeps the row and ends the key."""
    key = add(database)
    parts = split_key(key.text)
    assert parts is not None
    with database.write() as connection:
        assert revoke_key(connection, key.stored.id, NOW)
        (stored,) = all_keys(connection)
    assert stored.revoked_at == NOW
    assert not matches(stored, parts[1])


def test_a_key_is_revoked_once(database: Database) -> None:
    """The second revocation, and one of an unknown id, say that there was nothing to revoke."""
    key = add(database)
    with database.write() as connection:
        assert revoke_key(connection, key.stored.id, NOW)
        assert not revoke_key(connection, key.stored.id, NOW)
        assert not revoke_key(connection, "0" * 12, NOW)
