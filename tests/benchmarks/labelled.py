"""Posts labelled rows to a running sidecar and says how far its verdicts agree with the labels.

    python -m tests.benchmarks.labelled FILE.jsonl.gz --rows 300 --base http://127.0.0.1:8000

Rows: {premise, hypothesis, label, question?}; `supported` and `entailment` are clean, every other label is not. The
sidecar's policy must sample everything.
"""

import argparse
import gzip
import json
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

CLEAN = {"supported", "entailment"}


def main() -> None:
    """Posts, waits, compares, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--base", default="http://127.0.0.1:8000")
    options = parser.parse_args()
    with gzip.open(options.file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, options.rows)]
    with httpx.Client(base_url=options.base, timeout=60) as client:
        sys.stdout.write(_measure(client, rows, f"run-{uuid4().hex[:8]}"))


def _measure(client: httpx.Client, rows: list[dict[str, Any]], run: str) -> str:
    started = time.perf_counter()
    items = [
        {"id": f"{run}-{i}", "release": run, "contexts": [row["premise"]], "response": row["hypothesis"]}
        | ({"question": row["question"]} if row.get("question") else {})
        for i, row in enumerate(rows)
    ]
    for start in range(0, len(items), 100):
        answer = client.post("/score/batch", json=items[start : start + 100]).raise_for_status().json()
        decisions = Counter(r["decision"]["decision"] if r["decision"] else r["status"] for r in answer["results"])
        if set(decisions) != {"sampled"}:
            sys.exit(f"not every row was sampled: {dict(decisions)}")
    bucket = _finished(client, run)
    seconds = time.perf_counter() - started
    samples = [client.get(f"/score/{item['id']}").raise_for_status().json() for item in items]
    return json.dumps(_figures(rows, samples, bucket, seconds), indent=1) + "\n"


def _finished(client: httpx.Client, run: str) -> dict[str, Any]:
    while True:
        query = {"window": "6h", "group_by": "release"}
        buckets = client.get("/hallucination-rate", params=query).raise_for_status().json()["buckets"]
        own: list[dict[str, Any]] = [b for b in buckets if b["group"]["release"] == run]
        if own and own[0]["counts"]["pending"] == 0:
            return own[0]
        time.sleep(0.25)


def _figures(
    rows: list[dict[str, Any]], samples: list[dict[str, Any]], bucket: dict[str, Any], seconds: float
) -> dict[str, Any]:
    scored = [
        (row["label"] not in CLEAN, sample) for row, sample in zip(rows, samples, strict=True) if sample["scores"]
    ]
    bad = [sample for is_bad, sample in scored if is_bad]
    clean = [sample for is_bad, sample in scored if not is_bad]
    return {
        "responses": len(rows),
        "states": Counter(sample["status"] for sample in samples),
        "flagged": bucket["flagged"],
        "threshold": scored[0][1]["threshold"],
        "labels_not_supported": len(bad) / len(scored),
        "agreement": sum(sample["flagged"] == is_bad for is_bad, sample in scored) / len(scored),
        "agreement_at_0.5": sum((sample["score"] >= 0.5) == is_bad for is_bad, sample in scored) / len(scored),
        "sensitivity": sum(sample["flagged"] for sample in bad) / max(len(bad), 1),
        "specificity": sum(not sample["flagged"] for sample in clean) / max(len(clean), 1),
        "pairs": sum(sample["scores"][-1]["pairs"] for _, sample in scored),
        "responses_per_s": round(len(rows) / seconds, 2),
    }


if __name__ == "__main__":
    main()
