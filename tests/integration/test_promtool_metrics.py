"""`/metrics` as Prometheus' own checker reads it: correct text, names and units by its rules."""

import re

import pytest
from prometheus_client import generate_latest
from sqlalchemy import select

from service.collectors.names import GAUGES
from service.core.clock import utc_now
from service.core.db import Database
from service.core.metrics import WorkerMetrics
from service.core.review_tables import Place, Reviewer, Why
from service.core.store.circuits import Circuit, write_circuit
from service.core.store.reviews import NewReview, add_reviews
from service.core.store.spending import Call, open_call
from service.core.tables import samples
from tests.integration.conftest import Start
from tests.integration.probing import told_round
from tests.integration.support import LIMITS, ToldScorer, store
from tests.integration.test_metrics_of_tenants import contradicted, flagged_if_bad, naming, read, sample, score_all
from tests.promtool import complaints, promtool
from workers.pipeline import Pipeline
from workers.progress import Progress


def check(text: bytes) -> str:
    """What `promtool check metrics` says against it."""
    return complaints(promtool("check", "metrics", given=text))


def judging(database: Database) -> None:
    """A review that waits, a judge worker, a call."""
    now = utc_now()
    circuit = Circuit(endpoint='judge "h"', holder="w", state="open", reason="timed_out", since=now, seen_at=now)
    call = Call(review_seq=None, tenant="default", rule="default", purpose="judge", model="m", most_pico=10)
    with database.write() as connection:
        [seq, *_] = connection.execute(select(samples.c.seq)).scalars().all()
        review = NewReview(
            sample_seq=seq,
            tenant="default",
            reviewer=Reviewer.JUDGE,
            why=Why.BAND,
            probability=1.0,
            place=Place.REMOTE,
        )
        add_reviews(connection, [review], now)
        write_circuit(connection, circuit)
        open_call(connection, call, None, now)


def test_of_a_sidecar(start: Start, database: Database) -> None:
    """With every gauge but those that need labels, floors or a policy with rules, of names that are hard to write down."""
    store(database, sample("bad", release='a"b\\c\nd'), sample("good", release="größe"), sample("waits"))
    score_all(database, flagged_if_bad)
    store(database, sample("c", contexts=naming('"\\\n'), response="!"))
    score_all(database, contradicted)
    store(database, sample("pending"))
    judging(database)
    for worker in ("w1", "w2"):
        told_round(database, utc_now(), worker=worker)
    text = read(start())
    missing = {name for name in GAUGES if f"# TYPE {name} gauge\n" not in text}
    assert {name for name in missing if not re.search("hallucination|alert|slo|probe_floor", name)} == set()
    assert check(text.encode()) == ""


def test_of_a_worker(database: Database) -> None:
    """After it has scored, and before."""
    metrics = WorkerMetrics()
    assert check(generate_latest(metrics.registry)) == ""
    pipeline = Pipeline(database=database, scorer=ToldScorer(), limits=LIMITS, progress=Progress(None), metrics=metrics)
    store(database, sample("a"))
    assert pipeline.drain() == 1
    assert check(generate_latest(metrics.registry)) == ""


@pytest.mark.parametrize("wrong", [b"assay_things_total 1\nassay_things_total 2\n", b"# TYPE x counter\nx 1\n"])
def test_the_checker_checks(wrong: bytes) -> None:
    """One that found nothing would pass everything."""
    assert check(wrong) != ""
