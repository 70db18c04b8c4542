"""What the tests of offline scoring share: a scorer that records, watchers, and a run in this process."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from models.fake import FakeScorer
from models.types import Assessed, Item, Outcome
from service.core.config import Settings
from workers.offline.answer import ErrorAnswer, RowAnswer
from workers.offline.run import Job, Result, run
from workers.offline.shape import Fields, Row
from workers.offline.source import Format, Source

KETTLE = "The kettle can be returned within thirty days."
GOOD: dict[str, Any] = {"contexts": [KETTLE], "response": KETTLE}
BAD: dict[str, Any] = {"contexts": [KETTLE], "response": "Purple whales sing opera."}


class RecordingScorer:
    """The fake scorer, which remembers every response that it was asked for."""

    def __init__(self, threshold: float = 0.75) -> None:
        self._fake = FakeScorer(threshold)
        self.responses: list[str] = []
        self.calls: list[int] = []

    @property
    def name(self) -> str:
        return self._fake.name

    @property
    def fingerprint(self) -> str:
        return self._fake.fingerprint

    @property
    def attributes(self) -> Mapping[str, str]:
        return self._fake.attributes

    @property
    def consistency_fingerprint(self) -> str:
        return self._fake.consistency_fingerprint

    def assess(self, items: Sequence[Item], progress: Callable[[], None]) -> list[Assessed]:
        self.calls.append(len(items))
        self.responses += [item.response for item in items]
        return self._fake.assess(items, progress)

    def uncached(self) -> Self:
        return self

    def score(self, items: Sequence[Item], progress: Callable[[], None]) -> list[Outcome]:
        self.calls.append(len(items))
        self.responses += [item.response for item in items]
        return self._fake.score(items, progress)


class Quiet:
    """A watcher that says nothing; interrupts the run as Ctrl-C would after so many rows."""

    def __init__(self, interrupt_after: int | None = None) -> None:
        self._left = interrupt_after
        self.seen: list[tuple[Row, RowAnswer | ErrorAnswer]] = []
        self.begun: tuple[int | None, int] | None = None

    def started(self, rows: int | None, kept: int) -> None:
        self.begun = (rows, kept)
        if self._left == 0:
            raise KeyboardInterrupt

    def scored(self, row: Row, answer: RowAnswer | ErrorAnswer) -> None:
        self.seen.append((row, answer))
        if len(self.seen) == self._left:
            raise KeyboardInterrupt


def lines(rows: Iterable[Any]) -> bytes:
    """JSON Lines; text and bytes stand for themselves."""
    return b"".join(
        (row if isinstance(row, bytes) else row.encode() if isinstance(row, str) else json.dumps(row).encode()) + b"\n"
        for row in rows
    )


def scored(
    file: Path,
    out: Path,
    *,
    scorer: RecordingScorer | None = None,
    watcher: Quiet | None = None,
    fields: Fields | None = None,
    restart: bool = False,
    **settings: Any,
) -> Result:
    """A run in this process."""
    made = Settings(**settings)
    chosen = fields or Fields()
    source = Source(str(file), None, made, frozenset(chosen.contexts))
    job = Job(source=source, fields=chosen, out=str(out), restart=restart)
    return run(job, scorer or RecordingScorer(), made, watcher or Quiet())


def answers(out: Path) -> list[dict[str, Any]]:
    """The rows that came out."""
    return [json.loads(line) for line in out.read_bytes().splitlines()]


def read(file: Path, chosen: Format | None = None, *lists: str, **settings: Any) -> list[Any]:
    """What is read of a file: documents, and the field and detail of what could not be read."""
    source = Source(str(file), chosen, Settings(**settings), frozenset(lists))
    return [row.document if row.problem is None else (row.line, row.problem.detail) for row in source.rows()]
