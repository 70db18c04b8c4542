"""Rates with a judge in them, through the store: what was judged, by whom, and what nobody could judge."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
import structlog
from sqlalchemy import select, update
from typer.testing import CliRunner

from models.types import Judged, NotApplicable, NotApplicableReason, ReviewReason
from service.core.db import Database
from service.core.estimate import Estimand
from service.core.review_tables import Place, Reviewer, Why
from service.core.store.judged import MOST, Most, Reviewed, read_reviewed
from service.core.store.rates import Stretch, read_counted
from service.core.store.reviews import NewReview, ReviewedBy, ReviewOutcome, add_reviews
from service.core.tables import samples
from tests.integration.conftest import Start
from tests.integration.labelling import NOW, fill, following, label, post, rate
from tests.integration.support import DEAD_REDIS, scored, statements
from workers.cli import app

FLAGGED = Judged(scored=scored(0.9), votes=1, variance=None)
CLEAN = Judged(scored=scored(0.1, flagged=False), votes=1, variance=None)


@dataclass(frozen=True, kw_only=True)
class Review:
    """A review to write."""

    sample: str
    outcome: ReviewOutcome | None = CLEAN  # None: pending
    probability: float = 1.0
    judge: str = "j1"
    reviewer: Reviewer = Reviewer.JUDGE


def review(database: Database, *made: Review) -> None:
    """Writes reviews as a worker's choice and a judge's answer would have."""
    with database.write() as connection:
        seqs = {row.id: row.seq for row in connection.execute(select(samples.c.id, samples.c.seq))}
        rows = [
            NewReview(
                sample_seq=seqs[each.sample],
                tenant="default",
                reviewer=each.reviewer,
                why=Why.FLOOR,
                probability=each.probability,
                place=Place.REMOTE,
                outcome=each.outcome,
                by=ReviewedBy(fingerprint=each.judge, attributes={}),
            )
            for each in made
        ]
        add_reviews(connection, rows, NOW)


def uncover(database: Database, *names: str) -> None:
    with database.write() as connection:
        connection.execute(update(samples).where(samples.c.id.in_(names)).values(judge_probability=0.0))


def read(database: Database, most: Most = MOST, tenant: str = "default") -> Reviewed:
    """What is read of all that came in the minute."""
    stretch = Stretch(tenant=tenant, start=NOW, end=NOW + timedelta(minutes=1), width_s=60, group_by=())
    with database.read() as connection:
        scored_here = read_counted(connection, stretch).scored
        return read_reviewed(connection, stretch, Estimand.PROCESS, scored_here, clustered=True, most=most)


class TestAnswer:
    def test_without_a_judge_it_is_null(self, start: Start, database: Database) -> None:
        """Nothing was judged: null, and the hallucination rate has no judge in it."""
        fill(database, 20)
        bucket = rate(start())
        assert bucket["judged"] is None
        assert bucket["hallucination"]["judge_power"] is None

    def test_it_is_what_the_judge_would_flag(self, start: Start, database: Database) -> None:
        """Half of it judged, each standing for two; those the scorer flagged are judged clean, a third of the others flagged."""
        names = fill(database, 200)
        said = [FLAGGED if n % 5 and n % 3 == 0 else CLEAN for n in range(100)]
        review(database, *[Review(sample=names[n], outcome=said[n], probability=0.5) for n in range(100)])
        review(database, Review(sample=names[100], outcome=None), Review(sample=names[101], outcome=None))
        review(database, Review(sample=names[102], outcome=ReviewReason.JUDGE_UNAVAILABLE, judge=""))
        review(database, Review(sample=names[103], outcome=NotApplicable(reason=NotApplicableReason.NO_CLAIMS)))
        review(database, Review(sample=names[104], judge="j2"))
        review(database, Review(sample=names[105], reviewer=Reviewer.CONSISTENCY))
        uncover(database, *names[110:117])
        answer = start().client.get("/hallucination-rate").json()
        assert "as if" in answer["judged_covers"]
        assert answer["judged_reason"] is None
        (bucket,) = answer["buckets"]
        found = bucket["judged"]
        assert found["not_judged"] == {"unscored": 2, "pending": 2, "uncovered": 7}
        assert (found["n_judged"], found["judged_by_others"], found["needed"]) == (100, 1, 0)
        assert (found["fingerprint"], found["method"]) == ("j1", "two-phase-greg-wilson")
        assert found["rate"] == pytest.approx(sum(each is FLAGGED for each in said) / 100, abs=0.02)
        assert found["ci_low"] < found["rate"] < found["ci_high"]
        assert found["judged_share"] == pytest.approx(1)
        assert found["effective_n"] == pytest.approx(100, rel=0.2)

    def test_few_verdicts_are_no_rate(self, start: Start, database: Database) -> None:
        """Null, with how many more are needed."""
        names = fill(database, 40)
        review(database, *[Review(sample=name) for name in names[:25]])
        found = rate(start())["judged"]
        assert (found["rate"], found["ci_low"], found["n_judged"], found["needed"]) == (None, None, 25, 5)

    def test_each_group_has_its_own(self, start: Start, database: Database) -> None:
        """What was judged of one release says nothing of the other."""
        one, two = fill(database, 40, "a", release="r1"), fill(database, 40, "b", release="r2")
        review(database, *[Review(sample=name, outcome=FLAGGED) for name in one], Review(sample=two[0], outcome=None))
        answer = start().client.get("/hallucination-rate", params={"group_by": "release"}).json()
        first, second = answer["buckets"]
        assert (first["judged"]["rate"], second["judged"]) == (pytest.approx(1), None)

    def test_claims_have_none(self, start: Start, database: Database) -> None:
        """The judge's claims are not the scorer's."""
        names = fill(database, 40)
        review(database, *[Review(sample=name) for name in names])
        assert rate(start(), unit="claim")["judged"] is None

    def test_sessions_widen_it(self, start: Start, database: Database) -> None:
        """Ten samples of each session, all judged alike: worth a tenth."""
        names = [name for n in range(10) for name in fill(database, 10, f"t{n}", session_id=f"session-{n}")]
        alone = fill(database, 100, "s", route="alone")
        for held in (names, alone):
            said = [FLAGGED if n // 10 % 2 else CLEAN for n in range(100)]
            review(database, *[Review(sample=name, outcome=each) for name, each in zip(held, said, strict=True)])
        answer = start().client.get("/hallucination-rate", params={"group_by": "route"}).json()
        together, single = (bucket["judged"] for bucket in answer["buckets"])
        assert together["rate"] == pytest.approx(single["rate"])
        assert together["effective_n"] < single["effective_n"] / 4


class TestReading:
    def test_more_than_can_be_read_is_said(self, database: Database) -> None:
        """No rate of a part of it: nothing, and why."""
        names = fill(database, 12)
        review(database, *[Review(sample=name) for name in names])
        assert len(read(database, Most(reviews=12)).rows) == 12
        assert read(database, Most(reviews=11)) == Reviewed(reason="too_many_reviews")

    @pytest.mark.parametrize(("judged", "later"), [(3, 5), (12, 30), (3, 30)])
    def test_only_those_of_the_time_are_read(self, database: Database, judged: int, later: int) -> None:
        """Whether they are found by the reviews since, being fewer, or by the time's samples: later samples are not."""
        names = fill(database, 12)
        since = fill(database, 30, "later", received_at=NOW + timedelta(minutes=1))
        review(database, *[Review(sample=name) for name in names[:judged] + since[:later]])
        review(database, *[Review(sample=name, reviewer=Reviewer.CONSISTENCY) for name in names])
        found = read(database)
        assert len(found.rows) == len({row.sample_seq for row in found.rows}) == judged
        assert {(row.judge, row.flagged, row.probability) for row in found.rows} == {("j1", False, 1.0)}

    def test_where_all_is_much_nothing_is_gone_through(self, database: Database) -> None:
        """More samples and more reviews than may be looked at: nothing, and why."""
        names = fill(database, 12)
        review(database, *[Review(sample=name) for name in names[:11]])
        assert read(database, Most(looked_at=11)) == Reviewed(reason="too_many_reviews")
        assert len(read(database, Most(looked_at=12)).rows) == 11

    def test_of_another_tenant_nothing_is_read(self, database: Database) -> None:
        """One statement tells that no judge was at work; a judge of another tenant's is none."""
        names = fill(database, 12)
        fill(database, 3, "other", tenant="other")
        review(database, *[Review(sample=name) for name in names])
        with statements(database) as seen:
            assert read(database, tenant="other") == Reviewed()
        assert sum("reviews" in statement for statement in seen) == 1


class TestThreePhases:
    def test_labels_and_judge_together(self, start: Start, database: Database) -> None:
        """The judge sees all and knows what people know: with 60 labels of 300 the rate is that of all, to within little."""
        names = fill(database, 300)
        bad = {name for n, name in enumerate(names) if n % 3 == 0}
        review(database, *[Review(sample=name, outcome=FLAGGED if name in bad else CLEAN) for name in names])
        running = start()
        for _ in range(60):
            task = following(running)
            assert task is not None
            name = task["sample_id"]
            assert post(running, label(name, "hallucinated" if name in bad else "faithful")).status_code == 200
        found = rate(running)
        assert found["hallucination"]["method"] == "three-phase-greg-wilson"
        assert found["hallucination"]["judge_power"] == pytest.approx(1)
        assert (
            found["hallucination"]["rate"] == pytest.approx(found["judged"]["rate"], abs=1e-6) == pytest.approx(1 / 3)
        )
        assert found["hallucination"]["n_labels"] == 60


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestCommand:
    @pytest.fixture
    def told(self, database: Database) -> Callable[[int], str]:
        """What `assay rate` prints on a terminal so wide."""

        def run(columns: int) -> str:
            before = structlog.get_config()
            url = database.engine.url.render_as_string(hide_password=False)
            given = {"ASSAY_DATABASE_URL": url, "ASSAY_REDIS_URL": DEAD_REDIS, "COLUMNS": str(columns)}
            try:
                done = CliRunner().invoke(app, ["rate"], env=given)
            finally:
                structlog.configure(**before)
            assert done.exit_code == 0, done.output
            return done.output

        return run

    @pytest.mark.parametrize("columns", [80, 250])
    def test_it_is_told_in_words(self, told: Callable[[int], str], database: Database, columns: int) -> None:
        """Rate, interval, how many verdicts, what has none, and what it takes for granted."""
        names = fill(database, 50)
        review(database, *_half_flagged(names[:40]), Review(sample=names[40], outcome=None))
        uncover(database, *names[41:44])
        said = told(columns)
        for part in ("50.0%", "40 judged, for 80% of it", "pending 1", "uncovered 3", "The judged rate is", "as if"):
            assert part in said

    def test_without_a_judge_it_is_not_told_of(self, told: Callable[[int], str], database: Database) -> None:
        """No column of nothing."""
        fill(database, 10)
        assert "judge" not in told(250)


def _half_flagged(names: Sequence[str]) -> list[Review]:
    return [Review(sample=name, outcome=FLAGGED if n % 2 else CLEAN) for n, name in enumerate(names)]
