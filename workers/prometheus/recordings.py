"""The recording rules: an installation in a few series, whatever number of sidecars and workers it has. Pure."""

from workers.prometheus.rule import Recording

_COUNTED = (  # name, labels that are kept, counter
    ("assay:submissions:rate5m", "decision", "assay_submissions_total"),
    ("assay:finished_samples:rate5m", "state", "assay_finished_samples_total"),
    ("assay:claims:rate5m", "verdict", "assay_claims_total"),
    ("assay:pairs:rate5m", "", "assay_pairs_total"),
)
_TIMED = (  # what is timed, labels that are kept
    ("request_seconds", "route"),
    ("accept_seconds", ""),
    ("stage_seconds", "stage"),
    ("wait_seconds", ""),
)


def recordings() -> list[Recording]:
    """All of them. Gauges of the database are the same from every sidecar: `max` takes one."""
    return [
        Recording(record="assay:pending_samples:max", expr="max by (job) (assay_pending_samples)"),
        # No age where nothing waits: then it is 0, and unknown where the number of those that wait is.
        Recording(
            record="assay:oldest_pending_seconds:max",
            expr="max by (job) (assay_oldest_pending_seconds)\n  or max by (job) (assay_pending_samples == 0)",
        ),
        *(
            Recording(record=name, expr=f"sum by ({_by('job', kept)}) (rate({counter}[5m]))")
            for name, kept, counter in _COUNTED
        ),
        *(
            Recording(
                record=f"assay:{timed}:p95_5m",
                expr=f"histogram_quantile(\n  0.95,\n  sum by ({_by('job', 'le', kept)}) (rate(assay_{timed}_bucket[5m]))\n)",
            )
            for timed, kept in _TIMED
        ),
        Recording(
            record="assay:request_errors:ratio_rate5m",
            expr=(
                '(\n  sum by (job) (rate(assay_request_seconds_count{status=~"5.."}[5m]))\n'
                "    or 0 * sum by (job) (rate(assay_request_seconds_count[5m]))\n)\n"
                "/ (sum by (job) (rate(assay_request_seconds_count[5m])) > 0)"
            ),
        ),
    ]


def _by(*labels: str) -> str:
    return ", ".join(label for label in labels if label)
