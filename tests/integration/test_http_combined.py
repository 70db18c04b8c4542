"""GET /score/{id} with and without a combined score, and which fit a sidecar has in force."""

import asyncio
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from structlog.testing import capture_logs

from models.types import Consistent, Judged, NotApplicable, NotApplicableReason, ReviewReason
from service.app import create_app
from service.core.combination import FittedScorer, Thresholds, make_combination, save_combination
from service.core.config import Settings
from service.core.db import Database
from service.core.errors import PolicyInvalidError
from service.core.review_tables import Place, Reviewer, Why
from service.core.store.reviews import NewReview, ReviewedBy, ReviewOutcome, add_reviews
from service.core.store.scores import ScoredBy
from service.core.tables import samples
from service.state import Sidecar
from tests.integration.conftest import Running, Start
from tests.integration.support import DEAD_REDIS, NOW, finish_pending, new_sample, scored, store
from tests.servers import wait_for

JUDGED = Judged(scored=scored(1.0), votes=1, variance=None)


def fitted(path: Path, fingerprint: str = "f1", absent: float | None = 0.5, intercept: float = -1.0) -> Path:
    """A fit for a first scorer and the judge j1, written."""
    nli = FittedScorer(name="nli", fingerprint=fingerprint, slopes={"nli": 1.0}, absent=2.0)
    judge = FittedScorer(name="judge", fingerprint="j1", slopes={"judge": 3.0}, absent=absent)
    thresholds = Thresholds(balanced=0.5, strict=0.9)
    made = make_combination(
        intercept=intercept,
        scorers=(nli, judge),
        thresholds=thresholds,
        made_at=datetime(2026, 11, 1, tzinfo=UTC),
        figures={},
    )
    save_combination(made, path)
    return path


def review(
    database: Database,
    sample_id: str,
    outcome: ReviewOutcome | None,
    reviewer: Reviewer = Reviewer.JUDGE,
    fingerprint: str = "j1",
) -> None:
    """Writes a review of a sample; of no outcome, one that waits."""
    with database.write() as connection:
        seq = connection.execute(select(samples.c.seq).where(samples.c.id == sample_id)).scalar_one()
        made = NewReview(
            sample_seq=seq,
            tenant="default",
            reviewer=reviewer,
            why=Why.FLOOR,
            probability=0.5,
            place=Place.REMOTE,
            outcome=outcome,
            by=ReviewedBy(fingerprint=fingerprint, attributes={}),
        )
        add_reviews(connection, [made], NOW)


def read(running: Running, sample_id: str = "a") -> dict[str, Any]:
    answer = running.client.get(f"/score/{sample_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def sigmoid(value: float) -> float:
    return float(1 / (1 + 2.718281828459045**-value))


@pytest.fixture
def sample(database: Database) -> str:
    """A sample whose first score is 0.5, a log odds of 0."""
    store(database, new_sample("a"))
    finish_pending(database, lambda _row: scored(0.5, flagged=False))
    return "a"


@pytest.fixture
def combining(start: Start, tmp_path: Path) -> Running:
    """A sidecar with a fit."""
    return start(f'combination = "{fitted(tmp_path / "combination.json")}"\n')


class TestAnswer:
    @pytest.mark.usefixtures("sample")
    def test_without_a_fit_the_first_scorer_speaks(self, start: Start, database: Database) -> None:
        """Nothing is invented: the score is the first scorer's, whatever the judge says, and says whose it is."""
        review(database, "a", JUDGED)
        found = read(start())
        assert (found["score"], found["flagged"], found["threshold"], found["score_by"]) == (0.5, False, 0.75, "told")
        assert (found["combined"], found["combined_reason"]) == (None, "not_fitted")

    @pytest.mark.usefixtures("sample")
    def test_with_a_fit_it_speaks(self, combining: Running, database: Database) -> None:
        """-1 + 0 x 1 + 3 x 1: a score of sigmoid(2), which strict does not flag."""
        review(database, "a", JUDGED)
        found = read(combining)
        assert found["combined"]["score"] == pytest.approx(sigmoid(2))
        assert (found["combined"]["used"], found["combined"]["threshold"]) == (["nli", "judge"], 0.9)
        assert found["combined_reason"] is None
        assert (found["score"], found["flagged"], found["threshold"], found["score_by"]) == (
            found["combined"]["score"],
            False,
            0.9,
            "combined",
        )
        assert [each["score"] for each in found["scores"]] == [0.5]

    @pytest.mark.usefixtures("sample")
    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_the_threshold_is_the_setting_s(self, start: Start, tmp_path: Path, database: Database) -> None:
        """`balanced` flags from 0.5 on."""
        review(database, "a", JUDGED)
        running = start(f'combination = "{fitted(tmp_path / "c.json")}"\n', threshold="balanced")
        assert (read(running)["threshold"], read(running)["flagged"]) == (0.5, True)

    @pytest.mark.usefixtures("sample")
    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize(
        ("outcome", "fingerprint"),
        [(None, "j1"), (ReviewReason.JUDGE_UNAVAILABLE, "j1"), (JUDGED, "another judge"), ("no review", "")],
    )
    def test_a_judge_that_says_nothing_is_missing(
        self, combining: Running, database: Database, outcome: Any, fingerprint: str
    ) -> None:
        """Pending, unscored, of another fingerprint or not asked: its absence counts, and it is not used."""
        if outcome != "no review":
            review(database, "a", outcome, fingerprint=fingerprint)
        combined = read(combining)["combined"]
        assert (combined["score"], combined["used"]) == (pytest.approx(sigmoid(-0.5)), ["nli"])

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_another_first_scorer_has_no_combined_score(self, combining: Running, database: Database) -> None:
        """The fit says nothing of a model that it has not seen: its score stands as it is, with the reason."""
        store(database, new_sample("b"))
        finish_pending(database, by=ScoredBy(scorer="told", fingerprint="f2", attributes={}))
        found = read(combining, "b")
        assert (found["combined"], found["combined_reason"], found["score_by"]) == (None, "other_scorer", "told")
        assert found["score"] == 0.9

    @pytest.mark.usefixtures("sample")
    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_absence_that_the_fit_has_not_seen(self, start: Start, tmp_path: Path) -> None:
        """Where all labelled responses were judged, one that was not has no combined score."""
        running = start(f'combination = "{fitted(tmp_path / "c.json", absent=None)}"\n')
        assert (read(running)["combined"], read(running)["combined_reason"]) == (None, "never_missing")

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_a_pending_sample_has_none(self, combining: Running, database: Database) -> None:
        """No score is made of what is not there yet."""
        store(database, new_sample("p"))
        found = read(combining, "p")
        assert (found["score"], found["score_by"], found["combined_reason"]) == (None, None, "pending")

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    def test_nothing_that_the_fit_knows_said_anything(self, combining: Running, database: Database) -> None:
        """Alternative responses alone make no score of a fit to NLI and a judge."""
        store(database, new_sample("n"))
        finish_pending(database, lambda _row: NotApplicable(reason=NotApplicableReason.NO_CONTEXT))
        compared = Consistent(scored=scored(0.8), entropy=0.5, clusters=2, samples=2, pairs=4)
        review(database, "n", compared, Reviewer.CONSISTENCY, "c1")
        found = read(combining, "n")
        assert (found["status"], found["score"], found["combined_reason"]) == ("not_applicable", None, "no_score")


class TestInForce:
    pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

    def test_a_start_with_a_file_that_cannot_be_read_is_refused(self, start: Start, tmp_path: Path) -> None:
        """The error names the file and what to do."""
        with pytest.raises(PolicyInvalidError, match=r"missing\.json") as refused:
            start(f'combination = "{tmp_path / "missing.json"}"\n')
        assert "assay calibrate" in refused.value.next_step

    def test_reload_takes_a_new_fit_and_keeps_the_old_one_over_a_broken_file(
        self, database: Database, tmp_path: Path
    ) -> None:
        """On SIGHUP the fit is read with the policy; what cannot be read leaves both as they were."""
        fit, policy = fitted(tmp_path / "c.json"), tmp_path / "policy.toml"
        policy.write_text(f'combination = "{fit}"\n[sampling]\nrate = 0.25\n', encoding="utf-8")
        settings: dict[str, Any] = {
            "database_url": database.engine.url.render_as_string(hide_password=False),
            "redis_url": DEAD_REDIS,
            "policy_file": policy,
        }
        asyncio.run(_reloading(create_app(Settings(**settings)), fit, policy))


async def _reloading(app: FastAPI, fit: Path, policy: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with app.router.lifespan_context(app):
            sidecar: Sidecar = app.state.sidecar
            first = sidecar.intake.policy
            fitted(fit, intercept=-2.0)
            second = await _reloaded(sidecar)
            assert first.combination is not None
            assert second.combination is not None
            assert second.combination.digest != first.combination.digest
            _spoil(fit, policy)
            with capture_logs() as told:
                os.kill(os.getpid(), signal.SIGHUP)
                await asyncio.to_thread(wait_for, lambda: any(line["event"] == "policy_not_reloaded" for line in told))
            assert sidecar.intake.policy is second
    finally:
        signal.signal(signal.SIGHUP, before)


def _spoil(fit: Path, policy: Path) -> None:
    fit.write_text("{", encoding="utf-8")
    policy.write_text(policy.read_text(encoding="utf-8").replace("0.25", "0.5"), encoding="utf-8")


async def _reloaded(sidecar: Sidecar) -> Any:
    """What is in force after a SIGHUP."""
    before = sidecar.intake.policy
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.to_thread(wait_for, lambda: sidecar.intake.policy is not before)
    return sidecar.intake.policy
