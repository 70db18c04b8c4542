"""The demo: replays traffic whose truth is known, and sets the measured rate beside it."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

TRAFFIC = Path(__file__).resolve().parent.parent / "golden_sets" / "demo" / "traffic"
POLICY = TRAFFIC.parent / "policy.toml"
MADE_UP = frozenset({"contradicted", "unsupported"})
BATCH = 100
POLL_S = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoPair:
    """One submission with its truth."""

    id: str
    release: str
    made_up: bool  # whether any claim is contradicted or unsupported
    body: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseResult:
    """What was measured of one release, beside the truth."""

    release: str
    responses: int
    made_up: int
    rate: float | None
    low: float | None
    high: float | None
    scored: int


def read_pairs(folder: Path = TRAFFIC) -> list[DemoPair]:
    """The demo's pairs, those of the releases one after the other."""
    pairs = [pair for file in sorted(folder.glob("*.json")) for pair in _pairs_of(file)]
    return sorted(pairs, key=lambda pair: (pair.release, pair.id))


def _pairs_of(file: Path) -> Iterator[DemoPair]:
    content = json.loads(file.read_text(encoding="utf-8"))
    documents = {document["id"]: document for document in content["documents"]}
    for pair in content["pairs"]:
        yield DemoPair(
            id=pair["id"],
            release=pair["release"],
            made_up=any(claim["truth"] in MADE_UP for claim in pair["claims"]),
            body={
                "question": pair["question"],
                "contexts": [{"id": name, "text": documents[name]["text"]} for name in pair["documents"]],
                "response": " ".join(claim["text"] for claim in pair["claims"]),
                "release": pair["release"],
                "route": content["domain"],
            },
        )


def replay(
    client: httpx.Client, pairs: Sequence[DemoPair], console: Console, meanwhile: Callable[[], None]
) -> list[ReleaseResult]:
    """Posts the pairs, waits until none is pending, and reads the rate per release.

    `meanwhile` is called while it waits. Raises httpx.HTTPError.
    """
    run = f"demo-{uuid4().hex[:8]}"
    for group in _batches(pairs):
        items = [{**pair.body, "id": f"{run}-{pair.id}", "prompt_version": run} for pair in group]
        answer = client.post("/score/batch", json=items).raise_for_status().json()
        problems = [result["problem"] for result in answer["results"] if result["problem"]]
        if problems:
            raise httpx.HTTPError(f"{len(problems)} demo items were refused: {problems[0]['detail']}")
    buckets = _wait_until_scored(client, run, len(pairs), console, meanwhile)
    return [_result(release, pairs, buckets) for release in sorted({pair.release for pair in pairs})]


def _batches(pairs: Sequence[DemoPair]) -> Iterator[Sequence[DemoPair]]:
    """The pairs in batches that `POST /score/batch` takes."""
    for start in range(0, len(pairs), BATCH):
        yield pairs[start : start + BATCH]


def _wait_until_scored(
    client: httpx.Client, run: str, total: int, console: Console, meanwhile: Callable[[], None]
) -> list[dict[str, Any]]:
    columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("scoring", total=total)
        while True:
            query = {"window": "1h", "group_by": "release,prompt_version"}
            answer = client.get("/hallucination-rate", params=query).raise_for_status().json()
            buckets = [b for b in answer["buckets"] if b["group"]["prompt_version"] == run]
            pending = sum(b["counts"]["pending"] for b in buckets)
            progress.update(task, completed=total - pending)
            if buckets and pending == 0:
                return buckets
            meanwhile()
            time.sleep(POLL_S)


def _result(release: str, pairs: Sequence[DemoPair], buckets: Sequence[dict[str, Any]]) -> ReleaseResult:
    bucket = next(b for b in buckets if b["group"]["release"] == release)
    own = [pair for pair in pairs if pair.release == release]
    return ReleaseResult(
        release=release,
        responses=len(own),
        made_up=sum(pair.made_up for pair in own),
        rate=bucket["flagged"]["rate"],
        low=bucket["flagged"]["ci_low"],
        high=bucket["flagged"]["ci_high"],
        scored=bucket["counts"]["scored"],
    )


def summary(results: Sequence[ReleaseResult]) -> Table:
    """The table that a person compares."""
    table = Table(title="Flagged rate per release; truth: the share that makes something up")
    table.add_column("release")
    for name in ("responses", "scored", "flagged rate", "95% interval", "truth"):
        table.add_column(name, justify="right")
    for result in results:
        known = result.rate is not None and result.low is not None and result.high is not None
        table.add_row(
            result.release,
            str(result.responses),
            str(result.scored),
            f"{result.rate:.1%}" if known else "unknown",
            f"{result.low:.1%} to {result.high:.1%}" if known else "unknown",
            f"{result.made_up / result.responses:.1%}",
        )
    return table
