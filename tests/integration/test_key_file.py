"""A key that a deployment declares in a file."""

from pathlib import Path

import pytest

from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import StartRefusedError
from service.core.keys import Scope, make_key, matches, split_key
from service.core.store.keys import all_keys, revoke_key
from tests.integration.support import in_threads
from workers.commands.key_file import ensure_key, read_key

BOTH = frozenset({Scope.INGEST, Scope.READ})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a key that is in no database."""
    path = tmp_path / "key"
    path.write_text(make_key(tenant="default", scopes=BOTH, note="", now=utc_now()).text + "\n")
    return path


def ensure(database: Database, file: Path, scopes: frozenset[Scope] = BOTH, tenant: str = "default") -> str:
    with database.write() as connection:
        return ensure_key(connection, read_key(file, tenant=tenant, scopes=scopes))


def test_the_key_works(database: Database, file: Path) -> None:
    """What the file holds opens what its scopes allow; only its digest is stored."""
    ensure(database, file)
    with database.read() as connection:
        (stored,) = all_keys(connection)
    _, secret = split_key(file.read_text().strip()) or ("", "")
    assert matches(stored, secret)
    assert (stored.tenant, stored.scopes) == ("default", frozenset({"ingest", "read"}))
    assert secret not in repr(stored)


def test_twice_is_once(database: Database, file: Path) -> None:
    """Every start may ask again."""
    assert "Stored" in ensure(database, file)
    assert "stored already" in ensure(database, file)
    with database.read() as connection:
        assert len(all_keys(connection)) == 1


def test_at_once(database: Database, file: Path) -> None:
    """Replicas that start together store one key, and none of them fails."""
    in_threads(4, lambda _: ensure(database, file) and None)
    with database.read() as connection:
        assert len(all_keys(connection)) == 1


def test_a_revoked_key_stays_revoked(database: Database, file: Path) -> None:
    """A restart brings back no key that someone took away."""
    ensure(database, file)
    with database.write() as connection:
        (held,) = all_keys(connection)
        revoke_key(connection, held.id, utc_now())
    assert "revoked and stays so" in ensure(database, file)
    with database.read() as connection:
        assert all_keys(connection)[0].revoked_at is not None


def test_a_start_widens_no_key(database: Database, file: Path) -> None:
    """Other scopes or another tenant for a stored key are refused."""
    ensure(database, file)
    with pytest.raises(StartRefusedError, match="ingest, read"):
        ensure(database, file, scopes=frozenset({Scope.ADMIN}))
    with pytest.raises(StartRefusedError, match="tenant default"):
        ensure(database, file, tenant="other")


def test_another_key_of_the_same_id_is_refused(database: Database, file: Path) -> None:
    """An id names one secret."""
    ensure(database, file)
    text = file.read_text().strip()
    file.write_text(text[:-1] + ("a" if text[-1] != "a" else "b"))
    with pytest.raises(StartRefusedError, match="Another key"):
        ensure(database, file)


@pytest.mark.parametrize("text", [b"", b"hunter2", b"assay_zz_hunter2", b"\xff\xfe"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: bytes) -> None:
    """What is no key is refused, and not shown: it may be another secret."""
    path = tmp_path / "key"
    path.write_bytes(text)
    with pytest.raises(StartRefusedError) as caught:
        read_key(path, tenant="default", scopes=BOTH)
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(StartRefusedError, match="none"):
        read_key(tmp_path / "none", tenant="default", scopes=BOTH)
