"""`assay bench ingest`: what one sidecar process on one core takes, beside a bare endpoint in the same minutes."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import httpx
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from service.core.db import Database, upgrade
from service.core.policy import Policy
from workers.bench.load import Load, Sent
from workers.bench.machine import describe_machine
from workers.bench.results import Batch, BenchError, IngestResult, Latency, Machine, Series
from workers.bench.rows import median_pair
from workers.bench.servers import LOAD_CORE, free_port, redis, send, serving

JSON = "application/json"
FORMS = {"NDJSON": ("application/x-ndjson", ("", "\n", "\n")), "JSON array": (JSON, ("[", ",", "]"))}
NO_REDIS = "redis://127.0.0.1:1/0"
UVICORN = ["-m", "uvicorn", "--no-access-log", "--log-level", "error", "--no-server-header", "--factory"]
CONNECTIONS = 32
BATCH_CONNECTIONS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestPlan:
    """How much is measured."""

    quick: bool
    rounds: int
    warm_s: float
    seconds: float  # of one round
    batch_items: int


FULL = IngestPlan(quick=False, rounds=5, warm_s=0.5, seconds=3.0, batch_items=500)
QUICK = IngestPlan(quick=True, rounds=1, warm_s=0.1, seconds=0.5, batch_items=50)


def bench_ingest(plan: IngestPlan, console: Console) -> IngestResult:
    """Starts the servers and measures them in turn, round by round. Raises BenchError."""
    machine = describe_machine()
    with (
        tempfile.TemporaryDirectory(prefix="assay-bench-") as name,
        redis(Path(name)) as redis_url,
        _responder() as nothing,
        _bare() as bare,
        _sidecar(Path(name), redis_url or NO_REDIS, Policy().sampling.rate) as assay,
        _sidecar(Path(name), redis_url or NO_REDIS, 1.0) as chosen,
    ):
        bench = _Bench(plan, _Ports(nothing=nothing, bare=bare, assay=assay, chosen=chosen), console)
        return bench.measure(machine, with_redis=redis_url is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ports:
    nothing: int  # the responder that does nothing
    bare: int
    assay: int
    chosen: int  # a sidecar whose policy samples everything


@contextmanager
def _responder() -> Iterator[int]:
    port = free_port()
    with serving([sys.executable, "-m", "workers.bench.responder", str(port)], port, {}):
        yield port


@contextmanager
def _bare() -> Iterator[int]:
    port = free_port()
    command = [sys.executable, *UVICORN, "--port", str(port), "workers.bench.reference:make_app"]
    with serving(command, port, {}):
        yield port


@contextmanager
def _sidecar(folder: Path, redis_url: str, rate: float) -> Iterator[int]:
    port, url = free_port(), f"sqlite:///{folder / f'{rate}.db'}"
    policy = folder / f"{rate}.toml"
    policy.write_text(f"[sampling]\nrate = {rate}\n", encoding="utf-8")
    with closing(Database(url)) as database:
        upgrade(database)
    environment = {
        "ASSAY_PORT": str(port),
        "ASSAY_DATABASE_URL": url,
        "ASSAY_REDIS_URL": redis_url,
        "ASSAY_POLICY_FILE": str(policy),
        "ASSAY_LOG_LEVEL": "WARNING",
        "ASSAY_MAX_PENDING": "100000000",  # no worker runs: the backlog must not refuse what is being measured
    }
    with serving([sys.executable, "-m", "workers.cli", "serve"], port, environment):
        yield port


@dataclass(frozen=True, slots=True)
class _Bench:
    plan: IngestPlan
    ports: _Ports
    console: Console

    def measure(self, machine: Machine, *, with_redis: bool) -> IngestResult:
        """Everything; what is compared is measured in turn."""
        plan, ports = self.plan, self.ports
        self.console.print("throughput: load generator, bare endpoint, POST /score in turn")
        in_turn = (ports.nothing, ports.bare, ports.assay, ports.chosen)
        rounds = [[self._send(port).per_s for port in in_turn] for _ in range(plan.rounds)]
        generator, bare, assay, chosen = (Series.of(figures) for figures in zip(*rounds, strict=True))
        half = assay.median / 2
        self.console.print(f"latency at {half:,.0f} requests a second, in turn")
        paced = [[self._send(port, rate=half) for port in (ports.bare, ports.assay)] for _ in range(plan.rounds)]
        bare_latency, assay_latency = (_latency(sent) for sent in zip(*paced, strict=True))
        self.console.print(f"POST /score/batch, {plan.batch_items} items a request")
        *batches, chosen_batch = self._batches()
        return IngestResult(
            machine=machine,
            quick=plan.quick,
            pinned=hasattr(os, "sched_setaffinity") and machine.cores > LOAD_CORE,
            redis=with_redis,
            sampling_rate=Policy().sampling.rate,
            body_bytes=len("".join(_item()).encode()),
            generator_per_s=generator,
            bare_per_s=bare,
            assay_per_s=assay,
            ratio=Series.of([ours / theirs for _, theirs, ours, _ in rounds]),
            half_load_per_s=half,
            bare_latency=bare_latency,
            assay_latency=assay_latency,
            batches=tuple(batches),
            chosen_per_s=chosen,
            chosen_batch_per_s=chosen_batch.submissions_per_s,
            decisions=self._decisions(),
        )

    def _send(self, port: int, rate: float | None = None) -> Sent:
        return send(self._load(port, rate=rate))

    def _load(self, port: int, rate: float | None = None) -> Load:
        return Load(
            port=port,
            path="/score",
            content_type=JSON,
            item=_item(),
            wrap=("", "", ""),
            items=1,
            run=f"bench-{uuid4().hex[:12]}-",
            rate=rate,
            connections=CONNECTIONS,
            warm_s=self.plan.warm_s,
            seconds=self.plan.seconds,
        )

    def _batches(self) -> list[Batch]:
        """Both forms, and the first again where every item is a sample."""
        asked = [(form, self.ports.assay) for form in FORMS] + [(next(iter(FORMS)), self.ports.chosen)]
        rounds = [[self._send_batches(form, port) for form, port in asked] for _ in range(self.plan.rounds)]
        return [
            Batch(form=form, items=self.plan.batch_items, submissions_per_s=Series.of(figures))
            for (form, _), figures in zip(asked, zip(*rounds, strict=True), strict=True)
        ]

    def _send_batches(self, form: str, port: int) -> float:
        content_type, wrap = FORMS[form]
        items = self.plan.batch_items
        load = replace(
            self._load(port),
            path="/score/batch",
            content_type=content_type,
            wrap=wrap,
            items=items,
            connections=BATCH_CONNECTIONS,
        )
        return send(load).per_s * items

    def _decisions(self) -> dict[str, int]:
        text = httpx.get(f"http://127.0.0.1:{self.ports.assay}/metrics", timeout=30).raise_for_status().text
        counted = {
            sample.labels["decision"]: int(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "assay_submissions_total" and sample.value
        }
        refused = set(counted) - {"sampled", "sampled_out"}
        if refused:
            raise BenchError(f"The sidecar refused what was being measured: {counted}.")
        return counted


def _item() -> tuple[str, str]:
    """The demo's median submission, before and after the place of its id."""
    text = json.dumps({"id": "@", **median_pair().body}, ensure_ascii=False, separators=(",", ":"))
    before, _, after = text.partition("@")
    return before, after


def _latency(rounds: Sequence[Sent]) -> Latency:
    if any(sent.unanswered for sent in rounds):
        raise BenchError("At half its load a server left requests unanswered.", next_step="Run on a quieter machine.")
    return Latency(
        p50_ms=Series.of([sent.p50_ms for sent in rounds]), p99_ms=Series.of([sent.p99_ms for sent in rounds])
    )
