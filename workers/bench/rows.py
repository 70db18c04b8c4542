"""Rows for the queue bench: the demo's median response, and many small ones made inside the database."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import BigInteger, ColumnElement, Insert, String, cast, func, insert, literal, select

from models.load import ScorerConfig, load_scorer
from models.types import Context, Item, Outcome
from service.core.clock import to_microseconds, utc_now
from service.core.db import Database
from service.core.store.recount import add_deltas_of_rows
from service.core.store.samples import NewSample, accept, columns_of
from service.core.store.scores import ScoredBy
from service.core.tables import State, samples, scores
from workers.demo import DemoPair, read_pairs

CHUNK_ROWS = 50_000  # of one statement: below the statement timeout on a slow machine
SMALL_CONTEXT = [{"id": "0", "text": "The kettle boils two litres of water in four minutes.", "score": None}]
SMALL_RESPONSE = "The kettle boils two litres."
BY = ScoredBy(scorer="null", fingerprint="0" * 64, attributes={"backend": "null"})


def median_pair() -> DemoPair:
    """The demo submission whose body has the median size."""
    pairs = sorted(read_pairs(), key=lambda pair: len(json.dumps(pair.body)))
    return pairs[len(pairs) // 2]


def item_of(pair: DemoPair) -> Item:
    """A demo submission as a scorer reads it."""
    contexts = tuple(Context(id=context["id"], text=context["text"]) for context in pair.body["contexts"])
    return Item(response=pair.body["response"], contexts=contexts, question=pair.body["question"])


def outcome_of(pair: DemoPair) -> Outcome:
    """An outcome of the usual size: what the fake scorer says of a demo submission."""
    return load_scorer(ScorerConfig(kind="fake")).score([item_of(pair)], lambda: None)[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class RowMaker:
    """Makes rows that differ in their id only."""

    template: NewSample

    def make(self, count: int) -> list[NewSample]:
        """That many new rows."""
        run = uuid4().hex
        return [replace(self.template, id=f"{run}-{n}") for n in range(count)]

    def add(self, database: Database, count: int) -> None:
        """Accepts that many rows in one transaction, as the sidecar does."""
        rows = self.make(count)
        with database.write() as connection:
            accept(connection, rows)


def median_rows() -> RowMaker:
    """Rows of the demo's median size."""
    body = median_pair().body
    contexts = [{"id": context["id"], "text": context["text"], "score": None} for context in body["contexts"]]
    return RowMaker(template=_row(body["question"], contexts, body["response"]))


def small_rows() -> RowMaker:
    """Rows with hardly any text."""
    return RowMaker(template=_row(None, SMALL_CONTEXT, SMALL_RESPONSE))


def _row(question: str | None, contexts: list[dict[str, str | None]], response: str) -> NewSample:
    return NewSample(
        tenant="default",
        id="",
        body_digest="0" * 64,
        received_at=utc_now(),
        decision="sampled",
        reason="hash",
        stratum="default",
        inclusion_probability=0.05,
        policy_version="bench",
        in_rate=True,
        model="bench",
        release="1",
        prompt_version="",
        route="",
        question=question,
        contexts=contexts,
        response=response,
        details={},
        urgent=False,
        tokens=500,
    )


def fill_pending(database: Database, count: int) -> None:
    """Adds that many small pending rows, made inside the database."""
    for size in _chunks(count):
        with database.write() as connection:
            connection.execute(_insert_small(size, State.PENDING, now := utc_now(), now))


def fill_scored(database: Database, count: int, span: timedelta, groups: tuple[int, int] = (1, 1)) -> None:
    """Adds that many scored rows with their scores, received evenly over the span up to now, oldest first.

    `groups`: how many models and routes they are spread over.
    """
    sizes = _chunks(count)
    for at, size in enumerate(sizes):
        begin, end = (utc_now() - span * (1 - sum(sizes[:n]) / count) for n in (at, at + 1))
        with database.write() as connection:
            last = connection.execute(select(func.coalesce(func.max(samples.c.seq), 0))).scalar_one()
            connection.execute(_insert_small(size, State.SCORED, begin, end, groups))
            connection.execute(_insert_scores(last))
            add_deltas_of_rows(connection, last)


def _chunks(count: int) -> Sequence[int]:
    whole, rest = divmod(count, CHUNK_ROWS)
    return [CHUNK_ROWS] * whole + ([rest] if rest else [])


def _insert_small(count: int, state: State, begin: datetime, end: datetime, groups: tuple[int, int] = (1, 1)) -> Insert:
    template = replace(small_rows().template, id=uuid4().hex)
    start = to_microseconds(begin)
    step = (end - begin) // timedelta(microseconds=1) // count
    models, routes = groups
    numbers = select(literal(0).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < count - 1))
    values: dict[str, Any] = {
        **columns_of(template),
        "id": literal(f"{template.id}-") + cast(numbers.c.n, String),
        "received_at": literal(start, BigInteger()) + cast(numbers.c.n, BigInteger()) * literal(step, BigInteger()),
        "state": state.value,
        "model": literal("model-") + cast(numbers.c.n % models, String),
        "route": literal("route-") + cast(numbers.c.n // models % routes, String),
    }
    made = [_typed(name, value) for name, value in values.items()]
    return insert(samples).from_select(list(values), select(*made).select_from(numbers))


def _typed(name: str, value: Any) -> ColumnElement[Any]:
    return value if isinstance(value, ColumnElement) else literal(value, samples.c[name].type)


def _insert_scores(after: int) -> Insert:
    values: dict[str, Any] = {
        "scorer": BY.scorer,
        "fingerprint": BY.fingerprint,
        "attributes": dict(BY.attributes),
        "score": 0.2,
        "threshold": 0.7,
        "claims_checked": 3,
        "claims_flagged": 0,
        "pairs": 9,
        "created_at": utc_now(),
    }
    constants = [literal(value, scores.c[name].type) for name, value in values.items()]
    flagged = samples.c.seq % 10 == 0
    made = select(samples.c.seq, flagged, *constants).where(samples.c.seq > after)
    return insert(scores).from_select(["sample_seq", "flagged", *values], made)
