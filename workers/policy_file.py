"""The policy file as a worker follows it: read again whenever it has changed."""

import threading
from pathlib import Path

from service.core.errors import PolicyInvalidError
from service.core.log import log
from service.core.policy import Policy, read_policy


class PolicyFile:
    """What is in force by the file. What cannot be read leaves in force what was."""

    def __init__(self, path: Path) -> None:
        """Reads nothing yet."""
        self._path = path
        self._seen: tuple[int, int, int] | None = None  # what the file looked like when it was last read
        self._policy: Policy | None = None
        self._lock = threading.Lock()

    def read(self) -> Policy | None:
        """The policy in force; None as long as the file could not be read even once."""
        with self._lock:
            self._read_changed()
            return self._policy

    def _read_changed(self) -> None:
        try:
            stat = self._path.stat()
            looks = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if looks == self._seen:
                return
            if stat.st_size == 0 and self._policy is not None:
                return  # about to be written: an empty policy would take all rules for removed
            self._seen = looks
            self._policy = read_policy(self._path)
        except (OSError, PolicyInvalidError) as error:
            if isinstance(error, OSError) or isinstance(error.__context__, OSError):
                self._seen = None  # it may be read the next time, unchanged
            # A file that is being written must neither stop what follows it nor hasten it.
            detail = str(error) if isinstance(error, PolicyInvalidError) else type(error).__name__
            log.error("policy_not_read", error=detail, fix="run `assay check` on the policy file")
        else:
            policy = self._policy
            log.info("policy_read", removes_by_age=policy.privacy.removes_by_age, alert_rules=len(policy.alert_rules))
