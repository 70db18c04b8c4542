"""Scrapes: read seldom, by one thread at a time, and what one collector cannot read hinders no other."""

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from service.collectors.source import Found, Gauges, Source
from service.core.db import Database
from service.core.errors import StoreUnavailableError
from service.core.metrics import SidecarMetrics
from service.scrape import OLDEST_S, Scrape


class Told:
    """A collector that gives what it is told, and counts how often it is asked."""

    def __init__(self, name: str, gauge: str, **labels: str) -> None:
        self.name, self.gauge, self.labels = name, gauge, labels
        self.asked = 0
        self.error: Exception | None = None
        self.takes = lambda: None
        self.reading, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def read(self, _connection: Connection, _now: datetime) -> Found:
        self.asked += 1
        self.reading.set()
        assert self.go_on.wait(10)
        self.takes()
        if self.error is not None:
            raise self.error
        gauges = Gauges()
        gauges.set(self.gauge, self.asked, **self.labels)
        return Found(gauges=gauges, left_out={"claims": 3})


class Scraped:
    """A scrape of two collectors, with a clock that stands until it is moved."""

    def __init__(self, database: Database) -> None:
        self.now = 100.0
        self.first = Told("first", "assay_coverage", tenant="a", window="1h")
        self.second = Told("second", "assay_pending_samples")
        sources = [Source(name=each.name, read=each.read, fresh_s=10) for each in (self.first, self.second)]
        self.scrape = Scrape(database, SidecarMetrics(), sources, clock=lambda: self.now)

    def lines(self, tenant: str | None = None) -> set[str]:
        return set(self.scrape.text(tenant).decode().splitlines())


FIRST, SECOND = 'assay_coverage{tenant="a",window="1h"} ', "assay_pending_samples "
FAILED = 'assay_scrape_failures_total{{collector="{}"}} {}'


@pytest.fixture
def scraped(tmp_path: Path) -> Iterator[Scraped]:
    database = Database(f"sqlite:///{tmp_path}/empty.db")
    yield Scraped(database)
    database.close()


def test_what_is_fresh_is_not_read_again(scraped: Scraped) -> None:
    """However often it is scraped, and no longer than it is fresh; how old it is, is told."""
    for _ in range(5):
        lines = scraped.lines()
    assert {FIRST + "1.0", SECOND + "1.0", 'assay_metrics_age_seconds{collector="first"} 0.0'} <= lines
    scraped.now += 9
    assert {FIRST + "1.0", 'assay_metrics_age_seconds{collector="first"} 9.0'} <= scraped.lines()
    scraped.now += 1
    assert {FIRST + "2.0", SECOND + "2.0", 'assay_metrics_age_seconds{collector="first"} 0.0'} <= scraped.lines()


def test_what_is_left_out_is_counted(scraped: Scraped) -> None:
    """Every kind has a number, so that its absence is no riddle."""
    lines = scraped.lines()
    assert 'assay_metrics_left_out{kind="claims"} 3.0' in lines
    assert 'assay_metrics_left_out{kind="tenant"} 0.0' in lines


def test_a_tenant_sees_its_own(scraped: Scraped) -> None:
    """Series of other tenants are left out, those of no tenant stay."""
    assert {FIRST + "1.0", SECOND + "1.0"} <= scraped.lines("a")
    assert not [line for line in scraped.lines("b") if "assay_coverage" in line]
    assert SECOND + "1.0" in scraped.lines("b")


def test_a_collector_that_fails_is_absent_and_counted(scraped: Scraped) -> None:
    """Its gauges are gone at once, the other's are there; it comes back by itself."""
    assert {FAILED.format("first", 0.0), FAILED.format("second", 0.0)} <= scraped.lines()
    scraped.first.error = ZeroDivisionError()
    scraped.now += 10
    lines = scraped.lines()
    assert not [line for line in lines if line.startswith("assay_coverage")]
    assert {SECOND + "2.0", FAILED.format("first", 1.0), FAILED.format("second", 0.0)} <= lines
    assert not [line for line in lines if line.startswith('assay_metrics_age_seconds{collector="first"')]
    scraped.first.error = None
    scraped.now += 10
    assert {FIRST + "3.0", FAILED.format("first", 1.0)} <= scraped.lines()


def test_what_is_too_old_is_not_shown(scraped: Scraped) -> None:
    """Whatever the reason why nothing newer came."""
    scraped.lines()
    scraped.now += OLDEST_S + 1
    with scraped.scrape._reading:  # as if another thread had been reading for long
        lines = scraped.lines()
    assert not [line for line in lines if line.startswith((FIRST, SECOND))]
    assert {FAILED.format("first", 1.0), FAILED.format("second", 1.0)} <= lines


def test_what_fails_slowly_is_left_alone(scraped: Scraped) -> None:
    """A database that is away costs a scrape seconds at most: one try, then a rest ten times as long."""

    def slowly() -> None:
        scraped.now += 5

    scraped.first.error, scraped.first.takes = StoreUnavailableError("away"), slowly
    assert FAILED.format("second", 1.0) in scraped.lines()
    assert (scraped.first.asked, scraped.second.asked) == (1, 0)
    assert SECOND + "1.0" in scraped.lines()
    scraped.now += 49
    assert SECOND + "2.0" in scraped.lines()
    assert scraped.first.asked == 1
    scraped.now += 11
    assert SECOND + "3.0" in scraped.lines()  # before the one that is slow to fail
    assert scraped.first.asked == 2


def test_one_reads_for_all(scraped: Scraped) -> None:
    """Who comes while another reads gets what was read before, at once."""
    scraped.lines()
    scraped.now += 15
    scraped.first.reading.clear()
    scraped.first.go_on.clear()
    reader = threading.Thread(target=scraped.lines)
    reader.start()
    assert scraped.first.reading.wait(10)
    assert {FIRST + "1.0", 'assay_metrics_age_seconds{collector="first"} 15.0'} <= scraped.lines()
    scraped.first.go_on.set()
    reader.join()
    assert FIRST + "2.0" in scraped.lines()
    assert scraped.first.asked == 2


def test_unknown_is_absent_and_nothing_comes_twice() -> None:
    """Neither NaN nor a second series with the same labels, which would make Prometheus refuse all of them."""
    gauges = Gauges()
    for value in (None, float("nan"), float("inf")):
        gauges.set("assay_pending_samples", value)
    assert list(gauges.families) == []
    gauges.set("assay_coverage", 0.5, tenant="a", window="1h")
    gauges.set("assay_coverage", 0.7, tenant="a", window="1h")
    (family,) = gauges.families
    assert [sample.value for sample in family.samples] == [0.5]
