"""Contact: whether the sidecar answers, for the numbers, the log and the next try."""

import time
from collections import Counter

from assay_client.pace import backoff
from assay_client.shared import LOG_EVERY_S, Shared, log


class Contact:
    """What the loops of the sending thread know of the sidecar. An outage is logged once, and so is its end."""

    def __init__(self, shared: Shared, place: str) -> None:
        """`place`: the sidecar's URL as it may be logged."""
        self._shared = shared
        self._place = place
        self._failures: Counter[str] = Counter()  # in a row, by what was asked
        self._told = False
        self._told_at = float("-inf")

    def failed(self, what: str, problem: str, retry_after_s: float | None = None) -> float:
        """Notes a request that has to be sent again; gives the seconds to wait before."""
        self._shared.last_problem = f"{what}: {problem}"
        self._shared.add("failed_requests")
        self._failures[what] += 1
        now = time.monotonic()
        if not self._told and now - self._told_at >= LOG_EVERY_S:  # one that fails now and then is no line each time
            self._told, self._told_at = True, now
            log.warning(
                "Assay at %s cannot be used (%s: %s). Submissions are held, and sent when it can.",
                self._place,
                what,
                problem,
            )
        return backoff(self._failures[what], retry_after_s)

    def answered(self, what: str) -> None:
        """Notes that it can be used for this; where nothing else fails, the outage is over."""
        if not self._failures:
            return
        del self._failures[what]
        if self._told and not self._failures:
            self._told = False
            log.warning("Assay at %s can be used again.", self._place)  # seen by all who saw the first
