"""The answer to a comparison, as `GET /hallucination-rate/compare` gives it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Literal

from service.core.clock import EPOCH
from service.core.compare_schemas import ChangeAnswer, CompareAnswer, GroupChangeAnswer, SideAnswer, SplitAnswer
from service.core.comparison import DELTA, MOVER, Change, Side, difference, split
from service.core.correction import Corrected
from service.core.db import Database
from service.core.errors import QueryInvalidError
from service.core.estimate import NOTHING, Cell, Estimate
from service.core.rate_answer import estimand_of, flagged_answer, labelled_answer, read_known
from service.core.rate_query import RateQuery, read_confidence, read_estimand, read_groups, read_stretch, read_unit
from service.core.rates import Bucket, Question, cell_of, make_buckets
from service.core.schemas import CountsAnswer
from service.core.store.rates import DIMENSIONS, Counted, Stretch, read_counted

Reason = Literal["nothing_scored", "different_fingerprints"]
RESCORE = "Score the older samples with the current scorer: `assay rescore --from TIME --to TIME`."
SEND = "Widen the times, or look at the counts of both sides for what became of their submissions."

NEXT_STEP: Mapping[Reason, str] = {"nothing_scored": SEND, "different_fingerprints": RESCORE}


@dataclass(frozen=True, kw_only=True, slots=True)
class CompareQuery:
    """What was asked for, as text: a window and another one, or two groups of one window."""

    query: RateQuery  # of the second side; without groups
    baseline_start: str | None = None
    baseline_to: str | None = None
    dimension: str | None = None
    first: str | None = None
    second: str | None = None
    split_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Half:
    stretch: Stretch
    group: Mapping[str, str]  # the one that is meant
    buckets: Sequence[Bucket]  # by fingerprint
    parts: Mapping[str, Mapping[tuple[str, ...], list[Cell]]]  # by fingerprint and group of the split
    clustered: bool  # sessions and traces are respected


def answer_compare(database: Database, asked: CompareQuery, now: datetime) -> CompareAnswer:
    """Reads both sides and compares. Raises QueryInvalidError, StoreUnavailableError."""
    question = Question(
        stretch=_whole(read_stretch(asked.query, now)),
        unit=read_unit(asked.query.unit),
        confidence=read_confidence(asked.query.confidence),
        estimand=read_estimand(asked.query.estimand),
    )
    (stretch_one, group_one), (stretch_two, group_two) = _sides(asked, question.stretch, now)
    by = read_groups(asked.split_by, "split_by")
    if asked.dimension in by:
        raise QueryInvalidError("Must not be the dimension that is compared.", field="split_by")
    one = _read(database, replace(question, stretch=stretch_one), group_one, by)
    two = _read(database, replace(question, stretch=stretch_two), group_two, by)
    fingerprint = _common(one, two)
    first, second = (_of(half, fingerprint) for half in (one, two))
    nothing = not all(any(bucket.fingerprint for bucket in half.buckets) for half in (one, two))
    reason: Reason | None = None
    if fingerprint is None:
        reason = "nothing_scored" if nothing else "different_fingerprints"
    return CompareAnswer(
        estimand=estimand_of(question),
        unit=question.unit,
        confidence=question.confidence,
        fingerprint=fingerprint,
        reason=reason,
        next_step=NEXT_STEP[reason] if reason else None,
        first=_side(one, first),
        second=_side(two, second),
        flagged=_difference(first.flagged if first else NOTHING, second.flagged if second else NOTHING),
        hallucination=_difference(_own(first), _own(second)),
        split=_split(one, two, fingerprint, by, question.confidence) if by and fingerprint else None,
    )


def _whole(stretch: Stretch) -> Stretch:
    return replace(stretch, width_s=int((stretch.end - stretch.start).total_seconds()), group_by=())


def _sides(
    asked: CompareQuery, stretch: Stretch, now: datetime
) -> tuple[tuple[Stretch, Mapping[str, str]], tuple[Stretch, Mapping[str, str]]]:
    if asked.dimension is not None:
        if asked.baseline_start is not None or asked.baseline_to is not None:
            raise QueryInvalidError("Compare two groups or two windows, not both.", field="baseline_from")
        if asked.dimension not in DIMENSIONS:
            raise QueryInvalidError(f"Must be one of {', '.join(DIMENSIONS)}.", field="dimension")
        if asked.first is None or asked.second is None:
            missing = "first" if asked.first is None else "second"
            raise QueryInvalidError("Name both groups.", field=missing)
        return (stretch, {asked.dimension: asked.first}), (stretch, {asked.dimension: asked.second})
    for name, value in (("first", asked.first), ("second", asked.second)):
        if value is not None:
            raise QueryInvalidError("Say of which `dimension`.", field=name)
    return (_baseline(asked, stretch, now), {}), (stretch, {})


def _baseline(asked: CompareQuery, stretch: Stretch, now: datetime) -> Stretch:
    """The time that was named, or as long a one right before."""
    if (asked.baseline_start is None) is not (asked.baseline_to is None):
        missing = "baseline_from" if asked.baseline_start is None else "baseline_to"
        raise QueryInvalidError("Give both ends of the baseline, or neither.", field=missing)
    if asked.baseline_start is None:
        length = stretch.end - stretch.start
        if stretch.start - EPOCH < length:
            raise QueryInvalidError("There is no time as long before it. Name the baseline.", field="baseline_from")
        return _on_whole(replace(stretch, start=stretch.start - length, end=stretch.start), now)
    baseline = replace(
        asked.query, start=asked.baseline_start, to=asked.baseline_to, window=None, granularity=None, group_by=None
    )
    try:
        return _whole(read_stretch(baseline, now))
    except QueryInvalidError as error:
        raise QueryInvalidError(error.detail, field=f"baseline_{error.field}") from None


def _on_whole(stretch: Stretch, now: datetime) -> Stretch:
    """The stretch, widened to the minutes or hours that are still kept of it."""
    query = RateQuery(
        tenant=stretch.tenant, start=stretch.start.isoformat(), to=stretch.end.isoformat(), match=stretch.match
    )
    return _whole(read_stretch(query, now))


def _read(database: Database, question: Question, group: Mapping[str, str], by: tuple[str, ...]) -> _Half:
    stretch = replace(question.stretch, group_by=tuple(group))
    with database.read() as connection:
        every = read_counted(connection, stretch, question.unit)
        known = read_known(connection, replace(question, stretch=stretch), every)  # which reads all groups too
        parted = (
            read_counted(connection, replace(stretch, group_by=(*group, *by)), question.unit)
            if by
            else Counted(states=(), scores=())
        )
    parts: dict[str, dict[tuple[str, ...], list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for row in parted.scores:
        if row.group[: len(group)] == tuple(group.values()):
            parts[row.fingerprint][row.group[len(group) :]].append(cell_of(row, question.unit))
    return _Half(
        stretch=stretch,
        group=group,
        buckets=make_buckets(replace(question, stretch=stretch), _only(every, tuple(group.values())), known),
        parts=parts,
        clustered=known.clusters is not None,
    )


def _only(counted: Counted, group: tuple[str, ...]) -> Counted:
    return Counted(
        states=[row for row in counted.states if row.group == group],
        scores=[row for row in counted.scores if row.group == group],
    )


def _common(one: _Half, two: _Half) -> str | None:
    """The fingerprint that scored on both sides; of several the one that scored most."""
    scored = [
        {bucket.fingerprint: bucket.counts.scored for bucket in half.buckets if bucket.fingerprint}
        for half in (one, two)
    ]
    both = {name: min(scored[0][name], scored[1][name]) for name in scored[0] if name in scored[1]}
    return max(both, key=lambda name: (both[name], name)) if both else None


def _of(half: _Half, fingerprint: str | None) -> Bucket | None:
    if fingerprint is None:
        return None
    return next(bucket for bucket in half.buckets if bucket.fingerprint == fingerprint)


def _side(half: _Half, bucket: Bucket | None) -> SideAnswer:
    shown = bucket or (half.buckets[0] if len(half.buckets) == 1 else None)
    flagged = shown.flagged if shown else NOTHING
    return SideAnswer(
        start=half.stretch.start,
        end=half.stretch.end,
        group={name: value or None for name, value in half.group.items()},
        flagged=flagged_answer(flagged),
        hallucination=labelled_answer(shown.hallucination) if shown and shown.hallucination else None,
        counts=CountsAnswer(**asdict(shown.counts)) if shown else None,
        clusters="respected" if half.clustered else "not_respected",
        effective_n=flagged.effective_n,
    )


def _own(bucket: Bucket | None) -> Estimate | Corrected:
    """The hallucination rate by labels of the side's own: borrowed ones would be on both sides."""
    found = bucket.hallucination if bucket else None
    return NOTHING if found is None or found.labels_needed else found


def _difference(first: Estimate | Corrected, second: Estimate | Corrected) -> ChangeAnswer | None:
    sides = []
    for each in (first, second):
        if each.rate is None or each.low is None or each.high is None:
            return None
        sides.append(Side(rate=each.rate, low=each.low, high=each.high))
    return _change(difference(*sides), MOVER)


def _change(change: Change, method: str) -> ChangeAnswer:
    return ChangeAnswer(value=change.value, ci_low=change.low, ci_high=change.high, method=method)


def _split(one: _Half, two: _Half, fingerprint: str, by: tuple[str, ...], confidence: float) -> SplitAnswer:
    found = split(one.parts[fingerprint], two.parts[fingerprint], confidence)
    return SplitAnswer(
        by=list(by),
        mix=_change(found.mix, DELTA),
        within=_change(found.within, DELTA),
        groups=[
            GroupChangeAnswer(
                group={name: value or None for name, value in zip(by, group, strict=True)},
                share_first=part.share_first,
                share_second=part.share_second,
                rate_first=part.rate_first,
                rate_second=part.rate_second,
                mix=part.mix,
                within=part.within,
            )
            for group, part in sorted(found.groups.items(), key=lambda item: -abs(item[1].mix + item[1].within))
        ],
    )
