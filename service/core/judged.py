"""The judged rate: the share of all checkable submissions that a judge would flag. Pure.

The estimate of `correction` with the judge in the place of people: of what was scored it looked at some, each chosen with a
known probability. As it sees nearly all in the uncertain band and few of the others, one judged sample may stand for twenty
times what another does, and where by chance none of the heavy ones is flagged the variance knows nothing of them. So
flagged ones are counted in units of the heaviest, and while these are few the interval leans towards Kish's n
(docs/decisions/0027).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.core.correction import (
    MIN_LABELS,
    MOST_OF_IT,
    Corrected,
    Labelled,
    Predicted,
    correct,
    coverage,
    effective_labels,
    too_few,
)
from service.core.estimate import Estimand
from service.core.phases import Verdict
from service.core.store.clusters import Series
from service.core.store.judged import Reviewed, ReviewedRow
from service.core.tables import State


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """What the judge said of a series' samples, and of which it said nothing."""

    fingerprint: str  # of the judge with the most verdicts here
    verdicts: Sequence[Verdict]  # its own
    others: int  # verdicts of judges with another fingerprint
    unscored: int  # chosen, and ended without a verdict
    pending: int
    uncovered: int | None  # could not be chosen; None: not counted


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedRate:
    """The share that the judge would flag, with what it rests on."""

    found: Corrected  # `labels` of it are verdicts
    judged: Judged
    share: float  # of what was scored, that its verdicts stand for; estimated


def judged_series(reviewed: Reviewed) -> Mapping[Series, Judged]:
    """What the judge said, by series; those without a verdict are left out."""
    rows: dict[Series, list[ReviewedRow]] = defaultdict(list)
    for row in reviewed.rows:
        rows[row.bucket, row.group, row.scorer].append(row)
    found = {series: _judged(series, held, reviewed) for series, held in rows.items()}
    return {series: judged for series, judged in found.items() if judged is not None}


def _judged(series: Series, rows: Sequence[ReviewedRow], reviewed: Reviewed) -> Judged | None:
    by_judge: dict[str, list[Verdict]] = defaultdict(list)
    for row in rows:
        if row.state == State.SCORED and row.judge is not None and row.flagged is not None:
            by_judge[row.judge].append(_verdict(row, series, reviewed))
    if not by_judge:
        return None
    fingerprint = max(sorted(by_judge), key=lambda name: len(by_judge[name]))
    scored = sum(len(held) for held in by_judge.values())
    pending = sum(row.state == State.PENDING for row in rows)
    return Judged(
        fingerprint=fingerprint,
        verdicts=by_judge[fingerprint],
        others=scored - len(by_judge[fingerprint]),
        unscored=len(rows) - scored - pending,
        pending=pending,
        uncovered=None if reviewed.uncovered is None else reviewed.uncovered.get(series, 0),
    )


def _verdict(row: ReviewedRow, series: Series, reviewed: Reviewed) -> Verdict:
    weight = 1 / row.inclusion_probability
    total = None if reviewed.totals is None else reviewed.totals.get((series, row.cluster), (weight * row.f, weight))
    sample = Labelled(
        inclusion_probability=row.inclusion_probability,
        label_probability=row.probability,
        y=float(row.flagged or False),
        m=1,
        f=row.f,
        cluster=row.cluster if total else None,
        cluster_f=total[0] if total else 0.0,
        cluster_m=total[1] if total else 0.0,
    )
    return Verdict(sample_seq=row.sample_seq, sample=sample)


def judged_rate(predicted: Predicted, judged: Judged, confidence: float, estimand: Estimand) -> JudgedRate:
    """The judged rate of a series; its rate is None with too few verdicts, or with verdicts on too little of it."""
    verdicts = [verdict.sample for verdict in judged.verdicts]
    share = coverage(predicted, verdicts)
    if effective_labels(verdicts) < MIN_LABELS or share < MOST_OF_IT:
        found = too_few(verdicts, share)
    else:
        found = rate_by_verdicts(predicted, verdicts, confidence, estimand)
    return JudgedRate(found=found, judged=judged, share=min(1.0, share))


def rate_by_verdicts(
    predicted: Predicted, verdicts: Sequence[Labelled], confidence: float, estimand: Estimand = Estimand.PROCESS
) -> Corrected:
    """The share that would be flagged, with its interval, by verdicts that may be of very unequal weight."""
    heaviest = max((x.weight for x in verdicts), default=1.0)
    flagged = sum(x.weight * x.y for x in verdicts)
    shown = min(flagged, sum(x.weight for x in verdicts) - flagged) / heaviest
    return correct(predicted, verdicts, confidence, estimand, shown)
