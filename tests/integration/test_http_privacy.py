"""Privacy over HTTP: what a tenant's terms leave to be read, and removal on request."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from service.core.clock import utc_now
from service.core.config import Auth
from service.core.db import Database
from service.core.keys import Scope
from tests.integration.conftest import Running, Start
from tests.integration.support import finish_pending, new_sample, row_of, states, store, submission

KEY = SecretStr("0123456789abcdef0123456789abcdef")
ALL = "[sampling]\nrate = 1.0\n[privacy]\n"
MAIL = "anna@example.com"


def post(running: Running, sample_id: str, **changes: Any) -> int:
    return int(running.client.post("/score", json=submission(sample_id, **changes)).status_code)


def read(running: Running, sample_id: str) -> dict[str, Any]:
    answer = running.client.get(f"/score/{sample_id}")
    assert answer.status_code == 200
    return dict(answer.json())


def remove(running: Running, path: str, **query: str) -> dict[str, Any]:
    answer = running.client.delete(path, params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


class TestStoreText:
    def test_full(self, start: Start, database: Database) -> None:
        """The default shows the texts, and says that all is stored."""
        running = start(1.0)
        post(running, "a")
        finish_pending(database)
        sample = read(running, "a")
        assert sample["claims"][0]["text"] == "The"
        assert sample["text"] == {
            "stored": "full",
            "removed_by": None,
            "removed_at": None,
            "redacted": None,
            "digests": None,
        }

    def test_none(self, start: Start, database: Database) -> None:
        """Once scored, texts are null with the reason; spans, verdicts and numbers are there."""
        running = start(ALL + 'store_text = "none"')
        post(running, "a")
        assert read(running, "a")["text"]["stored"] == "full"  # the worker needs it
        finish_pending(database)
        sample = read(running, "a")
        assert (sample["status"], sample["score"]) == ("scored", 0.9)
        assert (sample["text"]["stored"], sample["text"]["removed_by"]) == ("none", "policy")
        claim = sample["claims"][1]
        assert (claim["text"], claim["start"], claim["end"], claim["verdict"]) == (None, 0, 3, "unsupported")
        assert claim["evidence"] == {"context_id": "0", "start": 4, "end": 10, "text": None}

    def test_hash(self, start: Start, database: Database) -> None:
        """`hash` shows a digest for each text instead."""
        running = start(ALL + 'store_text = "hash"', digest_key=KEY)
        post(running, "a")
        post(running, "b")
        finish_pending(database)
        first, second = read(running, "a")["text"], read(running, "b")["text"]
        assert first["stored"] == "hash"
        assert first["digests"] == second["digests"]
        assert first["digests"]["response"] == first["digests"]["contexts"][0]  # the same text
        assert len(first["digests"]["response"]) == 64

    @pytest.mark.parametrize("key", [None, KEY])
    def test_a_retry_is_still_known(self, start: Start, database: Database, key: SecretStr | None) -> None:
        """After the text is gone the same body gets the same answer; another body is a conflict if a key tells it."""
        running = start(ALL + 'store_text = "none"', digest_key=key)
        first = running.client.post("/score", json=submission("a")).json()
        finish_pending(database)
        again = running.client.post("/score", json=submission("a"))
        assert (again.status_code, again.json()) == (202, first)
        assert post(running, "a", response="Other.") == (202 if key is None else 409)
        assert row_of(database, "a").response is None

    def test_a_new_policy_changes_no_promise(self, start: Start, database: Database) -> None:
        """The mode in force at intake holds, whatever the policy says when the sample is finished."""
        post(start(ALL + 'store_text = "none"'), "a")
        running = start(1.0)
        finish_pending(database)
        assert read(running, "a")["text"]["stored"] == "none"

    def test_a_tenant(self, start: Start, database: Database, new_key: Callable[..., str]) -> None:
        """One tenant's terms hold for its samples alone."""
        acme = {"Authorization": f"Bearer {new_key(Scope.ADMIN, tenant='acme')}"}
        running = start(ALL + '[privacy.tenants.acme]\nstore_text = "none"')
        running.client.post("/score", json=submission("a"), headers=acme)
        post(running, "b")
        finish_pending(database)
        assert running.client.get("/score/a", headers=acme).json()["text"]["stored"] == "none"
        assert read(running, "b")["text"]["stored"] == "full"


def test_redaction_is_stored_and_told(start: Start, database: Database) -> None:
    """No value reaches the table; the answer counts places, and spans are those of the redacted text."""
    running = start(ALL + 'redact = ["email"]')
    post(running, "a", contexts=[f"Write to {MAIL}."], response=f"The {MAIL} it is.")
    finish_pending(database)
    row = row_of(database, "a")
    assert (row.response, row.contexts[0]["text"]) == ("The [EMAIL_1] it is.", "Write to [EMAIL_1].")
    assert read(running, "a")["text"]["redacted"] == {"email": 2}


def test_a_large_body_is_redacted_too(start: Start, database: Database) -> None:
    """Bodies that are read in a thread of their own go the same way."""
    running = start(ALL + 'redact = ["email"]')
    large = f"{'x ' * 200_000}{MAIL}"
    post(running, "a", contexts=[large])
    running.client.post("/score/batch", json=[submission("b", contexts=[large])])
    assert [row_of(database, name).contexts[0]["text"][-9:] for name in "ab"] == ["[EMAIL_1]"] * 2


class TestDelete:
    def test_one_sample(self, start: Start, database: Database) -> None:
        """Its text goes, its score stays; again is the same; an unknown id is 404."""
        running = start(1.0)
        post(running, "a/b")
        finish_pending(database)
        nothing = {"samples": 0, "texts_removed": 0, "ended": 0, "comments_removed": 0, "complete": True}
        assert remove(running, "/samples/a%2Fb") == nothing | {"samples": 1, "texts_removed": 1}
        assert remove(running, "/samples/a%2Fb") == nothing
        sample = read(running, "a%2Fb")
        assert (sample["score"], sample["claims"][0]["text"]) == (0.9, None)
        assert (sample["text"]["stored"], sample["text"]["removed_by"]) == ("none", "request")
        assert running.client.delete("/samples/nobody").json()["code"] == "sample_unknown"
        assert running.client.delete("/samples/%00").status_code == 404

    def test_a_pending_sample_is_never_scored(self, start: Start, database: Database) -> None:
        """It ends as unscored(erased), and a retry does not bring it back."""
        running = start(1.0)
        post(running, "a")
        assert remove(running, "/samples/a")["ended"] == 1
        assert post(running, "a") == 202
        finish_pending(database)
        assert states(database) == {"a": ("unscored", "erased")}
        assert row_of(database, "a").response is None

    def test_rows(self, start: Start, database: Database) -> None:
        """With `rows` the id is gone too."""
        running = start(1.0)
        post(running, "a")
        finish_pending(database)
        assert remove(running, "/samples/a", rows="true")["samples"] == 1
        assert running.client.get("/score/a").status_code == 404
        assert running.client.get("/score/%231").status_code == 404
        assert running.client.delete("/samples/a").status_code == 404

    def test_by_age_session_and_all(self, start: Start, database: Database) -> None:
        """Each condition narrows; all=true is the whole tenant."""
        old = utc_now() - timedelta(days=31)
        store(
            database,
            new_sample("old", received_at=old),
            new_sample("mine", received_at=utc_now(), session_id="s1"),
            new_sample("old-mine", received_at=old, session_id="s1"),
            new_sample("other", received_at=utc_now()),
            new_sample("far", received_at=old, tenant="far"),
        )
        running = start(1.0)
        assert remove(running, "/samples", older_than="30d", session_id="s1")["samples"] == 1
        assert remove(running, "/samples", older_than="30d")["samples"] == 1
        assert remove(running, "/samples", session_id="s1")["samples"] == 1
        assert remove(running, "/samples", all="true")["samples"] == 1
        assert row_of(database, "far").response is not None

    def test_many_go_in_batches(self, start: Start, database: Database) -> None:
        """More than one transaction's worth goes in one request."""
        store(database, *[new_sample(f"s-{n}") for n in range(450)])
        assert remove(start(1.0), "/samples", all="true") == {
            "samples": 450,
            "texts_removed": 450,
            "ended": 450,
            "comments_removed": 0,
            "complete": True,
        }

    @pytest.mark.parametrize(
        "query",
        [
            {},
            {"all": "false"},
            {"all": "yes"},
            {"all": "true", "older_than": "1d"},
            {"all": "true", "rows": "1"},
            {"older_than": "soon"},
            {"older_than": "999999w"},
            {"older_then": "1d"},
            {"session_id": "\0"},
        ],
    )
    def test_a_doubtful_request_removes_nothing(self, start: Start, database: Database, query: dict[str, str]) -> None:
        """Without a clear condition, or with a mistyped one, nothing goes."""
        store(database, new_sample("a"))
        answer = start(1.0).client.delete("/samples", params=query)
        assert (answer.status_code, answer.json()["code"]) == (400, "query_invalid")
        assert row_of(database, "a").response is not None

    def test_it_needs_the_scope_admin(self, start: Start, database: Database, new_key: Callable[..., str]) -> None:
        """Whoever may only read or write samples may not remove them."""
        store(database, new_sample("a"))
        headers = {"Authorization": f"Bearer {new_key(Scope.INGEST, Scope.READ)}"}
        running = start(1.0, auth=Auth.REQUIRED)
        for path in ("/samples/a", "/samples?all=true"):
            assert running.client.delete(path, headers=headers).json()["code"] == "scope_missing"
            assert running.client.delete(path).status_code == 401
        assert row_of(database, "a").response is not None


class TestRawBytes:
    @pytest.fixture
    def database_url(self, make_url: Callable[[str], str], _upgraded_sqlite: Path) -> str:
        """SQLite only: the test reads its files."""
        url = make_url("sqlite")
        Path(url.removeprefix("sqlite:///")).write_bytes(_upgraded_sqlite.read_bytes())
        return url

    @pytest.mark.parametrize("size", [10, 3_000, 140_000])
    def test_removed_bytes_are_in_no_file(self, start: Start, database: Database, size: int) -> None:
        """After a removal no byte of the text is left in the database or its log, short or on pages of its own."""
        canary = b"CANARY-7f3a9"
        file = Path(database.engine.url.database or "")
        text = f"{canary.decode()} {'filler ' * (size // 7)} {canary.decode()}"
        running = start(ALL + "text_days = 30")
        for n in range(20):
            post(running, f"s-{n}", question=text, contexts=[text], response=text, samples=[text])
        finish_pending(database)
        assert any(canary in part.read_bytes() for part in _files(file))
        assert remove(running, "/samples", all="true")["texts_removed"] == 20
        assert [part.name for part in _files(file) if canary in part.read_bytes()] == []


def _files(file: Path) -> list[Path]:
    return [part for part in file.parent.iterdir() if part.name.startswith(file.name)]
