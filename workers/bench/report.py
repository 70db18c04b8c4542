"""`docs/performance.md`, written from measured results: not one figure in it is typed by hand."""

from collections.abc import Iterable, Sequence

from workers.bench.markdown import cells, rounded, row, section, table, times
from workers.bench.results import IngestResult, Latency, QueueResult, StoreResult
from workers.bench.scaling import Costs, costs, needs, one_machine
from workers.bench.scoring_report import scoring_section
from workers.bench.scoring_results import ScoringResult

TARGET_PER_S = 10_000
SHARES = (0.05, 0.01, 0.001)
MACHINES = (2, 8, 32)
RATIO_AIM, P99_AIM_MS, BATCH_AIM_PER_S, SAMPLE_AIM_MS = 0.7, 10, 20_000, 0.3
AHEAD = 2  # times a server's throughput that the load generator must reach to have measured the server
HEAD = """# Performance

Written by `assay bench report` from the JSON files of the other benches. Do not edit: run them again, on a machine that
does nothing else:

```
assay bench ingest --json docs/performance/ingest.json
assay bench queue --json docs/performance/queue.json --database postgresql+psycopg://USER:PASSWORD@HOST/EMPTY_DATABASE
assay bench scoring --json docs/performance/scoring.json --checkpoint FLOAT32_CHECKPOINT_OF_THE_BUNDLED_MODEL
assay bench report --ingest docs/performance/ingest.json --queue docs/performance/queue.json \\
    --scoring docs/performance/scoring.json
```

Each figure is the median of several rounds; what is compared was measured in turn, in one run. The *spread*
is the distance of the furthest rounds as a share of the median: where it is large, trust ratios more than levels.
"""


def document(ingest: IngestResult, queue: QueueResult, scoring: ScoringResult) -> str:
    """The whole document."""
    sections = (ingest_section(ingest), queue_section(queue), scoring_section(scoring), _scaling_section(ingest, queue))
    return "\n".join((HEAD, *sections))


def ingest_section(result: IngestResult) -> str:
    """What `assay bench ingest` measured."""
    cores = "a core each" if result.pinned else "no core of their own"
    rows = [
        row("bare FastAPI endpoint, same body and model, requests/s", result.bare_per_s, ""),
        row("`POST /score`, requests/s", result.assay_per_s, ""),
        row("of the bare endpoint, in the same round", result.ratio, f"{RATIO_AIM:.0%}", as_share=True),
        *_latency_rows("`POST /score`", result.assay_latency, f"under {P99_AIM_MS} ms"),
        *_latency_rows("bare endpoint", result.bare_latency, ""),
    ]
    rows += [
        row(
            f"`POST /score/batch`, {batch.form}, {batch.items} items a request, submissions/s",
            batch.submissions_per_s,
            f"{BATCH_AIM_PER_S:,}",
        )
        for batch in result.batches
    ]
    rows += [
        row("`POST /score` where each one is a sample and stored, requests/s", result.chosen_per_s, ""),
        row("`POST /score/batch` where each one is a sample and stored, submissions/s", result.chosen_batch_per_s, ""),
    ]
    rows.append(row("the load generator's own limit, requests/s", result.generator_per_s, ""))
    text = (
        f"One sidecar process on one core, SQLite, no worker{', Redis' if result.redis else ', no Redis'}; the load "
        f"comes from another process; the two had {cores}. A body is the demo traffic's median one, "
        f"{result.body_bytes:,} bytes; {result.sampling_rate:.0%} are sampled. Throughput: more is offered than is "
        f"answered. Latency: at {rounded(result.half_load_per_s)} requests/s, half of what `POST /score` carries, on "
        "keep-alive connections at a constant arrival rate, counted from the moment a request was due, so that a stall "
        "is charged for all that it keeps waiting. The bare endpoint decides, counts, checks and stores nothing. Of "
        f"what was sent to be sampled, {_decisions(result.decisions)}. Clients that decide themselves send samples only, so "
        "that each request of theirs is stored and stands for many."
    )
    if result.generator_per_s.median < AHEAD * max(result.bare_per_s.median, result.assay_per_s.median):
        text += " The load generator was hardly faster than what it measured: the throughput is a lower bound."
    return section("Taking submissions", result.machine, text, table(("what", "median", "spread", "aim"), rows))


def queue_section(result: QueueResult) -> str:
    """What `assay bench queue` measured."""
    text = (
        "What a sample costs between its pending row and its stored score: take, build the items, finish, by a "
        f"worker's own pipeline with {result.rows_per_take} rows a take and a scorer that answers at once."
    )
    rows = [
        row(f"{store.store}: per sample, demo's median response, ms", store.per_sample_ms, f"{SAMPLE_AIM_MS} ms")
        for store in result.stores
    ]
    if result.model is not None:
        pairs = f"{result.model.pairs_per_sample:.1f}"
        rows.append(
            row(f"the model beside it: per sample of {pairs} pairs on one core, ms", result.model.per_sample_ms, "")
        )
    parts = [table(("what", "median", "spread", "aim"), rows), *_store_tables(result.stores)]
    return section("Between row and score", result.machine, text, "\n".join(parts))


def _store_tables(stores: Sequence[StoreResult]) -> Iterable[str]:
    settings = "; ".join(
        f"{store.store}: " + ", ".join(f"{name} {value}" for name, value in store.settings.items()) for store in stores
    )
    yield f"{settings}.\n"
    growth = [
        [
            store.store,
            f"{level.pending:,}",
            *cells(level.per_sample_ms),
            times(level.per_sample_ms, store.growth[0].per_sample_ms),
        ]
        for store in stores
        for level in store.growth
    ]
    yield "Does it grow with the rows that are pending? (aim: flat)\n"
    yield table(("database", "pending rows", "ms per sample", "spread", "of the first"), growth)
    crowds = [
        [
            store.store,
            str(crowd.workers),
            *cells(crowd.samples_per_s),
            times(crowd.samples_per_s, store.crowds[0].samples_per_s),
        ]
        for store in stores
        for crowd in store.crowds
    ]
    if crowds:
        yield "Several workers at one database, which shares the machine's cores with them:\n"
        yield table(("database", "workers", "samples/s", "spread", "of one"), crowds)
    accepting = [
        [store.store, str(group.rows), *cells(group.per_sample_ms)] for store in stores for group in store.accepting
    ]
    yield "What the sidecar's writer pays per sample; samples that arrive together share a commit:\n"
    yield table(("database", "samples in one commit", "ms per sample", "spread"), accepting)
    yield "What reading rates costs: [performance/rates.md](performance/rates.md).\n"


def _scaling_section(ingest: IngestResult, queue: QueueResult) -> str:
    given = costs(ingest, queue)
    if given is None:
        return "## Scaling\n\nNot computed: no model runtime was installed where the queue was measured.\n"
    return "\n".join(("## Scaling\n", _one_machine_text(given, ingest.sampling_rate), _needs_text(given)))


def _one_machine_text(given: Costs, share: float) -> str:
    carried = [one_machine(given, cores, share) for cores in MACHINES]
    rows = [
        [
            str(each.cores),
            rounded(each.samples_per_s),
            rounded(each.submissions_per_s),
            f"{each.balanced_share:.2%}",
        ]
        for each in carried
    ]
    return (
        f"Computed from the medians above: a worker's core scores 1 / ({rounded(given.model_ms)} ms + "
        f"{given.queue_ms:.2f} ms) = {rounded(1_000 / (given.model_ms + given.queue_ms))} samples/s, {given.store} "
        f"included. **One machine**, the sidecar on one core and a worker on each of the others (on two cores: one), at "
        f"a sampling rate of {share:.0%}:\n\n"
        + table(("cores", "samples/s", "submissions/s", "sampling rate that fills both"), rows)
    )


def _needs_text(given: Costs) -> str:
    wanted = [needs(given, TARGET_PER_S, share) for share in SHARES]
    rows = [
        [
            f"{each.share:.1%}",
            rounded(each.samples_per_s),
            f"{each.sidecars_single} / {each.sidecars_batch} / {each.sidecars_chosen}",
            f"{each.worker_cores:,}",
            rounded(each.commits_per_s),
            f"{each.store_used:.1%}",
            rounded(each.rows_per_day),
        ]
        for each in wanted
    ]
    header = (
        "sampled",
        "samples/s",
        "sidecar cores: single / batch / clients decide",
        "worker cores",
        "commits/s, at most",
        f"of what {given.store} finished here",
        "rows a day",
    )
    return (
        f"**{TARGET_PER_S:,} submissions/s.** Sidecars = submissions / what one core takes; worker cores = samples / "
        "what one core scores; commits = one for each sample if none share, two for each take of "
        f"{given.rows_per_take}, one flush a second for each sidecar:\n\n{table(header, rows)}\n"
        "More than one sidecar needs PostgreSQL. Worker cores are what costs: lower the sampling rate, or give workers "
        "a GPU, before adding databases.\n"
    )


def _latency_rows(who: str, latency: Latency, aim: str) -> list[list[str]]:
    return [
        row(f"{who} at half load: p50, ms", latency.p50_ms, ""),
        row(f"{who} at half load: p99, ms", latency.p99_ms, aim),
    ]


def _decisions(decisions: dict[str, int]) -> str:
    total = sum(decisions.values())
    named = sorted(decisions.items())
    return ", ".join(f"{count / total:.1%} were {name.replace('_', ' ')}" for name, count in named)
