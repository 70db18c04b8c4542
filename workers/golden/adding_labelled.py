"""Stored samples that people labelled, as golden items: today's mistake is tomorrow's item.

What people say counts, and of an annotator's labels the latest. Whether a wrong claim is contradicted or unsupported nobody
is asked: the scorer's verdict and evidence are taken where they agree with the label, and the item's reason says so.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, Connection, Row, func, select

from models.types import Verdict
from service.core.golden.item import GoldenClaim, GoldenContext, GoldenEvidence, GoldenItem, ItemId
from service.core.label_tables import WHOLE, Annotator, labels
from service.core.label_tables import Verdict as Said
from service.core.tables import Kept, claims, samples, scores
from workers.golden.adding import content_key, stable_id

MOST = 10_000  # samples of one call
AT_ONCE = 500  # samples whose texts are held beside the items
MAX_SOURCE_CHARS = 100
Span = tuple[int, int]
_WHOLE: Span = (WHOLE, WHOLE)
_DECIDES = {Said.HALLUCINATED.value: True, Said.FAITHFUL.value: False}
_IDS = TypeAdapter(ItemId)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which samples: those with these ids, or those received in a time; of all that people labelled."""

    tenant: str
    ids: tuple[str, ...] = ()
    start: datetime | None = None  # inclusive
    end: datetime | None = None  # exclusive
    annotators: tuple[str, ...] = ()  # whose labels count; empty: everybody's
    category: str = "production"


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """A sample that became no item, and why."""

    sample_id: str
    sentence: str


@dataclass(kw_only=True, slots=True)
class Labelled:
    """What labelled samples became."""

    items: list[GoldenItem] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    more: bool = False  # there are more than MOST; the oldest were read


class _UndecidedError(Exception):
    """Labels of a sample that make no item; says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Verdict:
    whole: bool
    spans: Mapping[Span, bool]
    people: int
    comments: tuple[str, ...]


def read_labelled_items(connection: Connection, wanted: Wanted) -> Labelled:
    """Items of the samples that people labelled, oldest first; one statement, and three for each AT_ONCE of them."""
    found = Labelled()
    seqs = _seqs(connection, wanted)
    found.more = len(seqs) > MOST
    for begin in range(0, min(len(seqs), MOST), AT_ONCE):
        _read_some(connection, wanted, seqs[begin : begin + AT_ONCE], found)
    known = {item.source for item in found.items} | {_source(each.sample_id) for each in found.left_out}
    for name in wanted.ids:
        if _source(name) not in known:
            found.left_out.append(LeftOut(sample_id=name, sentence=_why_not(connection, wanted, name)))
    return found


def _by_people(wanted: Wanted) -> list[ColumnElement[bool]]:
    of_people = [labels.c.tenant == wanted.tenant, labels.c.kind == Annotator.HUMAN.value]
    return [*of_people, labels.c.annotator.in_(wanted.annotators)] if wanted.annotators else of_people


def _seqs(connection: Connection, wanted: Wanted) -> list[int]:
    conditions = [samples.c.tenant == wanted.tenant, samples.c.kept != Kept.ANONYMOUS.value]
    if wanted.ids:
        conditions.append(samples.c.id.in_(wanted.ids))
    if wanted.start is not None:
        conditions.append(samples.c.received_at >= wanted.start)
    if wanted.end is not None:
        conditions.append(samples.c.received_at < wanted.end)
    labelled = select(labels.c.sample_seq).where(*_by_people(wanted))
    statement = select(samples.c.seq).where(*conditions, samples.c.seq.in_(labelled))
    ordered = statement.order_by(samples.c.received_at, samples.c.seq).limit(MOST + 1)
    return list(connection.execute(ordered).scalars())


def _why_not(connection: Connection, wanted: Wanted, name: str) -> str:
    held = select(samples.c.seq).where(
        samples.c.tenant == wanted.tenant, samples.c.id == name, samples.c.kept != Kept.ANONYMOUS.value
    )
    if connection.execute(held).first() is None:
        return "There is no such sample."
    by = f" by {' or '.join(wanted.annotators)}" if wanted.annotators else ""
    return f"It has no label{by} in what was asked for."


def _read_some(connection: Connection, wanted: Wanted, seqs: Sequence[int], found: Labelled) -> None:
    names = ("seq", "id", "question", "contexts", "response", "kept")
    rows = {
        row.seq: row
        for row in connection.execute(select(*(samples.c[name] for name in names)).where(samples.c.seq.in_(seqs)))
    }
    said = _said(connection, wanted, seqs)
    scored = _scored(connection, seqs)
    for seq in seqs:
        row = rows[seq]
        try:
            found.items.append(_item(row, _decided(said[seq], set(scored.get(seq, {}))), scored.get(seq, {}), wanted))
        except _UndecidedError as error:
            found.left_out.append(LeftOut(sample_id=row.id, sentence=str(error)))


def _said(connection: Connection, wanted: Wanted, seqs: Sequence[int]) -> Mapping[int, Sequence[Row[Any]]]:
    names = ("sample_seq", "annotator", "claim_start", "claim_end", "verdict", "comment")
    statement = (
        select(*(labels.c[name] for name in names))
        .where(labels.c.sample_seq.in_(seqs), *_by_people(wanted))
        .order_by(labels.c.updated_at, labels.c.seq)
    )
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(statement):
        found[row.sample_seq].append(row)
    return found


def _scored(connection: Connection, seqs: Sequence[int]) -> Mapping[int, Mapping[Span, Row[Any]]]:
    """The checked claims of each sample's newest score, by their spans."""
    newest = select(func.max(scores.c.seq)).where(scores.c.sample_seq.in_(seqs)).group_by(scores.c.sample_seq)
    names = ("start", "end", "verdict", "evidence_context", "evidence_start", "evidence_end")
    statement = (
        select(scores.c.sample_seq, *(claims.c[name] for name in names))
        .join(claims, claims.c.score_seq == scores.c.seq)
        .where(scores.c.seq.in_(newest), claims.c.score.is_not(None))
    )
    found: dict[int, dict[Span, Row[Any]]] = defaultdict(dict)
    for row in connection.execute(statement):
        found[row.sample_seq][row.start, row.end] = row
    return found


def _decided(rows: Sequence[Row[Any]], checked: set[Span]) -> _Verdict:
    """What people say together. Raises _UndecidedError where they contradict each other, or do not decide."""
    by_annotator: dict[str, dict[Span, bool]] = defaultdict(dict)
    for row in rows:
        span = (row.claim_start, row.claim_end)
        by_annotator[row.annotator].pop(span, None)
        if row.verdict in _DECIDES:
            by_annotator[row.annotator][span] = _DECIDES[row.verdict]
    wholes = {name: whole for name, told in by_annotator.items() if (whole := _whole(told, checked)) is not None}
    spans = _agreed({name: told for name, told in by_annotator.items() if told})
    if not wholes:
        raise _UndecidedError("Its labels do not decide: unsure, or not of every claim.")
    if len(set(wholes.values())) > 1:
        raise _UndecidedError(f"Annotators contradict each other on the response: {', '.join(sorted(wholes))}.")
    comments = tuple(dict.fromkeys(row.comment for row in rows if row.comment))
    return _Verdict(whole=next(iter(wholes.values())), spans=spans, people=len(wholes), comments=comments)


def _whole(told: Mapping[Span, bool], checked: set[Span]) -> bool | None:
    """What one annotator says of the response, by a label of it or by those of its claims; None: that does not decide."""
    of_claims = [said for span, said in told.items() if span != _WHOLE]
    whole = told.get(_WHOLE)
    if whole is False and any(of_claims):
        raise _UndecidedError("One annotator calls the response faithful and a claim of it hallucinated.")
    complete = bool(checked) and checked <= told.keys()
    if whole is True and complete and not any(of_claims):
        raise _UndecidedError("One annotator calls the response hallucinated and every claim of it faithful.")
    if whole is not None or any(of_claims):
        return True if any(of_claims) else whole
    return False if complete else None


def _agreed(by_annotator: Mapping[str, Mapping[Span, bool]]) -> Mapping[Span, bool]:
    """What is said of each claim. Raises _UndecidedError where two say the opposite."""
    found: dict[Span, bool] = {}
    for told in by_annotator.values():
        for span, said in told.items():
            if span != _WHOLE and found.setdefault(span, said) != said:
                raise _UndecidedError(f"Annotators contradict each other on the claim at {span[0]} to {span[1]}.")
    return found


def _item(row: Row[Any], verdict: _Verdict, scored: Mapping[Span, Row[Any]], wanted: Wanted) -> GoldenItem:
    if row.kept != Kept.TEXT.value or row.response is None:
        raise _UndecidedError("Its text is not kept any more.")
    contexts = tuple(GoldenContext(id=each["id"], text=each["text"]) for each in row.contexts)
    made = tuple(_claims(row.response, contexts, verdict, scored))
    # A response that is wrong elsewhere than in its labelled claims: they would contradict its label.
    explained = not verdict.whole or any(claim.verdict is not Verdict.SUPPORTED for claim in made)
    try:
        item = GoldenItem(
            id="unnamed",
            question=row.question,
            contexts=contexts,
            response=row.response,
            hallucinated=verdict.whole,
            claims=made if explained else (),
            category=wanted.category,
            reason=_reason(verdict, by_scorer=explained and bool(made)),
            source=_source(row.id),
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _UndecidedError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    return item.model_copy(update={"id": _id(row.id) or stable_id(content_key(item))})


def _claims(
    response: str, contexts: Sequence[GoldenContext], verdict: _Verdict, scored: Mapping[Span, Row[Any]]
) -> Iterator[GoldenClaim]:
    """Labelled claims in order; of labels that were given under two scorers' splits those that overlap no earlier one."""
    reached = 0
    for start, end in sorted(verdict.spans):
        if not reached <= start < end <= len(response):
            continue
        reached = end
        found, evidence = _found(verdict.spans[start, end], scored.get((start, end)), contexts)
        yield GoldenClaim(start=start, end=end, text=response[start:end], verdict=found, evidence=evidence)


def _found(
    said: bool,  # noqa: FBT001 - what people say
    scored: Row[Any] | None,
    contexts: Sequence[GoldenContext],
) -> tuple[Verdict, tuple[GoldenEvidence, ...]]:
    """Supported or unsupported, as people say; contradicted, and evidence, where a scorer agrees and shows it."""
    agreeing = Verdict.CONTRADICTED if said else Verdict.SUPPORTED
    plain = Verdict.UNSUPPORTED if said else Verdict.SUPPORTED
    if scored is None or scored.verdict != agreeing or scored.evidence_context is None:
        return plain, ()
    if not 0 <= scored.evidence_context < len(contexts):
        return plain, ()
    context = contexts[scored.evidence_context]
    start, end = scored.evidence_start, scored.evidence_end
    if not 0 <= start < end <= len(context.text):
        return plain, ()
    shown = GoldenEvidence(context_id=context.id, start=start, end=end, text=context.text[start:end])
    return agreeing, (shown,)


def _reason(verdict: _Verdict, *, by_scorer: bool) -> str:
    people = "one person" if verdict.people == 1 else f"{verdict.people} people"
    told = [f"Labelled by {people}."]
    if by_scorer:
        told.append("Evidence, and whether a wrong claim is contradicted, are the scorer's.")
    return " ".join([*told, *verdict.comments])


def _source(sample_id: str) -> str:
    return f"sample:{sample_id}"[:MAX_SOURCE_CHARS]


def _id(sample_id: str) -> str | None:
    try:
        return _IDS.validate_python(sample_id)
    except ValidationError:
        return None
