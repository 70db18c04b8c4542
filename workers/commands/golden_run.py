"""One set of `assay golden run`: what can be told, the run itself, and its comparison."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.load import ScorerConfig, load_scorer
from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database
from service.core.golden.compare import compare
from service.core.golden.record import RunRecord, TargetKind
from service.core.golden.sets import GoldenSet
from service.core.golden.summary import summarise
from service.core.policy import read_policy
from service.core.store.golden import store_record
from workers.commands.golden_target import Http, application_of
from workers.commands.shown import show_lines
from workers.golden.baselines import DEFAULT_NAME, baseline_file, database_is_there, find_run
from workers.golden.outlook import DEFAULT_REPEATS, outlook
from workers.golden.report import Report, make_report
from workers.golden.running import Plan, run
from workers.golden.scoring_answers import scored_again
from workers.golden.target import kind_of
from workers.scorer import scorer_config

NO_BASELINE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What the command was asked for, of every set."""

    settings: Settings
    target: str
    http: Http
    baseline: str | None
    repeats: int | None
    margin: float | None  # as a share
    release: str
    commit: str | None
    parallel: int
    store: bool
    restart: bool
    folder: Path
    tenant: str


def run_set(asked: Asked, golden: GoldenSet, out: Path) -> Report:
    """Runs a set and compares it; says meanwhile on standard error how it goes on. Raises StartRefusedError."""
    console = Console(stderr=True, highlight=False)
    plan = Plan(
        golden=golden,
        application=application_of(asked.target, asked.http),
        repeats=asked.repeats or DEFAULT_REPEATS[kind_of(asked.target)],
        release=asked.release,
        git_commit=_git_commit() if asked.commit is None else asked.commit,
        parallel=asked.parallel,
        out=out,
        restart=asked.restart,
    )
    baseline = _baseline(asked, golden)
    told = outlook(plan.kind, plan.items, plan.repeats, asked.margin)
    show_lines(console, f"{golden.name}: {len(plan.items)} items, {plan.repeats} times each, by {plan.target}.")
    if baseline is not None:
        show_lines(console, *told.sentences())
    scorer = load_scorer(_config(asked.settings))
    with _bar(console) as bar:
        record = run(plan, scorer, bar)
    if asked.store:
        _store(asked, golden, record, baseline, console)
    if baseline is not None and record.kind is TargetKind.APPLICATION:
        baseline = scored_again(baseline, scorer)
    quarantined = golden.quarantine_on(utc_now().date())
    comparison = None if baseline is None else compare(baseline, record, margin=asked.margin, quarantined=quarantined)
    return make_report(record, baseline, comparison, floors_missed=floors_missed(golden, record))


def _baseline(asked: Asked, golden: GoldenSet) -> RunRecord | None:
    """The one that was named, else `main` where it is there: a gate that is set up is not passed by without a word."""
    if asked.baseline == NO_BASELINE:
        return None
    if asked.baseline is None and not baseline_file(asked.folder, golden.name, DEFAULT_NAME).is_file():
        return None
    return find_run(asked.baseline or DEFAULT_NAME, asked.folder, golden.name, asked.settings, asked.tenant)


def _config(settings: Settings) -> ScorerConfig:
    """Without the memory of pairs: a repeat is to be read again."""
    return replace(scorer_config(settings), cache=0)


def floors_missed(golden: GoldenSet, record: RunRecord) -> tuple[str, ...]:
    """What of floors.toml a scorer's run does not reach, a sentence each."""
    floor = golden.floors.get(record.fingerprint or "") if record.kind is TargetKind.SCORER else None
    if floor is None:
        return ()
    rates = {each.name.value: each.rate for each in summarise(record).endpoints}
    wanted = (
        ("missed", floor.found, "hallucinated items are flagged"),
        ("false_alarms", floor.passed, "supported items pass"),
    )
    return tuple(
        f"{1 - rate:.1%} of the {words}; the floor of this scorer is {least:.1%}."
        for name, least, words in wanted
        if (rate := rates[name]) is not None and 1 - rate < least - 1e-9
    )


def _store(asked: Asked, golden: GoldenSet, record: RunRecord, baseline: RunRecord | None, console: Console) -> None:
    if not database_is_there(asked.settings):
        show_lines(console, "There is no database of this version here, so the run is in its file alone.")
        return
    database = Database(asked.settings.database_url.get_secret_value())
    with contextlib.closing(database), database.write() as connection:
        store_record(
            connection,
            asked.tenant,
            record,
            baseline=None if baseline is None else baseline.id,
            margin=asked.margin,
            quarantined=golden.quarantine_on(record.started_at.date()),
            store_text=read_policy(asked.settings.policy_file).privacy.of(asked.tenant).store_text.value,
        )


def _git_commit() -> str:
    """Of the working directory; empty where it is in no repository, or there is no git."""
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S607 - the user's own git
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


class _Bar:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("answers", total=None)

    def started(self, answers: int, kept: int) -> None:
        if kept:
            self._progress.console.print(f"{kept:,} answers are there from an interrupted run.")
        self._progress.update(self._task, total=answers, completed=kept)

    def answered(self) -> None:
        self._progress.advance(self._task)


@contextlib.contextmanager
def _bar(console: Console) -> Iterator[_Bar]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bar(progress)
