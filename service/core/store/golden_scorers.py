"""What golden runs know of the scorers that ended their answers: what these must know, and what they ran on."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from service.core.golden.known import worst_of
from service.core.golden.record import KnownAnswers
from service.core.golden.runtime import Runtime, joined
from service.core.golden_tables import golden_runs


@dataclass(frozen=True, kw_only=True, slots=True)
class RunScorer:
    """A worker's scorer."""

    fingerprint: str
    runtime: Runtime
    known_answers: KnownAnswers | None  # None: it was not asked


def note_scorer(connection: Connection, seqs: Sequence[int], by: RunScorer) -> None:
    """Adds a scorer to those of these runs, whose rows the caller holds: of known answers the worst count."""
    columns = (golden_runs.c.seq, golden_runs.c.known_answers, golden_runs.c.runtime)
    for row in connection.execute(select(*columns).where(golden_runs.c.seq.in_(seqs))).all():
        before = row.known_answers and KnownAnswers.model_validate(row.known_answers)
        known = worst_of(before, by.known_answers) if before and by.known_answers else before or by.known_answers
        runtime = dict(by.runtime) if row.runtime is None else joined(row.runtime, by.runtime)
        if (known, runtime) != (before, row.runtime):
            values = {"known_answers": known and known.model_dump(), "runtime": runtime}
            connection.execute(update(golden_runs).where(golden_runs.c.seq == row.seq).values(values))
