"""The rule file: YAML written by hand, since the base installs no library for it; every line at most 120 characters."""

import textwrap
from collections.abc import Iterator

from workers.prometheus.alerts import alerts
from workers.prometheus.recordings import recordings
from workers.prometheus.rule import Alert, Options, Recording

WIDTH = 100
HEAD = """\
# Made by `assay prometheus rules`. Expects the sidecars in the job {sidecar} and the workers in {worker}.
groups:
"""


def rule_file(options: Options) -> str:
    """The recording rules, then the alerts, which stand on them."""
    lines = ["  - name: assay-recordings", "    rules:"]
    for recording in recordings():
        lines += _recording(recording)
    lines += ["  - name: assay-alerts", "    rules:"]
    for alert in alerts(options):
        lines += _alert(alert)
    return HEAD.format(sidecar=options.sidecar_job, worker=options.worker_job) + "\n".join(lines) + "\n"


def _recording(rule: Recording) -> Iterator[str]:
    yield f"      - record: {rule.record}"
    yield from _literal("expr", rule.expr, 8)


def _alert(rule: Alert) -> Iterator[str]:
    yield f"      - alert: {rule.name}"
    yield from _literal("expr", rule.expr, 8)
    yield f"        for: {rule.for_}"
    yield "        labels:"
    yield f"          severity: {rule.severity.value}"
    yield "        annotations:"
    yield from _folded("summary", rule.summary, 10)
    yield from _folded("description", rule.description, 10)


def _literal(key: str, text: str, indent: int) -> Iterator[str]:
    """A block that keeps its lines."""
    yield f"{' ' * indent}{key}: |-"
    yield from (f"{' ' * (indent + 2)}{line}" for line in text.splitlines())


def _folded(key: str, text: str, indent: int) -> Iterator[str]:
    """A block whose lines are read as one."""
    yield f"{' ' * indent}{key}: >-"
    lines = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    yield from (f"{' ' * (indent + 2)}{line}" for line in lines)
