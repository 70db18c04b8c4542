"""The writer: concurrent samples in one transaction, each answered by itself."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from service.core.db import Database
from service.core.errors import SampleConflictError, StoreUnavailableError
from service.core.metrics import SidecarMetrics
from service.core.store.samples import NewSample
from service.writer import WAITING_ROWS, Fate, Writer, Written
from tests.integration.support import in_threads, new_sample, statements, states, store

TIMEOUT_S = 10


class Rings(list[bool]):
    """Records the rings: whether each was urgent."""


def submit(writer: Writer, row: NewSample) -> Future[Written]:
    """Hands over one row."""
    (future,) = writer.submit([row])
    return future


@pytest.fixture
def rings() -> Rings:
    return Rings()


@pytest.fixture
def make_writer(database: Database, rings: Rings) -> Iterator[Callable[..., Writer]]:
    """Makes writers that are not started; stops those that were."""
    made: list[Writer] = []

    def make(max_pending: int = 100_000) -> Writer:
        made.append(Writer(database, max_pending, SidecarMetrics(), rings.append))
        return made[-1]

    yield make
    for writer in made:
        if writer._thread.ident is not None:
            writer.stop()


def test_what_waits_together_is_stored_together(make_writer: Callable[..., Writer], database: Database) -> None:
    """A hundred waiting rows are one INSERT."""
    writer = make_writer()
    futures = [submit(writer, new_sample(f"s-{n}")) for n in range(100)]
    with statements(database) as seen:
        writer.start()
        assert {future.result(TIMEOUT_S).fate for future in futures} == {Fate.ACCEPTED}
    assert [statement.split()[0] for statement in seen] == ["SELECT", "INSERT"]
    assert len(states(database)) == 100


def test_one_row_cannot_fail_its_neighbours(make_writer: Callable[..., Writer], database: Database) -> None:
    """If the database refuses a group, each row is tried by itself, and only the bad one fails."""
    writer = make_writer()
    bad = new_sample("bad", inclusion_probability=2.0)  # against a constraint
    futures = [submit(writer, row) for row in (new_sample("a"), bad, new_sample("b"))]
    writer.start()
    assert futures[0].result(TIMEOUT_S).fate is Fate.ACCEPTED
    with pytest.raises(StoreUnavailableError):
        futures[1].result(TIMEOUT_S)
    assert futures[2].result(TIMEOUT_S).fate is Fate.ACCEPTED
    assert set(states(database)) == {"a", "b"}


def test_rows_handed_over_together_are_one_commit(make_writer: Callable[..., Writer], database: Database) -> None:
    """Three rows of one batch are one INSERT, also by a writer that is idle."""
    writer = make_writer()
    writer.start()
    submit(writer, new_sample("first")).result(TIMEOUT_S)
    with statements(database) as seen:
        futures = writer.submit([new_sample(name) for name in ("a", "b", "c")])
        assert {future.result(TIMEOUT_S).fate for future in futures} == {Fate.ACCEPTED}
    assert [statement.split()[0] for statement in seen] == ["INSERT"]


def test_duplicates_within_a_group(make_writer: Callable[..., Writer], database: Database) -> None:
    """Of one id in a group the first is stored, the same body known, another body a conflict."""
    writer = make_writer()
    rows = [new_sample("a"), new_sample("a"), new_sample("a", body_digest="e" * 64)]
    futures = [submit(writer, row) for row in rows]
    writer.start()
    assert [future.result(TIMEOUT_S).fate for future in futures[:2]] == [Fate.ACCEPTED, Fate.DUPLICATE]
    with pytest.raises(SampleConflictError):
        futures[2].result(TIMEOUT_S)


def test_a_known_duplicate_brings_the_first_answer(make_writer: Callable[..., Writer], database: Database) -> None:
    """A duplicate is answered with what was decided when it was stored."""
    store(database, new_sample("a", policy_version="v0"))
    writer = make_writer()
    writer.start()
    written = submit(writer, new_sample("a", policy_version="v9")).result(TIMEOUT_S)
    assert written.fate is Fate.DUPLICATE
    assert written.known is not None
    assert written.known.policy_version == "v0"


def test_a_cancelled_row_is_withdrawn(make_writer: Callable[..., Writer], database: Database) -> None:
    """A row whose caller gave up before its commit began is not stored."""
    writer = make_writer()
    gone, kept = submit(writer, new_sample("gone")), submit(writer, new_sample("kept"))
    assert gone.cancel()
    writer.start()
    kept.result(TIMEOUT_S)
    assert set(states(database)) == {"kept"}


def test_a_stop_stores_what_waits(make_writer: Callable[..., Writer], database: Database) -> None:
    """What was handed over before the stop is stored, over however many groups."""
    writer = make_writer()
    futures = [submit(writer, new_sample(f"s-{n}")) for n in range(600)]
    writer.start()
    writer.stop()
    assert all(future.done() for future in futures)
    assert len(states(database)) == 600


def test_memory_is_bounded(make_writer: Callable[..., Writer]) -> None:
    """With too many rows waiting, the next is refused at once, and may be sent again."""
    writer = make_writer()
    for n in range(WAITING_ROWS):
        submit(writer, new_sample(f"s-{n}"))
    with pytest.raises(StoreUnavailableError):
        submit(writer, new_sample("one-more")).result(0)


def test_the_limit_divides_a_group(make_writer: Callable[..., Writer], database: Database) -> None:
    """Of a group that does not fit, the first rows are accepted, the rest is overload."""
    store(database, new_sample("before"))
    writer = make_writer(3)
    futures = [submit(writer, new_sample(f"s-{n}")) for n in range(4)]
    writer.start()
    fates = [future.result(TIMEOUT_S).fate for future in futures]
    assert fates == [Fate.ACCEPTED, Fate.ACCEPTED, Fate.OVERLOAD, Fate.OVERLOAD]


def test_known_rows_take_no_room(make_writer: Callable[..., Writer], database: Database) -> None:
    """At the limit, what was accepted before is a duplicate, and uses up no place of a new row."""
    store(database, new_sample("a"), new_sample("b"))
    writer = make_writer(3)
    futures = [submit(writer, new_sample(name)) for name in ("a", "b", "c", "d")]
    writer.start()
    fates = [future.result(TIMEOUT_S).fate for future in futures]
    assert fates == [Fate.DUPLICATE, Fate.DUPLICATE, Fate.ACCEPTED, Fate.OVERLOAD]


def test_a_commit_rings_once(make_writer: Callable[..., Writer], database: Database, rings: Rings) -> None:
    """One ring a group; urgent if any row in it is; none for duplicates."""
    writer = make_writer()
    futures = [submit(writer, new_sample(f"s-{n}", urgent=n == 3)) for n in range(5)]
    writer.start()
    for future in futures:
        future.result(TIMEOUT_S)
    assert rings == [True]
    submit(writer, new_sample("s-0")).result(TIMEOUT_S)
    assert rings == [True]
    submit(writer, new_sample("t")).result(TIMEOUT_S)
    assert rings == [True, False]


def test_many_callers_are_answered_each(make_writer: Callable[..., Writer], database: Database) -> None:
    """Eight threads with the same ids: every id is accepted for exactly one of them."""
    writer = make_writer()
    writer.start()
    fates: list[Fate] = []

    def work(_number: int) -> None:
        futures = [submit(writer, new_sample(f"s-{n}")) for n in range(40)]
        fates.extend(future.result(TIMEOUT_S).fate for future in futures)

    in_threads(8, work)
    assert fates.count(Fate.ACCEPTED) == 40
    assert fates.count(Fate.DUPLICATE) == 280
    assert len(states(database)) == 40
