"""A golden run in this process: a target over a set, taken up again where it was interrupted, its record at the end."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from pydantic import BaseModel

from models.types import Scorer
from service.core.clock import utc_now
from service.core.errors import StartRefusedError
from service.core.golden.item import GoldenItem, item_digest, questions, set_digest
from service.core.golden.record import AnswerRecord, AnswerState, ItemRecord, KnownAnswers, RunRecord, TargetKind
from service.core.golden.runtime import runtime_of
from service.core.golden.sets import GoldenSet
from workers.golden.adding import write_whole
from workers.golden.asking import Answered, Unit, ask_all
from workers.golden.known import known_answers
from workers.golden.scoring_answers import score_answers
from workers.golden.target import SCORER, Application
from workers.offline.output import RESUME, Made, open_output

AT_ONCE = 32  # answers scored together; an interruption costs these
ANSWERS = ".answers"  # of a run that is not complete, beside its record
OTHERWISE = "Give another --json, or --restart to begin anew."


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is to be run."""

    golden: GoldenSet
    application: Application | None  # None: the scorer itself is tested
    repeats: int
    release: str
    git_commit: str
    parallel: int  # questions that an application is asked at a time
    out: Path  # of the record
    restart: bool  # begin anew, whatever an interrupted run left
    probes: GoldenSet | None = None  # known answers that the scorer is asked for beside; None: it is not

    @property
    def kind(self) -> TargetKind:
        """What is tested."""
        return TargetKind.SCORER if self.application is None else TargetKind.APPLICATION

    @property
    def target(self) -> str:
        """As a person reads it."""
        return SCORER if self.application is None else self.application.name

    @property
    def items(self) -> list[GoldenItem]:
        """What is run. Raises StartRefusedError where the set has nothing for this kind of target."""
        if self.kind is TargetKind.APPLICATION:
            found = questions(self.golden.items)
            lacking = "no item has a question"
        else:
            found = [item for item in self.golden.items if item.response is not None and item.hallucinated is not None]
            lacking = "no item has a response with a label (`hallucinated`)"
        if not found:
            raise StartRefusedError(
                f"The set {self.golden.name} cannot test this target: {lacking}.",
                next_step="Add some, or name another.",
            )
        return found


class Watcher(Protocol):
    """Is told how a run goes on."""

    def started(self, answers: int, kept: int) -> None:
        """How many answers there are, and how many of them an interrupted run left."""

    def answered(self) -> None:
        """One more is there."""


class _Line(BaseModel):
    """One answer in the file of an incomplete run."""

    item: str
    repeat: int
    answer: AnswerRecord


def run(plan: Plan, scorer: Scorer, watcher: Watcher) -> RunRecord:
    """Runs what is left and gives the whole record, which is also written to `plan.out`.

    Raises StartRefusedError where an interrupted run cannot go on.
    """
    items = plan.items
    out = plan.out.absolute()  # wherever the application goes to meanwhile
    found: dict[tuple[str, int], AnswerRecord] = {}
    answers = out.with_name(out.name + ANSWERS)
    require_writable(plan.out)
    started = utc_now()

    def keep(line: bytes) -> None:
        kept = _Line.model_validate_json(line)
        found[kept.item, kept.repeat] = kept.answer

    made = _made(plan, items, scorer)
    restart = plan.restart or not answers.with_name(answers.name + RESUME).exists()  # a whole run's, if there is one
    with open_output(str(answers), made, restart=restart, keep=keep, otherwise=OTHERWISE) as output:
        known = None if plan.probes is None else known_answers(scorer, plan.probes, started.date())
        units = [Unit(item=item, repeat=repeat) for repeat in range(plan.repeats) for item in items]
        watcher.started(len(units), len(found))
        left = [unit for unit in units if (unit.item.id, unit.repeat) not in found]
        for group in _answers(plan, left, scorer):
            output.write(
                [_Line(item=u.item.id, repeat=u.repeat, answer=a).model_dump_json().encode() for u, a in group]
            )
            for unit, answer in group:
                found[unit.item.id, unit.repeat] = answer
                watcher.answered()
        record = _record(plan, items, found, scorer, started, known)
        write_record(record, out)
        output.complete()
    answers.unlink(missing_ok=True)
    return record


def require_writable(path: Path) -> None:
    """Before anything is asked: what a run found must not be lost at its end, and no device becomes a file.

    Makes the folder. Raises StartRefusedError.
    """
    if path.exists() and not path.is_file():
        raise StartRefusedError(f"{path} is no file.", next_step="Give another --json.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartRefusedError(
            f"{path.parent} cannot be made: {error.strerror}.", next_step="Give another --json."
        ) from None


def _made(plan: Plan, items: Sequence[GoldenItem], scorer: Scorer) -> Made:
    application = plan.application
    options: dict[str, Any] = {
        "kind": plan.kind,
        "target": {} if application is None else dict(application.options),
        "repeats": plan.repeats,
        "release": plan.release,
        "git_commit": plan.git_commit,
        "runtime": runtime_of(scorer.attributes),  # a run is of one processor, whose kind its record tells
    }
    return Made(
        input_sha256=set_digest(items), fingerprint=scorer.fingerprint, options=json.dumps(options, sort_keys=True)
    )


def _answers(plan: Plan, units: Sequence[Unit], scorer: Scorer) -> Iterator[list[tuple[Unit, AnswerRecord]]]:
    if plan.application is None:
        for at in range(0, len(units), AT_ONCE):
            group = units[at : at + AT_ONCE]
            scored = score_answers(scorer, [(unit.item, unit.item.response or "") for unit in group])
            yield list(zip(group, scored, strict=True))
        return
    for answered in ask_all(plan.application, units, plan.parallel):
        for at in range(0, len(answered), AT_ONCE):
            yield _scored(answered[at : at + AT_ONCE], scorer)


def _scored(answered: Sequence[Answered], scorer: Scorer) -> list[tuple[Unit, AnswerRecord]]:
    given = [each for each in answered if each.response is not None]
    scored = score_answers(scorer, [(each.unit.item, each.response or "") for each in given])
    of = {id(each): record for each, record in zip(given, scored, strict=True)}
    return [(each.unit, _record_of(each, of.get(id(each)))) for each in answered]


def _record_of(each: Answered, scored: AnswerRecord | None) -> AnswerRecord:
    if scored is None:
        return AnswerRecord(state=AnswerState.FAILED, reason=each.failed, seconds=each.seconds)
    return scored.model_copy(update={"response": each.response, "seconds": each.seconds})


def _record(
    plan: Plan,
    items: Sequence[GoldenItem],
    found: dict[tuple[str, int], AnswerRecord],
    scorer: Scorer,
    started: datetime,
    known: KnownAnswers | None,
) -> RunRecord:
    return RunRecord(
        id=uuid4().hex,
        set_name=plan.golden.name,
        set_digest=set_digest(items),
        kind=plan.kind,
        target=plan.target,
        release=plan.release,
        git_commit=plan.git_commit,
        fingerprint=scorer.fingerprint,
        repeats=plan.repeats,
        started_at=started,
        finished_at=utc_now(),
        known_answers=known,
        runtime=runtime_of(scorer.attributes),
        items=tuple(
            ItemRecord(
                item=item,
                digest=item_digest(item),
                answers=tuple(found[item.id, repeat] for repeat in range(plan.repeats)),
            )
            for item in items
        ),
    )


def write_record(record: RunRecord, path: Path) -> None:
    """Writes it whole or not at all. Raises StartRefusedError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartRefusedError(
            f"{path} cannot be written: {error.strerror}.", next_step="Give another path."
        ) from None
    write_whole(path, record.model_dump_json(indent=1).encode() + b"\n")
