"""`/metrics` of a sidecar, and the doctor, on probes: the worst live worker by scorer, and nothing where nothing is known."""

from datetime import timedelta
from typing import Any

import pytest

from service.collectors.probes import probe_sources
from service.collectors.source import Found
from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database
from service.core.golden.item import set_digest
from service.core.golden.sets import Floor
from service.core.store.leases import acquire
from tests.integration.conftest import Start
from tests.integration.probing import probe_set, told_round
from tests.integration.test_metrics_of_tenants import read, series
from workers.doctor.finding import Finding, Level
from workers.doctor.store import check_database
from workers.ticker import LEASE_NAME

FINGERPRINT = "f" * 64
LABEL = f"fingerprint={'f' * 12}"
PROBES = probe_set(floors={FINGERPRINT: Floor(found=0.8, passed=1.0)})


def gauges(found: Found) -> dict[str, float]:
    """Every series by name and, after a colon, its fingerprint."""
    return {
        ":".join((sample.name, *sample.labels.values())): sample.value
        for family in found.gauges.families
        for sample in family.samples
    }


def collect(database: Database) -> dict[str, float]:
    """What the collector reads now, of `PROBES`; the age is left out."""
    (source,) = probe_sources(PROBES)
    with database.read() as connection:
        found = gauges(source.read(connection, utc_now()))
    found.pop("assay_probe_age_seconds", None)
    return found


def told(database: Database, ago_s: float = 0, **changes: Any) -> None:
    values = {"fingerprint": FINGERPRINT, "set_digest": set_digest(PROBES.items)} | changes
    told_round(database, utc_now() - timedelta(seconds=ago_s), **values)


def test_the_worst_worker(start: Start, database: Database) -> None:
    """Accuracy of its latest round, most unknown items, variance over all; as a scrape shows it."""
    told(database, ago_s=400, right=0, wrong=10)  # w1's round before
    told(database, ago_s=100)
    told(database, ago_s=90, worker="w2", right=6, wrong=2, unknown=2, scores={"p-0": 0.3})
    text = read(start())
    assert series(text, "assay_probe_accuracy") == {LABEL: 0.75}
    assert series(text, "assay_probe_unknown_items") == {LABEL: 2}
    assert series(text, "assay_probe_repeat_variance")[LABEL] == pytest.approx(0.04 / 3)
    age = next(line for line in text.splitlines() if line.startswith("assay_probe_age_seconds "))
    assert 90 <= float(age.split()[1]) < 120


def test_scorers_apart(database: Database) -> None:
    """Two fingerprints, as while a new version is rolled out, are two series."""
    told(database)
    told(database, worker="w2", fingerprint="e" * 64, right=5, wrong=5)
    found = collect(database)
    assert found["assay_probe_accuracy:" + "f" * 12] == 1.0
    assert found["assay_probe_accuracy:" + "e" * 12] == 0.5


def test_unknown_is_absent(start: Start, database: Database) -> None:
    """No round, no series; a round of which nothing is known has no accuracy, and one round no variance."""
    assert "assay_probe_accuracy{" not in read(start())
    assert "assay_probe_age_seconds " not in read(start())
    told(database, right=0, unknown=10, scores={"p-0": None})
    assert collect(database) == {
        "assay_probe_unknown_items:" + "f" * 12: 10,
        "assay_probe_floor:" + "f" * 12: 0.9,
    }


def test_a_worker_that_is_gone(database: Database) -> None:
    """After three of its intervals nothing is said of it but how old the last round is."""
    told(database, ago_s=901, right=0, wrong=10)
    assert collect(database) == {}


def test_the_floor_is_of_the_same_probes(database: Database) -> None:
    """4 of 5 found and 5 of 5 passed are 0.9; unknown for other probes than the sidecar's, or another scorer."""
    name = "assay_probe_floor:" + "f" * 12
    told(database)
    assert collect(database)[name] == pytest.approx(0.9)
    told(database, worker="w2", set_digest="another")
    assert name not in collect(database)


def found(database: Database, **settings: Any) -> list[Finding]:
    """What the doctor says of probes."""
    url = database.engine.url.render_as_string(hide_password=False)
    return [each for each in check_database(Settings(database_url=url, **settings)) if each.check == "probes"]


class TestDoctor:
    def test_rounds_that_stopped(self, database: Database) -> None:
        """A worker is alive and wrote none for three intervals: a warning; nothing without a worker, or with probes off."""
        told(database, ago_s=901)
        assert found(database) == []
        with database.write() as connection:
            acquire(connection, LEASE_NAME, "a worker", 60)
        (finding,) = found(database)
        assert finding.level is Level.WARN
        assert "ASSAY_PROBE_INTERVAL_S" in (finding.fix or "")
        assert found(database, probe_interval_s=0) == []

    @pytest.mark.parametrize(
        ("changes", "level"),
        [
            ({}, Level.OK),
            ({"right": 7, "wrong": 3}, Level.WARN),
            ({"right": 0, "unknown": 10}, Level.WARN),
        ],
    )
    def test_what_they_say(self, database: Database, changes: dict[str, int], level: Level) -> None:
        """Right answers are well; wrong ones name the worker; and where none could be scored that is said."""
        with database.write() as connection:
            acquire(connection, LEASE_NAME, "a worker", 60)
        told(database, **changes)
        (finding,) = found(database)
        assert finding.level is level
        if changes.get("wrong"):
            assert "w1" in (finding.fix or "")
