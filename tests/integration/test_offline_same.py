"""One truth by two ways: a row of `assay score` is what the API says of the same submission."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.fake import FakeScorer
from service.core.db import Database
from service.core.metrics import WorkerMetrics
from tests.integration.conftest import Start
from tests.integration.support import LIMITS
from tests.unit.workers.offline.support import answers, scored
from workers.offline.answer import NEXT_STEP
from workers.pipeline import Pipeline
from workers.progress import Progress

ROWS: list[dict[str, Any]] = [
    {
        "id": "a",
        "question": "Which?",
        "contexts": ["The kettle is red."],
        "response": "The kettle is red. Whales sing.",
    },
    {"id": "b", "contexts": [{"id": "0", "text": " Tea. "}, "More tea 🫖."], "response": "More tea 🫖 for whales!"},
    {"id": "f", "response": "Whales sing. Tea is hot.", "samples": ["Whales sing.", "Tea is cold.", "Whales sing."]},
    {"id": "c", "response": "Nothing to hold it against."},
    {"id": "d", "contexts": ["Tea."], "response": "[[fake:nan]] The tea."},
    {"id": "e", "context": "Tea.", "answer": "I cannot help with that.", "latency_ms": 3.5, "tags": {"a": "b"}},
]
UNKNOWN_OFFLINE = dict.fromkeys(("received_at", "finished_at", "decision", "text", "combined_reason"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["id"]))
def test_a_row_is_the_sample(start: Start, database: Database, tmp_path: Path, row: dict[str, Any]) -> None:
    """Posted and scored by a worker, or scored from a file: the same answer but for times and decision."""
    client = start().client
    assert client.post("/score", json=row).status_code == 202
    limits, progress = LIMITS, Progress(None)
    worker = Pipeline(database=database, scorer=FakeScorer(), limits=limits, progress=progress, metrics=WorkerMetrics())
    worker.drain()
    sample = client.get(f"/score/{row['id']}").json()
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    file.write_text(json.dumps(row) + "\n")
    scored(file, out)
    (offline,) = answers(out)
    for score in sample["scores"]:
        score["created_at"] = None
    for review in sample["reviews"]:
        review["created_at"] = review["finished_at"] = None
    assert offline == sample | UNKNOWN_OFFLINE


def test_a_bad_row_has_the_batch_endpoint_s_problem(start: Start, tmp_path: Path) -> None:
    """The problem of an error row is that of the same item in a batch, but for what to do next: nothing is sent here."""
    row = {"id": "a", "contexts": [1], "response": "x"}
    item = start().client.post("/score/batch", json=[row]).json()["results"][0]
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    file.write_text(json.dumps(row) + "\n")
    scored(file, out)
    (offline,) = answers(out)
    assert offline == {"id": "a", "line": 1, "problem": item["problem"] | {"next_step": NEXT_STEP}}
