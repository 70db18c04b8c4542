"""The alerting rules about known-answer probes: a scorer that is broken, or that does not repeat itself. Pure."""

from service.core.golden.probes import LEAST_ACCURACY
from workers.prometheus.rule import Alert, Options, Severity

LEAST_VARIANCE = 1e-6  # scores of one worker are the same to the bit; a thousandth apart changes a verdict now and then
_ACCURACY = "min by (job, fingerprint) (assay_probe_accuracy)"


def probe_alerts(options: Options) -> list[Alert]:
    """All of them."""
    return [
        Alert(
            name="AssayProbesWrong",
            expr=(
                f"{_ACCURACY}\n  < on (job, fingerprint)\n"
                f"(\n  max by (job, fingerprint) (assay_probe_floor)\n  or {LEAST_ACCURACY:g} + 0 * {_ACCURACY}\n)"
            ),
            for_="0s",
            severity=Severity.CRITICAL,
            summary="The scorer {{ $labels.fingerprint }} gets only {{ $value | humanizePercentage }} of known answers right",
            description=(
                "Below the floor of golden_sets/probes/floors.toml, or 80% for a scorer without one: its weights, its "
                "threshold or the machine are not what they were. The workers' log event probes_scored names worker and "
                "items. Restart or stop that one; what it scored since its last right round is as wrong."
            ),
        ),
        Alert(
            name="AssayProbesVary",
            expr=f"max by (job, fingerprint) (assay_probe_repeat_variance) > {LEAST_VARIANCE:g}",
            for_=options.for_,
            severity=Severity.WARNING,
            summary="Scores of the same known answers by {{ $labels.fingerprint }} differ: a variance of {{ $value }}",
            description=(
                "Over the last hour, between workers on processors of one kind, or from round to round. One of them has "
                "damaged weights or memory, or a device that does not repeat itself: compare the workers' log event "
                "probes_scored, and restart the one that differs."
            ),
        ),
    ]
