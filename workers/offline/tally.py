"""The tally of a run: what became of its rows, told at the end."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from service.core.estimate import Estimate, estimate, responses
from service.core.tables import State
from workers.offline.agreement import Labelled, read_label
from workers.offline.answer import ErrorAnswer, RowAnswer

ERROR = "error"
CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a row that came out says of itself."""

    status: str  # a State, or `error`
    reason: str | None = None
    score: float | None = None
    flagged: bool = False
    threshold: float | None = None


def told(row: RowAnswer | ErrorAnswer) -> Told:
    """Of a row just made."""
    if isinstance(row, ErrorAnswer):
        return Told(status=ERROR)
    return Told(
        status=row.status, reason=row.reason, score=row.score, flagged=bool(row.flagged), threshold=row.threshold
    )


def told_by_line(line: bytes) -> Told:
    """Of a row that an earlier run wrote. Raises ValueError for a line that is none."""
    row: Any = json.loads(line)
    if not isinstance(row, dict) or not row.keys() & {"status", "problem"}:
        raise ValueError("not a row of ours")
    if "problem" in row:
        return Told(status=ERROR)
    return Told(
        status=row["status"],
        reason=row.get("reason"),
        score=row.get("score"),
        flagged=bool(row.get("flagged")),
        threshold=row.get("threshold"),
    )


class Tally:
    """Counts rows as they come out."""

    def __init__(self, *, labelled: bool) -> None:
        """`labelled`: whether scores are kept beside their labels."""
        self.statuses: Counter[str] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.flagged = 0
        self.thresholds: tuple[float, float] | None = (
            None  # the least and the greatest in force; they rise with the claims
        )
        self.labelled = Labelled() if labelled else None
        self.without_label = 0

    def add(self, row: Told, label: object = None) -> None:
        """One row, with the label that its row in had."""
        self.statuses[row.status] += 1
        if row.reason:
            self.reasons[row.status, row.reason] += 1
        self.flagged += row.flagged
        if row.threshold is not None:
            low, high = self.thresholds or (row.threshold, row.threshold)
            self.thresholds = min(low, row.threshold), max(high, row.threshold)
        if self.labelled is not None and row.score is not None:
            positive = read_label(label)
            if positive is None:
                self.without_label += 1
            else:
                self.labelled.add(row.score, flagged=row.flagged, positive=positive)

    @property
    def rows(self) -> int:
        """All rows."""
        return self.statuses.total()

    @property
    def failed(self) -> int:
        """Rows that should have been scored and were not."""
        return self.statuses[ERROR] + self.statuses[State.UNSCORED]

    def estimate(self) -> Estimate:
        """The flagged rate over the scored rows."""
        scored, flagged = self.statuses[State.SCORED], self.flagged
        return estimate([responses(1.0, scored, flagged)], CONFIDENCE)
