"""Leases: one holder at a time, by the database's clock."""

import time

from service.core.db import Database
from service.core.store.leases import acquire
from tests.integration.support import in_threads


def get(database: Database, holder: str, seconds: float = 30, name: str = "ticker") -> bool:
    with database.write() as connection:
        return acquire(connection, name, holder, seconds)


def test_one_holder_at_a_time(database: Database) -> None:
    """While one holds the lease, another gets nothing."""
    assert get(database, "one")
    assert not get(database, "two")


def test_the_holder_renews(database: Database) -> None:
    """The holder may take its own lease as often as it likes, and each time it lasts anew."""
    assert get(database, "one", 0.3)
    time.sleep(0.2)
    assert get(database, "one", 0.5)
    time.sleep(0.2)
    assert not get(database, "two")


def test_a_silent_holder_loses_the_lease(database: Database) -> None:
    """After its end the lease goes to whoever asks, and the old holder gets nothing."""
    assert get(database, "one", 0.1)
    time.sleep(0.2)
    assert get(database, "two")
    assert not get(database, "one")


def test_leases_of_other_names_are_independent(database: Database) -> None:
    """A lease is held by name."""
    assert get(database, "one", name="ticker")
    assert get(database, "two", name="probe")


def test_of_many_at_once_one_wins(database: Database) -> None:
    """An election among eight has exactly one winner, on an empty table and after an expiry."""
    for turn in range(2):
        won: list[str] = []

        def work(number: int, won: list[str] = won, turn: int = turn) -> None:
            name = f"{turn}-{number}"
            if get(database, name, 1.5):  # far longer than eight in a row take
                won.append(name)

        in_threads(8, work)
        assert len(won) == 1
        time.sleep(1.6)
