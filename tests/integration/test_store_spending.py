"""Spending: booked before, settled after, and never over the day's limit, however many ask at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.core.clock import utc_now
from service.core.db import Database
from service.core.review_tables import CallState
from service.core.reviewing.cascade import CAPACITY_SHARE, DAY_S, allowed, full_bucket
from service.core.store.spending import (
    LOST_AFTER,
    Call,
    Settlement,
    end_lost_calls,
    open_call,
    read_bucket,
    read_spent,
    settle_call,
    spent_on,
    write_bucket,
)

NOW = utc_now()
LIMIT = 1_000


def booked(database: Database, most: int, *, tenant: str = "default", limit: int | None = LIMIT) -> int | None:
    call = Call(review_seq=None, tenant=tenant, rule="default", purpose="judge", model="m", most_pico=most)
    with database.write() as connection:
        return open_call(connection, call, limit, NOW)


def settled(database: Database, number: int, cost: int | None, state: CallState = CallState.ANSWERED) -> None:
    with database.write() as connection:
        settle_call(connection, number, Settlement(state=state, cost_pico=cost), NOW)


def spent(database: Database, tenant: str = "default") -> int:
    with database.read() as connection:
        return spent_on(connection, tenant, NOW)


class TestLimit:
    def test_it_counts_what_a_call_may_cost_before_it_begins(self, database: Database) -> None:
        """A call that might pass the limit is not begun; one that has turned out cheaper leaves room for it."""
        first = booked(database, 900)
        assert first is not None
        assert booked(database, 101) is None
        settled(database, first, 300)
        assert (spent(database), booked(database, 700) is None, booked(database, 1)) == (300, False, None)

    def test_tenants_have_limits_of_their_own(self, database: Database) -> None:
        """One tenant's spending leaves the other's alone."""
        booked(database, LIMIT)
        assert booked(database, LIMIT, tenant="other") is not None

    def test_no_number_of_workers_passes_it(self, database: Database) -> None:
        """Of forty that ask at once for a tenth of it each, ten are let through."""
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda _: booked(database, LIMIT // 10), range(40)))
        assert sum(number is not None for number in found) == 10
        assert spent(database) == LIMIT

    def test_a_refused_call_leaves_no_trace(self, database: Database) -> None:
        """What was never sent is in no sum and no list."""
        assert booked(database, LIMIT + 1) is None
        with database.read() as connection:
            assert read_spent(connection, "default", 0, 10**6) == []
        assert spent(database) == 0


class TestSettled:
    def test_twice_is_once(self, database: Database) -> None:
        """A settlement that is tried again counts once."""
        number = booked(database, 500)
        assert number is not None
        settled(database, number, 200)
        settled(database, number, 100)
        assert spent(database) == 200

    def test_what_nobody_can_tell_stays_at_the_most(self, database: Database) -> None:
        """A call that was lost on the way is unknown, and not free."""
        number = booked(database, 500)
        assert number is not None
        settled(database, number, None, CallState.UNKNOWN)
        with database.read() as connection:
            [row] = read_spent(connection, "default", 0, 10**6)
        assert (row.state, row.cost_pico, spent(database)) == ("unknown", 500, 500)

    def test_a_dead_workers_calls_say_that_they_are_lost(self, database: Database) -> None:
        """After a while, and at the most that they can have cost."""
        booked(database, 500)
        with database.write() as connection:
            assert end_lost_calls(connection, NOW) == 0
            assert end_lost_calls(connection, NOW + LOST_AFTER + timedelta(seconds=1)) == 1
        assert spent(database) == 500


class TestBucket:
    def test_it_fills_as_time_goes_by(self, database: Database) -> None:
        """A day's money flows in evenly, and a quarter of it is the most that is held."""
        limit = 96_000_000
        full = full_bucket(limit)
        hour_ago = utc_now() - timedelta(hours=1)
        with database.write() as connection:
            assert read_bucket(connection, "default", limit) == full
            write_bucket(connection, "default", full.less(full.level), hour_ago)
            level = read_bucket(connection, "default", limit).level
        assert abs(level - limit / 24) < limit / 1_000
        assert full.filled(DAY_S).level == full.capacity == limit * CAPACITY_SHARE


@given(st.floats(0.001, 1), st.floats(0, 1), st.floats(0.0001, 0.5))
def test_money_lowers_a_probability_never_below_its_floor_but_to_nothing(
    rate: float, scale: float, least: float
) -> None:
    """It is the wanted one or less, at least the floor, or exactly 0 where not even the floor can be paid."""
    found = allowed(rate, scale, least)
    assert found <= rate
    assert found == 0 or found >= min(least, rate) * (1 - 1e-9)


@given(st.integers(1, 10**15), st.integers(1, 10**12), st.integers(0, 10**12))
def test_what_cannot_be_paid_is_not_chosen(limit: int, cost: int, spent_before: int) -> None:
    """The scale is 0 exactly where less is left than a sample costs, and never falls as more is left."""
    bucket = full_bucket(limit).less(spent_before)
    assert (bucket.scale(cost) == 0) is (bucket.level < cost)
    assert bucket.scale(cost) <= bucket.less(-1_000).scale(cost)
