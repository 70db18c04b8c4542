"""Rates with intervals and worst cases, of each tenant and of each of its releases; and what became of submissions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from service.collectors.source import Found, Gauges
from service.collectors.window import LONG, MAX_TENANTS, WINDOWS, Allowance, most_scored, stretch_of
from service.core.alerting.reading import coverage
from service.core.rate_answer import read_known
from service.core.rates import Bucket, Counts, Known, Question, make_buckets
from service.core.store.busiest import read_busiest
from service.core.store.clusters import MAX_SAMPLES
from service.core.store.labelled import read_labelled
from service.core.store.rates import Counted, read_counted
from service.core.tables import Outcome
from service.core.visible import visible

MAX_RELEASES = 10  # of a tenant, the most frequent of the long window; the others are counted
MAX_ROWS = 100_000  # scored samples whose sessions and traces one reading looks at
FINGERPRINT_CHARS = 12
RELEASE_CHARS = 200  # as many as a release may have
OUTCOMES = (
    "sampled_out",
    "rejected_overload",
    "dropped_by_client",
    "pending",
    "not_applicable",
    "unscored",
    "duplicate",
)


def read_rates(connection: Connection, now: datetime) -> Found:
    """The gauges of all tenants, the busiest first."""
    tenants, others = read_busiest(connection, now, MAX_TENANTS)
    gauges, allowance = Gauges(), Allowance(MAX_ROWS)
    left = sum(_Reading(connection, gauges, allowance, tenant, now).read() for tenant in tenants)
    return Found(gauges=gauges, left_out={"tenant": others, "release": left})


@dataclass(frozen=True, slots=True)
class _Reading:
    """The rates of one tenant."""

    connection: Connection
    gauges: Gauges
    allowance: Allowance
    tenant: str
    now: datetime

    def read(self) -> int:
        """Fills the gauges; how many releases were left out."""
        by_window = {
            window: read_counted(self.connection, stretch_of(self.tenant, self.now, window, "release"))
            for window in WINDOWS
        }
        releases = _by_frequency(by_window[LONG])
        for window, counted in by_window.items():
            self._add_releases(window, counted, releases[:MAX_RELEASES])
            self._add_whole(window, counted)
        return len(releases[MAX_RELEASES:])

    def _add_releases(self, window: str, counted: Counted, releases: Sequence[str]) -> None:
        question = Question(stretch=stretch_of(self.tenant, self.now, window, "release"))
        known = self._known(question, counted)
        kept = Counted(
            states=[row for row in counted.states if row.group[0] in releases],
            scores=[row for row in counted.scores if row.group[0] in releases],
        )
        for release, bucket in _most_scored(make_buckets(question, kept, known)).items():
            labels = {"tenant": self.tenant, "release": visible(release, RELEASE_CHARS), "window": window}
            self._add_rate("assay_", bucket, labels)
            if bucket.fingerprint is not None:
                clusters = "not_respected" if known.clusters is None else "respected"
                short = bucket.fingerprint[:FINGERPRINT_CHARS]
                self.gauges.set("assay_rate_info", 1, fingerprint=short, clusters=clusters, **labels)

    def _add_whole(self, window: str, by_release: Counted) -> None:
        question = Question(stretch=stretch_of(self.tenant, self.now, window))
        counted = Counted(
            states=[replace(row, group=()) for row in by_release.states],
            scores=[replace(row, group=()) for row in by_release.scores],
        )
        labels = {"tenant": self.tenant, "window": window}
        fingerprint = most_scored(counted)
        for bucket in make_buckets(question, counted, self._known(question, counted)):
            if bucket.fingerprint == fingerprint:
                self._add_rate("assay_overall_", bucket, labels)
                self._add_counts(bucket.counts, labels)
                self.gauges.set("assay_coverage", coverage(bucket), **labels)
        if not counted.states:  # nothing came, which is known
            self._add_counts(None, labels)

    def _known(self, question: Question, counted: Counted) -> Known:
        """What is known beside the counts; without clusters where these would cost more than is left."""
        if counted.scored > MAX_SAMPLES or self.allowance.take(counted.scored):
            return read_known(self.connection, question, counted)
        return Known(labels=read_labelled(self.connection, question.stretch, question.unit, question.estimand))

    def _add_rate(self, prefix: str, bucket: Bucket, labels: Mapping[str, str]) -> None:
        flagged, by_labels = bucket.flagged, bucket.hallucination
        values = {
            "flagged_rate": flagged.rate,
            "flagged_rate_low": flagged.low,
            "flagged_rate_high": flagged.high,
            "flagged_rate_bound_low": bucket.bound_low,
            "flagged_rate_bound_high": bucket.bound_high,
            "effective_n": flagged.effective_n,
        }
        if by_labels is not None and by_labels.rate is not None:
            values |= {
                "hallucination_rate": by_labels.rate,
                "hallucination_rate_low": by_labels.low,
                "hallucination_rate_high": by_labels.high,
            }
        for name, value in values.items():
            self.gauges.set(prefix + name, value, **labels)

    def _add_counts(self, counts: Counts | None, labels: Mapping[str, str]) -> None:
        numbers = {outcome: getattr(counts, outcome) if counts else 0 for outcome in OUTCOMES}
        numbers["scored"] = counts.scored + counts.scored_by_others if counts else 0
        for outcome, number in numbers.items():
            self.gauges.set("assay_window_submissions", number, outcome=outcome, **labels)
        self.gauges.set("assay_uncovered_submissions", counts.uncovered if counts else 0, **labels)


def _by_frequency(counted: Counted) -> list[str]:
    """Releases, the most frequent first."""
    submitted: dict[str, int] = defaultdict(int)
    for row in counted.states:
        if row.outcome != Outcome.DUPLICATE:
            submitted[row.group[0]] += row.submissions
    return sorted(submitted, key=lambda release: (-submitted[release], release))


def _most_scored(buckets: Sequence[Bucket]) -> Mapping[str, Bucket]:
    """Of each release the bucket of the scorer that scored most of it."""
    most: dict[str, Bucket] = {}
    for bucket in buckets:
        release = bucket.group["release"] or ""
        if release not in most or bucket.counts.scored > most[release].counts.scored:
            most[release] = bucket
    return most
