"""Labelled samples with what every scorer said of them, as a combination is fitted to them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from service.core.clock import EPOCH
from service.core.estimate import Estimand
from service.core.label_tables import WHOLE, Annotator, Verdict, labels
from service.core.review_tables import Reviewer, reviews
from service.core.store.clusters import cluster_of
from service.core.store.labelled import BEFORE, read_labelled
from service.core.store.rates import Stretch, Unit
from service.core.tables import State, samples, scores

SAID = {Verdict.FAITHFUL.value: 0.0, Verdict.HALLUCINATED.value: 1.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What people said of a response."""

    y: float  # 0..1: the share of its annotators that call it hallucinated
    label_probability: float | None  # None: no draw chose it, so that its probability is not known


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """What one scorer said of a response."""

    seq: int  # the later, the newer
    fingerprint: str
    score: float
    entropy: float | None = None  # of consistency


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledSample:
    """A labelled response with one of its first scores and its reviews."""

    sample_seq: int
    cluster: str  # its session, or its trace, or itself
    inclusion_probability: float
    said: Said
    nli: Value
    judge: Value | None
    consistency: Value | None


def read_labelled_samples(connection: Connection, stretch: Stretch) -> list[LabelledSample]:
    """One for each labelled sample and fingerprint that scored it, oldest sample first; up to seven statements."""
    said = read_said(connection, stretch)
    if not said:
        return []
    reviewed = _reviews(connection, stretch)
    return [
        LabelledSample(
            sample_seq=row.seq,
            cluster=row.cluster,
            inclusion_probability=row.inclusion_probability,
            said=said[row.seq],
            nli=Value(seq=row.score_seq, fingerprint=row.fingerprint, score=row.score),
            judge=reviewed.get((row.seq, Reviewer.JUDGE.value)),
            consistency=reviewed.get((row.seq, Reviewer.CONSISTENCY.value)),
        )
        for row in connection.execute(_scores(stretch))
        if row.seq in said
    ]


def read_said(connection: Connection, stretch: Stretch) -> Mapping[int, Said]:
    """What people said of each sample of a stretch whose label decides.

    Of drawn samples as rates read it: of the whole response, or of every claim; of the others, of the whole response.
    """
    said = {seq: Said(y=y, label_probability=None) for seq, y in _picked(connection, stretch).items()}
    if said or _any_labels(connection, stretch):
        drawn = read_labelled(connection, stretch, Unit.RESPONSE, Estimand.PROCESS).rows
        said |= {
            row.sample_seq: Said(y=row.y, label_probability=row.label_probability)
            for row in drawn
            if row.bucket != BEFORE
        }
    return said


def of_people(stretch: Stretch) -> Any:
    """Labels by people of samples received on a stretch's days, as SQL."""
    first, last = (stretch.start - EPOCH).days, (stretch.end - timedelta(microseconds=1) - EPOCH).days
    return and_(
        labels.c.tenant == stretch.tenant, labels.c.day.between(first, last), labels.c.kind == Annotator.HUMAN.value
    )


def labelled_seqs(stretch: Stretch) -> Select[Any]:
    """The samples that they are of."""
    return select(labels.c.sample_seq).where(of_people(stretch))


def _any_labels(connection: Connection, stretch: Stretch) -> bool:
    return connection.execute(labelled_seqs(stretch).limit(1)).first() is not None


def _picked(connection: Connection, stretch: Stretch) -> Mapping[int, float]:
    """The mean of the annotators who decide on the whole response; of an annotator's labels the latest speaks."""
    statement = (
        select(labels.c.sample_seq, labels.c.annotator, labels.c.verdict)
        .where(of_people(stretch), labels.c.claim_start == WHOLE)
        .order_by(labels.c.updated_at, labels.c.seq)
    )
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for row in connection.execute(statement):
        found[row.sample_seq][row.annotator] = row.verdict
    means = {}
    for seq, verdicts in found.items():
        decided: Sequence[float] = [SAID[verdict] for verdict in verdicts.values() if verdict in SAID]
        if decided:
            means[seq] = sum(decided) / len(decided)
    return means


def _scores(stretch: Stretch) -> Select[Any]:
    return (
        select(
            samples.c.seq,
            cluster_of(Estimand.PROCESS).label("cluster"),
            samples.c.inclusion_probability,
            scores.c.seq.label("score_seq"),
            scores.c.fingerprint,
            scores.c.score,
        )
        .join(scores, scores.c.sample_seq == samples.c.seq)
        .where(samples.c.seq.in_(labelled_seqs(stretch)), *inside(stretch))
        .order_by(samples.c.seq, scores.c.seq)
    )


def inside(stretch: Stretch) -> list[Any]:
    """Of a stretch's time and tenant, as SQL."""
    return [stretch.of(samples), samples.c.received_at >= stretch.start, samples.c.received_at < stretch.end]


def _reviews(connection: Connection, stretch: Stretch) -> Mapping[tuple[int, str], Value]:
    names = ("seq", "sample_seq", "reviewer", "fingerprint", "score", "entropy")
    statement = select(*(reviews.c[name] for name in names)).where(
        reviews.c.sample_seq.in_(labelled_seqs(stretch)),
        reviews.c.state == State.SCORED.value,
        reviews.c.score.is_not(None),
        reviews.c.fingerprint.is_not(None),
    )
    return {
        (row.sample_seq, row.reviewer): Value(
            seq=row.seq, fingerprint=row.fingerprint, score=row.score, entropy=row.entropy
        )
        for row in connection.execute(statement)
    }
