"""Rates: the counts of a stretch of time made into buckets with estimates. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from service.core.correction import (
    MIN_LABELS,
    MOST_OF_IT,
    Corrected,
    Labelled,
    Lender,
    Predicted,
    borrow,
    correct,
    coverage,
    effective_labels,
    lend,
    too_few,
)
from service.core.estimate import Cell, Estimand, Estimate, bounds, estimate, left_open, responses
from service.core.judged import Judged, JudgedRate, judged_rate, judged_series
from service.core.phases import correct_with_judge
from service.core.store.clusters import Clustered, Series
from service.core.store.judged import Reviewed
from service.core.store.labelled import LabelledRow, Labels
from service.core.store.rates import Counted, ScoreRow, StateRow, Stretch, Unit
from service.core.tables import Outcome, State

UNKNOWN = (State.PENDING, State.UNSCORED, Outcome.REJECTED_OVERLOAD, Outcome.DROPPED_BY_CLIENT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """What became of every distinct submission of a bucket; `submitted` is the sum of the rest but duplicates."""

    submitted: int
    sampled_out: int
    rejected_overload: int
    dropped_by_client: int
    pending: int
    scored: int  # under the bucket's fingerprint
    scored_by_others: int
    not_applicable: int
    unscored: int
    duplicate: int
    uncovered: int  # of `sampled_out`, those that could not have been chosen: their stratum's probability was 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """One stretch of time, one group, one fingerprint."""

    start: datetime
    end: datetime
    group: Mapping[str, str | None]
    fingerprint: str | None  # None where nothing was scored
    flagged: Estimate
    hallucination: Corrected | None  # None where nothing was scored, or it is not wanted
    counts: Counts
    bound_low: float | None  # None for claims: how many claims an unscored response has is not known
    bound_high: float | None
    judged: JudgedRate | None = None  # None where no judge gave a verdict, or it is not wanted


Spot = tuple[int, tuple[str, ...]]  # bucket and group


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked of the counts."""

    stretch: Stretch
    unit: Unit = Unit.RESPONSE
    confidence: float = 0.95
    estimand: Estimand = Estimand.PROCESS
    corrected: bool = True  # whether the rate by labels is wanted too


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known beside the counts."""

    clusters: Mapping[Series, Clustered] | None = None  # None: responses count as independent
    labels: Labels = field(default_factory=Labels)
    totals: Mapping[tuple[Series, str], tuple[float, float]] = field(
        default_factory=dict
    )  # F and M of labels' clusters
    reviewed: Reviewed = field(default_factory=Reviewed)  # by a judge; of responses


def make_buckets(question: Question, counted: Counted, known: Known | None = None) -> list[Bucket]:
    """One bucket per time, group and fingerprint that has any submission; in order of these."""
    known = known or Known()
    labelled = _labelled(known)
    lenders = _lenders(labelled)
    judged = judged_series(known.reviewed)
    state_rows: dict[Spot, list[StateRow]] = defaultdict(list)
    score_rows: dict[Spot, dict[str, list[ScoreRow]]] = defaultdict(lambda: defaultdict(list))
    for state in counted.states:
        state_rows[state.bucket, state.group].append(state)
    for score in counted.scores:
        score_rows[score.bucket, score.group][score.fingerprint].append(score)
    buckets = []
    for place in sorted(state_rows):
        for fingerprint, rows in _series(score_rows, place):
            assembly = _Assembly(question, place, fingerprint, known, labelled, lenders, judged)
            buckets.append(assembly.bucket(state_rows[place], rows))
    return buckets


def _series(
    scored: Mapping[Spot, Mapping[str, list[ScoreRow]]], place: Spot
) -> list[tuple[str | None, list[ScoreRow]]]:
    return [*sorted(scored[place].items())] if place in scored else [(None, [])]


@dataclass(frozen=True, slots=True)
class _Assembly:
    question: Question
    place: Spot
    fingerprint: str | None
    known: Known
    labelled: Mapping[Series, Mapping[int, Labelled]]  # by the sample's number
    lenders: Mapping[tuple[tuple[str, ...], str], Lender]  # by group and fingerprint
    judged: Mapping[Series, Judged]

    def bucket(self, states: list[StateRow], rows: list[ScoreRow]) -> Bucket:
        question, stretch = self.question, self.question.stretch
        counts = _count(states, sum(row.sums.number for row in rows))
        cells = _cells(states, rows, question.unit)
        low, high = bounds(cells) if question.unit is Unit.RESPONSE else (None, None)
        position, group = self.place
        clustered = (self.known.clusters or {}).get(self._series)
        predicted = _predicted(rows, cells, question, clustered) if rows and question.corrected else None
        width = timedelta(seconds=stretch.width_s)
        start = stretch.start + position * width
        left = stretch.end - start
        names = zip(stretch.group_by, group, strict=True)
        return Bucket(
            start=start,
            end=start + min(width, left),
            group={name: value or None for name, value in names},
            fingerprint=self.fingerprint,
            flagged=estimate(cells, question.confidence, clustered.clusters if clustered else None, question.estimand),
            hallucination=self._hallucination(predicted) if predicted else None,
            judged=self._judged(predicted) if predicted else None,
            counts=counts,
            bound_low=low,
            bound_high=high,
        )

    @property
    def _series(self) -> Series:
        return (*self.place, self.fingerprint or "")

    def _judged(self, predicted: Predicted) -> JudgedRate | None:
        judged = self.judged.get(self._series)
        if judged is None:
            return None
        return judged_rate(predicted, judged, self.question.confidence, self.question.estimand)

    def _hallucination(self, predicted: Predicted) -> Corrected:
        labels, judged = self.labelled.get(self._series, {}), self.judged.get(self._series)
        own, confidence, estimand = list(labels.values()), self.question.confidence, self.question.estimand
        covered = coverage(predicted, own)
        if effective_labels(own) >= MIN_LABELS and covered >= MOST_OF_IT:
            by_judge = correct_with_judge(predicted, labels, judged.verdicts, confidence, estimand) if judged else None
            found = by_judge or correct(predicted, own, confidence, estimand)
        else:
            lender = self.lenders.get((self.place[1], self.fingerprint or ""))
            found = borrow(predicted, too_few(own, covered), lender, confidence)
        return replace(found, labelled_share=min(1.0, covered) if own else None)


def _labelled(known: Known) -> Mapping[Series, dict[int, Labelled]]:
    found: dict[Series, dict[int, Labelled]] = defaultdict(dict)
    for row in known.labels.rows:
        if row.m:
            series = (row.bucket, row.group, row.fingerprint)
            found[series][row.sample_seq] = _label(row, known, series)
    return found


def _lenders(labelled: Mapping[Series, Mapping[int, Labelled]]) -> Mapping[tuple[tuple[str, ...], str], Lender]:
    """Of each group and fingerprint, what its labels of all times say of the scorer."""
    found: dict[tuple[tuple[str, ...], str], list[Labelled]] = defaultdict(list)
    for (_, group, fingerprint), held in labelled.items():
        found[group, fingerprint] += held.values()
    return {key: lend(held) for key, held in found.items()}


def _label(row: LabelledRow, known: Known, series: Series) -> Labelled:
    total = known.totals.get((series, row.cluster))
    return Labelled(
        inclusion_probability=row.inclusion_probability,
        label_probability=row.label_probability,
        y=row.y,
        m=row.m,
        f=row.f,
        cluster=row.cluster if total else None,
        cluster_f=total[0] if total else 0.0,
        cluster_m=total[1] if total else 0.0,
    )


def _predicted(rows: list[ScoreRow], cells: list[Cell], question: Question, clustered: Clustered | None) -> Predicted:
    """Sums of what the scorer predicted: of a response its score, of claims how many are flagged."""
    sums: list[tuple[float, float, float, float, float, float]]
    if question.unit is Unit.CLAIM:
        sums = [(c.inclusion_probability, c.k, c.m, c.kk, c.km, c.mm) for c in cells]
    else:
        sums = [
            (r.inclusion_probability, s.score_sum, s.number, s.score_squares, s.score_sum, s.number)
            for r in rows
            for s in [r.sums]
        ]
    squares = [left_open(p, question.estimand) / p**2 for p, *_ in sums]
    return Predicted(
        f=sum(f / p for p, f, *_ in sums),
        m=sum(m / p for p, _, m, *_ in sums),
        ff=clustered.ff if clustered else sum(w * s[3] for w, s in zip(squares, sums, strict=True)),
        fm=clustered.fm if clustered else sum(w * s[4] for w, s in zip(squares, sums, strict=True)),
        mm=clustered.clusters.mm if clustered else sum(w * s[5] for w, s in zip(squares, sums, strict=True)),
    )


def _count(states: list[StateRow], scored_here: int) -> Counts:
    total: dict[str, int] = defaultdict(int)
    for row in states:
        total[row.outcome] += row.submissions
    return Counts(
        submitted=sum(n for outcome, n in total.items() if outcome != Outcome.DUPLICATE),
        sampled_out=total[Outcome.SAMPLED_OUT],
        rejected_overload=total[Outcome.REJECTED_OVERLOAD],
        dropped_by_client=total[Outcome.DROPPED_BY_CLIENT],
        pending=total[State.PENDING],
        scored=scored_here,
        scored_by_others=total[State.SCORED] - scored_here,
        not_applicable=total[State.NOT_APPLICABLE],
        unscored=total[State.UNSCORED],
        duplicate=total[Outcome.DUPLICATE],
        uncovered=sum(
            row.submissions for row in states if row.outcome == Outcome.SAMPLED_OUT and row.inclusion_probability == 0
        ),
    )


def _cells(states: list[StateRow], rows: list[ScoreRow], unit: Unit) -> list[Cell]:
    unknown: dict[float, int] = defaultdict(int)
    for state in states:
        if state.outcome in UNKNOWN or state.outcome == State.SCORED:
            unknown[state.inclusion_probability] += state.submissions
    for row in rows:  # what other fingerprints scored stays unknown to this one
        unknown[row.inclusion_probability] -= row.sums.number
    known = [cell_of(row, unit) for row in rows]
    left = [Cell(inclusion_probability=p, unknown=n) for p, n in unknown.items() if n > 0 and p > 0]
    return known + left


def cell_of(row: ScoreRow, unit: Unit) -> Cell:
    """The sums of a row, as the estimators take them."""
    sums = row.sums
    if unit is Unit.CLAIM:
        return Cell(
            inclusion_probability=row.inclusion_probability,
            scored=sums.number,
            k=sums.claims_flagged,
            m=sums.claims,
            kk=sums.claims_flagged_squares,
            km=sums.claims_products,
            mm=sums.claims_squares,
            some=sums.some_flagged,
            rest=sums.some_clean,
        )
    return responses(row.inclusion_probability, sums.number, sums.flagged)
