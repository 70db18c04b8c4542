"""The answer to a rate's query, as `GET /hallucination-rate` and `assay rate` give it."""

from dataclasses import asdict
from datetime import datetime

from service.core.db import Database
from service.core.estimate import METHOD
from service.core.rate_query import RateQuery, read_confidence, read_stretch, read_unit
from service.core.rates import Bucket, Question, make_buckets
from service.core.schemas import BucketAnswer, CountsAnswer, RateAnswer, RatesAnswer
from service.core.store.rates import Unit, read_counted

ESTIMAND = {
    Unit.RESPONSE: (
        "flagged rate: the share that this scorer would flag of all checkable submissions "
        "(those not `not_applicable`), by the process that produced this traffic"
    ),
    Unit.CLAIM: (
        "flagged claim rate: the share that this scorer would flag of all checkable claims in checkable submissions, "
        "by the process that produced this traffic"
    ),
}
INTERVAL_COVERS = (
    "sampling error only, of submissions taken as independent (also within one trace); not the scorer's own mistakes, "
    "and not `pending`, `unscored`, `rejected_overload` and `dropped_by_client` submissions: for these see the bounds"
)
BOUNDS_COVER = (
    "the rate of the sample if none, and if all, of `pending`, `unscored`, `rejected_overload`, `dropped_by_client` "
    "and `scored_by_others` were flagged; null for claims"
)


def answer_rates(database: Database, query: RateQuery, now: datetime) -> RatesAnswer:
    """Reads and estimates. Raises QueryInvalidError before anything is read, StoreUnavailableError."""
    stretch = read_stretch(query, now)
    share, level = read_unit(query.unit), read_confidence(query.confidence)
    with database.read() as connection:
        counted = read_counted(connection, stretch)
    buckets = make_buckets(Question(stretch=stretch, unit=share, confidence=level), counted)
    return RatesAnswer(
        estimand=ESTIMAND[share],
        interval_covers=INTERVAL_COVERS,
        bounds_cover=BOUNDS_COVER,
        unit=share,
        confidence=level,
        start=stretch.start,
        end=stretch.end,
        granularity_s=stretch.width_s,
        group_by=list(stretch.group_by),
        buckets=[_bucket(bucket) for bucket in buckets],
    )


def _bucket(bucket: Bucket) -> BucketAnswer:
    flagged = bucket.flagged
    return BucketAnswer(
        start=bucket.start,
        end=bucket.end,
        group=dict(bucket.group),
        fingerprint=bucket.fingerprint,
        flagged=RateAnswer(rate=flagged.rate, ci_low=flagged.low, ci_high=flagged.high, method=METHOD),
        hallucination=None,
        counts=CountsAnswer(**asdict(bucket.counts)),
        effective_n=flagged.effective_n,
        bound_low=bucket.bound_low,
        bound_high=bucket.bound_high,
    )
