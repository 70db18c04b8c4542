"""Who may ask for what: hosts where keys are optional, keys and scopes and tenants where they are required."""

import threading
from collections.abc import Callable

import pytest

from service.core.clock import utc_now
from service.core.config import Auth
from service.core.db import Database
from service.core.errors import StartRefusedError
from service.core.keys import Scope
from service.core.store.keys import revoke_key
from tests.integration.conftest import Running, Start
from tests.integration.support import row_of, states, submission
from tests.servers import wait_for

REQUIRED = {"auth": Auth.REQUIRED}
NewKey = Callable[..., str]


@pytest.fixture
def database_url(make_url: Callable[[str], str]) -> str:
    return make_url("sqlite")  # keys are held in memory: only test_store_keys.py needs both databases


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


class TestOptional:
    def test_no_key_is_needed_on_loopback(self, start: Start, database: Database) -> None:
        """Without keys everything belongs to the tenant `default`."""
        assert start().client.post("/score", json=submission("a")).status_code == 202
        assert row_of(database, "a").tenant == "default"

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""])
    def test_a_foreign_host_is_refused(self, start: Start, database: Database, host: str) -> None:
        """A web page that rebinds its name to loopback reaches nothing."""
        answer = start().client.post("/score", json=submission("a"), headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (403, "host_refused")
        assert states(database) == {}

    def test_a_test_clients_name_is_foreign(self, start: Start) -> None:
        """The name that test clients send by default is a name like any other: only loopback is answered."""
        assert start().client.get("/healthz", headers={"Host": "testserver"}).status_code == 403

    @pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST", "localhost:8000", "[::1]", "[::1]:8000"])
    def test_loopback_names_are_answered(self, start: Start, host: str) -> None:
        """Every way to write loopback, with and without a port."""
        assert start().client.get("/healthz", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example:80"])
    def test_a_foreign_origin_is_refused(self, start: Start, origin: str) -> None:
        """A page of another origin cannot post, even by the right host."""
        answer = start().client.post("/score", json=submission("a"), headers={"Origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "host_refused")

    def test_an_own_origin_is_answered(self, start: Start) -> None:
        """A page served from loopback may ask."""
        headers = {"Origin": "http://localhost:3000"}
        assert start().client.post("/score", json=submission("a"), headers=headers).status_code == 202

    def test_allowed_hosts_can_be_named(self, start: Start) -> None:
        """A name in the setting is answered, and only those."""
        client = start(allowed_hosts="assay.internal").client
        assert client.get("/healthz", headers={"Host": "assay.internal:8000"}).status_code == 200
        assert client.get("/healthz").status_code == 403

    def test_a_wrong_key_is_refused(self, start: Start) -> None:
        """A key that is sent is checked: a mistake does not pass as nobody."""
        assert start().client.get("/hallucination-rate", headers=bearer("assay_x")).status_code == 401

    def test_a_key_that_is_sent_decides(self, start: Start, database: Database, new_key: NewKey) -> None:
        """A key brings its tenant and is held to its scopes, though none is needed."""
        key = new_key(Scope.INGEST, tenant="acme")
        client = start().client
        assert client.post("/score", json=submission("a"), headers=bearer(key)).status_code == 202
        assert row_of(database, "a").tenant == "acme"
        assert client.get("/score/a", headers=bearer(key)).status_code == 403


class TestRequired:
    def test_without_a_key_nothing_is_answered(self, start: Start, database: Database, new_key: NewKey) -> None:
        """Every route but the probes is 401 and says how to send a key."""
        new_key(Scope.ADMIN)
        client = start(**REQUIRED).client
        for method, path in [
            ("POST", "/score"),
            ("POST", "/score/batch"),
            ("GET", "/score/a"),
            ("GET", "/hallucination-rate"),
            ("GET", "/metrics"),
        ]:
            answer = client.request(method, path, json=submission("a") if method == "POST" else None)
            assert (answer.status_code, answer.json()["code"]) == (401, "key_missing"), path
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert states(database) == {}

    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    def test_probes_need_no_key(self, start: Start, new_key: NewKey, path: str) -> None:
        """Who asks whether it lives holds no secret."""
        new_key(Scope.ADMIN)
        assert start(**REQUIRED).client.get(path).status_code == 200

    def test_metrics_can_be_opened(self, start: Start, new_key: NewKey) -> None:
        """Where the network is trusted, a setting opens /metrics alone."""
        new_key(Scope.ADMIN)
        client = start(metrics_open=True, **REQUIRED).client
        assert client.get("/metrics").status_code == 200
        assert client.get("/hallucination-rate").status_code == 401

    @pytest.mark.parametrize(
        ("scope", "post", "get", "metrics"),
        [(Scope.INGEST, 202, 403, 403), (Scope.READ, 403, 200, 200), (Scope.ADMIN, 202, 200, 200)],
    )
    def test_a_scope_opens_its_routes(
        self, start: Start, new_key: NewKey, scope: Scope, post: int, get: int, metrics: int
    ) -> None:
        """`ingest` writes, `read` reads, `admin` does both."""
        headers = bearer(new_key(scope))
        client = start(**REQUIRED).client
        assert client.post("/score", json=submission("a"), headers=headers).status_code == post
        assert client.post("/score/batch", json=[], headers=headers).status_code in {post, 200 if post == 202 else post}
        assert client.get("/hallucination-rate", headers=headers).status_code == get
        assert client.get("/metrics", headers=headers).status_code == metrics

    @pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "Bearer x", "Bearer assay_000000000000_" + "x" * 43])
    def test_what_is_no_valid_key_is_refused(self, start: Start, new_key: NewKey, value: str) -> None:
        """A header without a known key is 401."""
        new_key(Scope.ADMIN)
        answer = start(**REQUIRED).client.get("/hallucination-rate", headers={"Authorization": value})
        assert (answer.status_code, answer.json()["code"]) == (401, "key_unknown")

    def test_a_wrong_secret_is_refused(self, start: Start, new_key: NewKey) -> None:
        """The id of a key opens nothing without its secret."""
        key = new_key(Scope.ADMIN)
        wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
        assert start(**REQUIRED).client.get("/hallucination-rate", headers=bearer(wrong)).status_code == 401

    def test_any_host_may_be_named(self, start: Start, new_key: NewKey) -> None:
        """A web page holds no key; so where keys are required the Host header decides nothing."""
        headers = bearer(new_key(Scope.READ)) | {"Host": "assay.example"}
        assert start(**REQUIRED).client.get("/hallucination-rate", headers=headers).status_code == 200

    def test_beyond_loopback_keys_are_required(self, start: Start, new_key: NewKey) -> None:
        """Another address than loopback needs keys, whatever the setting says."""
        new_key(Scope.ADMIN)
        assert start(host="0.0.0.0").client.get("/hallucination-rate").status_code == 401

    @pytest.mark.parametrize("settings", [REQUIRED, {"host": "0.0.0.0"}])
    def test_without_any_key_the_start_is_refused(self, start: Start, settings: dict[str, object]) -> None:
        """A sidecar that nobody could use says how to make a key."""
        with pytest.raises(StartRefusedError, match="assay keys create"):
            start(**settings)

    def test_a_refused_start_leaves_nothing_running(self, start: Start) -> None:
        """Whoever starts a sidecar inside a program of their own gets back what was begun: no thread goes on."""
        before = set(threading.enumerate())
        with pytest.raises(StartRefusedError):
            start(**REQUIRED)
        left = set(threading.enumerate()) - before
        assert [thread.name for thread in left if thread.is_alive()] == []

    def test_revoked_keys_are_none(self, start: Start, database: Database, new_key: NewKey) -> None:
        """A start with nothing but revoked keys is refused as well."""
        key = new_key(Scope.ADMIN)
        with database.write() as connection:
            revoke_key(connection, key.split("_")[1], utc_now())
        with pytest.raises(StartRefusedError):
            start(**REQUIRED)


class TestTenants:
    @pytest.fixture
    def running(self, start: Start, new_key: NewKey) -> tuple[Running, dict[str, str], dict[str, str]]:
        one, two = new_key(Scope.ADMIN, tenant="one"), new_key(Scope.ADMIN, tenant="two")
        running = start(**REQUIRED)
        assert running.client.post("/score", json=submission("a"), headers=bearer(one)).status_code == 202
        return running, bearer(one), bearer(two)

    def test_a_sample_is_its_tenants(self, running: tuple[Running, dict[str, str], dict[str, str]]) -> None:
        """Another tenant's sample is not found, even by an admin key."""
        sidecar, one, two = running
        assert sidecar.client.get("/score/a", headers=one).status_code == 200
        assert sidecar.client.get("/score/a", headers=two).status_code == 404

    def test_a_rate_is_its_tenants(self, running: tuple[Running, dict[str, str], dict[str, str]]) -> None:
        """Another tenant's submissions are in no bucket."""
        sidecar, one, two = running
        assert len(sidecar.client.get("/hallucination-rate", headers=one).json()["buckets"]) == 1
        assert sidecar.client.get("/hallucination-rate", headers=two).json()["buckets"] == []

    def test_an_id_is_its_tenants(self, running: tuple[Running, dict[str, str], dict[str, str]]) -> None:
        """Two tenants may use one id for two submissions."""
        sidecar, _, two = running
        body = submission("a", response="It is red.")
        assert sidecar.client.post("/score", json=body, headers=two).status_code == 202
        assert sidecar.client.get("/score/a", headers=two).status_code == 200


class TestChanges:
    def test_a_revoked_key_stops_working(self, start: Start, database: Database, new_key: NewKey) -> None:
        """At the next look at the keys, a few seconds later, a revoked key is unknown."""
        headers = bearer(new_key(Scope.READ))
        new_key(Scope.ADMIN)
        running = start(**REQUIRED)
        assert running.client.get("/hallucination-rate", headers=headers).status_code == 200
        with database.write() as connection:
            revoke_key(connection, headers["Authorization"].split("_")[1], utc_now())
        running.sidecar.access.read_again()
        assert running.client.get("/hallucination-rate", headers=headers).status_code == 401

    @pytest.mark.timed
    def test_a_new_key_works_without_a_restart(self, start: Start, new_key: NewKey) -> None:
        """An unknown key causes a look at the table, at most once a second."""
        new_key(Scope.ADMIN)
        client = start(**REQUIRED).client
        headers = bearer(new_key(Scope.READ))
        wait_for(lambda: client.get("/hallucination-rate", headers=headers).status_code == 200, seconds=3)
