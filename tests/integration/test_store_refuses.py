"""A database that answers and takes no writes: full, read-only, forbidden; and one that two sidecars share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from service.core.db import Database
from tests.integration.conftest import Start, _empty
from tests.integration.support import id_at, in_threads, states, submission
from tests.servers import wait_for

REFUSALS = {"53100": "no room", "25006": "read-only", "42501": "forbids"}


@contextmanager
def refusing(database: Database, state: str) -> Iterator[None]:
    """PostgreSQL raises this SQLSTATE itself at each insert."""
    with database.write() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{state}'; END $$"
        )
        for table in ("samples", "rollup_deltas", "leases"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
    try:
        yield
    finally:
        with database.write() as connection:
            connection.exec_driver_sql("DROP FUNCTION refuse() CASCADE")


class TestPostgres:
    @pytest.fixture
    def database_url(self, _upgraded_postgres: str) -> str:
        _empty(_upgraded_postgres)
        return _upgraded_postgres

    @pytest.mark.parametrize("state", REFUSALS)
    def test_it_is_said_and_overcome(self, start: Start, database: Database, state: str) -> None:
        """Samples are 503 with the reason, readyz turns, what is left out is counted; then all goes on by itself."""
        client = start(0.5).client
        chosen = id_at(0.5, inside=True, prefix=state)
        left_out = id_at(0.5, inside=False, prefix=state)
        with refusing(database, state):
            answer = client.post("/score", json=submission(chosen))
            assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
            assert REFUSALS[state] in answer.json()["detail"]
            assert client.post("/score", json=submission(left_out)).status_code == 202
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["database"]) == (503, "refuses_writes")
            assert client.get("/hallucination-rate").status_code == 200
        assert client.post("/score", json=submission(chosen)).status_code == 202
        wait_for(lambda: client.get("/readyz").status_code == 200)
        assert chosen in states(database)

        def sampled_out() -> int:
            return sum(b["counts"]["sampled_out"] for b in client.get("/hallucination-rate").json()["buckets"])

        wait_for(lambda: sampled_out() >= 1)


class TestShared:
    @pytest.fixture
    def database_url(self, make_url: Callable[[str], str]) -> str:
        return make_url("sqlite")

    def test_two_sidecars_on_one_file_lose_nothing(self, start: Start, database: Database) -> None:
        """It is slower and not meant to be; yet each sample is stored once, and all counts are kept."""
        clients = [start(0.5).client, start(0.5).client]
        names = [f"s-{n}" for n in range(60)]

        def send(number: int) -> None:
            for name in names:
                assert clients[number % 2].post("/score", json=submission(name)).status_code == 202

        in_threads(4, send)
        sampled = set(states(database))

        def counts() -> tuple[int, int]:
            (bucket,) = clients[0].get("/hallucination-rate").json()["buckets"]
            return bucket["counts"]["sampled_out"], bucket["counts"]["duplicate"]

        wait_for(lambda: counts() == (4 * (60 - len(sampled)), 3 * len(sampled)))
