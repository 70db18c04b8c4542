"""What tests of alerts share: traffic with a known rate, a clock to move, an evaluator that looks when it is told to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from service.core.alerting.machine import State
from service.core.alerting.notice import Notice
from service.core.clock import EPOCH
from service.core.db import Database
from service.core.metrics import WorkerMetrics
from service.core.store.alerts import Past, PastEvent, read_events, read_standings
from tests.integration.support import BY, NOW, finish_pending, new_sample, scored, store
from workers.alerts.evaluator import Evaluator
from workers.policy_file import PolicyFile
from workers.progress import Progress

FOREVER = (EPOCH, datetime(2100, 1, 1, tzinfo=NOW.tzinfo))
RULE = """
[[alerts]]
name = "made-up"
metric = "flagged_rate"
above = 0.1
for = "0s"
keep_firing_for = "5m"
"""
HOOK = """
[[sinks]]
name = "hook"
type = "webhook"
url = "https://hook.example.org/x"
"""


@dataclass
class Clock:
    """A time that the test moves."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> datetime:
        """Moves on; the new time."""
        self.now += timedelta(**by)
        return self.now


@dataclass
class Watched:
    """An evaluator, with its clock, its policy file and what it wrote."""

    database: Database
    file: Path
    clock: Clock
    evaluator: Evaluator
    traffic: int = 0

    def policy(self, text: str) -> None:
        """Another policy file, seen as changed however soon it comes."""
        self.file.write_text(text)
        self.evaluator._file._seen = None

    def look(self, **after: float) -> None:
        """One evaluation, so much later; at least a second, since what comes at this very moment is in no window yet."""
        self.clock.move(**(after or {"seconds": 1}))
        assert self.evaluator.look()

    def add(self, count: int, flagged: int, **changes: Any) -> None:
        """So many scored samples now, of which so many are flagged."""
        prefix = f"t{self.traffic}"
        self.traffic += 1
        rows = [new_sample(f"{prefix}-{number}", received_at=self.clock.now, **changes) for number in range(count)]
        store(self.database, *rows)
        bad = {f"The kettle is blue, says {prefix}-{number}." for number in range(flagged)}
        finish_pending(
            self.database,
            lambda row: scored(0.9 if row.response in bad else 0.1, flagged=row.response in bad),
            BY,
            self.clock.now,
        )

    def states(self, tenant: str = "default") -> dict[tuple[str, ...], State]:
        """State by rule and group."""
        with self.database.read() as connection:
            found = read_standings(connection, tenant)
        return {(each.held.rule, *each.held.group): each.held.memory.state for each in found}

    def events(self, tenant: str = "default") -> list[PastEvent]:
        """All events, oldest first."""
        with self.database.read() as connection:
            found = read_events(connection, Past(tenant=tenant, start=FOREVER[0], end=FOREVER[1]))
        return found[::-1]

    def told(self) -> list[tuple[str, Sequence[str]]]:
        """Each event with the sinks that are told, oldest first."""
        return [(each.notice.event.value, [row.sink for row in each.deliveries]) for each in self.events()]

    @property
    def last(self) -> Notice:
        """The newest notice."""
        return self.events()[-1].notice


Watch = Callable[..., Watched]


def watched(database: Database, file: Path, policy: str) -> Watched:
    """An evaluator that has not looked yet."""
    file.write_text(policy)
    clock = Clock()
    evaluator = Evaluator(
        database=database,
        policy_file=PolicyFile(file),
        metrics=WorkerMetrics(),
        progress=Progress(None),
        interval_s=60,
        clock=clock,
    )
    return Watched(database=database, file=file, clock=clock, evaluator=evaluator)
