"""The ledger: how many submissions were not sent, by stratum and labels; no text, no id."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import uuid4

from assay_client.sampling import Stratum

SAMPLED_OUT = "sampled_out"
DROPPED = "dropped_by_client"
SLOT_S = 60.0  # the server keeps counts by the minute
MAX_AGE_S = 604_800.0
MAX_ENTRIES = 1_000  # of one report
MAX_KINDS = 1_000  # combinations of labels counted apart between two cuts
MAX_PENDING = 20_000  # entries held while the server is away
MAX_LABEL_BYTES = 200


class Kind(NamedTuple):
    """What is counted apart."""

    outcome: str
    stratum: Stratum
    model: str | None
    release: str | None
    prompt_version: str | None
    route: str | None

    def without_labels(self) -> "Kind":
        """The same with its labels let go."""
        return Kind(self.outcome, self.stratum, None, None, None, None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Counts under one number; sent until it is answered."""

    sequence: int
    entries: tuple[tuple[Kind, float, int], ...]  # kind, moment, submissions

    def document(self, client: str, now: float) -> dict[str, Any]:
        """The body of `POST /counts`. Ages are as of now, so that a late report still says when it was."""
        return {
            "client": client,
            "sequence": self.sequence,
            "counts": [
                {
                    "age_s": round(min(max(now - moment, 0.0), MAX_AGE_S), 3),
                    "outcome": kind.outcome,
                    **kind.stratum._asdict(),
                    "model": kind.model,
                    "release": kind.release,
                    "prompt_version": kind.prompt_version,
                    "route": kind.route,
                    "submissions": submissions,
                }
                for kind, moment, submissions in self.entries
            ],
        }


class Ledger:
    """Counts in the callers' threads; reports in the sending thread.

    A report keeps its number until it is answered, so that one whose answer was lost is not counted twice.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes a name for itself that no other process has."""
        self.client = uuid4().hex
        self._clock = clock
        self._lock = threading.RLock()
        self._live: dict[Kind, int] = {}
        self.totals = {SAMPLED_OUT: 0, DROPPED: 0}
        self._since = 0.0  # when the first in `live` was counted
        self._pending: dict[tuple[int, Kind], tuple[float, int]] = {}
        self._report: Report | None = None
        self._sequence = 1

    def count(self, outcome: str, stratum: Stratum, body: Mapping[str, Any]) -> None:
        """Counts one."""
        get = body.get
        kind = Kind(
            outcome,
            stratum,
            _short(get("model")),
            _short(get("release")),
            _short(get("prompt_version")),
            _short(get("route")),
        )
        with self._lock:
            live = self._live
            if kind not in live and len(live) >= MAX_KINDS:
                kind = kind.without_labels()
            if not live:
                self._since = self._clock()
            live[kind] = live.get(kind, 0) + 1
            self.totals[outcome] += 1

    @property
    def empty(self) -> bool:
        """Whether everything counted was reported."""
        return not (self._live or self._pending or self._report)

    @property
    def unreported(self) -> int:
        """Submissions that were counted and not reported yet."""
        with self._lock:
            live = sum(self._live.values())
        waiting = sum(submissions for _, submissions in self._pending.values())
        return live + waiting + (sum(entry[2] for entry in self._report.entries) if self._report else 0)

    def report(self) -> Report | None:
        """The report to send now: the unanswered one, or a new one of what was counted since."""
        self._cut()
        if self._report is None and self._pending:
            kept = list(self._pending)[:MAX_ENTRIES]
            entries = tuple((kind, *self._pending.pop((slot, kind))) for slot, kind in kept)
            self._report = Report(sequence=self._sequence, entries=entries)
        return self._report

    def settle(self) -> None:
        """The report was answered; the next one gets the next number."""
        self._report = None
        self._sequence += 1

    def _cut(self) -> None:
        with self._lock:
            live, self._live = self._live, {}
            moment = (self._since + self._clock()) / 2
        for kind, submissions in live.items():
            self._add(_sendable(kind), moment, submissions)
        if len(self._pending) > MAX_PENDING:  # labels are let go before counts are
            pending, self._pending = self._pending, {}
            for (_, kind), (counted_at, submissions) in pending.items():
                self._add(kind.without_labels(), counted_at, submissions)

    def _add(self, kind: Kind, moment: float, submissions: int) -> None:
        place = (int(moment // SLOT_S), kind)
        first, before = self._pending.get(place, (moment, 0))
        self._pending[place] = (first, before + submissions)


def _short(label: Any) -> str | None:
    return label if isinstance(label, str) and 0 < len(label) <= MAX_LABEL_BYTES else None


def _sendable(kind: Kind) -> Kind:
    labels = (label if label and _is_label(label) else None for label in kind[2:])
    return Kind(kind.outcome, kind.stratum, *labels)


def _is_label(label: str) -> bool:
    try:
        return "\0" not in label and len(label.encode()) <= MAX_LABEL_BYTES
    except UnicodeEncodeError:
        return False
