"""What `/metrics` tells of tenants: rates as the API answers them, bounded, and to nobody else."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from models.types import Evidence, Scored, Verdict
from service.collectors import claims as claims_collector
from service.core.clock import utc_now
from service.core.db import Database
from service.core.keys import Scope
from service.core.store.rollups import fold
from service.core.store.scores import ScoredBy
from service.core.store.taking import Taken
from service.core.tables import rollup_deltas, samples
from service.scrape import Scrape
from tests.integration.conftest import Running, Start
from tests.integration.labelling import fill, following, label, post, rate
from tests.integration.support import finish_pending, new_sample, scored, store

Series = dict[str, float]
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def series(text: str, name: str, **labels: str) -> Series:
    """The series of a gauge with these labels among theirs, by its other labels."""
    found = {}
    for line in text.splitlines():
        if match := re.fullmatch(rf"{name}\{{(.*)\}} (\S+)", line):
            held = dict(LABEL.findall(match[1]))
            if labels.items() <= held.items():
                rest = [f"{key}={value}" for key, value in held.items() if key not in labels]
                found[",".join(sorted(rest))] = float(match[2])
    return found


def read(running: Running, **headers: str) -> str:
    """The text of a scrape, of what is there now."""
    running.sidecar.scrape._held.clear()
    answer = running.client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    return answer.text


def sample(name: str, **changes: Any) -> Any:
    """A sample of a minute ago."""
    return new_sample(name, **{"received_at": utc_now() - timedelta(minutes=1), "inclusion_probability": 1.0} | changes)


def flagged_if_bad(row: Taken) -> Scored:
    """A response with `bad` in its id is flagged."""
    bad = "bad" in row.response
    return scored(0.9 if bad else 0.1, flagged=bad)


def score_all(database: Database, answer: Any = flagged_if_bad, fingerprint: str = "f1") -> None:
    by = ScoredBy(scorer="told", fingerprint=fingerprint, attributes={})
    finish_pending(database, answer, by, utc_now())


def contradicted(row: Taken) -> Scored:
    """As many contradicted claims as the response has exclamation marks, all by its last context."""
    made = scored()
    index = len(row.contexts) - 1
    evidence = Evidence(context_id="", context_index=index, start=0, end=1, text="T")
    claim = replace(made.claims[1], verdict=Verdict.CONTRADICTED, evidence=evidence)
    return replace(made, claims=(made.claims[0], *[claim] * row.response.count("!")))


def naming(*ids: str) -> list[dict[str, Any]]:
    return [{"id": name, "text": "The kettle is blue.", "score": None} for name in ids]


class TestRates:
    def test_they_are_those_of_the_api(self, start: Start, database: Database) -> None:
        """By release and together, over an hour: what `GET /hallucination-rate` answers."""
        running = start()
        store(database, *[sample(f"{kind}-{n}", release="r1") for n in range(6) for kind in ("good", "bad")])
        store(database, *[sample(f"good-r2-{n}", release="r2") for n in range(9)], sample("bad", release="r2"))
        score_all(database)
        text = read(running)
        for release in ("r1", "r2"):
            query = {"window": "1h", "release": release}
            (bucket,) = running.client.get("/hallucination-rate", params=query).json()["buckets"]
            labels = {"tenant": "default", "release": release, "window": "1h"}
            wanted = {
                "assay_flagged_rate": bucket["flagged"]["rate"],
                "assay_flagged_rate_low": bucket["flagged"]["ci_low"],
                "assay_flagged_rate_high": bucket["flagged"]["ci_high"],
                "assay_flagged_rate_bound_low": bucket["bound_low"],
                "assay_flagged_rate_bound_high": bucket["bound_high"],
                "assay_effective_n": bucket["effective_n"],
            }
            assert {name: series(text, name, **labels)[""] for name in wanted} == pytest.approx(wanted)
        (whole,) = running.client.get("/hallucination-rate", params={"window": "1h"}).json()["buckets"]
        labels = {"tenant": "default", "window": "1h"}
        assert series(text, "assay_overall_flagged_rate", **labels)[""] == pytest.approx(whole["flagged"]["rate"])
        assert series(text, "assay_overall_flagged_rate_low", **labels)[""] == pytest.approx(whole["flagged"]["ci_low"])
        assert series(text, "assay_coverage", **labels) == {"": 1.0}
        assert series(text, "assay_rate_info", release="r1", window="1h") == {
            "clusters=respected,fingerprint=f1,tenant=default": 1.0
        }

    def test_windows(self, start: Start, database: Database) -> None:
        """What came two hours ago is in the long window alone."""
        store(database, sample("bad", received_at=utc_now() - timedelta(hours=2)), sample("good"))
        score_all(database)
        text = read(start())
        assert series(text, "assay_flagged_rate", tenant="default", release="") == {"window=1h": 0.0, "window=24h": 0.5}
        assert series(text, "assay_window_submissions", window="24h", outcome="scored") == {"tenant=default": 2.0}

    def test_what_is_unknown_is_absent(self, start: Start, database: Database) -> None:
        """Nothing scored, no labels: no rate, no NaN; the worst case and the counts are known."""
        store(database, sample("a"))
        text = read(start())
        assert "NaN" not in text
        assert series(text, "assay_flagged_rate") == {}
        assert series(text, "assay_coverage") == {}
        assert "assay_hallucination_rate" not in text
        assert series(text, "assay_overall_flagged_rate_bound_high", window="1h") == {"tenant=default": 1.0}
        assert series(text, "assay_window_submissions", window="1h", outcome="pending") == {"tenant=default": 1.0}

    def test_labels_give_a_hallucination_rate(self, start: Start, database: Database) -> None:
        """Where people have said enough: the API's rate with its interval, of the release and of all."""
        fill(database, 60, release="r1")
        running = start()
        while task := following(running):
            assert post(running, label(task["sample_id"])).is_success
        told = rate(running, window="24h")["hallucination"]
        text = read(running)
        for end, name in (("rate", ""), ("ci_low", "_low"), ("ci_high", "_high")):
            labels = {"tenant": "default", "window": "24h"}
            for prefix, more in (("assay_overall_", {}), ("assay_", {"release": "r1"})):
                found = series(text, f"{prefix}hallucination_rate{name}", **labels, **more)
                assert found[""] == pytest.approx(told[end])

    def test_no_traffic_is_known(self, start: Start) -> None:
        """Where nothing came the counts are zero, and there is no rate."""
        text = read(start())
        assert set(series(text, "assay_window_submissions", tenant="default").values()) == {0.0}
        assert "assay_overall_flagged_rate" not in text

    def test_the_scorer_that_scored_most(self, start: Start, database: Database) -> None:
        """Two scorers are never mixed."""
        store(database, sample("bad-1"), sample("good-1"))
        score_all(database, fingerprint="f2")
        store(database, sample("bad-2"))
        score_all(database, fingerprint="f1")
        text = read(start())
        assert series(text, "assay_flagged_rate", window="1h") == {"release=,tenant=default": 0.5}
        assert series(text, "assay_rate_info", window="1h") == {
            "clusters=respected,fingerprint=f2,release=,tenant=default": 1.0
        }
        assert series(text, "assay_window_claims", window="1h", verdict="unsupported") == {"tenant=default": 4.0}

    def test_releases_are_bounded(self, start: Start, database: Database) -> None:
        """The ten most frequent of the day, in both windows; the others are counted."""
        store(database, *[sample(f"good-{n}-{k}", release=f"r{n:02}") for n in range(13) for k in range(1 + n % 2)])
        score_all(database)
        text = read(start())
        kept = {f"release=r{n:02},tenant=default" for n in (1, 3, 5, 7, 9, 11, 0, 2, 4, 6)}
        assert set(series(text, "assay_flagged_rate", window="1h")) == kept
        assert set(series(text, "assay_flagged_rate", window="24h")) == kept
        assert series(text, "assay_metrics_left_out", kind="release") == {"": 3.0}

    def test_tenants_are_bounded(self, start: Start, database: Database, new_key: Any) -> None:
        """The twenty busiest; the others are counted, but not those that sent nothing."""
        names = [f"t{n:02}" for n in range(25)]
        for name in names:
            new_key(Scope.INGEST, tenant=name)
        store(database, *[sample(f"good-{n}", tenant=name) for name in names[2:] for n in range(1 + (name > "t15"))])
        score_all(database)
        with database.write() as connection:
            fold(connection, 1_000)
        text = read(start(metrics_open=True))
        found = {name.removeprefix("tenant=") for name in series(text, "assay_overall_flagged_rate", window="1h")}
        assert found == set(names[16:] + names[2:13])
        assert series(text, "assay_metrics_left_out", kind="tenant") == {"": 3.0}


class TestWhoSees:
    def test_a_key_shows_its_tenant_alone(self, start: Start, database: Database, new_key: Any) -> None:
        """Rates, releases and context ids of one tenant are no other's business."""
        keys = {tenant: new_key(Scope.READ, tenant=tenant) for tenant in ("a", "b")}
        rows = [
            sample(f"bad-{name}!", tenant=name, release=f"r-{name}", contexts=naming("0", f"doc-{name}"))
            for name in keys
        ]
        store(database, *rows)
        score_all(database, contradicted)
        running = start(auth="required")
        text = read(running, authorization=f"Bearer {keys['a']}")
        assert set(series(text, "assay_contradicted_claims")) == {"context=doc-a,tenant=a,window=24h"}
        assert 'tenant="b"' not in text
        assert "r-b" not in text
        assert 'tenant="a"' not in read(running, authorization=f"Bearer {keys['b']}")

    def test_without_keys_all_are_shown(self, start: Start, database: Database, new_key: Any) -> None:
        """ASSAY_METRICS_OPEN is for a network that may see all of it."""
        new_key(Scope.READ, tenant="a")
        store(database, sample("bad", tenant="a"), sample("good"))
        score_all(database)
        text = read(start(metrics_open=True))
        assert set(series(text, "assay_overall_flagged_rate", window="1h")) == {"tenant=a", "tenant=default"}


class TestClaims:
    def test_by_verdict(self, start: Start, database: Database) -> None:
        """Every verdict has a number; what is not in rates is not in it."""
        store(
            database, sample("a", contexts=naming("x"), response="!!"), sample("b", contexts=naming("x"), response="!")
        )
        store(database, sample("left-out", contexts=naming("x"), response="!!!", in_rate=False))
        score_all(database, contradicted)
        assert series(read(start()), "assay_window_claims", window="24h", tenant="default") == {
            "verdict=contradicted": 3.0,
            "verdict=not_checkable": 2.0,
            "verdict=supported": 0.0,
            "verdict=unsupported": 0.0,
        }

    def test_the_documents_that_contradict_most(self, start: Start, database: Database) -> None:
        """Ten of them, named as their callers do, whether the texts are still there or not."""
        rows = [sample(f"s-{n}", contexts=naming("q", f"doc-{n:02}"), response="!" * (n + 1)) for n in range(12)]
        store(database, *rows)
        score_all(database, contradicted)
        with database.write() as connection:
            bare = [{"id": "q", "text": None, "score": None}, {"id": "doc-11", "text": None, "score": None}]
            connection.execute(update(samples).where(samples.c.id == "s-11").values(response=None, contexts=bare))
        found = series(read(start()), "assay_contradicted_claims", tenant="default", window="24h")
        assert found == {f"context=doc-{n:02}": float(n + 1) for n in range(2, 12)}

    def test_a_context_without_an_id_is_no_document(self, start: Start, database: Database) -> None:
        """Its position says nothing; neither do the contexts of a sample that was made anonymous."""
        client = start().client
        contexts = [{"text": "The kettle is blue."}, {"id": "0", "text": "The pot is red."}, {"text": "Tea."}]
        client.post("/score", json={"id": "by-position", "contexts": contexts, "response": "The kettle is red!"})
        store(database, sample("gone", contexts=[], response="!"))
        score_all(database, lambda row: contradicted(row) if row.contexts else scored())
        assert series(read(start()), "assay_window_claims", window="24h", verdict="contradicted") == {
            "tenant=default": 1.0
        }
        assert series(read(start()), "assay_contradicted_claims") == {}

    def test_names_are_short_and_visible(self, start: Start, database: Database) -> None:
        """Long names that begin alike become one; nothing in a name moves a cursor."""
        names = ["n" * 70 + "a", "n" * 70 + "b", 'up\x1b[2J"\n']
        store(database, *[sample(f"s-{n}", contexts=naming(name), response="!") for n, name in enumerate(names)])
        score_all(database, contradicted)
        found = series(read(start()), "assay_contradicted_claims", tenant="default", window="24h")
        assert found == {f"context={'n' * 63}…": 2.0, r"context=up\\x1b[2J\" ": 1.0}

    def test_too_many_are_left_out_and_counted(
        self, start: Start, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A window that would cost too much is absent, not cut short."""
        old = utc_now() - timedelta(hours=2)
        store(database, *[sample(f"s-{n}", contexts=naming("doc"), received_at=old, response="!") for n in range(3)])
        store(database, sample("new", contexts=naming("doc"), response="!"))
        score_all(database, contradicted)
        monkeypatch.setattr(claims_collector, "MAX_ROWS", 3)
        text = read(start())
        assert {name.rpartition("window=")[2] for name in series(text, "assay_window_claims", verdict="supported")} == {
            "1h"
        }
        assert series(text, "assay_contradicted_claims") == {}
        assert series(text, "assay_metrics_left_out", kind="claims") == {"": 1.0}
        assert series(text, "assay_metrics_left_out", kind="contexts") == {"": 1.0}

    def test_too_many_contradicted_claims(
        self, start: Start, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Contexts are long texts: beyond a number of claims they are not looked at."""
        store(database, sample("a", contexts=naming("doc"), response="!!!"))
        score_all(database, contradicted)
        monkeypatch.setattr(claims_collector, "MAX_CONTRADICTED", 2)
        text = read(start())
        assert series(text, "assay_window_claims", window="24h", verdict="contradicted") == {"tenant=default": 3.0}
        assert series(text, "assay_contradicted_claims") == {}
        assert series(text, "assay_metrics_left_out", kind="contexts") == {"": 1.0}


class TestCost:
    def test_a_second_scrape_reads_the_backlog_alone(self, start: Start, database: Database) -> None:
        """Whatever the number of scrapers."""
        store(database, sample("good"))
        score_all(database)
        running = start()
        read(running)
        with running.statements() as seen:
            for _ in range(3):
                running.client.get("/metrics")
        assert len([statement for statement in seen if "FROM samples" in statement]) == 3
        assert not [statement for statement in seen if "rollup" in statement]

    def test_one_that_fails_hinders_no_other(self, start: Start, database: Database) -> None:
        """A table that is not there: the rates are absent and counted, the backlog is told, and the answer is 200."""
        running = start()
        held = running.sidecar.scrape
        broken = replace(
            held._sources[1], read=lambda connection, _now: connection.exec_driver_sql("SELECT 1 FROM nil")
        )
        sources = [held._sources[0], broken, held._sources[2]]
        object.__setattr__(running.sidecar, "scrape", Scrape(database, running.sidecar.metrics, sources))
        text = read(running)
        assert "assay_pending_samples 0.0" in text
        assert "assay_overall" not in text
        assert series(text, "assay_window_claims")
        assert series(text, "assay_scrape_failures_total", collector="claims") == {"": 0.0}
        assert series(text, "assay_scrape_failures_total", collector="rates") == {"": 1.0}

    def test_labels_are_visible(self, start: Start, database: Database) -> None:
        """A release that would clear a terminal does not."""
        store(database, sample("good", release="r\x1b[2J"))
        score_all(database)
        assert set(series(read(start()), "assay_flagged_rate", window="1h", tenant="default")) == {r"release=r\\x1b[2J"}

    def test_sums_that_are_not_folded_count(self, start: Start, database: Database) -> None:
        """A tenant whose first submissions no rollup has yet is shown."""
        store(database, sample("bad"))
        score_all(database)
        text = read(start())
        assert series(text, "assay_overall_flagged_rate", window="1h") == {"tenant=default": 1.0}
        with database.write() as connection:
            connection.execute(delete(rollup_deltas))
        assert series(read(start()), "assay_overall_flagged_rate", window="1h") == {}
