"""What is told of stored golden runs."""

from dataclasses import dataclass

from service.core.db import Database
from service.core.errors import GoldenRunsDifferError, GoldenRunUnknownError
from service.core.golden.compare import compare
from service.core.golden.comparison_schemas import ComparisonAnswer
from service.core.golden.gate import Verdict
from service.core.golden.record import RunRecord
from service.core.golden.run_schemas import NO_BASELINE, GoldenRunAnswer, GoldenRunHead, GoldenRunsAnswer, RunState
from service.core.golden.summary import summarise
from service.core.store.golden import StoredRun, Wanted, find_run, read_runs, record_of


@dataclass(frozen=True, kw_only=True, slots=True)
class RunQuery:
    """Which run, held against which other."""

    tenant: str
    id: str
    baseline: str | None  # None: the one that is stored with it; `none`: none
    margin: float | None  # None: likewise
    record: bool  # with all items and answers


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """A run with its record."""

    run: StoredRun
    record: RunRecord


def answer_runs(database: Database, wanted: Wanted) -> GoldenRunsAnswer:
    """A page of runs."""
    with database.read() as connection:
        found = read_runs(connection, wanted)
    full = len(found) == wanted.limit
    return GoldenRunsAnswer(runs=[head_of(run) for run in found], next_before=found[-1].seq if full else None)


def head_of(run: StoredRun) -> GoldenRunHead:
    """The run as lists show it."""
    return GoldenRunHead(
        id=run.id,
        state=state_of(run),
        set_name=run.set_name,
        set_digest=run.set_digest,
        kind=run.kind,
        target=run.target,
        release=run.release,
        git_commit=run.git_commit,
        repeats=run.repeats,
        baseline=run.baseline,
        margin=run.margin,
        origin=run.origin.value,
        created_at=run.created_at,
        finished_at=run.finished_at,
        fingerprint=run.fingerprint,
        scored_by=sorted(run.scored_by),
        answers=dict(run.counts),
    )


def state_of(run: StoredRun) -> RunState:
    """Whether it has ended."""
    return RunState.PENDING if run.finished_at is None else RunState.FINISHED


def answer_run(database: Database, query: RunQuery) -> GoldenRunAnswer:
    """One run.

    Raises GoldenRunUnknownError where it or the baseline asked for is not there, GoldenRunsDifferError where that cannot
    be compared. Of a baseline that was stored with the run either is a note.
    """
    stored_one = query.baseline is None
    with database.read() as connection:
        run = find_run(connection, query.tenant, query.id)
        mine = _Read(run=run, record=record_of(connection, run))
        name = run.baseline if stored_one else query.baseline
        notes = [_two_scorers(run)] if run.mixed else []
        other = None
        if name is not None and name != NO_BASELINE:
            try:
                found = find_run(connection, query.tenant, name)
                other = _Read(run=found, record=record_of(connection, found))
            except GoldenRunUnknownError:
                if not stored_one:
                    raise
                notes.append(f"Its baseline {name!r} is not stored here, or not any more.")
    comparison = None
    if other is not None:
        try:
            comparison = _compare(other, mine, query.margin)
        except GoldenRunsDifferError as error:
            if not stored_one:
                raise
            notes.append(f"It cannot be compared with its baseline: {error.detail}")
    return GoldenRunAnswer(
        **head_of(run).model_dump(),
        quarantined=list(run.quarantined),
        summary=summarise(mine.record),
        comparison=comparison,
        record=mine.record if query.record else None,
        notes=notes,
    )


def _compare(baseline: _Read, candidate: _Read, margin: float | None) -> ComparisonAnswer:
    run, record = candidate.run, candidate.record
    if not run.scored_by:  # no scorer has ended anything yet: that is no second scorer
        record = record.model_copy(update={"fingerprint": baseline.record.fingerprint})
    found = compare(
        baseline.record,
        record,
        margin=run.margin if margin is None else margin,
        quarantined=run.quarantined,
    )
    notes = [_two_scorers(each.run) for each in (baseline, candidate) if each.run.mixed]
    if not notes:
        return found
    return found.model_copy(update={"verdict": Verdict.CANNOT_TELL, "notes": [*notes, *found.notes]})


def _two_scorers(run: StoredRun) -> str:
    return (
        f"Answers of the run {run.id} were scored by {len(run.scored_by)} scorers: a worker was changed meanwhile. "
        "Run it again to compare it."
    )
