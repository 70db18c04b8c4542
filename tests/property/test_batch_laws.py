"""The laws of batches over HTTP, whatever is sent: one result per item in order, a bad item alone, counts that add up."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from service.app import create_app
from service.core.config import Settings
from service.core.db import Database, upgrade
from service.core.tables import rollup_deltas, samples
from tests.property.strategies import BODIES, JSON, SUBMISSIONS, TEXTS
from tests.servers import wait_for

GOOD = b'{"response": "The kettle is blue."}'
# Lines of NDJSON that someone will send: what of them is a submission is for the law to say.
LINES = st.one_of(
    SUBMISSIONS.map(lambda sent: json.dumps(sent).encode()),
    SUBMISSIONS.map(lambda sent: json.dumps(sent, ensure_ascii=False).encode()),
    SUBMISSIONS.map(lambda sent: json.dumps(sent)[:-1].encode()),  # torn
    BODIES,
    st.sampled_from(
        [
            b"\xef\xbb\xbf" + GOOD,  # a byte order mark
            GOOD.decode().encode("utf-16"),
            b'{"response": "caf\xe9"}',  # latin-1
            b'{"response": "a", "response": "b"}',
            b'{"response": "x", "latency_ms": 1e400}',
            b'{"response": "x", "latency_ms": ' + b"9" * 5_000 + b"}",
            b'{"response": "x", "usage": {"input_tokens": ' + b"9" * 400 + b"}}",
            b"[" * 3_000,
            b'{"a":' * 3_000,
            b'{"response": "\\ud800"}',
            b'{"\\udfff": "x"}',
            b'{"response": "\\u0000"}',
            b'{"response": "x\x00"}',
            b'{"response": "\xed\xa0\x80"}',  # a surrogate, encoded
            b'{"response": "x", "contexts": ["' + b'"' * 100 + b'"]}',
            '{"response": "a\u2028b\u2029c\u0085d\x7f"}'.encode(),
            b'{"response": "a\x0bb"}',
            b'{"response": "a\x0cb\x1cc\x1dd\x1ee"}',
            b"null",
            b"NaN",
            b"-",
            b'"',
            b"{}",
        ]
    ),
).filter(lambda line: b"\n" not in line and b"\r" not in line and bool(line.strip()))


@dataclass
class Site:
    """A sidecar, and what it has accepted so far."""

    client: TestClient
    database: Database
    sampled: set[str] = field(default_factory=set)
    sampled_out: int = 0
    duplicates: int = 0

    def post(self, body: bytes, media_type: str) -> list[dict[str, Any]]:
        """The results of a batch; remembers what was accepted."""
        answer = self.client.post("/score/batch", content=body, headers={"Content-Type": media_type})
        assert answer.status_code == 200, answer.text
        results = answer.json()["results"]
        for result in results:
            assert (result["decision"] is None) is (result["problem"] is not None) is (result["status"] != 202)
            self._remember(result)
        return list(results)

    def _remember(self, result: dict[str, Any]) -> None:
        if result["status"] != 202:
            assert result["status"] in {409, 422}
        elif result["decision"]["decision"] == "sampled_out":
            self.sampled_out += 1
        elif result["decision"]["id"] in self.sampled:
            self.duplicates += 1
        else:
            self.sampled.add(result["decision"]["id"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One sidecar for all examples; when they are over, rows and ledger are what was answered."""
    folder = tmp_path_factory.mktemp("batch")
    policy = folder / "policy.toml"
    policy.write_text("[sampling]\nrate = 0.5\n")
    url = f"sqlite:///{folder}/assay.db"
    database = Database(url)
    upgrade(database)
    app = create_app(
        Settings.model_validate(
            {
                "database_url": url,
                "redis_url": "redis://127.0.0.1:1/0",
                "policy_file": policy,
                "flush_interval_s": 0.05,
            }
        )
    )
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        made = Site(client, database)
        yield made
        wait_for(lambda: _ledger(database) == {"sampled_out": made.sampled_out, "duplicate": made.duplicates}, 5)
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(samples)).scalar_one() == len(made.sampled)
        assert set(connection.execute(select(samples.c.id)).scalars()) == made.sampled
    database.close()
    shutil.rmtree(folder)


def _ledger(database: Database) -> dict[str, int]:
    with database.read() as connection:
        rows = connection.execute(
            select(rollup_deltas.c.outcome, func.sum(rollup_deltas.c.number)).group_by(rollup_deltas.c.outcome)
        )
        return {"sampled_out": 0, "duplicate": 0} | {outcome: int(count) for outcome, count in rows}


FEW = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


@FEW
@given(st.lists(LINES, max_size=6), st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r"]), st.booleans())
def test_ndjson(site: Site, lines: list[bytes], end: bytes, last_ended: bool) -> None:  # noqa: FBT001 - drawn
    """One result a line in order, and a good line among bad ones is accepted."""
    mixed = [GOOD, *(part for line in lines for part in (line, GOOD))]
    results = site.post(end.join(mixed) + (end if last_ended else b""), "application/x-ndjson")
    assert len(results) == len(mixed)
    assert [result["status"] for result in results[::2]] == [202] * (len(lines) + 1)


@FEW
@given(st.lists(st.one_of(SUBMISSIONS, JSON), max_size=6))
def test_array(site: Site, items: list[Any]) -> None:
    """One result an item in order, and a good item among bad ones is accepted."""
    mixed = [{"response": "x"}, *(part for item in items for part in (item, {"response": "x"}))]
    body = json.dumps(mixed)
    results = site.post(body.encode(), "application/json")
    assert len(results) == len(mixed)
    assert [result["status"] for result in results[::2]] == [202] * (len(items) + 1)


@FEW
@given(st.lists(st.tuples(st.integers(0, 3), TEXTS), min_size=2, max_size=8))
def test_an_id_sent_again(site: Site, sent: list[tuple[int, str]]) -> None:
    """Within one batch the first body of a sampled id is stored; the same again is the same answer, another a conflict."""
    prefix = f"b{len(site.sampled)}-{site.sampled_out}-{site.duplicates}"
    items = [{"id": f"{prefix}-{number}", "response": text} for number, text in sent]
    results = site.post(json.dumps(items).encode(), "application/json")
    first: dict[str, str] = {}
    for item, result in zip(items, results, strict=True):
        same = first.setdefault(item["id"], item["response"]) == item["response"]
        unsampled = result["status"] == 202 and result["decision"]["decision"] == "sampled_out"
        assert unsampled or result["status"] == (202 if same else 409)


@pytest.mark.parametrize("bad", [b'{"response": "\\ud800"}', b'{"response": "\xff"}', b'{"response": 1e400}'])
@pytest.mark.parametrize("start", [b"", b" \r\n\t"])
def test_an_item_of_an_array_that_is_no_text(site: Site, bad: bytes, start: bytes) -> None:
    """A lone surrogate, or bytes that are no UTF-8, cost only the item that holds them, in an array too."""
    body = start + b"[" + b", ".join([GOOD, bad, GOOD]) + b"]"
    assert [result["status"] for result in site.post(body, "application/json")] == [202, 422, 202]


@pytest.mark.parametrize(
    "body",
    [
        b"[",
        b"[1,",
        b"]",
        b"[1,,2]",
        b"[1] [2]",
        b"[{]}",
        b'["\xff]',
        b'["' + b'\\"' * 100_000,
        b"\xef\xbb\xbf[]",
        b"[" * 100_000,
        b"{}",
        b"",
        b"1e999999",
    ],
)
def test_what_is_no_array_is_refused_whole(site: Site, body: bytes) -> None:
    """A document that is no array has no items to answer for."""
    assert site.client.post("/score/batch", content=body).status_code == 422


def test_a_thousand_and_one(site: Site) -> None:
    """One item too many, and none is counted; a thousand are answered one by one."""
    headers = {"Content-Type": "application/x-ndjson"}
    assert site.client.post("/score/batch", content=b"\n".join([GOOD] * 1_001), headers=headers).status_code == 413
    assert len(site.post(b"\n".join([GOOD] * 1_000), "application/x-ndjson")) == 1_000
