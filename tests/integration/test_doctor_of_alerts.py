"""The doctor on alerts: rules that nobody evaluates, and sinks that do not take what they are told."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from service.core.alert_tables import Delivery
from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database
from service.core.store.outbox import end_delivery, retry_delivery, take_due
from tests.integration.alerting import HOOK, RULE, Watched, watched
from tests.integration.support import new_sample, store
from workers.doctor.finding import Finding, Level
from workers.doctor.store import check_database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "alerts.toml"


def found(database: Database, file: Path | None, check: str = "alerts", **settings: Any) -> list[Finding]:
    url = database.engine.url.render_as_string(hide_password=False)
    given = Settings(database_url=url, policy_file=file, **settings)
    return [finding for finding in check_database(given) if finding.check == check]


def firing(database: Database, file: Path) -> Watched:
    """A rule has just fired, and its sink is to be told."""
    watch = watched(database, file, RULE + HOOK)
    watch.clock.now = utc_now()
    watch.add(100, 60)
    watch.look()
    return watch


def test_nothing_is_said_without_rules(database: Database, file: Path) -> None:
    """No rules, no finding; a policy that is not valid is the business of its own check."""
    file.write_text("")
    assert found(database, file) == found(database, None) == []
    file.write_text("nonsense")
    assert found(database, file) == []


def test_rules_that_nobody_evaluates(database: Database, file: Path) -> None:
    """Never, or not for five intervals: a warning that names the variable. Before anything was sent all is well."""
    file.write_text(RULE.replace("above", 'tenants = ["mine"]\nabove'))
    store(database, new_sample("a", tenant="theirs"))
    assert found(database, file)[0].level is Level.OK
    store(database, new_sample("b", tenant="mine"))
    (finding,) = found(database, file)
    assert (finding.level, "never evaluated" in finding.text) == (Level.WARN, True)
    assert "ASSAY_POLICY_FILE" in (finding.fix or "")
    watch = watched(database, file, file.read_text())
    watch.clock.now = utc_now() - timedelta(minutes=4)
    watch.look()
    assert found(database, file)[0].level is Level.OK
    (finding,) = found(database, file, alert_interval_s=30.0)
    assert (finding.level, "last evaluated" in finding.text) == (Level.WARN, True)


def test_a_sink_that_fails(database: Database, file: Path) -> None:
    """What waits after an error, and what was given up in the last day, with the sink and the reason."""
    watch = firing(database, file)
    assert found(database, file, "alert sinks") == []  # it waits, and nothing went wrong yet
    now = watch.clock.now
    with database.write() as connection:
        (due,) = take_due(connection, now, 60, 1)
        retry_delivery(connection, due, now, "answered 503")
    (finding,) = found(database, file, "alert sinks")
    assert finding.level is Level.WARN
    assert finding.text == "hook: 1 notice could not be told yet; the newest: answered 503"
    assert "assay alerts test hook" in (finding.fix or "")
    with database.write() as connection:
        (due,) = take_due(connection, now, 60, 1)
        end_delivery(connection, due, Delivery.FAILED, now, "answered 404")
    file.write_text("")  # even where the rules are gone
    (finding,) = found(database, file, "alert sinks")
    assert finding.text == "hook: 1 notice was given up in the last day; the newest: answered 404"


@pytest.mark.parametrize(("state", "ago"), [(Delivery.FAILED, timedelta(hours=25)), (Delivery.DELIVERED, timedelta(0))])
def test_a_sink_that_is_well(database: Database, file: Path, state: Delivery, ago: timedelta) -> None:
    """What was given up long ago is history, and what was told is no trouble."""
    watch = firing(database, file)
    with database.write() as connection:
        (due,) = take_due(connection, watch.clock.now, 60, 1)
        end_delivery(connection, due, state, watch.clock.now - ago, None)
    assert found(database, file, "alert sinks") == []
