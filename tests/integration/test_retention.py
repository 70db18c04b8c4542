"""Retention: what is older than the policy allows goes, a little at each tick, whatever the policy file does."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from service.core.clock import utc_now
from service.core.db import Database
from service.core.label_tables import Rating, feedback
from service.core.metrics import WorkerMetrics
from service.core.purge import BATCH_ROWS
from service.core.store.removal import Removed
from service.core.tables import Kept
from tests.integration.support import finish_pending, new_sample, row_of, statements, states, store, take
from workers.policy_file import PolicyFile
from workers.retention import SWEEP_BATCHES, Retention

NOTHING = Removed()
POLICY = """
[privacy]
text_days = 30
row_days = 400

[privacy.tenants.long]
text_days = "keep"
row_days = "keep"

[privacy.tenants.short]
text_days = 1
"""
MakeRetention = Callable[..., Retention]


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


@pytest.fixture
def make(database: Database, policy: Path) -> MakeRetention:
    def made(text: str, **values: float) -> Retention:
        policy.write_text(text)
        return Retention(database=database, policy_file=PolicyFile(policy), metrics=WorkerMetrics(), **values)

    return made


def add(database: Database, *aged: tuple[str, str, float]) -> None:
    """Stores samples (tenant, id, age in days)."""
    rows = [new_sample(name, tenant=t, received_at=utc_now() - timedelta(days=days)) for t, name, days in aged]
    store(database, *rows)


def test_each_tenant_by_its_own_terms(make: MakeRetention, database: Database) -> None:
    """Texts after text_days, rows after row_days, nothing before, and `keep` keeps."""
    ages = [("default", "young", 29), ("default", "old", 31), ("default", "ancient", 401)]
    add(database, *ages, ("long", "kept", 900), ("short", "day", 2), ("short", "hour", 0.04))
    finish_pending(database)
    ancient = row_of(database, "ancient").seq
    assert make(POLICY).sweep() == Removed(samples=3, texts=3, ended=0)
    kept = {name: row_of(database, name).kept for name in ("young", "old", "kept", "day", "hour", f"#{ancient}")}
    assert kept == {
        "young": Kept.TEXT,
        "old": Kept.ROW,
        "kept": Kept.TEXT,
        "day": Kept.ROW,
        "hour": Kept.TEXT,
        f"#{ancient}": Kept.ANONYMOUS,
    }
    assert row_of(database, "old").text_removed_by == "retention"


def test_what_is_pending_expires(make: MakeRetention, database: Database) -> None:
    """Text that outlived its time is not scored any more, but what a worker holds is left to it."""
    add(database, ("default", "held", 31))
    assert len(take(database)) == 1
    add(database, ("default", "waiting", 31))
    assert make(POLICY).sweep().ended == 1
    assert states(database) == {"held": ("pending", None), "waiting": ("unscored", "expired")}


def test_a_sweep_is_bounded_and_the_next_goes_on(make: MakeRetention, database: Database) -> None:
    """However much is due, one sweep removes a fixed share; it goes on where it stopped until nothing is left."""
    most = BATCH_ROWS * SWEEP_BATCHES
    add(database, *[("default", f"s-{n}", 31) for n in range(most + 50)], ("zoo", "last", 31))
    retention = make(POLICY)
    assert [retention.sweep().texts for _ in range(3)] == [most, 51, 0]


def test_comments_are_part_of_the_share(make: MakeRetention, database: Database) -> None:
    """Old comments of answers that were never sampled go as well, so many at a time, of tenants without samples too."""
    most = BATCH_ROWS * SWEEP_BATCHES
    rows = [
        {
            "tenant": "default",
            "sample_id": f"s-{n}",
            "trace_id": "",
            "rating": Rating.DOWN.value,
            "identifier": "",
            "comment": "secret",
            "received_at": utc_now() - timedelta(days=31 if n else 1),
        }
        for n in range(most + 51)
    ]
    with database.write() as connection:
        connection.execute(feedback.insert(), rows)
    retention = make(POLICY)
    assert [retention.sweep().comments for _ in range(3)] == [most, 50, 0]
    with database.read() as connection:
        left = connection.execute(select(feedback.c.sample_id).where(feedback.c.comment.is_not(None))).scalars()
        assert list(left) == ["s-0"]


def test_after_the_last_it_rests(make: MakeRetention, database: Database) -> None:
    """A sweep that found no more to do is not repeated at once: nothing is asked of the database."""
    retention = make(POLICY)
    retention.sweep()
    with statements(database) as seen:
        retention.sweep()
    assert seen == []


def test_without_a_policy_nothing_is_asked(database: Database) -> None:
    """No file, no retention."""
    with statements(database) as seen:
        assert Retention(database=database, policy_file=None, metrics=WorkerMetrics()).sweep() == NOTHING
    assert seen == []


class TestFile:
    def test_it_is_read_again_when_it_changes(self, make: MakeRetention, database: Database, policy: Path) -> None:
        """A worker that runs for months follows the file."""
        add(database, ("default", "a", 31))
        retention = make("[privacy]\n", rest_s=0)
        assert retention.sweep() == NOTHING
        policy.write_text(POLICY)
        assert retention.sweep().texts == 1

    @pytest.mark.parametrize("broken", ["[privacy]\ntext_days = 0", "not toml ["])
    def test_a_broken_file_changes_nothing(
        self, make: MakeRetention, database: Database, policy: Path, broken: str
    ) -> None:
        """What was in force stays so until the file is right again."""
        retention = make(POLICY, rest_s=0)
        retention.sweep()
        policy.write_text(broken)
        add(database, ("default", "old", 31), ("default", "young", 29))
        assert retention.sweep().texts == 1
        policy.write_text("[privacy]\ntext_days = 1 # mended")
        assert retention.sweep().texts == 1

    def test_a_file_that_is_gone_changes_nothing(self, make: MakeRetention, database: Database, policy: Path) -> None:
        """The same for a file that cannot be read."""
        retention = make(POLICY, rest_s=0)
        retention.sweep()
        os.unlink(policy)  # noqa: PTH108 - a file vanishes
        add(database, ("default", "old", 31))
        assert retention.sweep().texts == 1
