"""Golden scoring: pending answers of golden runs, on a worker's NLI model, beside samples."""

import time
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.exc import NoResultFound

from models.types import Item, Outcome, Scored, Scorer
from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import StoreUnavailableError
from service.core.golden.item import GoldenItem
from service.core.golden.record import AnswerState
from service.core.golden.runtime import runtime_of
from service.core.log import log, where
from service.core.metrics import WorkerMetrics
from service.core.store.golden import read_items
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
from service.core.store.taking import TakeLimits
from workers.golden.probing import Probing
from workers.golden.scoring_answers import answer_record, item_of
from workers.progress import Progress, StoppedError
from workers.storing import write_until_taken

ROWS = 16  # answers of one take
PART = 4  # a take costs this part of what one of samples may: these wait for its end
REST_S = 10.0  # between takes while samples come in: what users wait for goes first, but not for ever
SETS_HELD = 4


class GoldenScoring:
    """Takes answers, scores and finishes them. One that fails, or whose worker died, is tried again alone."""

    def __init__(
        self,
        *,
        database: Database,
        scorer: Scorer,
        limits: TakeLimits,
        progress: Progress,
        metrics: WorkerMetrics,
        probing: Probing | None,
    ) -> None:
        """The scorer is loaded and warm. `limits`: those of samples. `probing`: tells runs what this scorer must know."""
        self._probing = probing
        self._database = database
        self._scorer = scorer
        self._limits = replace(limits, rows=min(limits.rows, ROWS), tokens=max(1, limits.tokens // PART))
        self._progress = progress
        self._metrics = metrics
        self._taken_at = float("-inf")
        self._sets: dict[str, Sequence[GoldenItem]] = {}  # by the digest of their content

    def score(self, *, busy: bool) -> int:
        """Scores a few, then one of those that failed before; returns how many. Raises StoreUnavailableError.

        `busy`: samples are waiting, so do nothing unless the last time was a while ago.
        """
        if busy and time.monotonic() < self._taken_at + REST_S:
            return 0
        with self._database.read() as connection:
            if not any_golden(connection):
                return 0
        if self._probing is not None and not self._probing.began:
            self._probing.hurry()  # the run is to know whether this scorer is broken
            return 0
        done = 0
        for alone in (False, True):
            if not self._progress.stopping:
                done += self._round(alone=alone)
        self._taken_at = time.monotonic()
        return done

    def _round(self, *, alone: bool) -> int:
        with self._database.write() as connection:
            given_up = give_up_golden(connection, utc_now()) if alone else 0
            rows = take_golden(connection, self._limits, alone=alone)
        if given_up:
            self._metrics.golden.labels(AnswerState.UNSCORED.value).inc(given_up)
            log.warning("golden_answers_given_up", answers=given_up)
        if finished := self._score(rows):
            self._store(finished)
        return len(rows) + given_up

    def _asked(self, rows: Sequence[TakenAnswer]) -> list[Item]:
        items = [self._set(row.content, row.set_seq)[row.position] for row in rows]
        given = [item.response if row.response is None else row.response for item, row in zip(items, rows, strict=True)]
        return [item_of(item, response or "") for item, response in zip(items, given, strict=True)]

    def _set(self, content: str, seq: int) -> Sequence[GoldenItem]:
        """The items of a set. It never changes, so that it is read once for many takes."""
        held = self._sets.pop(content, None)
        if held is None:
            with self._database.read() as connection:
                held = read_items(connection, seq)
        self._sets[content] = held  # the last one used
        if len(self._sets) > SETS_HELD:
            del self._sets[next(iter(self._sets))]
        return held

    def _score(self, rows: Sequence[TakenAnswer]) -> list[FinishedAnswer]:
        if not rows:
            return []
        try:
            assessed = self._scorer.assess(self._asked(rows), self._progress.step)
            outcomes = [each.outcome for each in assessed]
            self._count_pairs(outcomes)
            return [
                FinishedAnswer(taken=row, record=answer_record(outcome))
                for row, outcome in zip(rows, outcomes, strict=True)
            ]
        except (StoppedError, StoreUnavailableError, NoResultFound):  # the last: the run was removed meanwhile
            self._release(rows, failed=False)
        except Exception as error:  # noqa: BLE001 - the rows' boundary: recorded, and each is tried again alone
            self._fail(rows, error)
        return []

    @property
    def _by(self) -> RunScorer:
        known = None if self._probing is None else self._probing.known
        return RunScorer(
            fingerprint=self._scorer.fingerprint, runtime=runtime_of(self._scorer.attributes), known_answers=known
        )

    def _count_pairs(self, outcomes: Sequence[Outcome]) -> None:
        self._metrics.pairs.inc(sum(outcome.pairs for outcome in outcomes if isinstance(outcome, Scored)))

    def _store(self, finished: Sequence[FinishedAnswer]) -> None:
        """Writes until the database takes it, or a stop leaves no time."""
        try:
            counted = write_until_taken(
                lambda: self._finish(finished), self._progress, "golden_finish_failed", len(finished)
            )
        except StoppedError:
            return
        except Exception as error:  # noqa: BLE001 - the database refuses a row: each is tried again alone
            self._fail([row.taken for row in finished], error)
            return
        self._metrics.fenced.inc(len(finished) - len(counted))
        for row in counted:
            self._metrics.golden.labels(row.record.state.value).inc()

    def _finish(self, finished: Sequence[FinishedAnswer]) -> list[FinishedAnswer]:
        with self._database.write() as connection:
            return finish_golden(connection, finished, self._by, utc_now())

    def _fail(self, rows: Sequence[TakenAnswer], error: Exception) -> None:
        self._metrics.failures.labels(type(error).__name__).inc()
        log.error(
            "golden_score_failed",
            error=where(error),
            run_seqs=sorted({row.run_seq for row in rows}),
            positions=[row.position for row in rows],
            alone=rows[0].alone,
        )
        self._release(rows, failed=True)

    def _release(self, rows: Sequence[TakenAnswer], *, failed: bool) -> None:
        try:
            with self._database.write() as connection:
                release_golden(connection, rows, failed=failed)
        except StoreUnavailableError:
            log.warning("release_failed", rows=len(rows))  # their lease ends by itself
