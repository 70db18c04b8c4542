"""Labelled samples as estimates need them: drawn with a known probability, scored, and what people said of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, or_, select

from service.core.clock import EPOCH
from service.core.estimate import Estimand
from service.core.label_tables import WHOLE, Annotator, Verdict, label_pools, label_tasks, labels
from service.core.store.clusters import cluster_of
from service.core.store.rates import Stretch, Unit, bucket_of
from service.core.tables import Kept, claims, samples, scores

Span = tuple[int, int]
_WHOLE = (WHOLE, WHOLE)
_SAID = {Verdict.FAITHFUL.value: 0.0, Verdict.HALLUCINATED.value: 1.0}


BORROWED_FROM = timedelta(days=30)  # before the end of a query: what buckets with few labels may borrow from
BEFORE = -1  # the bucket of what was received before the query's time


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledRow:
    """A labelled sample in its place."""

    bucket: int  # BEFORE: of none, to borrow from
    group: tuple[str, ...]
    fingerprint: str
    sample_seq: int
    cluster: str  # its session, or its trace, or itself
    inclusion_probability: float
    label_probability: float
    y: float  # units that are made up, by the mean of its annotators
    m: int
    f: float  # what the scorer predicted of y


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """What a stretch's labels say, and what is left out of estimates."""

    rows: Sequence[LabelledRow] = ()
    not_drawn: int = 0  # labelled samples of unknown probability: no draw chose them, or others before them are left
    undecided: int = 0  # drawn samples with labels that do not decide: unsure, or not of every claim


def read_labelled(connection: Connection, stretch: Stretch, unit: Unit, estimand: Estimand) -> Labels:
    """The labelled samples of a stretch and of the time before it that may be borrowed from.

    One statement where there are no labels, four where there are.
    """
    wider = replace(stretch, start=min(stretch.start, stretch.end - BORROWED_FROM))
    found = _labels_of(connection, wider)
    if not found:
        return Labels()
    scored = connection.execute(_scores_of(stretch, wider, estimand)).all()
    spans = _spans(connection, wider)
    said = {row.score_seq: _said(found[row.seq], spans.get(row.score_seq, set()), unit) for row in scored}
    decided = {row.seq for row in scored if said[row.score_seq] is not None}
    drawn = _drawn(connection, wider)
    inside = {row.seq for row in scored if row.received_at >= stretch.start}
    whole = unit is Unit.RESPONSE
    rows = [
        LabelledRow(
            bucket=int(row[0]) if row.seq in inside else BEFORE,
            group=tuple(row[1 : 1 + len(stretch.group_by)]),
            fingerprint=row.fingerprint,
            sample_seq=row.seq,
            cluster=row.cluster,
            inclusion_probability=row.inclusion_probability,
            label_probability=drawn[row.seq],
            y=y,
            m=1 if whole else row.claims_checked,
            f=row.score if whole else float(row.claims_flagged),
        )
        for row in scored
        if row.seq in drawn and (y := said[row.score_seq]) is not None
    ]
    return Labels(rows=rows, not_drawn=len(inside - set(drawn)), undecided=len((inside & set(drawn)) - decided))


def _days(stretch: Stretch) -> tuple[int, int]:
    """The first and the last day of a stretch: a day's tasks are a sample as a whole."""
    return (stretch.start - EPOCH).days, (stretch.end - timedelta(microseconds=1) - EPOCH).days


def _by_people(stretch: Stretch) -> Any:
    return and_(
        labels.c.tenant == stretch.tenant, labels.c.day.between(*_days(stretch)), labels.c.kind == Annotator.HUMAN
    )


def _labelled_seqs(stretch: Stretch) -> Select[Any]:
    return select(labels.c.sample_seq).where(_by_people(stretch))


def _labels_of(connection: Connection, stretch: Stretch) -> Mapping[int, Sequence[Row[Any]]]:
    statement = (
        select(labels.c.sample_seq, labels.c.annotator, labels.c.claim_start, labels.c.claim_end, labels.c.verdict)
        .where(_by_people(stretch))
        .order_by(labels.c.updated_at, labels.c.seq)  # of an annotator's labels the latest speaks
    )
    found: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(statement):
        found[row.sample_seq].append(row)
    return found


def _scores_of(stretch: Stretch, wider: Stretch, estimand: Estimand) -> Select[Any]:
    names = ("seq", "received_at", "inclusion_probability")
    return (
        select(
            bucket_of(samples.c.received_at, stretch).label("bucket"),
            *(samples.c[name] for name in stretch.group_by),
            *(samples.c[name] for name in names),
            cluster_of(estimand).label("cluster"),
            scores.c.seq.label("score_seq"),
            *(scores.c[name] for name in ("fingerprint", "score", "claims_checked", "claims_flagged")),
        )
        .join(scores, scores.c.sample_seq == samples.c.seq)
        .where(
            samples.c.seq.in_(_labelled_seqs(wider)),
            stretch.of(samples),
            samples.c.in_rate,
            samples.c.received_at >= wider.start,
            samples.c.received_at < wider.end,
        )
    )


def _spans(connection: Connection, stretch: Stretch) -> Mapping[int, set[Span]]:
    """The claims that were checked, of each score of a labelled sample."""
    statement = (
        select(claims.c.score_seq, claims.c.start, claims.c.end)
        .join(scores, scores.c.seq == claims.c.score_seq)
        .where(scores.c.sample_seq.in_(_labelled_seqs(stretch)), claims.c.score.is_not(None))
    )
    found: defaultdict[int, set[Span]] = defaultdict(set)
    for row in connection.execute(statement):
        found[row.score_seq].add((row.start, row.end))
    return found


def _said(rows: Iterable[Row[Any]], checked: set[Span], unit: Unit) -> float | None:
    """Units that are made up, by the mean of the annotators who decide; None where none does."""
    by_annotator: dict[str, dict[Span, str]] = defaultdict(dict)
    for row in rows:
        by_annotator[row.annotator][row.claim_start, row.claim_end] = row.verdict
    found = [_said_by_one(verdicts, checked, unit) for verdicts in by_annotator.values()]
    decided = [units for units in found if units is not None]
    return sum(decided) / len(decided) if decided else None


def _said_by_one(verdicts: Mapping[Span, str], checked: set[Span], unit: Unit) -> float | None:
    of_claims = [_SAID.get(verdicts.get(span, "")) for span in checked]
    known = [units for units in of_claims if units is not None]
    complete = len(known) == len(of_claims) > 0
    if unit is Unit.CLAIM:
        return sum(known) if complete else None
    whole = _SAID.get(verdicts.get(_WHOLE, ""))
    if whole is not None:
        return whole
    # Only where every claim is told: one that is made up would tell the response at once, one that is not never would.
    return float(any(known)) if complete else None


def _drawn(connection: Connection, stretch: Stretch) -> Mapping[int, float]:
    """The probability of each drawn sample that labelling has come to: min(1, cutoff x size).

    Tasks are labelled in the order in which they were drawn, so that those of a part up to the first that nobody has
    labelled are what a shorter draw would have been: its ratio is their cutoff. Those beyond it, labelled before their
    turn, wait for it. A task whose text is gone, or whose label does not decide, is passed over.
    """
    of_days = and_(label_tasks.c.tenant == stretch.tenant, label_tasks.c.day.between(*_days(stretch)))
    return {seq: min(1.0, size * cutoff) for seq, size, cutoff in _reached(connection, of_days)}


def read_counting(connection: Connection, seqs: Sequence[int]) -> set[int]:
    """Which of these samples are tasks that labelling has come to."""
    own = label_tasks.alias("own")
    names = ("tenant", "day", "part")
    same_part = exists().where(own.c.sample_seq.in_(seqs), *(own.c[name] == label_tasks.c[name] for name in names))
    return {seq for seq, _, _ in _reached(connection, same_part)} & set(seqs)


def _reached(connection: Connection, which: ColumnElement[bool]) -> Iterator[tuple[int, float, float]]:
    """Number, size and cutoff of the tasks of whole parts that labelling has come to."""
    by_people = and_(labels.c.sample_seq == label_tasks.c.sample_seq, labels.c.kind == Annotator.HUMAN)
    statement = (
        select(
            *(label_tasks.c[name] for name in ("sample_seq", "tenant", "day", "part", "size", "ratio")),
            label_pools.c.cutoff,
            or_(exists().where(by_people), samples.c.kept != Kept.TEXT).label("passed"),
        )
        .join(
            label_pools,
            and_(*(label_pools.c[name] == label_tasks.c[name] for name in ("tenant", "day", "part"))),
        )
        .join(samples, samples.c.seq == label_tasks.c.sample_seq)
        .where(which)
    )
    tasks = connection.execute(statement).all()
    cutoffs: dict[tuple[str, int, int], float] = {}
    for row in tasks:
        part = (row.tenant, row.day, row.part)
        cutoffs[part] = min(cutoffs.get(part, row.cutoff), row.cutoff if row.passed else row.ratio)
    for row in tasks:
        cutoff = cutoffs[row.tenant, row.day, row.part]
        if row.ratio < cutoff:
            yield row.sample_seq, row.size, cutoff
