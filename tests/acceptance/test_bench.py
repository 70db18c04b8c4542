"""`assay bench`, quickly: the commands run end to end, and what they write is a document."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect

from service.core.db import Database, upgrade
from tests.checkpoints import NLI, save_checkpoint
from tests.servers import Installation

pytestmark = pytest.mark.acceptance


def test_the_benches_write_a_document(tmp_path: Path, make_url: Callable[[str], str]) -> None:
    """All benches measure every part, and the report has a section for each."""
    assay = Installation(environment={}).assay
    ingest, queue, scoring, doc = (
        str(tmp_path / name) for name in ("ingest.json", "queue.json", "scoring.json", "performance.md")
    )
    checkpoint = str(save_checkpoint(tmp_path / "checkpoint", "bert", NLI))
    url = make_url("postgresql")
    for arguments in (
        ("bench", "ingest", "--quick", "--json", ingest),
        ("bench", "queue", "--quick", "--json", queue, "--database", url),
        ("bench", "scoring", "--quick", "--json", scoring, "--checkpoint", checkpoint),
        ("bench", "report", "--ingest", ingest, "--queue", queue, "--scoring", scoring, "--doc", doc),
    ):
        done = assay(*arguments)
        assert done.returncode == 0, done.stderr
    measured = json.loads(Path(ingest).read_text())
    assert measured["assay_per_s"]["median"] > 0
    assert set(measured["decisions"]) == {"sampled", "sampled_out"}
    stores = json.loads(Path(queue).read_text())["stores"]
    assert [store["store"].split()[0] for store in stores] == ["SQLite", "PostgreSQL"]
    assert all(level["per_sample_ms"]["median"] > 0 for store in stores for level in store["growth"])
    assert [crowd["workers"] for crowd in stores[1]["crowds"]] == [1, 2]
    scored = json.loads(Path(scoring).read_text())
    assert all(rate["assay_per_s"]["median"] > 0 and rate["reference_per_s"]["median"] > 0 for rate in scored["pairs"])
    same = scored["equality"]
    assert same["claims"] == same["verdicts"] == same["scores"] > 0
    assert 0 < scored["responses"]["pairs_needed"] < scored["responses"]["pairs"]
    text = Path(doc).read_text()
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Performance",
        "## Taking submissions",
        "## Between row and score",
        "## Scoring",
        "## Scaling",
    ]
    with closing(Database(url)) as database, database.read() as connection:
        assert inspect(connection).get_table_names() == []


def test_a_database_that_is_in_use_is_refused(tmp_path: Path, make_url: Callable[[str], str]) -> None:
    """The bench fills a database and empties it again; one that has tables is left alone."""
    url = make_url("postgresql")
    with closing(Database(url)) as database:
        upgrade(database)
    output = tmp_path / "queue.json"
    done = Installation(environment={}).assay("bench", "queue", "--quick", "--json", str(output), "--database", url)
    assert (done.returncode, output.exists()) == (2, False)
    assert "The database has tables" in done.stderr


def test_the_rates_bench(tmp_path: Path, make_url: Callable[[str], str]) -> None:
    """It builds both databases, folds, asks and writes what it found."""
    result, doc = tmp_path / "rates.json", tmp_path / "rates.md"
    arguments = ("--quick", "--json", str(result), "--doc", str(doc), "--database", make_url("postgresql"))
    done = Installation(environment={}).assay("bench", "rates", *arguments)
    assert done.returncode == 0, done.stderr
    costs = json.loads(result.read_text())["costs"]
    assert [(cost["store"], cost["stored"]) for cost in costs] == [
        ("sqlite", 2_000),
        ("sqlite", 4_000),
        ("postgresql", 2_000),
        ("postgresql", 4_000),
    ]
    assert all(query["buckets"] > 0 for cost in costs for query in cost["queries"])
    assert "PostgreSQL" in doc.read_text() or "postgresql" in doc.read_text()
