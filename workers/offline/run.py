"""A run: rows in, scored many at a time, rows out in their order."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Protocol

from models.types import Scorer
from service.core.config import Settings
from service.core.errors import StartRefusedError
from service.core.schemas import Submission
from service.core.store.scores import ScoredBy
from service.core.submitted import estimated_tokens
from service.core.visible import visible
from workers.offline.answer import ErrorAnswer, RowAnswer, error_answer, row_answer
from workers.offline.output import Made, Output, open_output
from workers.offline.scoring import score_together
from workers.offline.shape import Fields, Row, Shaper
from workers.offline.source import Source
from workers.offline.tally import Tally, told, told_by_line

MAX_NAME_CHARS = 40
LIMITS = ("max_body_bytes", "max_contexts", "max_context_chars", "max_total_context_chars", "max_response_chars")


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is to be scored, and where to."""

    source: Source
    fields: Fields
    out: str  # a path, or `-` for standard output
    restart: bool  # score all anew, whatever an earlier run left


class Watcher(Protocol):
    """Is told how a run goes on."""

    def started(self, rows: int | None, kept: int) -> None:
        """How many rows there are, None if not known, and how many of them an earlier run scored."""

    def scored(self, row: Row, answer: RowAnswer | ErrorAnswer) -> None:
        """A row came out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a run made."""

    tally: Tally
    kept: int  # rows that an earlier run scored
    ignored: tuple[str, ...]  # fields that no submission has
    unseen: tuple[str, ...] = ()  # fields that were chosen and that no row has

    @property
    def failed(self) -> bool:
        """Whether something that should have been scored was not."""
        return bool(self.tally.failed or (self.unseen and self.tally.rows))


def run(job: Job, scorer: Scorer, settings: Settings, watcher: Watcher) -> Result:
    """Scores every row that an earlier run has not. Raises StartRefusedError."""
    tally = Tally(labelled=job.fields.label is not None)
    shaper = Shaper(job.fields, settings)
    _require_columns(job)
    rows = (shaper.shape(row) for row in job.source.rows())
    made = _made(job, scorer, settings)
    with open_output(job.out, made, restart=job.restart, keep=_keeper(rows, tally)) as output:
        kept = tally.rows
        watcher.started(job.source.count(), kept)
        by = ScoredBy(scorer=scorer.name, fingerprint=scorer.fingerprint, attributes=dict(scorer.attributes))
        for batch in batches(rows, rows_limit=settings.take_rows, tokens_limit=settings.take_tokens):
            answers = _answers(batch, scorer, by)
            _put_out(batch, answers, output, tally, watcher)
        output.complete()
    return Result(tally=tally, kept=kept, ignored=tuple(shaper.ignored), unseen=tuple(shaper.unseen))


def _require_columns(job: Job) -> None:
    """A misspelt column would make every row one without contexts. Lines have no header: they are looked at as read."""
    columns = job.source.columns()
    if columns is None:
        return
    for name in job.fields.named:
        if name not in columns:
            raise StartRefusedError(
                f"There is no column {visible(name, MAX_NAME_CHARS)}.",
                next_step=f"Name one of these: {', '.join(visible(column, MAX_NAME_CHARS) for column in columns)}.",
            )


def _made(job: Job, scorer: Scorer, settings: Settings) -> Made | None:
    """None for standard input, which cannot be read a second time."""
    if job.source.path is None:
        return None
    options = asdict(job.fields) | {"format": job.source.format} | {name: getattr(settings, name) for name in LIMITS}
    return Made(
        input_sha256=job.source.digest(),
        fingerprint=scorer.fingerprint,
        options=json.dumps(options, sort_keys=True),
    )


def _keeper(rows: Iterator[Row], tally: Tally) -> Callable[[bytes], None]:
    """Counts a row of an earlier run beside the row of the input that it came from."""

    def keep(line: bytes) -> None:
        earlier = told_by_line(line)
        row = next(rows, None)
        if row is None:
            raise StartRefusedError("The output has more rows than the input.", next_step="Add --restart.")
        tally.add(earlier, row.label)

    return keep


def batches(rows: Iterable[Row], *, rows_limit: int, tokens_limit: int) -> Iterator[list[Row]]:
    """All rows in order, as many together as a worker takes at once; a row that is larger comes alone."""
    batch: list[Row] = []
    held = 0
    for row in rows:
        tokens = estimated_tokens(row.content) if isinstance(row.content, Submission) else 0
        if batch and (len(batch) == rows_limit or held + tokens > tokens_limit):
            yield batch
            batch, held = [], 0
        batch.append(row)
        held += tokens
    if batch:
        yield batch


def _answers(batch: list[Row], scorer: Scorer, by: ScoredBy) -> list[RowAnswer | ErrorAnswer]:
    submissions = [row.content for row in batch if isinstance(row.content, Submission)]
    assessed = iter(score_together(scorer, submissions))
    return [
        row_answer(row, next(assessed), by, scorer.consistency_fingerprint)
        if isinstance(row.content, Submission)
        else error_answer(row, row.content)
        for row in batch
    ]


def _put_out(
    batch: list[Row], answers: list[RowAnswer | ErrorAnswer], output: Output, tally: Tally, watcher: Watcher
) -> None:
    output.write([answer.model_dump_json().encode() for answer in answers])
    for row, answer in zip(batch, answers, strict=True):
        tally.add(told(answer), row.label)
        watcher.scored(row, answer)
