"""The alerting rules: about Assay itself, so that its silence is no comfort, and about the rate. Pure."""

from workers.prometheus.probe_alerts import probe_alerts
from workers.prometheus.rule import Alert, Options, Severity

_ENDED = (
    "sum by (tenant) (\n"
    '  max by (tenant, outcome) (assay_window_submissions{window="24h", outcome=~"scored|unscored"})\n'
    ")"
)
_UNSCORED = f'max by (tenant) (assay_window_submissions{{window="24h", outcome="unscored"}})\n/ {_ENDED}'
_ENOUGH = 50  # samples, below which a single one would be a large share


def alerts(options: Options) -> list[Alert]:
    """All of them."""
    own = [*_presence(options), *_queue(options), *_failures(options), *_workers(options), *probe_alerts(options)]
    return [*own, *_rates(options)]


def _presence(options: Options) -> list[Alert]:
    return [
        Alert(
            name="AssayDown",
            expr=f'up{{job=~"{options.sidecar_job}|{options.worker_job}"}} == 0',
            for_="5m",
            severity=Severity.CRITICAL,
            summary="{{ $labels.instance }} of {{ $labels.job }} does not answer",
            description=(
                "Prometheus cannot scrape it. Look whether the process runs and at its last log lines: one that exits "
                "with 78 (worker) or 2 (sidecar) has said what to do. A sidecar that answers 401 needs an API key with "
                "the scope read in Prometheus' configuration."
            ),
        ),
        Alert(
            name="AssayNoData",
            expr=f'absent(up{{job="{options.sidecar_job}"}})\n  or absent(up{{job="{options.worker_job}"}})',
            for_=options.for_,
            severity=Severity.CRITICAL,
            summary="Nothing is scraped as {{ $labels.job }}",
            description=(
                "Prometheus knows no such target, so that every other alert on it is blind. Look at Prometheus' page of "
                "targets, and whether the job is named as in these rules: assay prometheus rules has options for it."
            ),
        ),
    ]


def _queue(options: Options) -> list[Alert]:
    return [
        Alert(
            name="AssayQueueOld",
            expr=f"assay:oldest_pending_seconds:max > {options.queue_older_s}",
            for_=options.for_,
            severity=Severity.WARNING,
            summary="The oldest sample has waited for {{ $value | humanizeDuration }}",
            description="Add workers. If those that there are have nothing to do, look at their logs.",
        ),
        Alert(
            name="AssayQueueNotDraining",
            expr=("assay:pending_samples:max > 0\nunless on () sum(rate(assay_finished_samples_total[10m])) > 0"),
            for_="15m",
            severity=Severity.CRITICAL,
            summary="{{ $value }} samples wait and none is finished",
            description=(
                "No worker runs, none reaches the database, or none can score. assay doctor on a worker's machine looks "
                "for the reason; the log events tick_failed and score_failed name it."
            ),
        ),
        Alert(
            name="AssaySamplesRejected",
            expr='sum(increase(assay_submissions_total{decision="rejected_overload"}[10m])) > 0',
            for_="0s",
            severity=Severity.CRITICAL,
            summary="Chosen samples are refused because too many wait",
            description=(
                "The rate's worst case widens with each. Add workers, or lower the sampling rate; ASSAY_MAX_PENDING says "
                "how many may wait."
            ),
        ),
    ]


def _failures(options: Options) -> list[Alert]:
    return [
        Alert(
            name="AssayStoreFailures",
            expr="sum by (job, operation) (increase(assay_store_failures_total[5m])) > 0",
            for_="5m",
            severity=Severity.CRITICAL,
            summary="The database fails transactions ({{ $labels.operation }})",
            description=(
                "It is away, full or refuses: its own log says why, and so does /readyz. Callers get 503 and should send "
                "again with the same id; nothing counts twice."
            ),
        ),
        Alert(
            name="AssayRequestErrors",
            expr="assay:request_errors:ratio_rate5m > 0.01",
            for_=options.for_,
            severity=Severity.WARNING,
            summary="{{ $value | humanizePercentage }} of requests are answered with an error of the sidecar",
            description="Look at the sidecar's log, then at the database: 503 is the database, 500 is a bug worth a report.",
        ),
        Alert(
            name="AssayScrapeFailures",
            expr="sum by (job, collector) (increase(assay_scrape_failures_total[15m])) > 0",
            for_="15m",
            severity=Severity.WARNING,
            summary="The collector {{ $labels.collector }} cannot read its gauges",
            description=(
                "Its gauges are absent, and alerts and panels on them blind. The sidecar's log event collector_failed "
                "says why; most often the database is away or slow."
            ),
        ),
        Alert(
            name="AssayMetricsStale",
            expr=(
                f'up{{job="{options.sidecar_job}"}} == 1\n'
                'unless on (job, instance) assay_metrics_age_seconds{collector="rates"} < 60'
            ),
            for_=options.for_,
            severity=Severity.WARNING,
            summary="{{ $labels.instance }} gives no rates that are a minute old or younger",
            description=(
                "The sidecar answers but cannot read rates in time. Look at the log event collector_failed and at the "
                "load of the database; GET /hallucination-rate says whether rates can be read at all."
            ),
        ),
    ]


def _workers(options: Options) -> list[Alert]:
    return [
        Alert(
            name="AssayWorkerTicksFailing",
            expr='sum by (job, instance) (increase(assay_ticks_total{result="failed"}[5m])) > 0',
            for_="5m",
            severity=Severity.WARNING,
            summary="{{ $labels.instance }} fails at its looks at the table",
            description="The worker cannot reach the database, or it refuses: the log event tick_failed says why.",
        ),
        Alert(
            name="AssayWorkerNoProgress",
            expr=(
                f'up{{job="{options.worker_job}"}} == 1\n'
                'unless on (job, instance) rate(assay_ticks_total{result="done"}[5m]) > 0'
            ),
            for_=options.for_,
            severity=Severity.CRITICAL,
            summary="{{ $labels.instance }} answers and does nothing",
            description=(
                "It has not looked at the table for minutes. Its parent restarts a worker that hangs: the log event "
                "worker_killed says so. If it comes again and again lower ASSAY_TAKE_TOKENS."
            ),
        ),
        Alert(
            name="AssayAlertsNotEvaluated",
            expr="max by (job) (assay_alert_evaluation_age_seconds) > 300",
            for_="5m",
            severity=Severity.CRITICAL,
            summary="Nobody has looked at the policy's alert rules for {{ $value | humanizeDuration }}",
            description="No worker with ASSAY_POLICY_FILE runs, or it fails: the log event alerts_not_evaluated says why.",
        ),
        Alert(
            name="AssayAlertsFailing",
            expr='sum by (job, result) (increase(assay_alert_evaluations_total{result!="done"}[15m])) > 0',
            for_="15m",
            severity=Severity.WARNING,
            summary="Alert rules of the policy cannot be read",
            description="The log events alerts_not_evaluated and alert_not_read name the tenant, the rule and the reason.",
        ),
        Alert(
            name="AssayAlertsUndelivered",
            expr="max by (job) (assay_alert_deliveries_waiting) > 0",
            for_="15m",
            severity=Severity.CRITICAL,
            summary="{{ $value }} messages of alerts wait for their sinks",
            description="The workers' log event sink_not_told names the sink and the reason; so does assay alerts history.",
        ),
        Alert(
            name="AssayUnscoredShareHigh",
            expr=f"{_UNSCORED} > {options.unscored_above:g}\nand {_ENDED} >= {_ENOUGH}",
            for_=options.for_,
            severity=Severity.WARNING,
            summary="{{ $value | humanizePercentage }} of the samples of {{ $labels.tenant }} could not be scored",
            description=(
                "What has no score is in the rate's worst case alone. GET /score/{id} gives the reason of each: too many "
                "pairs, a language that the model does not read, or failed alone."
            ),
        ),
    ]


def _rates(options: Options) -> list[Alert]:
    window = options.flagged_window
    return [
        Alert(
            name="AssayFlaggedRateHigh",
            expr=(
                f'max by (tenant, release) (assay_flagged_rate_low{{window="{window}"}})\n  > {options.flagged_above:g}'
            ),
            for_=options.flagged_for,
            severity=Severity.WARNING,
            summary=(
                "At least {{ $value | humanizePercentage }} of the answers of {{ $labels.tenant }}, release "
                "{{ $labels.release }}, are flagged"
            ),
            description=(
                f"The lower end of the 95% interval over {window} is above {options.flagged_above:g}. Look at the context "
                "documents that contradict most, at what the release changed, and at some answers (GET /score/{id}). An "
                "interval that is looked at all day is above by chance now and then, and is of what the scorer flags, "
                "not of what people would call wrong. Only a tenant's ten most frequent releases are watched."
            ),
        )
    ]
