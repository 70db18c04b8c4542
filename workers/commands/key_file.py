"""`assay keys ensure`: the API key in a file works, so that a deployment declares its first key as it declares all else."""

from pathlib import Path

from sqlalchemy import Connection

from service.core.clock import utc_now
from service.core.errors import StartRefusedError
from service.core.keys import Scope, declared_key
from service.core.store.keys import StoredKey, add_key_once, all_keys

NOTE = "declared in a file"


def read_key(file: Path, *, tenant: str, scopes: frozenset[Scope]) -> StoredKey:
    """The key that the file holds, as it is to be stored. Raises StartRefusedError."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartRefusedError(
            f"{file} cannot be read: {type(error).__name__}.",
            next_step="Give a file that this user may read and that holds one API key.",
        ) from None
    return declared_key(text, tenant=tenant, scopes=scopes, note=NOTE, now=utc_now()).stored


def ensure_key(connection: Connection, wanted: StoredKey) -> str:
    """Stores the key unless it is there already; a sentence on what was done.

    A key that was revoked stays so: whoever revoked it knew more than the file. Raises StartRefusedError where the
    id is that of another key, or of this one with other rights: no start may widen what a key can do.
    """
    if add_key_once(connection, wanted):
        return f"Stored key {wanted.id} with {', '.join(sorted(wanted.scopes))} for tenant {wanted.tenant}."
    held = next(key for key in all_keys(connection) if key.id == wanted.id)
    if held.secret_sha256 != wanted.secret_sha256:
        raise StartRefusedError(
            f"Another key has the id {wanted.id}.", next_step="Make a new key; `assay keys list` shows those in use."
        )
    if (held.tenant, held.scopes) != (wanted.tenant, wanted.scopes):
        raise StartRefusedError(
            f"Key {held.id} is stored for tenant {held.tenant} with {', '.join(sorted(held.scopes))}.",
            next_step="Ask for the same, or put a new key into the file and revoke this one.",
        )
    if held.revoked_at is not None:
        return f"Key {held.id} was revoked and stays so; put a new one into the file."
    return f"Key {held.id} is stored already."
