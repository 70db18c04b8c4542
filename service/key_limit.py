"""The limit on kinds of counts: who makes up labels must not fill the ledger."""

import time
from collections import defaultdict
from collections.abc import Hashable, Iterable


class KeyLimit:
    """Bounds the distinct keys that each tenant brings within a minute. For one thread."""

    WINDOW_S = 60.0

    def __init__(self, most: int) -> None:
        """`most`: keys of one tenant in one window."""
        self._most = most
        self._since = time.monotonic()
        self._keys: defaultdict[str, set[Hashable]] = defaultdict(set)

    def admit(self, tenant: str, keys: Iterable[Hashable]) -> bool:
        """Whether these may come too; if not, none of them is remembered."""
        if time.monotonic() - self._since > self.WINDOW_S:
            self._since = time.monotonic()
            self._keys.clear()
        wanted = self._keys[tenant].union(keys)
        if len(wanted) > self._most:
            return False
        self._keys[tenant] = wanted
        return True
