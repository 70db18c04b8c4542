"""What the callers' threads and the sending thread share, and what becomes of submissions there."""

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assay_client.buffer import Buffer
from assay_client.ledger import DROPPED, SAMPLED_OUT, Ledger
from assay_client.sampling import UNDECIDED, LocalPolicy, SendAll, Stratum
from assay_client.settings import Settings
from assay_client.submission import Item

log = logging.getLogger("assay_client")
LOG_EVERY_S = 60.0
REASONS = {
    "buffer_full": "Assay is slower than this process submits, or away. Raise buffer_items, or look at the sidecar.",
    "expired": "Assay was away for longer than max_age_s.",
    "closed": "The client was closed before they were delivered.",
    "invalid": "A field has a type that cannot be sent.",
    "refused": "Assay refused the request; a 401 or 403 is about the API key.",
    "rejected": "Assay found the submission invalid; /docs of the sidecar lists fields and limits.",
    "conflict": "Another submission had the same id. Give each answer its own id.",
    "too_large": "The texts are larger than Assay or this client accepts.",
    "extraction_failed": "The decorator or middleware could not read the answer; its extractor raised.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stats:
    """What became of everything submitted since the process began.

    `submitted` is the sum of `sampled_out`, `delivered`, `held` and what is in `dropped`.
    """

    submitted: int
    sampled_out: int  # left out here and counted, nothing else
    delivered: int  # answered by the server
    held: int  # in the buffer or in a request
    held_bytes: int
    dropped: dict[str, int]  # by reason
    unfinished: int  # streams that their reader left early; not submitted
    failed_requests: int  # of all kinds: without an answer, or with one that means later
    policy_version: str | None  # null: the server decides, or is not known yet
    last_problem: str | None


class Shared:
    """State of one client in one process."""

    def __init__(self, settings: Settings) -> None:
        """Starts empty, and without a policy where one has to be fetched."""
        self.settings = settings
        self.buffer = Buffer(settings.buffer_items, settings.buffer_bytes)
        self.ledger = Ledger()
        self.policy: LocalPolicy | SendAll | None = None if settings.sample_locally else SendAll()
        self.last_problem: str | None = None
        self._lock = threading.RLock()
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._unlogged: Counter[str] = Counter()
        self._logged_at = float("-inf")

    def leave_out(self, stratum: Stratum, body: Mapping[str, Any]) -> None:
        """Counts one that the hash left out."""
        self.ledger.count(SAMPLED_OUT, stratum, body)

    def add(self, what: str, number: int = 1) -> None:
        """Adds to a number of `stats`."""
        with self._lock:
            self._counts[what] += number

    def lose(self, reason: str, stratum: Stratum | None = None, body: Mapping[str, Any] | None = None) -> None:
        """Counts a loss, for the server and for the application."""
        self.ledger.count(DROPPED, stratum or UNDECIDED, body or {})
        with self._lock:
            self._dropped[reason] += 1
            self._untold[reason] += 1

    def drop(self, reason: str, items: Iterable[Item], problem: str | None = None) -> None:
        """Gives up what the buffer held."""
        items = list(items)
        if problem:
            self.last_problem = problem
        for item in items:
            self.lose(reason, item.stratum, item.body)
        self.buffer.release(items)

    def deliver(self, items: list[Item]) -> None:
        """Lets go of what the server has answered."""
        self.buffer.release(items)
        self.add("delivered", len(items))

    def tell(self, now: float, *, last: bool = False) -> None:
        """Tells the application of losses: the callback at once, the log at most once a minute. Sending thread only."""
        with self._lock:
            untold, self._untold = self._untold, Counter()
        self._unlogged.update(untold)
        if self.settings.on_drop:
            for reason, submissions in untold.items():
                try:
                    self.settings.on_drop(reason, submissions)
                except Exception:  # whatever it is, it is the application's
                    log.exception("on_drop raised")
        if self._unlogged and (last or now - self._logged_at >= LOG_EVERY_S):
            self._logged_at = now
            unlogged, self._unlogged = self._unlogged, Counter()
            log.warning("%s", _sentence(unlogged, self.last_problem))

    def stats(self) -> Stats:
        """A look at the numbers."""
        with self._lock:
            counts, dropped = self._counts.copy(), dict(self._dropped)
        held, sampled_out = self.buffer.items, self.ledger.totals[SAMPLED_OUT]
        return Stats(
            submitted=sampled_out + counts["delivered"] + held + sum(dropped.values()),
            sampled_out=sampled_out,
            delivered=counts["delivered"],
            held=held,
            held_bytes=self.buffer.bytes,
            dropped=dropped,
            unfinished=counts["unfinished"],
            failed_requests=counts["failed_requests"],
            policy_version=self.policy.default.policy_version if isinstance(self.policy, LocalPolicy) else None,
            last_problem=self.last_problem,
        )


def _sentence(dropped: Counter[str], problem: str | None) -> str:
    numbers = ", ".join(f"{reason} {number}" for reason, number in dropped.most_common())
    advice = " ".join(REASONS[reason] for reason, _ in dropped.most_common(2) if reason in REASONS)
    return f"Submissions not delivered to Assay: {numbers}. {advice}" + (
        f" Last problem: {problem}." if problem else ""
    )
