"""What tests of probes share: a small set, a worker that scores it, and rounds as they are stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from models.types import Item, Scorer
from service.core.clock import EPOCH
from service.core.db import Database
from service.core.golden.item import GoldenItem
from service.core.golden.probes import ProbeRound
from service.core.golden.sets import Floor, GoldenSet
from service.core.metrics import WorkerMetrics
from service.core.store.probes import add_round, read_rounds
from tests.integration.support import LIMITS
from workers.golden.probing import FIRST_S, Probing
from workers.pipeline import Pipeline
from workers.progress import Progress

INTERVAL_S = 300.0
ITEMS = 10


def probe_set(count: int = ITEMS, floors: Mapping[str, Floor] | None = None, **changes: Any) -> GoldenSet:
    """Every second item is hallucinated, and says `wrong`, which `ToldScorer` flags."""
    items = tuple(
        GoldenItem.model_validate(
            {
                "id": f"p-{number}",
                "contexts": [{"id": "0", "text": "The kettle is blue."}],
                "response": f"Kettle {number} is {'wrong' if number % 2 else 'blue'}.",
                "hallucinated": number % 2 == 1,
            }
        )
        for number in range(count)
    )
    return GoldenSet(**{"name": "probes", "items": items, "folder": None, "floors": floors or {}} | changes)


def is_wrong(item: Item) -> bool:
    """Whether the set calls it hallucinated."""
    return "wrong" in item.response


@dataclass
class Clock:
    """Seconds that the test moves."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Prober:
    """A worker's pipeline with its probes."""

    database: Database
    scorer: Scorer
    probes: GoldenSet = field(default_factory=probe_set)
    clock: Clock = field(default_factory=Clock)
    progress: Progress = field(default_factory=lambda: Progress(None))
    metrics: WorkerMetrics = field(default_factory=WorkerMetrics)

    def __post_init__(self) -> None:
        self.probing = Probing(
            database=self.database,
            scorer=self.scorer,
            probes=self.probes,
            metrics=self.metrics,
            progress=self.progress,
            interval_s=INTERVAL_S,
            clock=self.clock,
        )
        self.pipeline = Pipeline(
            database=self.database,
            scorer=self.scorer,
            limits=LIMITS,
            progress=self.progress,
            metrics=self.metrics,
            probing=self.probing,
        )

    def probe(self) -> ProbeRound:
        """The next round, from its time on to its end."""
        self.clock.now += max(INTERVAL_S, FIRST_S)
        self.pipeline.drain()
        return stored(self.database)[-1]

    def count(self, name: str, **labels: str) -> float | None:
        """A metric; None where there is no such series."""
        return self.metrics.registry.get_sample_value(name, labels)


def stored(database: Database) -> list[ProbeRound]:
    """All rounds, oldest first."""
    with database.read() as connection:
        return read_rounds(connection, EPOCH)[::-1]


def told_round(database: Database, at: datetime, **changes: Any) -> None:
    """Stores a round as a worker would have."""
    values: dict[str, Any] = {
        "worker": "w1",
        "fingerprint": "f1",
        "runtime": "r1",
        "at": at,
        "interval_s": INTERVAL_S,
        "set_digest": "d1",
        "right": 10,
        "wrong": 0,
        "unknown": 0,
        "scores": {"p-0": 0.1},
    }
    with database.write() as connection:
        add_round(connection, ProbeRound(**values | changes))
