"""From measured costs to machines: what one carries, and what a wanted rate needs. Pure arithmetic."""

import math
from dataclasses import dataclass

from workers.bench.results import IngestResult, QueueResult, StoreResult

DAY_S = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """What the arithmetic stands on; all measured."""

    single_per_s: float  # `POST /score` on one core
    batch_per_s: float  # submissions by `POST /score/batch` on one core, the slower form
    chosen_per_s: float  # the same where every submission is a sample: clients that decide themselves send no other
    model_ms: float  # of one sample on one core
    queue_ms: float  # of one sample: all but the model
    store: str  # where the queue's cost was measured
    store_per_s: float  # samples a second that this database finished for free workers
    rows_per_take: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OneMachine:
    """What a machine carries with the sidecar on one core and a worker on each of the others."""

    cores: int
    samples_per_s: float
    submissions_per_s: float  # what sidecar and workers both carry
    balanced_share: float  # the sampling rate at which both are full


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What a rate of submissions needs."""

    submissions_per_s: float
    share: float  # sampled
    samples_per_s: float
    sidecars_single: int
    sidecars_batch: int
    sidecars_chosen: int  # where clients decide themselves and send samples only
    worker_cores: int
    commits_per_s: (
        float  # at most: takes and finishes of full takes, a commit for each sample, a flush for each sidecar
    )
    store_used: float  # share of what the measured database finished
    rows_per_day: float


def costs(ingest: IngestResult, queue: QueueResult) -> Costs | None:
    """The costs, taken from PostgreSQL if it was measured; None where no model was."""
    store: StoreResult = queue.of("PostgreSQL") or queue.stores[0]
    if queue.model is None:
        return None
    alone = 1_000 / store.per_sample_ms.median
    return Costs(
        single_per_s=ingest.assay_per_s.median,
        batch_per_s=min(batch.submissions_per_s.median for batch in ingest.batches),
        chosen_per_s=ingest.chosen_batch_per_s.median,
        model_ms=queue.model.per_sample_ms.median,
        queue_ms=store.per_sample_ms.median,
        store=store.store,
        store_per_s=max((crowd.samples_per_s.median for crowd in store.crowds), default=alone),
        rows_per_take=queue.rows_per_take,
    )


def one_machine(given: Costs, cores: int, share: float) -> OneMachine:
    """What a machine with that many cores carries at that sampling rate."""
    samples_per_s = max(1, cores - 1) * _worker_per_s(given)
    return OneMachine(
        cores=cores,
        samples_per_s=samples_per_s,
        submissions_per_s=min(given.single_per_s, samples_per_s / share),
        balanced_share=min(1.0, samples_per_s / given.single_per_s),
    )


def needs(given: Costs, submissions_per_s: float, share: float) -> Needs:
    """What that many submissions a second need at that sampling rate."""
    samples_per_s = submissions_per_s * share
    single = math.ceil(submissions_per_s / given.single_per_s)
    return Needs(
        submissions_per_s=submissions_per_s,
        share=share,
        samples_per_s=samples_per_s,
        sidecars_single=single,
        sidecars_batch=math.ceil(submissions_per_s / given.batch_per_s),
        sidecars_chosen=math.ceil(samples_per_s / given.chosen_per_s),
        worker_cores=math.ceil(samples_per_s / _worker_per_s(given)),
        commits_per_s=samples_per_s + 2 * samples_per_s / given.rows_per_take + single,
        store_used=samples_per_s / given.store_per_s,
        rows_per_day=samples_per_s * DAY_S,
    )


def _worker_per_s(given: Costs) -> float:
    return 1_000 / (given.model_ms + given.queue_ms)
