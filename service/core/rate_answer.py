"""The answer to a rate's query, as `GET /hallucination-rate` and `assay rate` give it."""

from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import Connection

from service.core.correction import Corrected
from service.core.db import Database
from service.core.estimate import METHOD, Estimand, Estimate
from service.core.judged import JudgedRate
from service.core.rate_query import RateQuery, read_confidence, read_estimand, read_stretch, read_unit
from service.core.rates import Bucket, Known, Question, make_buckets
from service.core.schemas import (
    BucketAnswer,
    CountsAnswer,
    JudgedRateAnswer,
    LabelledRateAnswer,
    LabelsLeftOutAnswer,
    NotJudgedAnswer,
    RateAnswer,
    RatesAnswer,
)
from service.core.store.clusters import MAX_SAMPLES, read_cluster_totals, read_clusters
from service.core.store.judged import MAX_REVIEWS, Reviewed, read_reviewed
from service.core.store.labelled import Labels, read_labelled
from service.core.store.rates import Counted, Stretch, Unit, read_counted
from service.core.store.rollups import OTHER
from service.core.tables import Outcome

OF = {
    Estimand.PROCESS: "by the process that produced this traffic",
    Estimand.TRAFFIC: "among the submissions that came in this time, and no others",
}
WHAT = {
    Unit.RESPONSE: (
        "flagged rate: the share that this scorer would flag of all checkable submissions (those not `not_applicable`)"
    ),
    Unit.CLAIM: (
        "flagged claim rate: the share that this scorer would flag of all checkable claims in checkable submissions"
    ),
}
TRUTH = {
    Unit.RESPONSE: "hallucination rate: the share of the same that people would label hallucinated",
    Unit.CLAIM: "hallucination rate: the share of the same claims that people would label hallucinated",
}
INTERVAL_COVERS = (
    "sampling error only: of `flagged` not the scorer's own mistakes, which `hallucination` takes out, and of neither "
    "`pending`, `unscored`, `rejected_overload` and `dropped_by_client` submissions: for these see the bounds; "
    "`uncovered` submissions had no chance of being sampled and are in no rate and no bound"
)
BOUNDS_COVER = (
    "the rate of the sample if none, and if all, of `pending`, `unscored`, `rejected_overload`, `dropped_by_client` "
    "and `scored_by_others` were flagged; null for claims"
)
JUDGED_COVERS = (
    "the share that the judge would flag of the same submissions, by its verdicts, each of which stands for as many as its "
    "probabilities say; as if it would flag those on which it gave none (`unscored`, `pending`, `uncovered`, or received "
    "while no judge was at work) as often as others of the same score; sampling error only, not the judge's own mistakes; "
    f"null for claims, where it gave no verdict, and with more than {MAX_REVIEWS:,} reviews"
)


def answer_rates(database: Database, query: RateQuery, now: datetime) -> RatesAnswer:
    """Reads and estimates. Raises QueryInvalidError before anything is read, StoreUnavailableError."""
    question = Question(
        stretch=read_stretch(query, now),
        unit=read_unit(query.unit),
        confidence=read_confidence(query.confidence),
        estimand=read_estimand(query.estimand),
    )
    with database.read() as connection:
        counted = read_counted(connection, question.stretch, question.unit)
        known = read_known(connection, question, counted)
        if question.unit is Unit.RESPONSE:
            known = replace(known, reviewed=_read_reviewed(connection, question, counted, known))
        unknown = _match_unknown(connection, question.stretch) if question.stretch.match else None
    stretch = question.stretch
    return RatesAnswer(
        estimand=estimand_of(question),
        interval_covers=INTERVAL_COVERS,
        bounds_cover=BOUNDS_COVER,
        judged_covers=JUDGED_COVERS,
        judged_reason=known.reviewed.reason,
        clusters="not_respected" if known.clusters is None else "respected",
        labels=LabelsLeftOutAnswer(not_drawn=known.labels.not_drawn, undecided=known.labels.undecided),
        unit=question.unit,
        confidence=question.confidence,
        start=stretch.start,
        end=stretch.end,
        granularity_s=stretch.width_s,
        group_by=list(stretch.group_by),
        match={name: list(values) for name, values in stretch.match},
        match_unknown=unknown,
        buckets=[_bucket(bucket) for bucket in make_buckets(question, counted, known)],
    )


def _read_reviewed(connection: Connection, question: Question, counted: Counted, known: Known) -> Reviewed:
    clustered = known.clusters is not None
    return read_reviewed(connection, question.stretch, question.estimand, counted.scored, clustered=clustered)


def _match_unknown(connection: Connection, stretch: Stretch) -> int:
    """Submissions whose model, release, prompt version and route are kept no more: beyond so many kinds in a day."""
    if all(name == "stratum" or OTHER in values for name, values in stretch.match):
        return 0  # strata are always kept, and whoever asks for the others has them
    of_strata = tuple((name, values) for name, values in stretch.match if name == "stratum")
    folded = replace(stretch, group_by=(), match=(*of_strata, ("model", (OTHER,))))
    return sum(row.submissions for row in read_counted(connection, folded).states if row.outcome != Outcome.DUPLICATE)


def estimand_of(question: Question) -> str:
    """What the rates are of, in words."""
    return f"{WHAT[question.unit]}, {OF[question.estimand]}; {TRUTH[question.unit]}"


def read_known(connection: Connection, question: Question, counted: Counted, most: int = MAX_SAMPLES) -> Known:
    """Labels, and clusters of at most so many scored samples: at most two statements, and four more with labels."""
    stretch, unit, estimand = question.stretch, question.unit, question.estimand
    labels = read_labelled(connection, stretch, unit, estimand) if question.corrected else Labels()
    if counted.scored > most:
        return Known(labels=labels)
    return Known(
        clusters=read_clusters(connection, stretch, unit, estimand) if counted.scored else {},
        labels=labels,
        totals=read_cluster_totals(connection, stretch, unit, estimand) if labels.rows else {},
    )


def _bucket(bucket: Bucket) -> BucketAnswer:
    flagged = bucket.flagged
    return BucketAnswer(
        start=bucket.start,
        end=bucket.end,
        group=dict(bucket.group),
        fingerprint=bucket.fingerprint,
        flagged=flagged_answer(flagged),
        hallucination=None if bucket.hallucination is None else labelled_answer(bucket.hallucination),
        judged=None if bucket.judged is None else judged_answer(bucket.judged),
        counts=CountsAnswer(**asdict(bucket.counts)),
        effective_n=flagged.effective_n,
        bound_low=bucket.bound_low,
        bound_high=bucket.bound_high,
    )


def flagged_answer(flagged: Estimate) -> RateAnswer:
    """The flagged rate as it is answered."""
    return RateAnswer(rate=flagged.rate, ci_low=flagged.low, ci_high=flagged.high, method=METHOD)


def labelled_answer(corrected: Corrected) -> LabelledRateAnswer:
    """The hallucination rate as it is answered."""
    return LabelledRateAnswer(
        rate=corrected.rate,
        ci_low=corrected.low,
        ci_high=corrected.high,
        method=corrected.method,
        effective_n=corrected.effective_n,
        n_labels=corrected.n_labels,
        labels_needed=corrected.labels_needed,
        labelled_share=corrected.labelled_share,
        borrowed=corrected.borrowed,
        power=corrected.power,
        judge_power=corrected.judge_power,
    )


def judged_answer(judged: JudgedRate) -> JudgedRateAnswer:
    """The judged rate as it is answered."""
    found, of = judged.found, judged.judged
    return JudgedRateAnswer(
        rate=found.rate,
        ci_low=found.low,
        ci_high=found.high,
        method=found.method,
        fingerprint=of.fingerprint,
        effective_n=found.effective_n,
        n_judged=found.n_labels,
        judged_share=judged.share,
        judged_by_others=of.others,
        not_judged=NotJudgedAnswer(unscored=of.unscored, pending=of.pending, uncovered=of.uncovered),
        needed=found.labels_needed,
        power=found.power,
    )
