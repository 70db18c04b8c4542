"""Golden runs added: once each, with their set and their answers."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from service.core.errors import GoldenRunConflictError
from service.core.golden.item import GoldenItem, set_digest
from service.core.golden.record import AnswerRecord, AnswerState, KnownAnswers, TargetKind
from service.core.golden_tables import Origin, golden_answers, golden_runs, golden_sets
from service.core.store.dialect import insert, insert_many, many
from service.core.store.golden_taking import as_promised, claims_of, end_runs
from service.core.store.removal import KEYED
from service.core.submitted import CHARS_PER_CLAIM, CHARS_PER_TOKEN
from service.core.tables import StoreText

BATCH = 1_000  # answers written by one statement
DIGEST_CHARS = 64  # width of the column
MOST_TOKENS = 2**31 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSet:
    """The items of a run, made ready by `new_set`."""

    name: str
    items: Sequence[GoldenItem]
    documents: Sequence[dict[str, Any]]  # the same as JSON
    content: str  # digest of these
    digest: str  # as runs tell it


def new_set(name: str, items: Sequence[GoldenItem]) -> NewSet:
    """Makes a set ready to be stored; outside of a transaction, as it takes its time."""
    documents = [item.model_dump(mode="json") for item in items]
    content = hashlib.sha256(json.dumps(documents, sort_keys=True).encode()).hexdigest()
    return NewSet(name=name, items=items, documents=documents, content=content, digest=set_digest(items))


def body_digest(document: dict[str, Any], key: bytes | None) -> str:
    """Digest of a run as it was sent, whatever the order of its fields; with a key nobody can guess the texts by it."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    if key is None:
        return hashlib.sha256(canonical).hexdigest()
    return (KEYED + hmac.new(key, canonical, hashlib.sha256).hexdigest())[:DIGEST_CHARS]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewAnswer:
    """An answer to one item of a run."""

    position: int  # of the item
    repeat: int
    record: AnswerRecord
    fingerprint: str | None = None  # of the scorer that ended it


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRun:
    """A run to add."""

    tenant: str
    id: str
    body_digest: str
    golden: NewSet
    kind: TargetKind
    target: str
    repeats: int
    answers: Sequence[NewAnswer]  # one for each item and repeat
    created_at: datetime
    release: str = ""
    git_commit: str = ""
    baseline: str | None = None
    margin: float | None = None
    quarantined: Sequence[str] = ()
    store_text: str = StoreText.FULL.value
    origin: Origin = Origin.API
    known_answers: KnownAnswers | None = None
    runtime: Mapping[str, str] | None = None  # of the scorer


def add_run(connection: Connection, run: NewRun, now: datetime) -> bool:
    """Adds it; False if this very run was added before. Raises GoldenRunConflictError where its id is another's.

    Answers that are pending wait for workers; a run without any has ended.
    """
    if (known := find_body(connection, run.tenant, run.id)) is not None:
        return _same_body(known, run)
    values = {
        "tenant": run.tenant,
        "id": run.id,
        "body_digest": run.body_digest,
        "set_seq": _set_seq(connection, run),
        "kind": run.kind.value,
        "target": run.target,
        "release": run.release,
        "git_commit": run.git_commit,
        "repeats": run.repeats,
        "baseline": run.baseline,
        "margin": run.margin,
        "quarantined": list(run.quarantined),
        "store_text": run.store_text,
        "origin": run.origin.value,
        "runtime": None if run.runtime is None else dict(run.runtime),
        "known_answers": None if run.known_answers is None else run.known_answers.model_dump(),
        "created_at": run.created_at,
    }
    statement = insert(connection, golden_runs).values(values).on_conflict_do_nothing(index_elements=["tenant", "id"])
    seq = connection.execute(statement.returning(golden_runs.c.seq)).scalar_one_or_none()
    if seq is None:  # another request was faster
        return _same_body(find_body(connection, run.tenant, run.id), run)
    _add_answers(connection, seq, run)
    end_runs(connection, [seq], now)
    return True


def find_body(connection: Connection, tenant: str, run_id: str) -> str | None:
    """The digest of the body that a run of this id was made of, empty where it is not kept; None: there is none."""
    mine = (golden_runs.c.tenant == tenant) & (golden_runs.c.id == run_id)
    return connection.execute(select(golden_runs.c.body_digest).where(mine)).scalar_one_or_none()


def _same_body(known: str | None, run: NewRun) -> bool:
    if known not in {run.body_digest, ""}:
        raise GoldenRunConflictError(field="id")
    return False


def _set_seq(connection: Connection, run: NewRun) -> int:
    golden = run.golden
    values = {"tenant": run.tenant, "name": golden.name, "content": golden.content, "digest": golden.digest}
    statement = insert(connection, golden_sets).values(values | {"items": golden.documents})
    # Writes what is there already, so that the row is held: nobody removes the set meanwhile.
    held = statement.on_conflict_do_update(
        index_elements=["tenant", "name", "content"], set_={"name": golden.name}
    ).returning(golden_sets.c.seq)
    return int(connection.execute(held).scalar_one())


def _add_answers(connection: Connection, seq: int, run: NewRun) -> None:
    dialect = connection.dialect.name
    for start in range(0, len(run.answers), BATCH):
        rows = [_answer_row(seq, run, answer) for answer in run.answers[start : start + BATCH]]
        connection.execute(insert_many(dialect, golden_answers, tuple(rows[0])), many(dialect, rows))


def _answer_row(seq: int, run: NewRun, answer: NewAnswer) -> dict[str, Any]:
    item, record = run.golden.items[answer.position], answer.record
    kept = record if record.state is AnswerState.PENDING else as_promised(record, run.store_text)
    return {
        "run_seq": seq,
        "position": answer.position,
        "repeat": answer.repeat,
        "state": record.state.value,
        "reason": record.reason,
        "fingerprint": answer.fingerprint,
        "score": record.score,
        "flagged": record.flagged,
        "threshold": record.threshold,
        "seconds": record.seconds,
        "tokens": estimated_tokens(item, record.response or item.response or ""),
        "attempt": 0,
        "returns": 0,
        "alone_attempts": 0,
        "response": kept.response,
        "claims": claims_of(kept),
    }


def estimated_tokens(item: GoldenItem, response: str) -> int:
    """Tokens of all pairs of an answer, roughly."""
    of_contexts = sum(len(context.text) for context in item.contexts)
    tokens = (of_contexts // CHARS_PER_TOKEN + 64) * (1 + len(response) // CHARS_PER_CLAIM)
    return min(tokens, MOST_TOKENS)
