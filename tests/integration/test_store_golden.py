"""Golden runs in the database: added once, taken under a lease, finished once, ended with the last answer, removed whole."""

import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, type_coerce, update
from sqlalchemy.types import BigInteger

from models.types import NotApplicable, NotApplicableReason, Outcome, Unscored, UnscoredReason
from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import GoldenRunConflictError, GoldenRunUnknownError
from service.core.golden.item import GoldenContext, GoldenItem
from service.core.golden.record import AnswerRecord, AnswerState, KnownAnswers, KnownHalf, RunRecord, TargetKind
from service.core.golden_tables import golden_answers, golden_runs, golden_sets
from service.core.metrics import WorkerMetrics
from service.core.queue import Doorbell, connect
from service.core.sample_schemas import ClaimAnswer, EvidenceAnswer
from service.core.store.golden import (
    StoredRun,
    Wanted,
    find_run,
    read_record,
    read_runs,
    remove_run,
    store_record,
)
from service.core.store.golden_adding import NewAnswer, NewRun, add_run, new_set
from service.core.store.golden_scorers import RunScorer
from service.core.store.golden_taking import (
    FinishedAnswer,
    TakenAnswer,
    any_golden,
    finish_golden,
    give_up_golden,
    release_golden,
    take_golden,
)
from service.core.store.taking import ALONE_LIMIT, TakeLimits
from service.core.tables import StoreText
from tests.integration.support import DEAD_REDIS, LIMITS, NOW, ToldScorer, in_threads, new_sample, scored, store
from workers.pipeline import Pipeline
from workers.progress import Progress, StoppedError
from workers.ticker import Ticker

PENDING = AnswerRecord(state=AnswerState.PENDING)
FAILED = AnswerRecord(state=AnswerState.FAILED, reason="timeout")
OUTCOMES: list[Outcome] = [
    scored(),
    NotApplicable(reason=NotApplicableReason.NO_CLAIMS),
    Unscored(reason=UnscoredReason.LANGUAGE),
]
SHORT = replace(LIMITS, lease_s=0.2)


def items(count: int) -> list[GoldenItem]:
    return [
        GoldenItem(
            id=f"i-{n}",
            question=f"Question {n}?",
            contexts=(GoldenContext(id="0", text="The kettle is blue."),),
            response=f"The kettle is {'wrong' if n % 2 else 'blue'}, {n}.",
            hallucinated=n % 2 == 1,
        )
        for n in range(count)
    ]


def claim() -> ClaimAnswer:
    evidence = EvidenceAnswer(context_id="0", start=0, end=3, text="The")
    return ClaimAnswer(
        start=0, end=3, text="Not", verdict="contradicted", score=0.9, probability=None, evidence=evidence
    )


DONE = AnswerRecord(state=AnswerState.SCORED, score=0.9, flagged=True, threshold=0.7, claims=(claim(),))


def new_run(run_id: str = "r", count: int = 4, **changes: Any) -> NewRun:
    repeats = changes.get("repeats", 1)
    response = changes.pop("response", None)
    pending = PENDING.model_copy(update={"response": response})
    values: dict[str, Any] = {
        "tenant": "default",
        "id": run_id,
        "body_digest": "d",
        "golden": new_set("kettles", items(count)),
        "kind": TargetKind.SCORER,
        "target": "scorer",
        "repeats": repeats,
        "answers": [NewAnswer(position=p, repeat=r, record=pending) for p in range(count) for r in range(repeats)],
        "created_at": NOW,
    }
    return NewRun(**values | changes)


def add(database: Database, run: NewRun) -> bool:
    with database.write() as connection:
        return add_run(connection, run, utc_now())


def take(database: Database, limits: TakeLimits = LIMITS, *, alone: bool = False) -> list[TakenAnswer]:
    with database.write() as connection:
        return take_golden(connection, limits, alone=alone)


def finish(database: Database, rows: list[TakenAnswer], record: AnswerRecord = DONE, by: str = "f1") -> int:
    with database.write() as connection:
        done = [FinishedAnswer(taken=row, record=record) for row in rows]
        return len(finish_golden(connection, done, scorer(by), utc_now()))


def scorer(
    fingerprint: str = "f1", found: int | None = None, passed: int = 20, device: str = "a", digest: str = "p"
) -> RunScorer:
    """A worker's, with so many known answers right of 20 of each label; None: it was not asked."""
    known = None
    if found is not None:
        known = KnownAnswers(
            set_digest=digest,
            hallucinated=KnownHalf(items=20, right=found),
            supported=KnownHalf(items=20, right=passed),
        )
    return RunScorer(fingerprint=fingerprint, runtime={"device": device}, known_answers=known)


def give_back(database: Database, rows: list[TakenAnswer], *, failed: bool) -> None:
    with database.write() as connection:
        release_golden(connection, rows, failed=failed)


def run_of(database: Database, run_id: str = "r", tenant: str = "default") -> StoredRun:
    with database.read() as connection:
        return find_run(connection, tenant, run_id)


def record_of(database: Database, run_id: str = "r") -> RunRecord:
    with database.read() as connection:
        return read_record(connection, "default", run_id)


def count(database: Database, table: Any) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def waiting(database: Database) -> bool:
    with database.read() as connection:
        return any_golden(connection)


def give_up(database: Database) -> int:
    with database.write() as connection:
        return give_up_golden(connection, utc_now())


def hold_all(database: Database, number: int, *, alone: bool) -> list[tuple[int, int, int]]:
    held: list[tuple[int, int, int]] = []

    def work(_number: int) -> None:
        while len(held) < number:
            rows = take(database, replace(LIMITS, rows=7), alone=alone)
            held.extend((row.position, row.repeat, row.attempt) for row in rows)

    in_threads(8, work)
    return held


class TestAdded:
    def test_a_run_is_added_once(self, database: Database) -> None:
        """The same id with the same body is one run; with another body it is refused; a tenant has its own ids."""
        assert add(database, new_run())
        assert not add(database, new_run())
        with pytest.raises(GoldenRunConflictError):
            add(database, new_run(body_digest="other"))
        assert add(database, new_run(tenant="other", body_digest="other"))
        assert count(database, golden_answers) == 8

    def test_at_once_it_is_added_once_too(self, database: Database) -> None:
        """Of eight threads that add the same run one does; all eight find it."""
        added: list[bool] = []
        in_threads(8, lambda _n: added.append(add(database, new_run())))
        assert sorted(added) == [False] * 7 + [True]
        assert (count(database, golden_runs), count(database, golden_sets), count(database, golden_answers)) == (
            1,
            1,
            4,
        )

    def test_runs_share_a_set(self, database: Database) -> None:
        """The same items in the same order are stored once for each tenant and name; another order is another set."""
        turned = new_set("kettles", items(4)[::-1])
        for number, golden in enumerate((new_set("kettles", items(4)), new_set("kettles", items(4)), turned)):
            add(database, new_run(f"r-{number}", golden=golden))
        add(database, new_run("r-3", golden=new_set("pots", items(4))))
        assert count(database, golden_sets) == 3
        first, last = record_of(database, "r-0"), record_of(database, "r-2")
        assert first.set_digest == last.set_digest
        assert [each.item.id for each in last.items] == ["i-3", "i-2", "i-1", "i-0"]

    def test_what_was_added_is_read(self, database: Database) -> None:
        """A record has all that the run was made of, before anything is scored."""
        add(database, new_run(repeats=2, release="2026.3", git_commit="abc", baseline="b", margin=0.1, target="bot"))
        record, run = record_of(database), run_of(database)
        assert (record.target, record.release, record.git_commit, record.repeats) == ("bot", "2026.3", "abc", 2)
        assert [each.item for each in record.items] == items(4)
        assert (record.started_at, record.finished_at, record.fingerprint, record.pending) == (NOW, None, None, 8)
        assert (run.baseline, run.margin, run.counts[AnswerState.PENDING]) == ("b", 0.1, 8)

    def test_a_run_of_failures_has_ended(self, database: Database) -> None:
        """Where an application gave no answer at all nothing waits."""
        failed = [NewAnswer(position=n, repeat=0, record=FAILED) for n in range(4)]
        add(database, new_run(kind=TargetKind.APPLICATION, answers=failed))
        run = run_of(database)
        assert run.finished_at is not None
        assert (run.counts[AnswerState.FAILED], run.scored_by) == (4, frozenset())
        assert not waiting(database)

    def test_a_record_is_stored_and_read_alike(self, database: Database) -> None:
        """What the command line made comes back as it was, once; one with pending answers is refused."""
        add(database, new_run())
        finish(database, take(database))
        assert record_of(database).known_answers is None
        asked = KnownAnswers(
            set_digest="p", hallucinated=KnownHalf(items=20, right=19), supported=KnownHalf(items=20, right=20)
        )
        done = record_of(database).model_copy(
            update={"id": "cli", "release": "x", "known_answers": asked, "runtime": {"device": "a"}}
        )
        for expected in (True, False):
            with database.write() as connection:
                assert store_record(connection, "default", done, baseline="r", margin=None) is expected
        assert record_of(database, "cli").model_copy(update={"finished_at": done.finished_at}) == done
        assert (run_of(database, "cli").origin, run_of(database, "cli").baseline) == ("cli", "r")
        add(database, new_run("open"))
        with database.write() as connection, pytest.raises(ValueError, match="pending"):
            store_record(connection, "default", record_of(database, "open"), baseline=None, margin=None)

    def test_a_record_may_hold_what_no_database_takes(self, database: Database) -> None:
        """U+0000 in an application's response is replaced by one character, so that offsets stay."""
        add(database, new_run(count=1, kind=TargetKind.APPLICATION, response="a"))
        finish(database, take(database))
        record = record_of(database)
        (each,) = record.items
        odd = each.model_copy(update={"answers": (each.answers[0].model_copy(update={"response": "a\0b"}),)})
        with database.write() as connection:
            told = record.model_copy(update={"id": "odd", "items": (odd,)})
            store_record(connection, "default", told, baseline=None, margin=None)
        assert record_of(database, "odd").items[0].answers[0].response == "a\N{REPLACEMENT CHARACTER}b"


class TestListed:
    def test_newest_first_by_page_and_filter(self, database: Database) -> None:
        """Set, kind and release narrow; `before` goes on; another tenant's are not there."""
        for number in range(5):
            add(database, new_run(f"r-{number}", release="odd" if number % 2 else "even"))
        add(database, new_run("pots", golden=new_set("pots", items(4)), kind=TargetKind.APPLICATION))
        add(database, new_run("foreign", tenant="other"))

        def listed(**changes: Any) -> list[str]:
            with database.read() as connection:
                return [run.id for run in read_runs(connection, Wanted(tenant="default", **changes))]

        assert listed() == ["pots", "r-4", "r-3", "r-2", "r-1", "r-0"]
        assert listed(set_name="pots") == listed(kind=TargetKind.APPLICATION) == ["pots"]
        assert listed(release="odd") == ["r-3", "r-1"]
        assert listed(limit=2, before=run_of(database, "r-3").seq) == ["r-2", "r-1"]

    def test_an_unknown_run_is_an_error(self, database: Database) -> None:
        """Also one of another tenant."""
        add(database, new_run(tenant="other"))
        with pytest.raises(GoldenRunUnknownError):
            run_of(database)


class TestTaken:
    def test_a_taken_answer_is_held(self, database: Database) -> None:
        """Nobody else takes it until its lease ends; then it goes alone."""
        add(database, new_run(count=2))
        first = take(database, SHORT)
        assert [(row.position, row.attempt, row.alone) for row in first] == [(0, 1, False), (1, 1, False)]
        assert take(database) == take(database, alone=True) == []
        assert not waiting(database)
        time.sleep(SHORT.lease_s + 0.1)
        assert waiting(database)
        assert take(database) == []
        (again,) = take(database, alone=True)
        assert (again.position, again.attempt, again.alone) == (0, 2, True)

    def test_a_take_is_limited_and_the_oldest_run_goes_first(self, database: Database) -> None:
        """By rows and by tokens; the first row is taken whatever it costs."""
        add(database, new_run("old"))
        add(database, new_run("new"))
        old = run_of(database, "old").seq
        assert [(row.run_seq, row.position) for row in take(database, replace(LIMITS, rows=2))] == [(old, 0), (old, 1)]
        assert len(take(database, replace(LIMITS, tokens=1))) == 1
        assert [row.run_seq == old for row in take(database)] == [True, False, False, False, False]

    def test_eight_takers_hold_each_once(self, database: Database) -> None:
        """Whatever the order of events, fresh ones and those that go alone have one holder."""
        add(database, new_run(count=60))
        for alone in (False, True):
            held = hold_all(database, 60, alone=alone)
            assert len(held) == len(set(held)) == 60
            with database.write() as connection:
                connection.execute(update(golden_answers).values(lease_until=None))

    def test_untouched_ones_come_back_fresh(self, database: Database) -> None:
        """A take that was given back counts for nothing; one that failed sends each on alone."""
        add(database, new_run(count=2))
        give_back(database, take(database), failed=False)
        rows = take(database)
        assert [row.alone for row in rows] == [False, False]
        give_back(database, rows, failed=True)
        assert take(database) == []
        (alone,) = take(database, alone=True)
        give_back(database, [alone], failed=False)
        for _ in range(ALONE_LIMIT):
            (row,) = (row for row in [*take(database, alone=True)] if row.position == 0)
            give_back(database, [row], failed=True)
        assert give_up(database) == 1

    def test_a_lease_of_a_clock_set_back_ends(self, database: Database) -> None:
        """A tick frees what would be held for hours, and scores it."""
        add(database, new_run(count=1))
        take(database)
        column = golden_answers.c.lease_until
        with database.write() as connection:
            connection.execute(
                update(golden_answers).values({column: type_coerce(column, BigInteger) + 5 * 3_600_000_000})
            )
        worker = Worker(database, ToldScorer())
        worker.ticker().tick()
        assert run_of(database).finished_at is not None


class TestFinished:
    def test_the_last_answer_ends_the_run(self, database: Database) -> None:
        """Before it there is no end; with it come the time and the scorer."""
        add(database, new_run(count=3))
        first, *rest = take(database)
        assert finish(database, rest) == 2
        assert run_of(database).finished_at is None
        assert finish(database, [first]) == 1
        run, record = run_of(database), record_of(database)
        assert run.finished_at is not None
        assert (record.finished_at, record.fingerprint, record.pending) == (run.finished_at, "f1", 0)
        assert record.items[0].answers == (DONE,)

    def test_an_answer_counts_once(self, database: Database) -> None:
        """Who lost the lease changes nothing, whether the other has finished or still holds it."""
        add(database, new_run(count=1))
        late = take(database, SHORT)
        time.sleep(SHORT.lease_s + 0.1)
        holder = take(database, alone=True)
        assert finish(database, late, by="late") == 0
        assert finish(database, holder) == 1
        assert finish(database, holder) == finish(database, late) == 0
        assert run_of(database).scored_by == {"f1"}

    def test_of_two_that_end_at_once_one_ends_the_run(self, database: Database) -> None:
        """Eight workers that finish the last answers together leave no run open."""
        for number in range(5):
            add(database, new_run(f"r-{number}", count=8))
            rows = take(database)
            in_threads(8, lambda n, rows=rows: finish(database, [rows[n]]))  # type: ignore[misc]
            assert run_of(database, f"r-{number}").finished_at is not None

    def test_two_scorers_are_told(self, database: Database) -> None:
        """A run that two fingerprints scored has none, and says who they were."""
        add(database, new_run(count=2))
        first, second = take(database)
        finish(database, [first], by="f1")
        finish(database, [second], by="f2")
        run = run_of(database)
        assert (run.fingerprint, run.mixed, sorted(run.scored_by)) == (None, True, ["f1", "f2"])
        assert record_of(database).fingerprint is None

    @pytest.mark.parametrize(
        ("scorers", "known", "devices"),
        [
            ([scorer(), scorer()], None, "a"),
            ([scorer(found=20), scorer()], (20, 20), "a"),
            ([scorer(), scorer(found=19, device="b")], (19, 20), "a | b"),
            ([scorer(found=20, passed=7), scorer(found=4, device="b"), scorer(found=20)], (4, 7), "a | b"),
            ([scorer(device="c"), scorer(device="a"), scorer(device="b")], None, "a | b | c"),
            ([scorer(found=20), scorer(found=0, digest="others")], (20, 20), "a"),
        ],
    )
    def test_a_run_knows_its_scorers(
        self, database: Database, scorers: list[RunScorer], known: tuple[int, int] | None, devices: str
    ) -> None:
        """Of known answers the worst of all workers counts, also where one was not asked; and all that they ran on."""
        add(database, new_run(count=len(scorers) + 1))
        one = replace(LIMITS, rows=1)
        for by in scorers:
            rows = [FinishedAnswer(taken=row, record=DONE) for row in take(database, one)]
            with database.write() as connection:
                assert len(finish_golden(connection, rows, by, utc_now())) == 1
            fenced = scorer(found=0, passed=0, device="fenced")
            with database.write() as connection:
                assert finish_golden(connection, rows, fenced, utc_now()) == []
        record = record_of(database)
        assert record.runtime == {"device": devices}
        found = record.known_answers
        assert (found and (found.hallucinated.right, found.supported.right)) == known

    def test_what_fails_alone_is_given_up(self, database: Database) -> None:
        """After three failures alone an answer is unscored with the reason, and its run ends."""
        add(database, new_run(count=1))
        give_back(database, take(database), failed=True)
        for _ in range(ALONE_LIMIT):
            assert give_up(database) == 0
            give_back(database, take(database, alone=True), failed=True)
        assert take(database, alone=True) == []
        assert give_up(database) == 1
        (answer,) = record_of(database).items[0].answers
        assert (answer.state, answer.reason) == (AnswerState.UNSCORED, "failed_alone")
        assert run_of(database).finished_at is not None
        assert not waiting(database)

    @pytest.mark.parametrize("store_text", [StoreText.NONE, StoreText.HASH])
    def test_texts_go_as_promised(self, database: Database, store_text: StoreText) -> None:
        """Responses, claims' and evidence's texts go with the end; scores, offsets and the labelled items stay."""
        add(database, new_run(count=2, response="Not so.", store_text=store_text.value))
        first, second = take(database)
        assert first.response == "Not so."
        finish(database, [first])
        give_back(database, [second], failed=True)
        for _ in range(ALONE_LIMIT):
            give_back(database, take(database, alone=True), failed=True)
        give_up(database)
        one, other = (each.answers[0] for each in record_of(database).items)
        (said,) = one.claims
        assert (one.response, said.text, said.start, said.end, one.score) == (None, None, 0, 3, 0.9)
        assert said.evidence is not None
        assert (said.evidence.text, other.response, other.reason) == (None, None, "failed_alone")
        assert not add(database, new_run(body_digest="whatever"))  # its digest is gone: the id decides


class TestRemoved:
    def test_a_run_goes_with_all_that_is_its_own(self, database: Database) -> None:
        """The set stays as long as another run is over it; what a worker holds counts for nothing."""
        add(database, new_run("a"))
        add(database, new_run("b"))
        held = take(database)
        for run_id, sets in (("a", 1), ("b", 0)):
            with database.write() as connection:
                assert remove_run(connection, "default", run_id) == 4
            assert count(database, golden_sets) == sets
        assert (count(database, golden_runs), count(database, golden_answers)) == (0, 0)
        add(database, new_run("c"))
        take(database)
        assert finish(database, held) == 0  # its number did not come again

    def test_another_tenant_s_run_stays(self, database: Database) -> None:
        """Removal is of one's own."""
        add(database, new_run(tenant="other"))
        with database.write() as connection, pytest.raises(GoldenRunUnknownError):
            remove_run(connection, "default", "r")


class Worker:
    """A pipeline with what it stands on."""

    def __init__(self, database: Database, scorer: ToldScorer) -> None:
        self.database, self.scorer = database, scorer
        self.progress, self.metrics = Progress(None), WorkerMetrics()
        self.pipeline = Pipeline(
            database=database, scorer=scorer, limits=LIMITS, progress=self.progress, metrics=self.metrics
        )

    def ticker(self) -> Ticker:
        doorbell = Doorbell(connect(DEAD_REDIS), "q")
        return Ticker(
            database=self.database,
            doorbell=doorbell,
            pipeline=self.pipeline,
            progress=self.progress,
            metrics=self.metrics,
            interval_s=1.0,
        )

    def ended(self, state: str) -> float:
        return self.metrics.registry.get_sample_value("assay_golden_answers_total", {"state": state}) or 0.0


class TestWorker:
    def test_a_tick_scores_all(self, database: Database) -> None:
        """Every item and repeat by its own response, and an application's by what it said; counted by state."""
        add(database, new_run(count=20, repeats=2))
        add(database, new_run("app", count=1, kind=TargetKind.APPLICATION, response="It is wrong."))
        worker = Worker(database, ToldScorer())
        worker.ticker().tick()
        given = Counter(text for call in worker.scorer.calls for text in call)
        assert given == {**{item.response or "": 2 for item in items(20)}, "It is wrong.": 1}
        record = record_of(database)
        assert [each.answers[0].made_up for each in record.items] == [each.item.hallucinated for each in record.items]
        assert (record.fingerprint, record.pending, worker.ended("scored")) == ("f1", 0, 41)
        assert record.items[0].answers[0].claims[1].evidence == EvidenceAnswer(
            context_id="0", start=4, end=10, text="kettle"
        )

    def test_one_that_fails_harms_no_other(self, database: Database) -> None:
        """It is tried alone, given up after three failures, and the run ends."""
        poisoned = [
            item if n != 3 else item.model_copy(update={"response": "poison"}) for n, item in enumerate(items(8))
        ]
        add(database, new_run(golden=new_set("kettles", poisoned), count=8))
        worker = Worker(database, ToldScorer())
        worker.pipeline.drain()
        run = run_of(database)
        assert (run.counts[AnswerState.SCORED], run.counts[AnswerState.UNSCORED]) == (7, 1)
        assert run.finished_at is not None
        assert (worker.ended("scored"), worker.ended("unscored")) == (7, 1)

    def test_samples_go_first_but_not_for_ever(self, database: Database) -> None:
        """While samples wait there is a take now and then; the rest comes when none does."""
        add(database, new_run(count=40))
        store(database, *[new_sample(f"s-{n}") for n in range(130)])
        worker = Worker(database, ToldScorer())
        worker.pipeline.drain()
        kinds = ["sample" if "says" in call[0] else "golden" for call in worker.scorer.calls]
        assert kinds == ["sample", "golden", "sample", "sample", "golden", "golden"]

    def test_a_stop_gives_back(self, database: Database) -> None:
        """What is held when the grace is over is fresh for the next worker."""

        def stop() -> None:
            raise StoppedError

        add(database, new_run(count=2))
        worker = Worker(database, ToldScorer(before=stop))
        worker.progress.request_stop()
        worker.pipeline._golden._round(alone=False)
        assert [row.alone for row in take(database)] == [False, False]

    def test_a_run_that_is_removed_meanwhile_stops_nobody(self, database: Database) -> None:
        """What comes of its answers is written nowhere."""
        add(database, new_run("gone", count=2))

        def remove() -> None:
            if count(database, golden_runs):
                with database.write() as connection:
                    remove_run(connection, "default", "gone")

        worker = Worker(database, ToldScorer(before=remove))
        worker.pipeline.drain()
        assert worker.metrics.registry.get_sample_value("assay_fenced_samples_total") == 2
        assert count(database, golden_answers) == 0

    def test_every_outcome_has_its_state(self, database: Database) -> None:
        """Scored, not applicable and unscored end as themselves."""
        add(database, new_run(count=3))
        worker = Worker(database, ToldScorer(answer=lambda item: OUTCOMES[int(item.response[-2])]))
        worker.pipeline.drain()
        states = [(each.answers[0].state, each.answers[0].reason) for each in record_of(database).items]
        assert states == [
            (AnswerState.SCORED, None),
            (AnswerState.NOT_APPLICABLE, "no_claims"),
            (AnswerState.UNSCORED, "language"),
        ]
