"""One set of `assay golden run`: what can be told, the run itself, and its comparison."""

import contextlib
import os
import subprocess
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.load import ScorerConfig, load_scorer
from models.types import Scorer
from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import Database
from service.core.errors import GoldenRunsDifferError, StartRefusedError, StoreUnavailableError
from service.core.golden.compare import compare
from service.core.golden.item import GoldenItem, item_digest, set_digest
from service.core.golden.known import lost_of_floor
from service.core.golden.power import expected_flakes
from service.core.golden.probes import shipped_probes
from service.core.golden.record import RunRecord, TargetKind
from service.core.golden.run_schemas import NO_BASELINE
from service.core.golden.runtime import Runtime, runtime_of
from service.core.golden.sets import GoldenSet
from service.core.golden.summary import summarise
from service.core.policy import read_policy
from service.core.store.golden import store_record
from workers.commands.golden_target import Http, application_of
from workers.commands.shown import show_lines
from workers.golden.baselines import DEFAULT_NAME, baseline_file, database_is_there, find_run
from workers.golden.known import known_answers
from workers.golden.outlook import DEFAULT_REPEATS, outlook
from workers.golden.report import Report, make_report
from workers.golden.running import Plan, require_writable, run
from workers.golden.scoring_answers import scored_again
from workers.golden.target import kind_of
from workers.golden.wording import counted
from workers.scorer import scorer_config


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
    probes: bool
    restart: bool
    folder: Path
    tenant: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One set that can be run, as far as can be told before."""

    plan: Plan
    items: Sequence[GoldenItem]  # the plan's
    baseline: RunRecord | None


def prepare(asked: Asked, golden: GoldenSet, out: Path) -> Job:
    """What a set is to be run with; nothing is asked yet. Raises StartRefusedError, GoldenRunsDifferError."""
    plan = Plan(
        golden=golden,
        application=application_of(asked.target, asked.http),
        repeats=asked.repeats or DEFAULT_REPEATS[kind_of(asked.target)],
        release=asked.release,
        git_commit=_git_commit() if asked.commit is None else asked.commit,
        parallel=asked.parallel,
        out=out,
        restart=asked.restart,
        probes=_probes(golden, kind_of(asked.target)) if asked.probes else None,
    )
    job = Job(plan=plan, items=plan.items, baseline=_baseline(asked, plan))
    require_writable(out)
    return job


def run_jobs(asked: Asked, jobs: Sequence[Job]) -> Iterator[Report]:
    """Runs sets and compares them, in order; says meanwhile on standard error how it goes on. Raises StartRefusedError."""
    console = Console(stderr=True, highlight=False)
    scorer: Scorer | None = None
    for job in jobs:
        scorer = scorer or load_scorer(_config(asked.settings))
        _announce(console, job, asked.margin, runtime_of(scorer.attributes))
        yield _run(asked, job, scorer, console)


def _announce(console: Console, job: Job, margin: float | None, runtime: Runtime) -> None:
    plan, baseline = job.plan, job.baseline
    show_lines(console, f"{plan.golden.name}: {_number(job.items, plan.repeats)}, by {plan.target}{_left_out(job)}.")
    if baseline is not None:
        held = _held(job.items, baseline, plan.golden.quarantine_on(utc_now().date()))
        flakes = expected_flakes(plan.kind, baseline.runtime, runtime)
        told = outlook(plan.kind, held, min(plan.repeats, baseline.repeats), margin, flakes)
        show_lines(console, *told.sentences())


def _run(asked: Asked, job: Job, scorer: Scorer, console: Console) -> Report:
    golden, baseline = job.plan.golden, job.baseline
    quarantined = golden.quarantine_on(utc_now().date())
    with _bar(console) as bar:
        record = run(job.plan, scorer, bar)
    if asked.store:
        try:
            _store(asked, golden, record, baseline, console)
        except StoreUnavailableError as error:  # the record is in its file, and the verdict is not lost with the store
            show_lines(console, f"{error.detail} The run is not stored; it is in {job.plan.out}.")
    if baseline is not None and record.kind is TargetKind.APPLICATION:
        baseline = scored_again(baseline, scorer)
    return _report(baseline, record, golden, asked.margin, quarantined)


def compared_by_one(
    baseline: RunRecord, candidate: RunRecord, golden: GoldenSet | None, margin: float | None, settings: Settings
) -> Report:
    """Two runs that are there; answers of an application that two scorers saw are scored by the one of the settings."""
    one = baseline.fingerprint == candidate.fingerprint is not None
    if not one and baseline.kind is candidate.kind is TargetKind.APPLICATION:
        scorer, probes = load_scorer(_config(settings)), shipped_probes()
        known = None if probes is None else known_answers(scorer, probes, utc_now().date())  # of the one that decides
        baseline, candidate = scored_again(baseline, scorer), scored_again(candidate, scorer)
        candidate = candidate.model_copy(update={"known_answers": known})
    quarantined = frozenset() if golden is None else golden.quarantine_on(candidate.started_at.date())
    return _report(baseline, candidate, golden, margin, quarantined)


def _report(
    baseline: RunRecord | None,
    record: RunRecord,
    golden: GoldenSet | None,
    margin: float | None,
    quarantined: Collection[str],
) -> Report:
    comparison = None if baseline is None else compare(baseline, record, margin=margin, quarantined=quarantined)
    missed = () if golden is None else _floors_missed(golden, record, quarantined)
    return make_report(
        record, baseline, comparison, floors_missed=missed, known_missed=_known_missed(record), quarantined=quarantined
    )


def _probes(golden: GoldenSet, kind: TargetKind) -> GoldenSet | None:
    """The known answers, unless a scorer is run over them anyway."""
    probes = shipped_probes()
    if kind is TargetKind.SCORER and probes is not None and set_digest(probes.items) == set_digest(golden.items):
        return None
    return probes


def _known_missed(record: RunRecord) -> tuple[str, ...]:
    """What the scorer does not reach of its floor of known answers, a sentence each."""
    known, probes = record.known_answers, shipped_probes()
    if known is None or probes is None or record.pending or known.set_digest != set_digest(probes.items):
        return ()
    lost = lost_of_floor(probes.floors.get(record.fingerprint or ""), known)
    return tuple(f"{each.words[:1].upper()}{each.words[1:]}." for each in lost if each.certain)


def _baseline(asked: Asked, plan: Plan) -> RunRecord | None:
    """The one that was named, else `main` where it is there: a gate that is set up is not passed by without a word."""
    name = plan.golden.name
    if asked.baseline == NO_BASELINE:
        return None
    named = baseline_file(asked.folder, name, asked.baseline or DEFAULT_NAME)
    if asked.baseline is None and not os.path.lexists(named):
        return None
    if plan.out.resolve() in {named.resolve(), Path(asked.baseline or named).resolve()}:
        raise StartRefusedError(
            f"{plan.out} is the baseline, which the run would replace.", next_step="Give another --json."
        )
    found = find_run(asked.baseline or DEFAULT_NAME, asked.folder, name, asked.settings, asked.tenant)
    if (found.kind, found.set_name) != (plan.kind, name):  # said before the run, which may take hours
        raise GoldenRunsDifferError(
            f"The baseline {asked.baseline or DEFAULT_NAME} is of the {found.kind}, over the set {found.set_name}; "
            f"this run is of the {plan.kind}, over {name}.",
            next_step="Name another with --baseline, or --baseline none.",
        )
    return found


def _held(items: Collection[GoldenItem], baseline: RunRecord, quarantined: Collection[str]) -> list[GoldenItem]:
    """The items that will be compared."""
    before = {each.item.id: each.digest for each in baseline.items}
    return [item for item in items if item.id not in quarantined and before.get(item.id) == item_digest(item)]


def _left_out(job: Job) -> str:
    """What of the set is not run, and why."""
    more = len(job.plan.golden.items) - len(job.items)
    if not more:
        return ""
    asked = job.plan.kind is TargetKind.APPLICATION
    lacking = "no question, or one that another item asks too" if asked else "no response with a label"
    return f"; {more:,} more of the set {'has' if more == 1 else 'have'} {lacking}"


def _number(items: Collection[GoldenItem], repeats: int) -> str:
    each = "once" if repeats == 1 else f"{repeats} times"
    return f"{counted(len(items), 'item')}, {each} each"


def _config(settings: Settings) -> ScorerConfig:
    """Without the memory of pairs: a repeat is to be read again."""
    return replace(scorer_config(settings), cache=0)


def _floors_missed(golden: GoldenSet, record: RunRecord, quarantined: Collection[str]) -> tuple[str, ...]:
    """What of floors.toml a scorer's run does not reach, a sentence each; what could not be scored is not reached."""
    floor = golden.floors.get(record.fingerprint or "") if record.kind is TargetKind.SCORER else None
    if floor is None:
        return ()
    rates = {each.name.value: each.bound_high for each in summarise(record.without(quarantined)).endpoints}
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
