"""Golden runs as they are stored: read back whole, taken over from elsewhere, removed with all that is theirs."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select

from service.core.errors import GoldenRunUnknownError
from service.core.golden.item import GoldenItem, item_digest
from service.core.golden.record import AnswerRecord, AnswerState, ItemRecord, KnownAnswers, RunRecord, TargetKind
from service.core.golden_tables import Origin, golden_answers, golden_runs, golden_sets
from service.core.sample_schemas import ClaimAnswer
from service.core.store.golden_adding import NewAnswer, NewRun, add_run, new_set
from service.core.tables import StoreText


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRun:
    """A run without its items and answers."""

    seq: int
    set_seq: int
    id: str
    set_name: str
    set_digest: str
    kind: TargetKind
    target: str
    release: str
    git_commit: str
    repeats: int
    baseline: str | None
    margin: float | None
    quarantined: Sequence[str]
    origin: Origin
    created_at: datetime
    finished_at: datetime | None
    known_answers: KnownAnswers | None  # of the scorer
    runtime: Mapping[str, str] | None  # of the scorer; None: unknown
    counts: Mapping[AnswerState, int]  # of answers
    scored_by: AbstractSet[str]  # fingerprints of all scorers that ended an answer

    @property
    def fingerprint(self) -> str | None:
        """Of the scorer; None: it ended nothing yet, or was not the only one."""
        return next(iter(self.scored_by)) if len(self.scored_by) == 1 else None

    @property
    def mixed(self) -> bool:
        """Whether more than one scorer ended its answers: a worker was upgraded meanwhile."""
        return len(self.scored_by) > 1


HEAD = tuple(each.name for each in fields(StoredRun) if each.name not in {"counts", "scored_by"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which of a tenant's runs to list."""

    tenant: str
    set_name: str | None = None
    kind: TargetKind | None = None
    release: str | None = None
    before: int | None = None  # only runs numbered below
    limit: int = 100


def read_runs(connection: Connection, wanted: Wanted) -> list[StoredRun]:
    """A tenant's runs, newest first."""
    conditions = [golden_runs.c.tenant == wanted.tenant]
    for column, value in (
        (golden_sets.c.name, wanted.set_name),
        (golden_runs.c.kind, wanted.kind),
        (golden_runs.c.release, wanted.release),
    ):
        conditions += [] if value is None else [column == value]
    if wanted.before is not None:
        conditions.append(golden_runs.c.seq < wanted.before)
    newest = _heads().where(*conditions).order_by(golden_runs.c.seq.desc()).limit(wanted.limit)
    return _stored(connection, connection.execute(newest).all())


def find_run(connection: Connection, tenant: str, run_id: str) -> StoredRun:
    """The run of that id. Raises GoldenRunUnknownError."""
    mine = _heads().where(golden_runs.c.tenant == tenant, golden_runs.c.id == run_id)
    found = _stored(connection, connection.execute(mine).all())
    if not found:
        raise GoldenRunUnknownError(f"There is no golden run {run_id[:64]!r}.")
    return found[0]


def _heads() -> Select[Any]:
    own = (name for name in HEAD if name not in {"set_name", "set_digest"})
    return select(
        golden_sets.c.name.label("set_name"),
        golden_sets.c.digest.label("set_digest"),
        *(golden_runs.c[name] for name in own),
    ).join(golden_sets, golden_sets.c.seq == golden_runs.c.set_seq)


def _stored(connection: Connection, rows: Sequence[Row[Any]]) -> list[StoredRun]:
    counts: dict[int, dict[AnswerState, int]] = defaultdict(lambda: dict.fromkeys(AnswerState, 0))
    scorers: dict[int, set[str]] = defaultdict(set)
    groups = (golden_answers.c.run_seq, golden_answers.c.state, golden_answers.c.fingerprint)
    counted = select(*groups, func.count()).group_by(*groups)
    for seq, state, fingerprint, number in connection.execute(
        counted.where(golden_answers.c.run_seq.in_([row.seq for row in rows]))
    ):
        counts[seq][AnswerState(state)] += number
        if fingerprint is not None:
            scorers[seq].add(fingerprint)
    return [
        StoredRun(
            **row._asdict()
            | {"kind": TargetKind(row.kind), "origin": Origin(row.origin)}
            | {"known_answers": row.known_answers and KnownAnswers.model_validate(row.known_answers)}
            | {"counts": counts[row.seq], "scored_by": frozenset(scorers[row.seq])}
        )
        for row in rows
    ]


def read_record(connection: Connection, tenant: str, run_id: str) -> RunRecord:
    """The record of the run of that id. Raises GoldenRunUnknownError.

    Its fingerprint is None where two scorers ended answers: `StoredRun.scored_by` tells which.
    """
    return record_of(connection, find_run(connection, tenant, run_id))


def record_of(connection: Connection, run: StoredRun) -> RunRecord:
    """The record of a run that was read in this transaction."""
    items = read_items(connection, run.set_seq)
    answers: list[list[AnswerRecord]] = [[] for _ in items]
    names = ("position", "state", "reason", "response", "score", "flagged", "threshold", "seconds", "claims")
    rows = select(*(golden_answers.c[name] for name in names)).where(golden_answers.c.run_seq == run.seq)
    for row in connection.execute(rows.order_by(golden_answers.c.position, golden_answers.c.repeat)):
        answers[row.position].append(_answer(row))
    return RunRecord(
        id=run.id,
        set_name=run.set_name,
        set_digest=run.set_digest,
        kind=run.kind,
        target=run.target,
        release=run.release,
        git_commit=run.git_commit,
        fingerprint=run.fingerprint,
        repeats=run.repeats,
        started_at=run.created_at,
        finished_at=run.finished_at,
        known_answers=run.known_answers,
        runtime=None if run.runtime is None else dict(run.runtime),
        items=tuple(
            ItemRecord(item=item, digest=item_digest(item), answers=tuple(given))
            for item, given in zip(items, answers, strict=True)
        ),
    )


def read_items(connection: Connection, set_seq: int) -> list[GoldenItem]:
    """The items of a set, in its order. Raises NoResultFound where the set is gone."""
    held = connection.execute(select(golden_sets.c["items"]).where(golden_sets.c.seq == set_seq)).scalar_one()
    return [GoldenItem.model_validate(each) for each in held]


def _answer(row: Row[Any]) -> AnswerRecord:
    names = ("reason", "response", "score", "flagged", "threshold", "seconds")
    return AnswerRecord(
        state=AnswerState(row.state),
        claims=tuple(ClaimAnswer.model_validate(claim) for claim in row.claims or ()),
        **{name: getattr(row, name) for name in names},
    )


def remove_run(connection: Connection, tenant: str, run_id: str) -> int:
    """Removes a run with its answers, and its set with the last of its runs; how many answers it had.

    What a worker holds of it counts for nothing. Raises GoldenRunUnknownError.
    """
    mine = (golden_runs.c.tenant == tenant) & (golden_runs.c.id == run_id)
    found = connection.execute(select(golden_runs.c.seq, golden_runs.c.set_seq).where(mine)).one_or_none()
    if found is None:
        raise GoldenRunUnknownError(f"There is no golden run {run_id[:64]!r}.")
    # In the order in which runs are added: first the set's row, then the run's.
    for table, seq in ((golden_sets, found.set_seq), (golden_runs, found.seq)):
        connection.execute(select(table.c.seq).where(table.c.seq == seq).with_for_update()).all()
    answers = connection.execute(delete(golden_answers).where(golden_answers.c.run_seq == found.seq)).rowcount
    connection.execute(delete(golden_runs).where(golden_runs.c.seq == found.seq))
    others = select(golden_runs.c.seq).where(golden_runs.c.set_seq == found.set_seq).exists()
    connection.execute(delete(golden_sets).where(golden_sets.c.seq == found.set_seq, ~others))
    return int(answers)


def store_record(  # noqa: PLR0913 - what a record does not say of itself
    connection: Connection,
    tenant: str,
    record: RunRecord,
    *,
    baseline: str | None,
    margin: float | None,
    quarantined: Iterable[str] = (),
    store_text: str = StoreText.FULL.value,
) -> bool:
    """Adds a run that was made elsewhere and has ended; False if this very one was added before.

    Raises GoldenRunConflictError where its id is another's, ValueError where answers are pending. U+0000, which no
    database takes, becomes U+FFFD.
    """
    if record.pending:
        raise ValueError("answers are pending")
    content = record.model_dump_json().encode()
    scorer = record.fingerprint
    answers = [
        NewAnswer(
            position=position,
            repeat=repeat,
            record=_storable(answer),
            fingerprint=None if answer.state is AnswerState.FAILED else scorer,
        )
        for position, each in enumerate(record.items)
        for repeat, answer in enumerate(each.answers)
    ]
    run = NewRun(
        tenant=tenant,
        id=record.id,
        body_digest=hashlib.sha256(content).hexdigest(),
        golden=new_set(record.set_name, [each.item for each in record.items]),
        kind=record.kind,
        target=record.target,
        repeats=record.repeats,
        answers=answers,
        created_at=record.started_at,
        release=record.release,
        git_commit=record.git_commit,
        baseline=baseline,
        margin=margin,
        quarantined=sorted(quarantined),
        store_text=store_text,
        origin=Origin.CLI,
        known_answers=record.known_answers,
        runtime=record.runtime,
    )
    return add_run(connection, run, record.finished_at or record.started_at)


def _storable(answer: AnswerRecord) -> AnswerRecord:
    texts = {"response": answer.response, "reason": answer.reason}
    return answer.model_copy(
        update={name: text and text.replace("\0", "\N{REPLACEMENT CHARACTER}") for name, text in texts.items()}
    )
