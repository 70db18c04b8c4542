"""Rates: the counts of a stretch of time made into buckets with estimates. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.core.estimate import Cell, Estimand, Estimate, bounds, estimate, responses
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """One stretch of time, one group, one fingerprint."""

    start: datetime
    end: datetime
    group: Mapping[str, str | None]
    fingerprint: str | None  # None where nothing was scored
    flagged: Estimate
    counts: Counts
    bound_low: float | None  # None for claims: how many claims an unscored response has is not known
    bound_high: float | None


Place = tuple[int, tuple[str, ...]]  # bucket and group


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked of the counts."""

    stretch: Stretch
    unit: Unit = Unit.RESPONSE
    confidence: float = 0.95
    estimand: Estimand = Estimand.PROCESS


def make_buckets(question: Question, counted: Counted) -> list[Bucket]:
    """One bucket per time, group and fingerprint that has any submission; in order of these."""
    state_rows: dict[Place, list[StateRow]] = defaultdict(list)
    score_rows: dict[Place, dict[str, list[ScoreRow]]] = defaultdict(lambda: defaultdict(list))
    for state in counted.states:
        state_rows[state.bucket, state.group].append(state)
    for score in counted.scores:
        score_rows[score.bucket, score.group][score.fingerprint].append(score)
    buckets = []
    for place in sorted(state_rows):
        for fingerprint, rows in _series(score_rows, place):
            assembly = _Assembly(question, place, fingerprint)
            buckets.append(assembly.bucket(state_rows[place], rows))
    return buckets


def _series(
    scored: Mapping[Place, Mapping[str, list[ScoreRow]]], place: Place
) -> list[tuple[str | None, list[ScoreRow]]]:
    return [*sorted(scored[place].items())] if place in scored else [(None, [])]


@dataclass(frozen=True, slots=True)
class _Assembly:
    question: Question
    place: Place
    fingerprint: str | None

    def bucket(self, states: list[StateRow], rows: list[ScoreRow]) -> Bucket:
        question, stretch = self.question, self.question.stretch
        counts = _count(states, sum(row.sums.number for row in rows))
        cells = _cells(states, rows, question.unit)
        low, high = bounds(cells) if question.unit is Unit.RESPONSE else (None, None)
        position, group = self.place
        width = timedelta(seconds=stretch.width_s)
        start = stretch.start + position * width
        left = stretch.end - start
        names = zip(stretch.group_by, group, strict=True)
        return Bucket(
            start=start,
            end=start + min(width, left),
            group={name: value or None for name, value in names},
            fingerprint=self.fingerprint,
            flagged=estimate(cells, question.confidence, estimand=question.estimand),
            counts=counts,
            bound_low=low,
            bound_high=high,
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
    )


def _cells(states: list[StateRow], rows: list[ScoreRow], unit: Unit) -> list[Cell]:
    unknown: dict[float, int] = defaultdict(int)
    for state in states:
        if state.outcome in UNKNOWN or state.outcome == State.SCORED:
            unknown[state.inclusion_probability] += state.submissions
    for row in rows:  # what other fingerprints scored stays unknown to this one
        unknown[row.inclusion_probability] -= row.sums.number
    known = [_cell(row, unit) for row in rows]
    left = [Cell(inclusion_probability=p, unknown=n) for p, n in unknown.items() if n > 0 and p > 0]
    return known + left


def _cell(row: ScoreRow, unit: Unit) -> Cell:
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
