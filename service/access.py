"""Access: who may ask for what. Keys are held in memory, so that a request costs no query."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from service.core.config import Settings
from service.core.db import Database
from service.core.errors import (
    AssayError,
    HostRefusedError,
    KeyMissingError,
    KeyUnknownError,
    ScopeMissingError,
)
from service.core.keys import DEFAULT_TENANT, Scope, matches, split_key
from service.core.log import log, where
from service.core.store.keys import StoredKey, all_keys

REFRESH_S = 5.0  # how long a revoked key may still work
REFRESH_FOR_UNKNOWN_S = 1.0  # how often an unknown key may cause a look at the table


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who asks."""

    tenant: str
    scopes: frozenset[str]

    def require(self, scope: Scope) -> None:
        """Raises ScopeMissingError unless the caller has the scope, or `admin`."""
        if scope not in self.scopes and Scope.ADMIN not in self.scopes:
            raise ScopeMissingError(f"The API key lacks the scope {scope.value!r}.")


ANYONE = Caller(tenant=DEFAULT_TENANT, scopes=frozenset({Scope.ADMIN}))


class Access:
    """Checks Host headers and keys."""

    def __init__(self, settings: Settings, database: Database) -> None:
        """Reads no key yet."""
        self._required = settings.keys_required
        self._hosts = frozenset(host.strip().lower() for host in settings.allowed_hosts.split(","))
        self._database = database
        self._keys: dict[str, StoredKey] = {}
        self._read_at = float("-inf")
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keys", daemon=True)

    def start(self) -> None:
        """Goes on reading the keys."""
        self._thread.start()

    def stop(self) -> None:
        """Stops reading."""
        self._stop.set()
        self._thread.join()

    def load(self) -> None:
        """Reads the keys. Raises StoreUnavailableError."""
        with self._lock:
            self._read_at = time.monotonic()
            with self._database.read() as connection:
                self._keys = {key.id: key for key in all_keys(connection)}

    @property
    def keys(self) -> Iterable[StoredKey]:
        """The keys as last read, revoked ones too."""
        return self._keys.values()

    def check_host(self, host: str | None, origin: str | None) -> None:
        """Raises HostRefusedError for a foreign Host or Origin while keys are optional: a web page may send these."""
        if self._required:
            return
        names = [host or "", *([origin.rpartition("://")[2]] if origin is not None else [])]
        if any(_without_port(name.lower()) not in self._hosts for name in names):
            raise HostRefusedError

    def must_read(self, authorization: str | None) -> bool:
        """Whether this header names a key that is not held, and the table may be asked again."""
        parts = _key_parts(authorization)
        known = parts is None or parts[0] in self._keys
        return not known and time.monotonic() - self._read_at > REFRESH_FOR_UNKNOWN_S

    def read_again(self) -> None:
        """Reads the keys; those held before stay in force if the database does not answer."""
        try:
            self.load()
        except AssayError as error:
            log.warning("keys_not_read", error=error.code)
        except Exception as error:  # noqa: BLE001 - without this thread a revoked key would work for ever
            log.error("keys_not_read", error=where(error))

    def caller(self, authorization: str | None) -> Caller:
        """The caller of an Authorization header; no I/O. Raises KeyMissingError or KeyUnknownError."""
        if authorization is None:
            if self._required:
                raise KeyMissingError
            return ANYONE
        parts = _key_parts(authorization)
        if parts is None:
            raise KeyUnknownError("The Authorization header holds no API key.")
        key = self._keys.get(parts[0])
        if key is None or not matches(key, parts[1]):
            raise KeyUnknownError
        return Caller(tenant=key.tenant, scopes=key.scopes)

    def _run(self) -> None:
        while not self._stop.wait(REFRESH_S):
            self.read_again()


def _without_port(name: str) -> str:
    before, _, after = name.rpartition(":")
    return before if before and after.isdigit() else name


def _key_parts(authorization: str | None) -> tuple[str, str] | None:
    scheme, _, text = (authorization or "").partition(" ")
    return split_key(text.strip()) if scheme.lower() == "bearer" else None
