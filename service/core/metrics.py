"""Prometheus metrics: prefix and unit in the name, closed label sets; a set of them per process, none global."""

from collections.abc import Mapping
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from models.types import Verdict

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SCORE_BUCKETS = tuple(tenth / 10 for tenth in range(11))
REMOVED = "Removals: samples, of these with texts, of these ended; comments."


def count_kinds(counter: Counter, numbers: Mapping[str, int]) -> None:
    """Counts each kind up by its number."""
    for kind, number in numbers.items():
        counter.labels(kind).inc(number)


def tell_version(registry: CollectorRegistry) -> None:
    """Adds the version that runs."""
    build = Gauge("assay_build_info", "The version that runs; always 1.", ["version"], registry=registry)
    build.labels(version("assay-llm")).set(1)


class SidecarMetrics:
    """What the sidecar counts of itself."""

    def __init__(self) -> None:
        """Makes a registry of its own."""
        self.registry = CollectorRegistry()
        r = self.registry
        self.submissions = Counter(
            "assay_submissions_total", "Submissions by what was decided of them.", ["decision"], registry=r
        )
        self.client_counted = Counter(
            "assay_client_counted_submissions_total",
            "Submissions that clients counted instead of sending, by outcome.",
            ["outcome"],
            registry=r,
        )
        self.requests = Histogram(
            "assay_request_seconds",
            "Time to answer, by route template and status.",
            ["route", "status"],
            buckets=LATENCY_BUCKETS_S,
            registry=r,
        )
        self.accept = Histogram(
            "assay_accept_seconds", "Time to commit one group of samples.", buckets=LATENCY_BUCKETS_S, registry=r
        )
        self.accept_rows = Histogram(
            "assay_accept_group_rows", "Samples in one commit.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256), registry=r
        )
        self.store_failures = Counter(
            "assay_store_failures_total", "Transactions that the database failed.", ["operation"], registry=r
        )
        self.store_failures.labels("accept")  # from 0 on, or the first failure would be no increase
        self.removed = Counter("assay_removed_total", REMOVED, ["kind"], registry=r)
        self.doorbell = Counter("assay_doorbell_total", "Rings of the doorbell by result.", ["result"], registry=r)
        self.unflushed = Gauge(
            "assay_ledger_unflushed_submissions", "Unsampled counts not yet in the database.", registry=r
        )
        self.scrape_failures = Counter(
            "assay_scrape_failures_total",
            "Scrapes without a collector's gauges, because they could not be read.",
            ["collector"],
            registry=r,
        )
        tell_version(r)


class WorkerMetrics:
    """What a worker counts of itself."""

    def __init__(self) -> None:
        """Makes a registry of its own."""
        self.registry = CollectorRegistry()
        r = self.registry
        self.finished = Counter("assay_finished_samples_total", "Samples finished, by state.", ["state"], registry=r)
        self.fenced = Counter(
            "assay_fenced_samples_total", "Finished rows that another worker had taken over.", registry=r
        )
        self.failures = Counter("assay_score_failures_total", "Takes that failed.", ["error"], registry=r)
        self.given_up = Counter("assay_given_up_samples_total", "Rows unscored after failing alone.", registry=r)
        self.removed = Counter("assay_removed_total", REMOVED, ["kind"], registry=r)
        self.pairs = Counter("assay_pairs_total", "Pairs that decided a claim.", registry=r)
        self.stage = Histogram(
            "assay_stage_seconds", "Time per take and stage.", ["stage"], buckets=LATENCY_BUCKETS_S, registry=r
        )
        self.wait = Histogram(
            "assay_wait_seconds",
            "Time from receipt to finish of a sample.",
            buckets=(*LATENCY_BUCKETS_S, 60, 300, 1_800, 7_200),
            registry=r,
        )
        self.ticks = Counter("assay_ticks_total", "Ticks by result.", ["result"], registry=r)
        for result in ("done", "failed"):
            self.ticks.labels(result)
        self.rescored = Counter(
            "assay_rescored_samples_total", "Samples scored again, by what came of it.", ["result"], registry=r
        )
        self.golden = Counter(
            "assay_golden_answers_total", "Answers of golden runs that ended, by state.", ["state"], registry=r
        )
        self.probe_rounds = Counter(
            "assay_probe_rounds_total", "Rounds over the known-answer probes, by result.", ["result"], registry=r
        )
        for result in ("done", "not_written"):
            self.probe_rounds.labels(result)
        self.probe_items = Gauge(
            "assay_probe_items", "Probes of this worker's last round, by result.", ["result"], registry=r
        )
        self.reviews_made = Counter(
            "assay_reviews_chosen_total",
            "Samples chosen for a review, by reviewer and why.",
            ["reviewer", "why"],
            registry=r,
        )
        self.uncovered = Counter(
            "assay_judge_uncovered_samples_total",
            "Samples that no judge could have seen, because the tenant's money was spent.",
            registry=r,
        )
        self.reviews_ended = Counter(
            "assay_reviews_ended_total", "Reviews that ended, by reviewer and state.", ["reviewer", "state"], registry=r
        )
        self.folded = Counter("assay_folded_deltas_total", "Deltas folded into the rollups.", registry=r)
        self.score = Histogram(
            "assay_score",
            "Scores of responses that were scored for the first time; 1 is bad.",
            ["scorer"],
            buckets=SCORE_BUCKETS,
            registry=r,
        )
        self.claims = Counter("assay_claims_total", "Claims of these responses by verdict.", ["verdict"], registry=r)
        for verdict in Verdict:
            self.claims.labels(verdict.value)
        self.model = Gauge(
            "assay_model_info",
            "The scorer: its name, the fingerprint of all that decides its scores, and the runtime; always 1.",
            ["scorer", "fingerprint", "backend", "version"],
            registry=r,
        )
        tell_version(r)
        self.evaluations = Counter(
            "assay_alert_evaluations_total", "Looks at the alert rules, by result.", ["result"], registry=r
        )
        self.alert_events = Counter("assay_alert_events_total", "Events of alerts.", ["event"], registry=r)
        self.deliveries = Counter(
            "assay_alert_deliveries_total", "Attempts to tell a sink of an event, by result.", ["result"], registry=r
        )
