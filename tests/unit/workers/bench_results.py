"""Made-up results of the benches."""

from typing import Any

from workers.bench.results import (
    Accepting,
    Batch,
    Crowd,
    Growth,
    IngestResult,
    Latency,
    Machine,
    ModelCost,
    QueueResult,
    Series,
    StoreResult,
)
from workers.bench.scoring_results import (
    Equality,
    PairRate,
    ProcessFigures,
    ResponseRate,
    RunTime,
    ScoringResult,
    Stage,
)

MACHINE = Machine(
    processor="A processor",
    cores=2,
    system="Linux 6",
    load_before=0.1,
    measured_at="2026-11-01 12:00 UTC",
    versions={"python": "3.11.7"},
)


def series(*rounds: float) -> Series:
    return Series.of(rounds)


def ingest_result(**changes: Any) -> IngestResult:
    values: dict[str, Any] = {
        "machine": MACHINE,
        "quick": False,
        "pinned": True,
        "redis": True,
        "sampling_rate": 0.05,
        "body_bytes": 2_422,
        "generator_per_s": series(20_000),
        "bare_per_s": series(3_000, 3_100, 3_300),
        "assay_per_s": series(2_000, 1_900, 2_100),
        "ratio": series(0.61, 0.66, 0.64),
        "half_load_per_s": 1_000,
        "bare_latency": Latency(p50_ms=series(0.5), p99_ms=series(2)),
        "assay_latency": Latency(p50_ms=series(0.9), p99_ms=series(7)),
        "batches": (
            Batch(form="NDJSON", items=500, submissions_per_s=series(18_000)),
            Batch(form="JSON array", items=500, submissions_per_s=series(20_000)),
        ),
        "chosen_per_s": series(1_200),
        "chosen_batch_per_s": series(4_000),
        "decisions": {"sampled": 50, "sampled_out": 950},
    }
    return IngestResult(**values | changes)


def store_result(name: str, **changes: Any) -> StoreResult:
    values: dict[str, Any] = {
        "store": name,
        "settings": {"fsync": "on"},
        "per_sample_ms": series(0.25),
        "growth": (
            Growth(pending=100, per_sample_ms=series(0.2)),
            Growth(pending=1_000_000, per_sample_ms=series(0.25)),
        ),
        "accepting": (Accepting(rows=1, per_sample_ms=series(2)),),
        "crowds": (),
    }
    return StoreResult(**values | changes)


def queue_result(**changes: Any) -> QueueResult:
    crowds = (
        Crowd(workers=1, samples_per_s=series(3_000)),
        Crowd(workers=2, samples_per_s=series(5_000)),
    )
    values: dict[str, Any] = {
        "machine": MACHINE,
        "quick": False,
        "rows_per_take": 64,
        "stores": (store_result("SQLite 3.40.1"), store_result("PostgreSQL 18.4", crowds=crowds)),
        "model": ModelCost(per_sample_ms=series(99.75), pairs_per_sample=12),
    }
    return QueueResult(**values | changes)


def scoring_result(**changes: Any) -> ScoringResult:
    process = RunTime.of([ProcessFigures(first_score_s=2.0, peak_mb=300.0)])
    values: dict[str, Any] = {
        "machine": MACHINE,
        "quick": False,
        "threads": 2,
        "reference_threads": 2,
        "accepted": 0.6,
        "pairs": (
            PairRate(
                tokens=64,
                pairs=256,
                measured=6,
                assay_per_s=series(600, 590, 610),
                reference_per_s=series(100),
                ratio=series(6.0, 5.9, 6.1),
                int8_per_s=series(4e11),
                int8_share=series(0.7),
            ),
        ),
        "int8_over_float32": series(4.0),
        "responses": ResponseRate(
            responses=40,
            claims=160,
            words_least=226,
            words_median=1_022,
            words_most=2_913,
            pairs=10_000,
            pairs_about=3_000,
            pairs_plain=2_000,
            pairs_needed=2_500,
            assay_per_s=series(8.0),
            exhaustive_per_s=series(2.0),
            reference_per_s=series(0.25),
            ratio=series(32.0),
            plain_per_s=series(0.8),
            plain_ratio=series(10.0),
            planning_share=series(0.03),
        ),
        "equality": Equality(claims=160, verdicts=160, scores=160, float32_verdicts=156),
        "stages": (Stage(rows=16, tokens=64, shares={"matrix products": 0.7, "other": 0.3}),),
        "assay_process": process,
        "reference_process": process,
        "gpu": None,
    }
    return ScoringResult(**values | changes)
