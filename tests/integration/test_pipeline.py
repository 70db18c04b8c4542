"""The pipeline: takes, scores, finishes; what fails is tried alone, what is interrupted is given back."""

import threading
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from models.types import Assessed, Item, NotApplicable, NotApplicableReason, Outcome, Unscored, UnscoredReason, Verdict
from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import StoreUnavailableError
from service.core.metrics import WorkerMetrics
from service.core.store.samples import read_sample
from service.core.store.taking import TakeLimits, give_up
from service.core.tables import scores
from tests.integration.conftest import Outage
from tests.integration.support import LIMITS, ToldScorer, new_sample, row_of, scored, states, store, take
from tests.servers import wait_for
from workers.pipeline import Pipeline
from workers.progress import Progress, StoppedError


class Worker:
    """A pipeline with what it stands on."""

    def __init__(self, database: Database, scorer: ToldScorer, limits: TakeLimits = LIMITS) -> None:
        self.database = database
        self.scorer = scorer
        self.progress = Progress(None)
        self.metrics = WorkerMetrics()
        self.pipeline = Pipeline(
            database=database, scorer=scorer, limits=limits, progress=self.progress, metrics=self.metrics
        )

    def drain(self) -> int:
        return self.pipeline.drain()

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


def give_up_rows(database: Database) -> int:
    with database.write() as connection:
        return give_up(connection, utc_now())


def score_count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(scores)).scalar_one())


class TestDrain:
    def test_it_ends_when_nothing_is_left(self, database: Database) -> None:
        """A drain scores all that is pending, take by take, and says how many."""
        store(database, *[new_sample(f"s-{n}") for n in range(10)])
        worker = Worker(database, ToldScorer(), replace(LIMITS, rows=4))
        assert worker.drain() == 10
        assert [len(call) for call in worker.scorer.calls] == [4, 4, 2]
        assert {state for state, _ in states(database).values()} == {"scored"}
        assert worker.drain() == 0

    def test_scores_carry_who_scored(self, database: Database) -> None:
        """Name, fingerprint and attributes of the scorer are stored with each score."""
        store(database, new_sample("a"))
        Worker(database, ToldScorer(fingerprint="f9")).drain()
        with database.read() as connection:
            stored = read_sample(connection, "default", "a")
        assert stored is not None
        (score,) = stored.scores
        assert (score.scorer, score.fingerprint, score.attributes) == ("told", "f9", {"backend": "none"})

    def test_every_outcome_has_its_state(self, database: Database) -> None:
        """Scored, not applicable and unscored end as themselves, and are counted."""
        outcomes: dict[str, Outcome] = {
            "a": scored(),
            "b": NotApplicable(reason=NotApplicableReason.NO_CONTEXT),
            "c": Unscored(reason=UnscoredReason.TOO_MANY_PAIRS),
        }
        store(database, *[new_sample(name, response=name) for name in outcomes])
        worker = Worker(database, ToldScorer(answer=lambda item: outcomes[item.response]))
        worker.drain()
        assert states(database) == {
            "a": ("scored", None),
            "b": ("not_applicable", "no_context"),
            "c": ("unscored", "too_many_pairs"),
        }
        for state in ("scored", "no_context", "too_many_pairs"):
            assert worker.count("assay_finished_samples_total", state=state) == 1

    def test_scores_and_verdicts_are_counted(self, database: Database) -> None:
        """Each score in its bucket and each claim by its verdict, once, and nothing of what has no score."""
        store(database, *[new_sample(name, response=name) for name in ("0.0", "0.25", "1.0", "none")])
        nothing = NotApplicable(reason=NotApplicableReason.NO_CONTEXT)
        scorer = ToldScorer(answer=lambda item: nothing if item.response == "none" else scored(float(item.response)))
        worker = Worker(database, scorer)
        worker.drain()
        worker.drain()
        below = {
            edge: worker.count("assay_score_bucket", scorer="told", le=edge) for edge in ("0.0", "0.2", "0.3", "1.0")
        }
        assert below == {"0.0": 1, "0.2": 1, "0.3": 2, "1.0": 3}
        assert worker.count("assay_score_sum", scorer="told") == 1.25
        claims = {verdict.value: worker.count("assay_claims_total", verdict=verdict.value) for verdict in Verdict}
        assert claims == {"supported": 0, "contradicted": 0, "unsupported": 6, "not_checkable": 3}

    def test_the_scorer_is_told(self, database: Database) -> None:
        """Its name, a short fingerprint, its runtime and the runtime's version."""
        scorer = ToldScorer(
            fingerprint="f" * 64, attributes={"backend": "openvino", "openvino": "2026.3", "device": "x"}
        )
        labels = {"scorer": "told", "fingerprint": "f" * 12, "backend": "openvino", "version": "2026.3"}
        assert Worker(database, scorer).count("assay_model_info", **labels) == 1

    def test_the_scorer_sees_what_was_sent(self, database: Database) -> None:
        """Question, contexts with their ids and response reach the scorer."""
        contexts = [{"id": "doc", "text": "Blue.", "score": 0.5}, {"id": "1", "text": "", "score": None}]
        store(database, new_sample("a", question="Which?", contexts=contexts, response="Blue it is."))
        seen: list[Item] = []

        def answer(item: Item) -> Outcome:
            seen.append(item)
            return scored()

        Worker(database, ToldScorer(answer=answer)).drain()
        (item,) = seen
        assert (item.question, item.response) == ("Which?", "Blue it is.")
        assert [(context.id, context.text) for context in item.contexts] == [("doc", "Blue."), ("1", "")]

    def test_one_thread_drains_at_a_time(self, database: Database) -> None:
        """While one thread drains, another comes back at once with nothing."""
        store(database, new_sample("a"))
        scoring, go_on = threading.Event(), threading.Event()

        def before() -> None:
            scoring.set()
            go_on.wait(10)

        worker = Worker(database, ToldScorer(before=before))
        thread = threading.Thread(target=worker.drain)
        thread.start()
        assert scoring.wait(10)
        assert not worker.pipeline.idle
        assert worker.drain() == 0
        go_on.set()
        thread.join()
        assert worker.pipeline.idle

    def test_no_transaction_is_held_while_scoring(self, database: Database) -> None:
        """Submissions are accepted while a worker scores, on SQLite too."""
        store(database, new_sample("a"))
        sent: list[str] = []

        def before() -> None:
            if not sent:
                sent.append("b")
                store(database, new_sample("b"))

        assert Worker(database, ToldScorer(before=before)).drain() == 2


class TestFailures:
    def test_only_the_poison_is_given_up(self, database: Database) -> None:
        """A batch that fails is tried row by row: innocents are scored, the poison is unscored(failed_alone)."""
        names = [f"s-{n}" for n in range(5)]
        store(database, *[new_sample(name) for name in names], new_sample("bad", response="poison"))
        worker = Worker(database, ToldScorer())
        worker.drain()
        assert give_up_rows(database) == 1
        assert states(database) == dict.fromkeys(names, ("scored", None)) | {"bad": ("unscored", "failed_alone")}
        assert worker.scorer.calls.count(["poison"]) == 3
        assert score_count(database) == 5

    def test_failures_are_counted_by_kind(self, database: Database) -> None:
        """Each failed take is in the metrics, by the class of its error."""
        store(database, new_sample("bad", response="poison"))
        worker = Worker(database, ToldScorer())
        worker.drain()
        assert worker.count("assay_score_failures_total", error="ModelError") == 4

    def test_poison_does_not_starve_fresh_rows(self, database: Database) -> None:
        """After each failed row alone a batch of fresh rows has its turn."""
        store(database, *[new_sample(f"p-{n}", response=f"poison {n}") for n in range(4)])
        worker = Worker(database, ToldScorer(), replace(LIMITS, rows=4))
        store(database, *[new_sample(f"s-{n}") for n in range(8)])
        worker.drain()
        fresh = [n for n, call in enumerate(worker.scorer.calls) if "poison" not in call[0]]
        assert fresh[-1] < 6  # two batches of fresh rows, each after at most one row alone

    def test_a_scorer_that_recovers_loses_nothing(self, database: Database) -> None:
        """A failure that passes, such as memory that ran out, costs a second try, not a sample."""
        store(database, *[new_sample(f"s-{n}") for n in range(3)])
        failures = iter([MemoryError, MemoryError])

        def before() -> None:
            error = next(failures, None)
            if error:
                raise error

        Worker(database, ToldScorer(before=before)).drain()
        assert {state for state, _ in states(database).values()} == {"scored"}

    def test_a_refused_score_condemns_only_its_row(self, database: Database) -> None:
        """An outcome that the database refuses costs its neighbours a second try at most."""
        store(database, new_sample("a"), new_sample("bad", response="impossible"), new_sample("b"))

        def answer(item: Item) -> Outcome:
            return scored(7.0) if item.response == "impossible" else scored()

        worker = Worker(database, ToldScorer(answer=answer), replace(LIMITS, lease_s=0.1))

        def all_done() -> bool:
            with suppress(Exception):  # a drain may fail, as a job or a tick; the next goes on
                worker.drain()
            give_up_rows(database)
            return all(state != "pending" for state, _ in states(database).values())

        wait_for(all_done)
        assert states(database) == {
            "a": ("scored", None),
            "b": ("scored", None),
            "bad": ("unscored", "failed_alone"),
        }

    def test_too_few_outcomes_score_nothing_wrongly(self, database: Database) -> None:
        """A scorer that answers fewer outcomes than items never has them stored with the wrong rows."""
        store(database, new_sample("a"), new_sample("b"))

        class Short(ToldScorer):
            def assess(self, _items: object, _progress: object) -> list[Assessed]:
                return [Assessed(outcome=scored(), consistency=None)]

        worker = Worker(database, Short(), replace(LIMITS, lease_s=0.1))

        def all_done() -> bool:
            with suppress(ValueError):
                worker.drain()
            return all(state == "scored" for state, _ in states(database).values())

        wait_for(all_done)  # alone, one outcome is the right number
        assert row_of(database, "a").alone_attempts == 1

    def test_a_row_lost_to_another_is_not_written(self, database: Database) -> None:
        """A worker that took longer than its lease writes nothing if another has the row; that is counted."""
        store(database, new_sample("a"))
        other = Worker(database, ToldScorer(fingerprint="other"))

        def before() -> None:
            time.sleep(0.2)
            other.drain()

        slow = Worker(database, ToldScorer(before=before, fingerprint="slow"), replace(LIMITS, lease_s=0.1))
        slow.drain()
        assert slow.count("assay_fenced_samples_total") == 1
        with database.read() as connection:
            assert connection.execute(select(scores.c.fingerprint)).scalars().all() == ["other"]


class TestStop:
    def test_stopped_rows_are_given_back(self, database: Database) -> None:
        """A worker that is out of grace gives its rows back at once: fresh, free and not counted."""
        store(database, new_sample("a"), new_sample("b"))

        def before() -> None:
            worker.progress.request_stop()
            raise StoppedError

        worker = Worker(database, ToldScorer(before=before))
        worker.drain()
        assert [row.response for row in take(database)] == [row_of(database, name).response for name in ("a", "b")]
        assert row_of(database, "a").alone_attempts == 0

    def test_a_stop_finishes_what_is_held(self, database: Database) -> None:
        """Within its grace a worker finishes its take and takes no more."""
        store(database, *[new_sample(f"s-{n}") for n in range(4)])
        worker = Worker(database, ToldScorer(), replace(LIMITS, rows=2))
        worker.scorer.before = worker.progress.request_stop
        assert worker.drain() == 2
        assert [state for state, _ in states(database).values()] == ["scored", "scored", "pending", "pending"]

    def test_a_stopped_worker_takes_nothing(self, database: Database) -> None:
        """Asked to stop before, a drain does nothing."""
        store(database, new_sample("a"))
        worker = Worker(database, ToldScorer())
        worker.progress.request_stop()
        assert worker.drain() == 0
        assert row_of(database, "a").attempt == 0


class TestOutage:
    @pytest.fixture
    def database_url(self, breakable_url: str) -> str:
        return breakable_url

    def test_scores_survive_a_restart_of_the_database(self, database: Database, outage: Outage) -> None:
        """What was scored while the database went away is written when it is back, without scoring again."""
        store(database, *[new_sample(f"s-{n}") for n in range(3)])

        def before() -> None:
            outage.begin()
            threading.Timer(0.3, outage.end).start()

        worker = Worker(database, ToldScorer(before=before))
        assert worker.drain() == 3
        assert len(worker.scorer.calls) == 1
        assert {state for state, _ in states(database).values()} == {"scored"}

    def test_rows_that_cannot_be_given_back_come_back_by_lease(self, database: Database, outage: Outage) -> None:
        """A failure during an outage leaves the rows to their lease: nothing is lost, nothing raised."""
        store(database, new_sample("a"))

        def before() -> None:
            outage.begin()
            raise MemoryError

        worker = Worker(database, ToldScorer(before=before), replace(LIMITS, lease_s=0.2))
        with pytest.raises(StoreUnavailableError):
            worker.drain()
        outage.end()
        worker.scorer.before = lambda: None
        wait_for(worker.drain)
        assert states(database) == {"a": ("scored", None)}
