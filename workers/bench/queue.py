"""`assay bench queue`: what everything but the model costs per sample, and how that grows."""

import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from rich.console import Console
from sqlalchemy import delete, inspect

from models.load import ScorerConfig, load_scorer
from models.types import ModelError, Scored
from service.core.db import Database, upgrade
from service.core.schema import metadata
from service.core.store.samples import accept
from service.core.tables import State, samples
from workers.bench.draining import drain_takes, measure_crowds, measure_growth
from workers.bench.machine import describe_machine
from workers.bench.null import ROWS_PER_TAKE
from workers.bench.results import Accepting, BenchError, Crowd, ModelCost, QueueResult, Series, StoreResult
from workers.bench.rows import item_of, median_rows
from workers.demo import read_pairs

Measured = TypeVar("Measured")

DAY = timedelta(days=1)
SHOWN = {
    "postgresql": ("synchronous_commit", "fsync", "shared_buffers", "autovacuum"),
    "sqlite": ("journal_mode", "synchronous"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class QueuePlan:
    """How much is measured."""

    quick: bool
    rounds: int
    takes: int  # of one round
    pending: tuple[int, ...]
    crowds: tuple[int, ...]
    seconds: float  # of one round of a crowd
    responses: int  # that the model scores in one round


FULL = QueuePlan(
    quick=False,
    rounds=5,
    takes=20,
    pending=(100, 10_000, 100_000, 1_000_000),
    crowds=(1, 2, 4),
    seconds=2.0,
    responses=12,
)
QUICK = QueuePlan(quick=True, rounds=2, takes=2, pending=(100, 500), crowds=(1, 2), seconds=0.2, responses=2)


def bench_queue(plan: QueuePlan, url: str | None, console: Console) -> QueueResult:
    """Measures SQLite in a temporary file, and the empty database at `url` if one is given. Raises BenchError."""
    machine = describe_machine()
    if url is not None:
        _require_empty(url)
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
        stores = [_measure_store(f"sqlite:///{folder}/bench.db", plan, console)]
    if url is not None:
        stores.append(_measure_store(url, plan, console))
    console.print("model")
    return QueueResult(
        machine=machine,
        quick=plan.quick,
        rows_per_take=ROWS_PER_TAKE,
        stores=tuple(stores),
        model=_measure_model(plan),
    )


def _require_empty(url: str) -> None:
    if not url.startswith("postgresql+psycopg://"):
        raise BenchError("--database takes postgresql+psycopg://user:password@host/name; SQLite is always measured.")
    with closing(Database(url)) as database, database.read() as connection:
        if inspect(connection).get_table_names():
            raise BenchError(
                "The database has tables; the bench fills it with rows and empties it again.",
                next_step="Give the URL of an empty database.",
            )


def _measure_store(url: str, plan: QueuePlan, console: Console) -> StoreResult:
    with closing(Database(url)) as database:
        upgrade(database)
        try:
            return _Store(database, plan, console).measure()
        finally:
            if database.dialect == "postgresql":
                _drop(database)


def _drop(database: Database) -> None:
    with database.write() as connection:
        metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")


@dataclass(frozen=True, slots=True)
class _Store:
    database: Database
    plan: QueuePlan
    console: Console

    def measure(self) -> StoreResult:
        """Everything, in an order in which one figure leaves the table fit for the next."""
        plan, database = self.plan, self.database
        accepting = self._step("accepting", lambda: tuple(self._accepting(rows) for rows in (1, ROWS_PER_TAKE)))
        costs = self._step("cost per sample", self._costs)
        crowds: tuple[Crowd, ...] = ()
        if database.dialect == "postgresql":
            crowds = self._step(
                "several workers",
                lambda: measure_crowds(
                    database, plan.crowds, rounds=plan.rounds, seconds=plan.seconds, settle=self._settle
                ),
            )
        growth = self._step(
            "growth with pending rows",
            lambda: measure_growth(database, plan.pending, rounds=plan.rounds, takes=plan.takes, settle=self._settle),
        )
        return StoreResult(
            store=self._name(),
            settings=self._settings(),
            per_sample_ms=costs,
            growth=growth,
            accepting=accepting,
            crowds=crowds,
        )

    def _step(self, title: str, measure: Callable[[], Measured]) -> Measured:
        self.console.print(f"{self._name()}: {title}")
        with self.database.write() as connection:
            connection.execute(delete(samples).where(samples.c.state == State.PENDING))
        self._settle()
        return measure()

    def _accepting(self, rows: int) -> Accepting:
        costs = []
        for _ in range(self.plan.rounds):
            groups = [median_rows().make(rows) for _ in range(self.plan.takes)]
            started = time.perf_counter()
            for group in groups:
                with self.database.write() as connection:
                    accept(connection, group)
            costs.append((time.perf_counter() - started) * 1_000 / (rows * len(groups)))
        return Accepting(rows=rows, per_sample_ms=Series.of(costs))

    def _costs(self) -> Series:
        median_rows().add(self.database, 2 * ROWS_PER_TAKE)
        rounds = range(self.plan.rounds)
        return Series.of([drain_takes(self.database, median_rows(), self.plan.takes) for _ in rounds])

    def _settle(self) -> None:
        """What autovacuum and checkpoints do in time, done now and not in the midst of a round."""
        if self.database.dialect == "sqlite":
            with closing(self.database.engine.raw_connection()) as raw:  # a checkpoint stands outside transactions
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if self.database.dialect == "postgresql":
            with self.database.engine.connect() as connection:
                autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
                autocommit.exec_driver_sql("SET statement_timeout = 0")
                autocommit.exec_driver_sql("VACUUM ANALYZE")

    def _name(self) -> str:
        if self.database.dialect == "sqlite":
            return f"SQLite {sqlite3.sqlite_version}"
        with self.database.read() as connection:
            version = connection.exec_driver_sql("SHOW server_version").scalar_one()
        return f"PostgreSQL {str(version).split()[0]}"

    def _settings(self) -> dict[str, str]:
        prefix = "SHOW" if self.database.dialect == "postgresql" else "PRAGMA"
        names = SHOWN[self.database.dialect]
        with self.database.read() as connection:
            return {name: str(connection.exec_driver_sql(f"{prefix} {name}").scalar_one()) for name in names}


def _measure_model(plan: QueuePlan) -> ModelCost | None:
    try:
        scorer = load_scorer(ScorerConfig(threads=1))
    except ModelError:
        return None
    pairs = read_pairs()
    chosen = [item_of(pair) for pair in pairs[:: max(1, len(pairs) // plan.responses)][: plan.responses]]
    costs, read = [], 0
    for _ in range(plan.rounds):
        started = time.perf_counter()
        outcomes = scorer.score(chosen, lambda: None)
        costs.append((time.perf_counter() - started) * 1_000 / len(chosen))
        read = sum(outcome.pairs for outcome in outcomes if isinstance(outcome, Scored))
    return ModelCost(per_sample_ms=Series.of(costs), pairs_per_sample=read / len(chosen))
