"""Probing: a broken scorer shows within a round, and samples are scored all the same."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from models.types import EncodedPair, Item, Outcome, Probability, Unscored, UnscoredReason
from service.core.clock import utc_now
from service.core.db import Database
from service.core.golden.item import set_digest
from service.core.golden.record import AnswerRecord, AnswerState, KnownAnswers, KnownHalf, TargetKind
from service.core.metrics import WorkerMetrics
from service.core.queue import Doorbell, connect
from service.core.store.golden import StoredRun, find_run
from service.core.store.golden_adding import NewAnswer, NewRun, add_run, new_set
from tests.integration.conftest import Outage
from tests.integration.probing import INTERVAL_S, ITEMS, Prober, is_wrong, probe_set, stored, told_round
from tests.integration.support import DEAD_REDIS, ToldScorer, new_sample, scored, states, store
from tests.servers import wait_for
from tests.unit.models.support import WordBackend, word_scorer
from workers.golden.probing import FIRST_S, GROUP
from workers.progress import Progress, StoppedError
from workers.ticker import Ticker


def add_golden(database: Database) -> None:
    """A run `r` of a scorer over two items."""
    record = AnswerRecord(state=AnswerState.PENDING)
    run = NewRun(
        tenant="default",
        id="r",
        body_digest="d",
        golden=new_set("kettles", probe_set().items[:2]),
        kind=TargetKind.SCORER,
        target="scorer",
        repeats=1,
        answers=[NewAnswer(position=at, repeat=0, record=record) for at in range(2)],
        created_at=utc_now(),
    )
    with database.write() as connection:
        add_run(connection, run, utc_now())


def golden_run(database: Database) -> StoredRun:
    with database.read() as connection:
        return find_run(connection, "default", "r")


def told(answer: Callable[[Item], Outcome]) -> ToldScorer:
    return ToldScorer(answer=answer)


class TestRound:
    def test_a_scorer_that_knows(self, database: Database) -> None:
        """All right: stored with who scored what, and shown in the worker's metrics."""
        prober = Prober(database, ToldScorer(fingerprint="f9"))
        made = prober.probe()
        assert (made.right, made.wrong, made.unknown, made.accuracy) == (ITEMS, 0, 0, 1.0)
        assert (made.fingerprint, made.interval_s) == ("f9", INTERVAL_S)
        assert made.set_digest == set_digest(prober.probes.items)
        assert made.scores == {f"p-{number}": 0.9 for number in range(ITEMS)}
        assert utc_now() - made.at < timedelta(minutes=1)
        assert prober.count("assay_probe_rounds_total", result="done") == 1
        assert prober.count("assay_probe_items", result="right") == ITEMS
        assert prober.count("assay_probe_items", result="wrong") == 0

    def test_swapped_labels_show_within_one_round(self, database: Database) -> None:
        """A scorer that calls supported what is made up, and the other way round, gets nothing right."""
        prober = Prober(database, told(lambda item: scored(flagged=not is_wrong(item))))
        assert prober.probe().accuracy == 0.0
        assert prober.count("assay_probe_items", result="wrong") == ITEMS

    def test_a_scorer_that_raises_is_unknown(self, database: Database) -> None:
        """Not wrong: nothing is known, and no score is made up."""

        def fail() -> None:
            raise RuntimeError

        prober = Prober(database, ToldScorer(before=fail))
        made = prober.probe()
        assert (made.right, made.wrong, made.unknown, made.accuracy) == (0, 0, ITEMS, None)
        assert set(made.scores.values()) == {None}

    def test_one_item_that_fails_takes_no_other_with_it(self, database: Database) -> None:
        """It alone is unknown; so is what the scorer could not score."""

        def answer(item: Item) -> Outcome:
            if "Kettle 3 " in item.response:
                raise ValueError
            if "Kettle 4 " in item.response:
                return Unscored(reason=UnscoredReason.NOT_FINITE)
            return scored(flagged=is_wrong(item))

        made = Prober(database, told(answer)).probe()
        assert (made.right, made.wrong, made.unknown) == (ITEMS - 2, 0, 2)
        assert {name for name, score in made.scores.items() if score is None} == {"p-3", "p-4"}

    def test_too_few_outcomes_are_unknown(self, database: Database) -> None:
        """A scorer that answers fewer outcomes than items never has them held against the wrong items."""

        class Short(ToldScorer):
            def score(self, items: object, progress: object) -> list[Outcome]:
                del items, progress
                return []

        assert Prober(database, Short()).probe().unknown == ITEMS

    def test_the_cache_does_not_hide_a_broken_model(self, database: Database) -> None:
        """Samples and an earlier round have filled the cache; the round after the break shows it."""

        @dataclass
        class Breakable(WordBackend):
            broken: bool = False

            def _one(self, pair: EncodedPair) -> Probability:
                if self.broken:
                    return Probability(entailment=0.0, neutral=0.0, contradiction=1.0)
                return super()._one(pair)

        backend = Breakable()
        items = [each.model_copy(update={"hallucinated": False}) for each in probe_set().items]
        known = [each.model_copy(update={"response": "The kettle is blue."}) for each in items]
        prober = Prober(database, word_scorer(backend, cache=1_000), probes=probe_set(items=tuple(known)))
        store(database, new_sample("a", response="The kettle is blue."))
        assert prober.probe().accuracy == 1.0
        backend.broken = True
        assert prober.probe().accuracy == 0.0


class TestTurns:
    def test_the_first_comes_soon_and_the_next_an_interval_later(self, database: Database) -> None:
        """Not at once, since samples may have waited for the worker; and never more often."""
        prober = Prober(database, ToldScorer())
        assert not prober.pipeline.probes_due
        prober.pipeline.drain()
        assert stored(database) == []
        prober.clock.now += FIRST_S
        assert prober.pipeline.probes_due
        prober.pipeline.drain()
        assert len(stored(database)) == 1
        prober.clock.now += INTERVAL_S - 1
        prober.pipeline.drain()
        assert len(stored(database)) == 1
        prober.clock.now += 1
        prober.pipeline.drain()
        assert len(stored(database)) == 2

    def test_samples_go_first_for_an_interval(self, database: Database) -> None:
        """While samples are waiting nothing is probed; once the round is late, a few items between takes."""
        prober = Prober(database, ToldScorer())
        prober.clock.now += FIRST_S
        assert prober.probing.step(busy=True) == 0
        prober.clock.now += INTERVAL_S - 1
        assert prober.probing.step(busy=True) == 0
        prober.clock.now += 1
        assert [prober.probing.step(busy=True) for _ in range(ITEMS // GROUP)] == [GROUP] * (ITEMS // GROUP)
        assert len(stored(database)) == 1
        assert prober.probing.step(busy=False) == 0

    def test_a_sample_waits_for_a_few_items_only(self, database: Database) -> None:
        """One that comes in the midst of a round is scored before the round goes on."""
        scorer = ToldScorer()
        prober = Prober(database, scorer)

        def arrive() -> None:
            if len(scorer.calls) == 2:
                store(database, new_sample("a"))

        scorer.before = arrive
        prober.probe()
        sizes = [len(call) for call in scorer.calls]
        assert scorer.calls[2] == ["The kettle is blue, says a."]
        assert sizes == [GROUP, GROUP, 1, *[GROUP] * (ITEMS // GROUP - 2)]
        assert states(database) == {"a": ("scored", None)}

    def test_probes_are_no_samples(self, database: Database) -> None:
        """A drain says how many rows it scored, and counts no probe as a sample."""
        prober = Prober(database, ToldScorer())
        prober.clock.now += FIRST_S
        assert prober.pipeline.drain() == 0
        assert prober.count("assay_finished_samples_total", state="scored") is None

    def test_never_two_threads_on_the_model(self, database: Database) -> None:
        """While samples are scored in one thread, the ticker's drain does not probe."""
        scoring, go_on = threading.Event(), threading.Event()

        def before() -> None:
            scoring.set()
            go_on.wait(10)

        scorer = ToldScorer(before=before)
        prober = Prober(database, scorer)
        store(database, new_sample("a"))
        thread = threading.Thread(target=prober.pipeline.drain)
        thread.start()
        assert scoring.wait(10)
        prober.clock.now += FIRST_S
        assert prober.pipeline.drain() == 0
        assert len(scorer.calls) == 1
        go_on.set()
        thread.join(10)
        assert len(stored(database)) == 1

    def test_a_stop_ends_the_round(self, database: Database) -> None:
        """A worker that is told to stop writes no half of a round, and fails no drain."""

        def stop() -> None:
            raise StoppedError

        prober = Prober(database, ToldScorer(before=stop))
        prober.clock.now += FIRST_S
        assert prober.pipeline.drain() == 0
        assert stored(database) == []

    def test_a_golden_run_waits_for_the_first_round(self, database: Database) -> None:
        """It is to know whether its scorer is broken: the round goes first, also where samples wait, and runs note it."""
        add_golden(database)
        store(database, *[new_sample(f"s-{n}") for n in range(60)])
        prober = Prober(database, told(lambda item: scored(flagged=is_wrong(item) and "1" not in item.response)))
        prober.pipeline.drain()
        run = golden_run(database)
        assert run.finished_at is not None
        assert run.known_answers == KnownAnswers(
            set_digest=set_digest(prober.probes.items),
            hallucinated=KnownHalf(items=ITEMS // 2, right=ITEMS // 2 - 1),
            supported=KnownHalf(items=ITEMS // 2, right=ITEMS // 2),
        )
        assert run.runtime == {"backend": "none"}
        assert len(stored(database)) == 1

    def test_a_set_that_is_in_quarantine_is_no_round(self, database: Database) -> None:
        """Nothing is written, nothing fails, and no golden run waits for it."""
        prober = Prober(database, ToldScorer(), probes=probe_set(items=()))
        prober.clock.now += FIRST_S
        prober.pipeline.drain()
        add_golden(database)
        prober.pipeline.drain()
        assert stored(database) == []
        assert (golden_run(database).finished_at is not None, golden_run(database).known_answers) == (True, None)


class TestOutage:
    def test_a_round_that_is_not_written_is_lost(self, breakable_url: str, outage: Outage) -> None:
        """The database goes away: counted, no sample hurt, and the next round is written."""
        database = Database(breakable_url)
        prober = Prober(database, ToldScorer())
        prober.clock.now += FIRST_S
        outage.begin()
        assert sum(prober.probing.step(busy=False) for _ in range(ITEMS)) == ITEMS
        assert prober.count("assay_probe_rounds_total", result="not_written") == 1
        outage.end()
        assert prober.probe().right == ITEMS
        database.close()


class TestTicker:
    def test_every_worker_probes_without_redis(self, database: Database) -> None:
        """The elected one and the others, though no row waits; rounds of a month ago go."""
        old = utc_now() - timedelta(days=31)
        told_round(database, old, worker="gone")
        told_round(database, old + timedelta(days=2), worker="also gone")
        probers = [Prober(database, ToldScorer()) for _ in range(3)]
        stop = Progress(None)
        tickers = []
        for prober in probers:
            prober.clock.now += FIRST_S
            doorbell = Doorbell(connect(DEAD_REDIS), "q")
            made = Ticker(
                database=database,
                doorbell=doorbell,
                pipeline=prober.pipeline,
                progress=stop,
                metrics=WorkerMetrics(),
                interval_s=0.05,
            )
            made.start()
            tickers.append((made, doorbell))
        try:
            wait_for(lambda: len({each.worker for each in stored(database)} - {"also gone"}) == 3, seconds=20)
        finally:
            stop.request_stop()
            for made, doorbell in tickers:
                made.join()
                doorbell.connection.close()
        assert "gone" not in {each.worker for each in stored(database)}
