"""What a judge worker counts of itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from models.types import Consistent, Judged, NotApplicable, ReviewReason, Unscored
from service.core.metrics import tell_version
from service.core.review_tables import CallState, Reviewer

CALL_BUCKETS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class JudgeMetrics:
    """A registry of its own."""

    def __init__(self) -> None:
        """Makes it."""
        self.registry = CollectorRegistry()
        r = self.registry
        self.calls = Counter(
            "assay_llm_calls_total", "Calls to language models, by purpose and what became of them.",
            ["purpose", "state", "reason"], registry=r,
        )  # fmt: skip
        self.seconds = Histogram(
            "assay_llm_call_seconds", "Time of one call.", ["purpose"], buckets=CALL_BUCKETS_S, registry=r
        )
        self.tokens = Counter("assay_llm_tokens_total", "Tokens that endpoints said they used.", ["way"], registry=r)
        self.cost = Counter("assay_llm_cost_total", "Cost of ended calls, in the policy's currency.", registry=r)
        self.reviews_ended = Counter(
            "assay_reviews_ended_total", "Reviews that ended, by reviewer and state.", ["reviewer", "state"], registry=r
        )
        self.fenced = Counter(
            "assay_fenced_reviews_total", "Reviews that ended without this worker while it was at them.", registry=r
        )
        self.failures = Counter(
            "assay_review_failures_total", "Reviews that a fault here broke off.", ["error"], registry=r
        )
        self.ticks = Counter("assay_judge_ticks_total", "Looks for reviews, by result.", ["result"], registry=r)
        self.under_way = Gauge("assay_reviews_under_way", "Reviews that are worked on.", ["reviewer"], registry=r)
        for way in ("input", "output"):
            self.tokens.labels(way)
        for result in ("done", "failed"):
            self.ticks.labels(result)
        tell_version(r)

    def ended(self, reviewer: Reviewer, outcome: Judged | Consistent | NotApplicable | Unscored | ReviewReason) -> None:
        """Counts the end of a review."""
        match outcome:
            case Judged() | Consistent():
                state = "scored"
            case NotApplicable() | Unscored():
                state = outcome.reason.value
            case ReviewReason():
                state = outcome.value
        self.reviews_ended.labels(reviewer.value, state).inc()

    def called(self, purpose: str, state: CallState, reason: str | None, seconds: float) -> None:
        """Counts the end of a call."""
        self.calls.labels(purpose, state.value, reason or "").inc()
        self.seconds.labels(purpose).observe(seconds)
