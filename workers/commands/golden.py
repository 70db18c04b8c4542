"""`assay golden`: is a scorer or an application worse than before, on the same items?"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service.core.errors import GoldenSetUnknownError, StartRefusedError
from service.core.golden.record import MAX_REPEATS, RunRecord, TargetKind
from service.core.golden.sets import GoldenSet, read_set
from service.core.keys import DEFAULT_TENANT
from workers.commands.entry import explained, logged_settings
from workers.commands.golden_items import register
from workers.commands.golden_outputs import Outputs, told_exit
from workers.commands.golden_run import Asked, compared_by_one, prepare, run_jobs
from workers.commands.golden_target import Http
from workers.golden.baselines import DEFAULT_NAME, FOLDER, baseline_file, find_run, read_file
from workers.golden.running import write_record
from workers.golden.target import SCORER, kind_of

golden_app = typer.Typer(no_args_is_help=True, help="Golden sets: is it worse than before, on the same items?")
EXIT_INTERRUPTED = 130
LEAST_MARGIN_POINTS = 0.1

SetName = Annotated[str, typer.Argument(help="core, probes, a folder with items.jsonl, or a file of items.")]
Margin = Annotated[
    float | None,
    typer.Option(help="Points more that pass: 5 is five of a hundred answers.", show_default="from the set's size"),
]
Junit = Annotated[Path | None, typer.Option(help="Write JUnit XML here.")]
Html = Annotated[Path | None, typer.Option(help="Write a report for people here, one file.")]
Github = Annotated[
    bool, typer.Option("--github", help="Write a summary and annotations for GitHub Actions.", show_default=False)
]
Folder = Annotated[Path, typer.Option("--baselines", help="Folder of named baselines.")]
Tenant = Annotated[str, typer.Option(help="Whose runs, in the database.")]


@golden_app.command("run")
def golden_run(  # noqa: PLR0913 - one argument an option
    sets: Annotated[list[str], typer.Argument(help="core, probes, folders with items.jsonl, or files of items.")],
    *,
    target: Annotated[str, typer.Option(help="scorer, a URL that takes JSON, or MODULE:FUNCTION.")] = SCORER,
    baseline: Annotated[
        str | None,
        typer.Option(help="A name, a file, run:ID, or none.", show_default="main, if there is one"),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_REPEATS, help="Of each item.", show_default="1 for the scorer, else 3"),
    ] = None,
    margin: Margin = None,
    junit: Junit = None,
    html: Html = None,
    json: Annotated[Path | None, typer.Option(help="The run's record.", show_default=".assay/golden/...")] = None,
    github: Github = False,
    release: Annotated[str, typer.Option(help="What is tested, as `release` of POST /score.")] = "",
    commit: Annotated[str | None, typer.Option(help="Its git commit.", show_default="of this folder")] = None,
    template: Annotated[
        str | None, typer.Option(help="JSON body with {{question}}, {{contexts}}, {{id}}; @FILE reads one.")
    ] = None,
    response_path: Annotated[str, typer.Option(help="Where an answer has its response: choices.0.text.")] = "",
    chat: Annotated[
        str | None, typer.Option(help="Model of an OpenAI-compatible endpoint; the URL ends before /chat/completions.")
    ] = None,
    temperature: Annotated[float | None, typer.Option(min=0, max=2, help="Of --chat.", show_default="its own")] = None,
    header: Annotated[
        list[str] | None, typer.Option(help="Name=VARIABLE: a header with what that environment variable holds.")
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, max=256, help="Questions asked at a time.")] = 4,
    timeout: Annotated[float, typer.Option(min=0.1, max=3_600, help="Seconds for one answer.")] = 60.0,
    attempts: Annotated[int, typer.Option(min=1, max=10, help="Where an answer fails in passing.")] = 3,
    store: Annotated[bool, typer.Option(help="Keep the run in the database, if there is one.")] = True,
    probes: Annotated[
        bool, typer.Option(help="Also ask the scorer the 40 known answers, which show that it is broken.")
    ] = True,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew, whatever an interrupted run left.")] = False,
    folder: Folder = FOLDER,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Runs golden sets and says whether the target is worse than its baseline, no worse, or cannot tell yet.

    The scorer is wrong where it flags what is labelled supported, or misses what is labelled hallucinated. An application
    is asked each question with its contexts, and its answers are scored. Interrupted, the same command goes on.

    Exit status: 0 no worse, or no baseline yet; 3 worse; 4 cannot tell, or nothing is known; 2 refused; 130 interrupted.
    """
    http = Http(
        template=template,
        response_path=response_path,
        chat=chat,
        temperature=temperature,
        headers=tuple(header or ()),
        timeout_s=timeout,
        attempts=attempts,
    )
    try:
        with explained():
            asked = Asked(
                settings=logged_settings(),
                target=target,
                http=http,
                baseline=baseline,
                repeats=repeats,
                margin=_share(margin),
                release=release,
                commit=commit,
                parallel=parallel,
                store=store,
                probes=probes,
                restart=restart,
                folder=folder,
                tenant=tenant,
            )
            outputs = Outputs(junit=junit, html=html, github=github)
            several = len(sets) > 1
            jobs = [  # all before the first is run: a slip in the last must not cost the time of the others
                prepare(asked, golden, _record_path(json, golden.name, target, golden.name if several else None))
                for golden in _read_all(sets)
            ]
            _require_apart([job.plan.out for job in jobs], outputs)
            verdicts = [
                outputs.put(report, report.candidate.set_name if several else None) for report in run_jobs(asked, jobs)
            ]
    except KeyboardInterrupt:
        typer.echo("assay: Interrupted. Whole answers are kept; the same command goes on from there.", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    raise typer.Exit(told_exit(verdicts, outputs))


@golden_app.command("compare")
def golden_compare(  # noqa: PLR0913 - one argument an option
    before: Annotated[str, typer.Argument(metavar="A", help="The baseline: a file of a run, or run:ID.")],
    now: Annotated[str, typer.Argument(metavar="B", help="The candidate; likewise.")],
    *,
    margin: Margin = None,
    junit: Junit = None,
    html: Html = None,
    github: Github = False,
    golden: Annotated[
        str | None,
        typer.Option(
            "--set", help="The set, for its quarantine and floors.", show_default="of its name, if it is here"
        ),
    ] = None,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Compares two runs over the same set, as `golden run --baseline` does. Exit status likewise."""
    with explained():
        settings = logged_settings()
        allowed = _share(margin)
        runs = [find_run(each, FOLDER, "", settings, tenant) for each in (before, now)]
        report = compared_by_one(runs[0], runs[1], _set_of(golden, runs[1]), allowed, settings)
        outputs = Outputs(junit=junit, html=html, github=github)
        verdict = outputs.put(report, None)
    raise typer.Exit(told_exit([verdict], outputs))


@golden_app.command("baseline")
def golden_baseline(
    golden: SetName,
    *,
    source: Annotated[
        Path | None, typer.Option("--from", help="The record of a run.", show_default="that of the last run")
    ] = None,
    name: Annotated[str, typer.Option(help="What later runs call it.")] = DEFAULT_NAME,
    target: Annotated[str, typer.Option(help="Whose last run, without --from.")] = SCORER,
    folder: Folder = FOLDER,
) -> None:
    """Accepts a run: later ones are held against it. Commit the file, and who reviews it sees what was accepted."""
    with explained():
        if not name or any(each not in _NAME for each in name):
            raise StartRefusedError(
                "A baseline's name has letters, digits, _ . and - alone.", next_step="Correct --name."
            )
        set_name = read_set(golden).name
        last = _record_path(None, set_name, target, None)
        if source is None and not last.exists():
            raise StartRefusedError(
                f"There is no last run of the {kind_of(target)} over {set_name}: no {last}.",
                next_step="Run it first, or name a run's file with --from.",
            )
        record = read_file(source or last)
        if record.set_name != set_name:
            raise StartRefusedError(
                f"That run is of the set {record.set_name}.", next_step="Name that set, or another run."
            )
        if all(answer.made_up is None for each in record.items for answer in each.answers):
            raise StartRefusedError(
                "Nothing is known of that run: no answer was scored, so nothing could be held against it.",
                next_step="Mend what its report names, and run it again.",
            )
        path = baseline_file(folder, set_name, name)
        if _kind_at(path) not in {None, record.kind}:
            raise StartRefusedError(
                f"{path} is not of the {record.kind}, which that run tested.",
                next_step="Give --name, and the same name to `golden run --baseline`.",
            )
        write_record(record, path)
    console = Console(highlight=False)
    console.print(f"{path} holds the run of {record.started_at:%Y-%m-%d %H:%M} UTC, {record.release or 'no release'}.")


register(golden_app)  # last, so that `run` comes first in --help

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")


def _share(points: float | None) -> float | None:
    if points is None:
        return None
    if not LEAST_MARGIN_POINTS <= points <= 100:  # noqa: PLR2004 - all of a hundred
        raise StartRefusedError(
            "--margin is in points, 0.1 to 100.", next_step="Give 5 for five more of a hundred answers."
        )
    return points / 100


def _require_apart(records: list[Path], outputs: Outputs) -> None:
    """A report must not replace a record, nor another report."""
    reports = [path.resolve() for path in (outputs.junit, outputs.html) if path is not None]
    if len(set(reports)) < len(reports) or {path.resolve() for path in records} & set(reports):
        raise StartRefusedError("Two of --json, --html and --junit are one file.", next_step="Give each its own.")


def _read_all(names: list[str]) -> list[GoldenSet]:
    found = [read_set(name) for name in names]
    if len({golden.name for golden in found}) < len(found):
        raise StartRefusedError("Two of the sets have the same name.", next_step="Rename a folder, or run them apart.")
    return found


def _record_path(given: Path | None, set_name: str, target: str, part: str | None) -> Path:
    if given is None:
        return Path(".assay") / "golden" / f"{set_name}.{kind_of(target)}.json"
    return given if part is None else given.with_name(f"{given.stem}.{part}{given.suffix}")


def _kind_at(path: Path) -> TargetKind | None:
    """Of the baseline there; None where there is none, or one that cannot be read: to accept another is its cure."""
    try:
        return read_file(path).kind
    except StartRefusedError:
        return None


def _set_of(name: str | None, record: RunRecord) -> GoldenSet | None:
    """The set of a run: as named, else the shipped one or the folder of its name, where there is one."""
    try:
        golden = read_set(name or record.set_name)
    except (StartRefusedError, GoldenSetUnknownError):
        if name is not None:
            raise
        typer.echo(
            f"assay: The set {record.set_name} is not here, so nothing is in quarantine. Name it by --set.", err=True
        )
        return None
    if golden.name != record.set_name:
        raise StartRefusedError(f"That run is of the set {record.set_name}.", next_step="Name that set.")
    return golden
