"""What the integration tests share: rows, bodies, a scorer that does as it is told, statements as they run."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import event, select

from models.types import (
    Assessed,
    ClaimResult,
    Consistent,
    Context,
    Evidence,
    Item,
    ModelError,
    Outcome,
    Probability,
    Scored,
    Verdict,
)
from service.core.db import Database
from service.core.store.samples import NewSample, accept
from service.core.store.scores import ScoredBy
from service.core.store.taking import Finished, TakeLimits, Taken, finish, take_alone, take_fresh
from service.core.tables import samples
from service.sampling import position

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
DEAD_REDIS = "redis://127.0.0.1:1/0"
BY = ScoredBy(scorer="told", fingerprint="f1", attributes={"backend": "none"})
LIMITS = TakeLimits(rows=64, tokens=60_000, lease_s=60)


def new_sample(sample_id: str, **changes: Any) -> NewSample:
    """A row to accept."""
    values: dict[str, Any] = {
        "tenant": "default",
        "id": sample_id,
        "body_digest": "d" * 64,
        "received_at": NOW,
        "decision": "sampled",
        "reason": "hash",
        "stratum": "default",
        "inclusion_probability": 0.5,
        "policy_version": "v1",
        "in_rate": True,
        "model": "",
        "release": "",
        "prompt_version": "",
        "route": "",
        "question": None,
        "contexts": [{"id": "0", "text": "The kettle is blue.", "score": None}],
        "response": f"The kettle is blue, says {sample_id}.",
        "details": {},
        "urgent": False,
        "tokens": 100,
    }
    return NewSample(**values | changes)


def store(database: Database, *rows: NewSample) -> None:
    """Accepts rows in a transaction of its own."""
    with database.write() as connection:
        accept(connection, rows)


def take(database: Database, limits: TakeLimits = LIMITS) -> list[Taken]:
    """Takes fresh rows in a transaction of its own."""
    with database.write() as connection:
        return take_fresh(connection, limits)


def take_one_alone(database: Database, limits: TakeLimits = LIMITS) -> list[Taken]:
    """Takes a row alone in a transaction of its own."""
    with database.write() as connection:
        return take_alone(connection, limits)


def row_of(database: Database, sample_id: str) -> Any:
    """The row of a sample, as stored."""
    with database.read() as connection:
        return connection.execute(select(samples).where(samples.c.id == sample_id)).one()


def states(database: Database) -> dict[str, tuple[str, str | None]]:
    """State and reason of every sample, by id, oldest first."""
    statement = select(samples.c.id, samples.c.state, samples.c.state_reason).order_by(samples.c.seq)
    with database.read() as connection:
        rows = connection.execute(statement).all()
    return {row.id: (row.state, row.state_reason) for row in rows}


def ids(rows: Sequence[Taken]) -> list[str]:
    """The ids of taken rows made by `new_sample`, in order."""
    return [row.response.removeprefix("The kettle is blue, says ").removesuffix(".") for row in rows]


def scored(score: float = 0.9, *, flagged: bool = True, checked: int = 2) -> Scored:
    """An outcome: one greeting, then claims that all have this score."""
    claim = ClaimResult(
        start=0,
        end=3,
        text="The",
        verdict=Verdict.UNSUPPORTED,
        score=score,
        probability=Probability(entailment=1 - score, neutral=score, contradiction=0.0),
        evidence=Evidence(context_id="0", context_index=0, start=4, end=10, text="kettle"),
    )
    greeting = ClaimResult(
        start=0, end=3, text="The", verdict=Verdict.NOT_CHECKABLE, score=None, probability=None, evidence=None
    )
    return Scored(
        score=score,
        flagged=flagged,
        threshold=0.75,
        claims=(greeting, *[claim] * checked),
        claims_checked=checked,
        claims_flagged=checked if flagged else 0,
        pairs=checked,
    )


@dataclass
class ToldScorer:
    """A scorer that fails on any item whose response holds `poison`, and remembers what it was given."""

    fingerprint: str = "f1"
    name: str = "told"
    attributes: Mapping[str, str] = field(default_factory=lambda: {"backend": "none"})
    before: Callable[[], None] = lambda: None  # called at each call, before anything is scored
    answer: Callable[[Item], Outcome] = lambda item: scored(flagged="wrong" in item.response)
    calls: list[list[str]] = field(default_factory=list)
    consistency_fingerprint: str = "c1"
    compare: Callable[[Item], Consistent | None] = lambda _item: None

    def assess(self, items: Sequence[Item], progress: Callable[[], None]) -> list[Assessed]:
        """As `score`, with what `compare` says of those that have alternative responses."""
        outcomes = self.score(items, progress)
        return [
            Assessed(outcome=outcome, consistency=self.compare(item) if item.samples else None)
            for item, outcome in zip(items, outcomes, strict=False)
        ]

    def uncached(self) -> Self:
        """Itself: it remembers no answer."""
        return self

    def score(self, items: Sequence[Item], progress: Callable[[], None]) -> list[Outcome]:
        """One outcome per item, in order."""
        self.calls.append([item.response for item in items])
        self.before()
        progress()
        if any("poison" in item.response for item in items):
            raise ModelError("poison")
        return [self.answer(item) for item in items]


def item(response: str) -> Item:
    """A response with one context."""
    return Item(response=response, contexts=(Context(id="0", text="The kettle is blue."),))


def id_at(rate: float, *, inside: bool, prefix: str = "id") -> str:
    """An id that the default salt puts inside or outside a rate."""
    return next(name for n in range(10_000) if (position(name := f"{prefix}-{n}", "") < rate) is inside)


def submission(sample_id: str | None = None, **changes: Any) -> dict[str, Any]:
    """A body for POST /score."""
    made = {"contexts": ["The kettle is blue."], "response": "The kettle is blue."} | changes
    return made if sample_id is None else {"id": sample_id} | made


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """The statements that any thread runs meanwhile, transaction control left out."""
    seen: list[str] = []

    def record(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", record)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", record)


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Runs the work in that many threads at once; raises what the first to fail raised."""
    start = threading.Barrier(count)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        start.wait()
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def finish_pending(
    database: Database,
    answer: Callable[[Taken], Outcome] = lambda _row: scored(),
    by: ScoredBy = BY,
    now: datetime = NOW,
) -> None:
    """Scores every fresh row as `answer` says."""
    with database.write() as connection:
        rows = take_fresh(connection, TakeLimits(rows=1_000, tokens=10**9, lease_s=60))
        finish(connection, [Finished(taken=row, outcome=answer(row)) for row in rows], by, now)


def set_revision(database: Database, revision: str) -> None:
    """Makes the schema say that it is of that revision; PostgreSQL's is shared, so set it back."""
    with database.write() as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608 - our own
