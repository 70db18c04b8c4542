"""Examples of a golden set: labelled rows of a file, scored now."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from models.types import Consistent, Scored, Scorer
from service.core.combination import Parts
from service.core.config import Settings
from service.core.errors import PayloadInvalidError, StartRefusedError
from service.core.schemas import Submission
from workers.combining.examples import Example
from workers.offline.agreement import read_label
from workers.offline.readers import SourceRow
from workers.offline.run import batches
from workers.offline.scoring import score_together
from workers.offline.shape import Fields, Row, Shaper
from workers.offline.source import Source

JUDGE_SCORE, JUDGE_FINGERPRINT = "judge_score", "judge_fingerprint"  # as GET /score/{id} gives them under `reviews`


@dataclass(frozen=True, kw_only=True, slots=True)
class GoldenRow:
    """A labelled row, not scored yet."""

    row: Row
    unsupported: bool
    judge: float | None
    judge_fingerprint: str | None


def read_golden(source: Source, label_field: str, settings: Settings) -> list[GoldenRow]:
    """All rows of a file. Raises StartRefusedError, which names the row that cannot be used."""
    shaper = Shaper(Fields(label=label_field), settings)
    rows = [_golden(shaper.shape(read), read, label_field) for read in source.rows()]
    judges = {row.judge_fingerprint for row in rows if row.judge is not None}
    if len(judges) > 1:
        raise StartRefusedError(
            f"The rows have judgements of {len(judges)} judges.", next_step="Keep those of one `judge_fingerprint`."
        )
    return rows


def score_golden(
    rows: Sequence[GoldenRow], scorer: Scorer, settings: Settings, progress: Callable[[int], None]
) -> list[Example]:
    """The rows as examples, those left out of which no scorer says anything; calls `progress` with how many are done."""
    by_line = {row.row.line: row for row in rows}
    examples: list[Example] = []
    done = 0
    for batch in batches((row.row for row in rows), rows_limit=settings.take_rows, tokens_limit=settings.take_tokens):
        submissions = [row.content for row in batch if isinstance(row.content, Submission)]
        assessed = score_together(scorer, submissions)
        for row, submission, found in zip(batch, submissions, assessed, strict=True):
            nli = found.outcome.score if isinstance(found.outcome, Scored) else None
            compared = found.consistency if isinstance(found.consistency, Consistent) else None
            golden = by_line[row.line]
            parts = Parts(
                nli=nli,
                nli_fingerprint=None if nli is None else scorer.fingerprint,
                judge=golden.judge,
                judge_fingerprint=None if golden.judge is None else golden.judge_fingerprint,
                selfcheck=compared.scored.score if compared else None,
                entropy=compared.entropy if compared else None,
                consistency_fingerprint=scorer.consistency_fingerprint if compared else None,
            )
            if parts != Parts():
                examples.append(Example(parts=parts, y=float(golden.unsupported), group=_group(submission)))
        done += len(batch)
        progress(done)
    return examples


def _golden(row: Row, read: SourceRow, label_field: str) -> GoldenRow:
    if isinstance(row.content, PayloadInvalidError):
        raise StartRefusedError(f"Row {row.line} cannot be used: {row.content.detail}", next_step="Mend the row.")
    unsupported = read_label(row.label)
    if unsupported is None:
        raise StartRefusedError(
            f"Row {row.line} has no label in the field {label_field!r}.",
            next_step="Label it supported or unsupported, or name another field with --label-field.",
        )
    document: dict[str, Any] = read.document if isinstance(read.document, dict) else {}
    judge, fingerprint = _number(document.get(JUDGE_SCORE), row.line), document.get(JUDGE_FINGERPRINT) or None
    if judge is not None and not isinstance(fingerprint, str):
        raise StartRefusedError(
            f"Row {row.line} has a {JUDGE_SCORE} and no {JUDGE_FINGERPRINT}.",
            next_step="Add it, as GET /score/{id} gives it under `reviews`: a fit is of one judge.",
        )
    return GoldenRow(row=row, unsupported=unsupported, judge=judge, judge_fingerprint=fingerprint)


def _number(value: Any, line: int) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 1:
        raise StartRefusedError(
            f"Row {line} has a {JUDGE_SCORE} that is no number from 0 to 1.", next_step="Correct it, or remove it."
        )
    return number


def _group(submission: Submission) -> str:
    """What rows have in common that are not independent: their session, else their documents, else their question."""
    if submission.session_id:
        return "s" + submission.session_id
    texts = [context.text for context in submission.contexts] or [submission.question or submission.response]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
