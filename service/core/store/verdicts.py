"""Claims by verdict, and the context documents that contradict most of them; read from the rows of a stretch."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Integer, Select, String, Text, cast, func, literal, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from models.types import Verdict
from service.core.store.rates import Stretch
from service.core.tables import claims, samples, scores


class _context_id(GenericFunction[str]):  # noqa: N801 - reads as the SQL function that it is
    """The id of the context at a position; null where there is none."""

    type = Text()
    inherit_cache = True


@compiles(_context_id, "postgresql")
def _postgresql_id(element: Any, compiler: Any, **kw: Any) -> str:
    contexts, position = (compiler.process(part, **kw) for part in element.clauses)
    return f"({contexts} -> {position} ->> 'id')"


@compiles(_context_id, "sqlite")
def _sqlite_id(element: Any, compiler: Any, **kw: Any) -> str:
    contexts, position = (compiler.process(part, **kw) for part in element.clauses)
    return f"json_extract({contexts}, '$[' || {position} || '].id')"


def read_verdicts(connection: Connection, stretch: Stretch, fingerprint: str) -> Mapping[str, int]:
    """How many claims of the samples in rates have which verdict, by one scorer; reads every claim of the stretch."""
    statement = _of_claims(stretch, fingerprint, claims.c.verdict, func.count().label("number"))
    return {row.verdict: int(row.number) for row in connection.execute(statement.group_by(claims.c.verdict))}


def read_contradicting(connection: Connection, stretch: Stretch, fingerprint: str, limit: int) -> Mapping[str, int]:
    """How many claims each context document contradicts, by the id that its caller gave; most first.

    One whose id is no more than its position in its list names no document, and is left out.
    """
    position = cast(claims.c.evidence_context, Integer)
    found = (
        _of_claims(
            stretch,
            fingerprint,
            _context_id(samples.c.contexts, position).label("id"),
            cast(position, String).label("own"),
        )
        .where(claims.c.verdict == Verdict.CONTRADICTED.value, claims.c.evidence_context.is_not(None))
        .subquery()
    )
    # The position may be prefixed, where another context has that id: see service/core/submitted.py.
    statement = (
        select(found.c.id, func.count().label("number"))
        .where(found.c.id.is_not(None), func.ltrim(found.c.id, literal("_")) != found.c.own)
        .group_by(found.c.id)
        .order_by(func.count().desc(), found.c.id)
        .limit(limit)
    )
    return {row.id: int(row.number) for row in connection.execute(statement)}


def _of_claims(stretch: Stretch, fingerprint: str, *columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .select_from(samples)
        .join(scores, scores.c.sample_seq == samples.c.seq)
        .join(claims, claims.c.score_seq == scores.c.seq)
        .where(
            stretch.of(samples),
            samples.c.received_at >= stretch.start,
            samples.c.received_at < stretch.end,
            samples.c.in_rate,
            scores.c.fingerprint == fingerprint,
        )
    )
