"""`assay bench rates`: what `GET /hallucination-rate` costs, by the number of stored samples and of buckets."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from rich.console import Console
from sqlalchemy import func, inspect, select

from service.core.clock import utc_now
from service.core.db import Database, upgrade
from service.core.rate_answer import answer_rates
from service.core.rate_query import RateQuery, read_stretch
from service.core.store.rollups import fold, pieces
from service.core.tables import rollups
from workers.bench.machine import describe_machine
from workers.bench.markdown import section, table
from workers.bench.rates_results import QueryCost, RatesResult, StoredCost
from workers.bench.results import BenchError
from workers.bench.rows import fill_scored

SPAN = timedelta(days=30)
MODELS, ROUTES = 4, 5
FOLDED = 5_000
QUERIES = (
    {"window": "30d"},
    {"window": "30d", "group_by": "model,route"},
    {"window": "30d", "granularity": "1d"},
    {"window": "30d", "granularity": "1d", "group_by": "model,route"},
    {"window": "24h", "granularity": "1h", "group_by": "model,route"},
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RatesPlan:
    """How much is stored and asked."""

    quick: bool
    stored: tuple[int, ...]
    calls: int


FULL = RatesPlan(quick=False, stored=(20_000, 100_000, 1_000_000, 10_000_000), calls=200)
QUICK = RatesPlan(quick=True, stored=(2_000, 4_000), calls=5)


def bench_rates(plan: RatesPlan, postgresql: str | None, console: Console) -> RatesResult:
    """Builds and measures SQLite, and PostgreSQL where a URL of an empty database is given. Raises BenchError."""
    machine = describe_machine()
    costs: list[StoredCost] = []
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
        urls = [f"sqlite:///{Path(folder) / 'rates.db'}", *([postgresql] if postgresql else [])]
        for url in urls:
            database = Database(url)
            if inspect(database.engine).get_table_names():
                raise BenchError(f"The database {database.engine.url!r} is not empty.")
            upgrade(database)
            costs += _measure(database, plan, console)
            database.close()
    return RatesResult(
        machine=machine, quick=plan.quick, models=MODELS, routes=ROUTES, calls=plan.calls, costs=tuple(costs)
    )


def _measure(database: Database, plan: RatesPlan, console: Console) -> Iterator[StoredCost]:
    there = 0
    for stored in plan.stored:
        console.print(f"{database.dialect}: {stored:,} scored samples")
        fill_scored(database, stored - there, SPAN, (MODELS, ROUTES))
        there = stored
        folded, seconds = _fold(database)
        if database.dialect == "postgresql":
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("SET statement_timeout = 0")
                connection.exec_driver_sql("VACUUM ANALYZE")
        with database.read() as connection:
            rows = int(connection.execute(select(func.count()).select_from(rollups)).scalar_one())
        yield StoredCost(
            store=database.dialect,
            stored=stored,
            rollup_rows=rows,
            folded_per_s=folded / seconds,
            queries=tuple(_query(database, query, plan.calls) for query in QUERIES),
        )


def _fold(database: Database) -> tuple[int, float]:
    started, folded = time.perf_counter(), 0
    while True:
        with database.write() as connection:
            moved = fold(connection, FOLDED)
        folded += moved
        if moved == 0:
            return folded, time.perf_counter() - started


def _query(database: Database, asked: dict[str, str], calls: int) -> QueryCost:
    query = RateQuery(
        tenant="default",
        window=asked.get("window"),
        granularity=asked.get("granularity"),
        group_by=asked.get("group_by"),
    )
    buckets = len(answer_rates(database, query, utc_now()).buckets)
    costs = []
    for _ in range(calls):
        started = time.perf_counter()
        answer_rates(database, query, utc_now())
        costs.append((time.perf_counter() - started) * 1_000)
    p50, p99 = np.quantile(costs, [0.5, 0.99])
    return QueryCost(
        query="&".join(f"{name}={value}" for name, value in asked.items()),
        buckets=buckets,
        rows=_rows_read(database, query),
        p50_ms=float(p50),
        p99_ms=float(p99),
    )


def _rows_read(database: Database, query: RateQuery) -> int:
    stretch = read_stretch(query, utc_now())
    total = 0
    with database.read() as connection:
        for piece in pieces(stretch.start, stretch.end, stretch.widest_s):
            statement = select(func.count()).where(
                rollups.c.width_s == piece.width_s,
                rollups.c.tenant == stretch.tenant,
                rollups.c.start >= piece.start,
                rollups.c.start < piece.end,
            )
            total += int(connection.execute(statement).scalar_one())
    return total


def rates_document(result: RatesResult) -> str:
    """The result as a document."""
    text = (
        f"Scored samples of 30 days over {result.models} models and {result.routes} routes, built by the bench; "
        f"`answer_rates`, which is all of `GET /hallucination-rate` but HTTP, called {result.calls} times each. *Rows* are "
        "those of the rollups that a query reads: they grow with buckets and groups. Beyond 25,000 scored samples sessions "
        "and traces are not respected, and the answer says so; below, they are read from the samples' rows."
    )
    header = ["database", "scored samples", "query", "buckets", "rows", "p50, ms", "p99, ms"]
    rows = [
        [
            cost.store,
            f"{cost.stored:,}",
            f"`{q.query}`",
            f"{q.buckets:,}",
            f"{q.rows:,}",
            f"{q.p50_ms:.1f}",
            f"{q.p99_ms:.1f}",
        ]
        for cost in result.costs
        for q in cost.queries
    ]
    stored = [
        [cost.store, f"{cost.stored:,}", f"{cost.rollup_rows:,}", f"{cost.folded_per_s:,.0f}"] for cost in result.costs
    ]
    tables = (
        f"{table(header, rows)}\nAim: under 50 ms at p99 for 30 days by two dimensions over 10 million scored samples.\n\n"
        f"{table(['database', 'scored samples', 'rows of the rollups', 'deltas folded a second'], stored)}"
    )
    head = "# What reading rates costs\n\nWritten by `assay bench rates`. Do not edit.\n\n"
    return head + section("Rates", result.machine, text, tables)
