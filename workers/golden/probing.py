"""Probing: a worker scores known answers again and again on the model that samples are scored by, and writes each round.

Every worker process does so, since each has a model of its own. It is a step of the pipeline's drain, so that there are
never two threads on the model: a few items at a time, when no sample waits or the round is an interval late.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from socket import gethostname
from uuid import uuid4

from models.types import Scorer
from service.core.clock import utc_now
from service.core.db import Database
from service.core.errors import StoreUnavailableError
from service.core.golden.item import GoldenItem, set_digest
from service.core.golden.known import count_known
from service.core.golden.probes import ProbeRound, is_right, probes_on
from service.core.golden.record import AnswerRecord, AnswerState, KnownAnswers
from service.core.golden.sets import GoldenSet
from service.core.log import log, where
from service.core.metrics import WorkerMetrics
from service.core.store.probes import add_round
from workers.golden.scoring_answers import answer_record, item_of
from workers.progress import Progress, StoppedError

GROUP = 2  # items that a sample may have to wait for: some tenths of a second on a core
FIRST_S = 10.0  # after the start, where samples may have waited for a worker
HOST_CHARS = 40
MAX_NAMED = 10  # items in a line of the log

_FAILED = AnswerRecord(state=AnswerState.FAILED, reason="raised")


class Probing:
    """One round after another, each a few items at a time. For one thread, but `due`."""

    def __init__(  # noqa: PLR0913 - the parts that it drives
        self,
        *,
        database: Database,
        scorer: Scorer,
        probes: GoldenSet,
        metrics: WorkerMetrics,
        progress: Progress,
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Scores nothing yet.

        Args:
            database: takes the rounds.
            scorer: that of the samples; it is asked without its memory, which would hide that its model is broken.
            probes: what is scored; items without a response or a label are left out.
            metrics: of the worker.
            progress: beaten by the scorer's own steps.
            interval_s: between two rounds, above 0.
            clock: seconds that only go on.
        """
        self._database = database
        self._scorer = scorer.uncached()
        self._probes = probes
        self._metrics = metrics
        self._progress = progress
        self._interval_s = interval_s
        self._clock = clock
        self._worker = f"{gethostname()[:HOST_CHARS]}:{os.getpid()}:{uuid4().hex[:8]}"
        self._next_at = clock() + min(FIRST_S, interval_s)
        self._items: tuple[GoldenItem, ...] = ()  # of the round under way
        self._found: dict[str, AnswerRecord] = {}  # of it, by id; empty: none is under way
        self._error: str | None = None  # that an item of it raised, the first one
        self._rounds = 0
        self.known: KnownAnswers | None = None  # of the last round; None: there was none, or nothing to ask

    @property
    def due(self) -> bool:
        """Whether a round, or the rest of one, is to be scored; also for other threads."""
        return self._clock() >= self._next_at

    @property
    def began(self) -> bool:
        """Whether a round has ended: what golden runs are told of this scorer."""
        return self._rounds > 0

    def hurry(self) -> None:
        """Has the round that is to come, or under way, go on at once, also while samples wait."""
        self._next_at = min(self._next_at, self._clock() - self._interval_s)

    def step(self, *, busy: bool) -> int:
        """Scores a few items if a round is due, and ends it after the last; returns how many.

        `busy`: samples are waiting, so do nothing unless the round is late by an interval. It raises nothing: what goes
        wrong here must not keep samples from being scored.
        """
        late_at = self._next_at + self._interval_s
        if not self.due or (busy and self._clock() < late_at):
            return 0
        if not self._found:
            self._items = probes_on(self._probes, utc_now().date())
        group = self._items[len(self._found) :][:GROUP]
        try:
            self._found |= self._score(group) if group else {}
        except StoppedError:
            return 0  # the process ends, and the round with it
        if len(self._found) == len(self._items):
            self._end()
        return len(group)

    def _score(self, items: Sequence[GoldenItem]) -> dict[str, AnswerRecord]:
        """By id. An item on which the scorer fails is unknown, and takes no other with it."""
        asked = [item_of(item, item.response or "") for item in items]
        try:
            outcomes = self._scorer.score(asked, self._progress.step)
            pairs = zip(items, outcomes, strict=True)
            return {item.id: answer_record(outcome) for item, outcome in pairs}
        except StoppedError:
            raise
        except Exception as error:  # noqa: BLE001 - the item's boundary
            if len(items) > 1:
                return {name: record for item in items for name, record in self._score([item]).items()}
            self._error = self._error or where(error)
            return {item.id: _FAILED for item in items}

    def _end(self) -> None:
        made = self._round() if self._found else None
        error, self._found, self._error = self._error, {}, None
        self._next_at = self._clock() + self._interval_s
        self._rounds += 1
        if made is None:  # all are in quarantine
            return
        for result, number in (("right", made.right), ("wrong", made.wrong), ("unknown", made.unknown)):
            self._metrics.probe_items.labels(result).set(number)
        self._metrics.probe_rounds.labels("done" if self._write(made) else "not_written").inc()
        if error is not None:
            log.error("probes_failed", worker=made.worker, error=error, items=made.unknown)

    def _round(self) -> ProbeRound:
        correct = {item.id: is_right(item, self._found[item.id]) for item in self._items}
        wrong = [name for name, right in correct.items() if right is False]
        unknown = [name for name, right in correct.items() if right is None]
        self.known = count_known(self._probes.items, correct)
        made = ProbeRound(
            worker=self._worker,
            fingerprint=self._scorer.fingerprint,
            runtime=_digest(self._scorer.attributes),
            at=utc_now(),
            interval_s=self._interval_s,
            set_digest=set_digest(self._items),
            right=len(correct) - len(wrong) - len(unknown),
            wrong=len(wrong),
            unknown=len(unknown),
            scores={name: record.score for name, record in self._found.items()},
        )
        log.info(
            "probes_scored",
            worker=made.worker,
            right=made.right,
            wrong=made.wrong,
            unknown=made.unknown,
            wrong_items=wrong[:MAX_NAMED],
            unknown_items=unknown[:MAX_NAMED],
        )
        return made

    def _write(self, made: ProbeRound) -> bool:
        """Once: what the database does not take is lost, and the next round is not far."""
        try:
            with self._database.write() as connection:
                add_round(connection, made)
        except StoreUnavailableError as error:
            log.warning("probe_round_not_written", error=error.code)
            return False
        except Exception as error:  # noqa: BLE001 - samples must go on
            log.error("probe_round_not_written", error=where(error))
            return False
        return True


def _digest(attributes: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(attributes), sort_keys=True).encode()).hexdigest()
