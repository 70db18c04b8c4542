"""What the tests of labels and feedback share: scored samples, and what people say of them over HTTP."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from models.types import Outcome
from service.core.clock import utc_now
from service.core.db import Database
from service.core.label_tables import labels
from service.sampling import label_key
from tests.integration.support import BY, finish_pending, new_sample, scored, store

NOW = utc_now().replace(second=0, microsecond=0) - timedelta(minutes=2)  # long enough ago to be drawn


def fill(database: Database, count: int, prefix: str = "s", **changes: Any) -> list[str]:
    """So many scored samples of today, every fifth flagged."""
    rows = [
        new_sample(
            f"{prefix}-{n}",
            **{"received_at": NOW, "label_key": label_key(f"{prefix}-{n}", "default", "", NOW)} | changes,
        )
        for n in range(count)
    ]
    outcomes = {row.response: outcome(n) for n, row in enumerate(rows)}
    store(database, *rows)
    finish_pending(database, lambda row: outcomes[row.response], BY)
    return [row.id for row in rows]


def outcome(n: int) -> Outcome:
    return scored(0.9) if n % 5 == 0 else scored(0.1 + (n % 7) / 100, flagged=False)


def two_claims() -> Outcome:
    """A score of two claims, each a stretch of its own."""
    found = scored(0.2, flagged=False)
    greeting, one, two = found.claims
    return replace(found, claims=(greeting, one, replace(two, start=4, end=10)))


def post(running: Any, *said: dict[str, Any]) -> Any:
    return running.client.post("/labels", json={"labels": list(said)})


def label(sample_id: str, verdict: str = "faithful", **more: Any) -> dict[str, Any]:
    return {"sample_id": sample_id, "annotator": "mira", "verdict": verdict} | more


def following(running: Any, annotator: str = "mira", **more: str) -> dict[str, Any] | None:
    answer = running.client.get("/labels/next", params={"annotator": annotator} | more)
    assert answer.status_code == 200, answer.text
    task: dict[str, Any] | None = answer.json()["task"]
    return task


def rate(running: Any, **more: str) -> dict[str, Any]:
    answer = running.client.get("/hallucination-rate", params=more)
    assert answer.status_code == 200, answer.text
    (bucket,) = answer.json()["buckets"]
    return dict(bucket) | {"left_out": answer.json()["labels"]}


def stored(database: Database) -> Sequence[Any]:
    with database.read() as connection:
        return connection.execute(select(labels).order_by(labels.c.seq)).all()
