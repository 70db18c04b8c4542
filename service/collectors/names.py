"""Every gauge that is read from the database: its name, what it means, and its labels."""

from typing import NamedTuple

KINDS = ("claims", "contexts", "release", "rule", "slo", "tenant")  # of what is left out


class Known(NamedTuple):
    """What is known of a gauge before it has a value."""

    help: str
    labels: tuple[str, ...] = ()


_RELEASE, _TENANT = ("tenant", "release", "window"), ("tenant", "window")
_SLO = ("tenant", "slo")
_RATE = {
    "flagged_rate": "Share that the scorer flags of all checkable submissions",
    "flagged_rate_low": "Lower end of the 95% interval of the flagged rate",
    "flagged_rate_high": "Upper end of the 95% interval of the flagged rate",
    "flagged_rate_bound_low": "The flagged rate if nothing were flagged of what has no score yet",
    "flagged_rate_bound_high": "The flagged rate if all were flagged of what has no score yet",
    "effective_n": "Independent samples that would say as much as those behind the flagged rate",
    "hallucination_rate": "Share that people would label hallucinated; absent where labels do not tell",
    "hallucination_rate_low": "Lower end of the 95% interval of the hallucination rate",
    "hallucination_rate_high": "Upper end of the 95% interval of the hallucination rate",
}
GAUGES: dict[str, Known] = {
    "assay_pending_samples": Known("Samples not finished."),
    "assay_oldest_pending_seconds": Known("Age of the oldest unfinished sample."),
    **{f"assay_{name}": Known(f"{text}, by release.", _RELEASE) for name, text in _RATE.items()},
    **{f"assay_overall_{name}": Known(f"{text}, of all releases together.", _TENANT) for name, text in _RATE.items()},
    "assay_rate_info": Known(
        "Which scorer the rates of a release are by, and whether their intervals respect sessions and traces.",
        (*_RELEASE, "fingerprint", "clusters"),
    ),
    "assay_coverage": Known("Share of the samples that should have a score by now which have one.", _TENANT),
    "assay_uncovered_submissions": Known(
        "Submissions that had no chance of being sampled, and are in no rate.", _TENANT
    ),
    "assay_window_submissions": Known("Submissions of the window by what became of them.", (*_TENANT, "outcome")),
    "assay_window_claims": Known("Claims of the window's scored samples by verdict.", (*_TENANT, "verdict")),
    "assay_contradicted_claims": Known(
        "Claims that a context document contradicts, of the ten documents with most of them.",
        ("tenant", "context", "window"),
    ),
    "assay_alert_groups": Known("Groups of an alert rule, by the state they are in.", ("tenant", "rule", "state")),
    "assay_alert_evaluation_age_seconds": Known("How long ago a worker last looked at the alert rules."),
    "assay_alert_deliveries_waiting": Known("Messages that sinks have not taken yet."),
    "assay_slo_objective": Known("Share of answers that must be good.", _SLO),
    "assay_slo_budget_left": Known("Share of the error budget that is left; below 0: more was spent.", _SLO),
    "assay_slo_budget_left_low": Known("Lower end of the 95% interval of the budget that is left.", _SLO),
    "assay_slo_budget_left_high": Known("Upper end of the 95% interval of the budget that is left.", _SLO),
    "assay_slo_burn_rate": Known(
        "How many times faster than allowed the error budget was spent over the window.", (*_SLO, "window")
    ),
    "assay_pending_reviews": Known("Reviews not finished, by reviewer.", ("reviewer",)),
    "assay_oldest_pending_review_seconds": Known("Age of the oldest unfinished review, by reviewer.", ("reviewer",)),
    "assay_llm_circuit_open": Known(
        "Whether a judge worker leaves its endpoint alone after failures: 1 if it does.", ("endpoint", "worker")
    ),
    "assay_llm_spend_today": Known(
        "Most that a tenant's calls of today, UTC, cost; in the policy's currency.", ("tenant",)
    ),
    "assay_probe_accuracy": Known(
        "Share of known-answer probes that the scorer gets right, of those scored; of the worst live worker.",
        ("fingerprint",),
    ),
    "assay_probe_floor": Known("Least accuracy that the probes' floors for this scorer allow.", ("fingerprint",)),
    "assay_probe_repeat_variance": Known(
        "Mean variance of a probe's scores over the last hour's rounds of all workers on the same kind of machine.",
        ("fingerprint",),
    ),
    "assay_probe_unknown_items": Known("Probes that the worst live worker's scorer could not score.", ("fingerprint",)),
    "assay_probe_age_seconds": Known("How long ago a worker last scored the probes."),
    "assay_metrics_age_seconds": Known("How long ago a collector's gauges were read.", ("collector",)),
    "assay_metrics_left_out": Known("Tenants, releases and readings beyond the bounds of a scrape.", ("kind",)),
}
