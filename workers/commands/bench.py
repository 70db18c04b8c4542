"""`assay bench`: what this machine carries."""

from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from rich.console import Console

from models.types import ModelError
from service.core.config import read_settings
from workers.bench.results import IngestResult, QueueResult, read_result, write_result
from workers.bench.scoring_results import ScoringResult
from workers.commands.entry import explained
from workers.scorer import scorer_config

bench_app = typer.Typer(no_args_is_help=True, help="What this machine carries, measured.")

Quick = Annotated[bool, typer.Option("--quick", help="Seconds instead of minutes; the figures mean nothing.")]
Output = Annotated[Path, typer.Option("--json", help="Where to write the result.")]


class Part(StrEnum):
    """What `assay bench statistics` measures."""

    COVERAGE = "coverage"
    ALARMS = "alarms"
    JUDGE = "judge"
    GOLDEN = "golden"


def _bench(name: str) -> ModuleType:
    """A module of a bench, imported only once it is asked for: most commands need none of it. Raises ModelError."""
    try:
        return import_module(f"workers.bench.{name}")
    except ModuleNotFoundError as error:
        raise ModelError(f"{error.name} is not installed: pip install 'assay-llm[worker]'") from error


def _warn_if(quick: bool, console: Console) -> None:  # noqa: FBT001 - the option itself
    if quick:
        console.print("\nMeasured with --quick: these figures mean nothing, whatever the aims beside them.")


@bench_app.command("ingest")
def bench_ingest(*, json: Output, quick: Quick = False) -> None:
    """Measures `POST /score` beside a bare endpoint, and `POST /score/batch`; two minutes."""
    console = Console(highlight=False)
    with explained():
        result = _bench("ingest").bench_ingest(_bench("ingest").QUICK if quick else _bench("ingest").FULL, console)
    write_result(result, json)
    console.print(_bench("report").ingest_section(result), markup=False, soft_wrap=True)
    _warn_if(quick, console)


@bench_app.command("queue")
def bench_queue(
    *,
    json: Output,
    database: Annotated[str | None, typer.Option(help="URL of an empty PostgreSQL database to measure too.")] = None,
    quick: Quick = False,
) -> None:
    """Measures what everything but the model costs per sample, and how that grows; four minutes."""
    console = Console(highlight=False)
    with explained():
        result = _bench("queue").bench_queue(
            _bench("queue").QUICK if quick else _bench("queue").FULL, database, console
        )
    write_result(result, json)
    console.print(_bench("report").queue_section(result), markup=False, soft_wrap=True)
    _warn_if(quick, console)


@bench_app.command("judge")
def bench_judge(
    *,
    json: Output,
    database: Annotated[str | None, typer.Option(help="URL of an empty PostgreSQL database to measure too.")] = None,
    quick: Quick = False,
) -> None:
    """Measures whether a judge that hangs, fails and talks nonsense slows first scores; a quarter of an hour."""
    console = Console(highlight=False)
    with explained():
        judging = _bench("judging")
        result = judging.bench_judging(judging.QUICK if quick else judging.FULL, database, console)
    write_result(result, json)
    written = _bench("judging_report").judging_document(result)
    json.with_suffix(".md").write_text(written, encoding="utf-8")
    console.print(written, markup=False, soft_wrap=True)
    _warn_if(quick, console)


@bench_app.command("scoring")
def bench_scoring(
    *,
    json: Output,
    checkpoint: Annotated[Path, typer.Option(help="Folder of the float32 checkpoint of the bundled model.")],
    quick: Quick = False,
) -> None:
    """Measures pairs and whole responses a second beside sentence-transformers; ten minutes."""
    console = Console(highlight=False)
    with explained():
        scoring = _bench("scoring")
        result = scoring.bench_scoring(scoring.QUICK if quick else scoring.FULL, checkpoint, console)
    write_result(result, json)
    console.print(_bench("scoring_report").scoring_section(result), markup=False, soft_wrap=True)
    _warn_if(quick, console)


@bench_app.command("accuracy")
def bench_accuracy(
    *,
    data: Annotated[Path, typer.Option(help="Folder of *.jsonl.gz, lines {premise, hypothesis, label}.")],
    json: Output,
    doc: Annotated[Path | None, typer.Option(help="Also write the document of all results beside the JSON.")] = None,
    previous: Annotated[
        Path | None, typer.Option(help="Folder of other weights to set beside the bundled ones.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Folder of the float32 checkpoint to set beside int8.")
    ] = None,
    rows_each: Annotated[int | None, typer.Option(min=1, help="Rows of each set.", show_default="all")] = None,
) -> None:
    """Measures how well supported responses are told from others, on labelled rows; ten minutes for 25,000."""
    console = Console(highlight=False)
    with explained():
        detection, accuracy = _bench("detection"), _bench("accuracy")
        config = scorer_config(read_settings())
        result = detection.bench_detection(data, config, previous, checkpoint, rows_each, console)
        write_result(result, json)
        plot = json.parent / _bench("detection_report").RELIABILITY
        plot.write_text(_bench("reliability_plot").reliability_plot(result.reliability), encoding="utf-8")
        if doc is not None:
            doc.write_text(accuracy.document(json.parent), encoding="utf-8")
    console.print(_bench("detection_report").detection_section(result), markup=False, soft_wrap=True)


@bench_app.command("robustness")
def bench_robustness(
    *,
    data: Annotated[Path, typer.Option(help="Folder of *.jsonl.gz, lines {premise, hypothesis, label}.")],
    json: Output,
    doc: Annotated[Path | None, typer.Option(help="Also write the document of all results beside the JSON.")] = None,
    rows_each: Annotated[int | None, typer.Option(min=1, help="Rows of each set.", show_default="100")] = None,
    quick: Quick = False,
) -> None:
    """Measures what irrelevant, repeated, long or hostile text does to verdicts; six minutes."""
    console = Console(highlight=False)
    with explained():
        robustness, accuracy = _bench("robustness"), _bench("accuracy")
        plan = (robustness.QUICK if quick else robustness.FULL).with_rows(rows_each)
        result = robustness.bench_robustness(plan, data, scorer_config(read_settings()), console)
        write_result(result, json)
        if doc is not None:
            doc.write_text(accuracy.document(json.parent), encoding="utf-8")
    console.print(accuracy.robustness_section(result), markup=False, soft_wrap=True)
    _warn_if(quick, console)


@bench_app.command("golden")
def bench_golden(
    *,
    json: Output,
    doc: Annotated[Path | None, typer.Option(help="Also write the document of all results beside the JSON.")] = None,
    quick: Quick = False,
) -> None:
    """Measures the scorer on the golden sets, and what the gate says of what is broken on purpose; ten minutes."""
    console = Console(highlight=False)
    with explained():
        golden, accuracy = _bench("golden"), _bench("accuracy")
        plan = golden.QUICK if quick else golden.FULL
        result = golden.bench_golden_sets(plan, scorer_config(read_settings()), console)
        write_result(result, json)
        if doc is not None:
            doc.write_text(accuracy.document(json.parent), encoding="utf-8")
    console.print(accuracy.golden_section(result), markup=False, soft_wrap=True)
    _warn_if(quick, console)


@bench_app.command("statistics")
def bench_statistics(
    *,
    json: Annotated[Path, typer.Option("--json", help="Where to write the result; those of other parts go beside it.")],
    doc: Annotated[
        Path, typer.Option(help="The document to write; a plot, and those of other parts go beside it.")
    ] = Path("docs/statistics/coverage.md"),
    only: Annotated[Part | None, typer.Option(help="The part to measure.", show_default="all")] = None,
    quick: Quick = False,
) -> None:
    """Measures how intervals and alerts do in worlds of known truth; an hour on two cores.

    `coverage` is how many intervals hold the truth. `alarms` is how often chance fires a rule, and how soon a jump does.
    `judge` is what a judge adds: how many of its intervals hold the truth, and how much narrower labels become by it.
    `golden` is how often the golden-set gate errs.
    """
    if only is None and json.name in {"alarms.json", "judge.json", "golden.json"}:
        raise typer.BadParameter(f"{json.name} is where another part goes; give coverage another name")
    console = Console(highlight=False)
    doc.parent.mkdir(parents=True, exist_ok=True)
    with explained():
        if only in {None, Part.COVERAGE}:
            module = _bench("statistics")
            covered = module.bench_statistics(module.QUICK if quick else module.FULL, console)
            write_result(covered, json)
            doc.write_text(_bench("statistics_report").statistics_document(covered), encoding="utf-8")
            doc.with_name("coverage.svg").write_text(
                _bench("statistics_report").coverage_plot(covered), encoding="utf-8"
            )
            console.print(f"Wrote {doc}.")
        if only in {None, Part.ALARMS}:
            module = _bench("alarms")
            fired = module.bench_alarms(module.QUICK if quick else module.FULL, console)
            write_result(fired, json.with_name("alarms.json"))
            doc.with_name("alarms.md").write_text(_bench("alarms_report").alarms_document(fired), encoding="utf-8")
            console.print(f"Wrote {doc.with_name('alarms.md')}.")
        if only in {None, Part.JUDGE}:
            module = _bench("statistics_judge")
            judged = module.bench_judge_rates(module.QUICK if quick else module.FULL, console)
            write_result(judged, json.with_name("judge.json"))
            written = _bench("statistics_judge_report").judge_document(judged)
            doc.with_name("judge.md").write_text(written, encoding="utf-8")
            console.print(f"Wrote {doc.with_name('judge.md')}.")
        if only in {None, Part.GOLDEN}:
            module = _bench("statistics_golden")
            gated = module.bench_golden(module.QUICK if quick else module.FULL, console)
            write_result(gated, json.with_name("golden.json"))
            doc.with_name("golden.md").write_text(
                _bench("statistics_golden_report").golden_document(gated), encoding="utf-8"
            )
            console.print(f"Wrote {doc.with_name('golden.md')}.")
    _warn_if(quick, console)


@bench_app.command("rates")
def bench_rates(
    *,
    json: Output,
    database: Annotated[str | None, typer.Option(help="URL of an empty PostgreSQL database to measure too.")] = None,
    doc: Annotated[Path, typer.Option(help="The document to write.")] = Path("docs/performance/rates.md"),
    quick: Quick = False,
) -> None:
    """Measures what reading rates costs with up to ten million scored samples; half an hour a database, 6 GB."""
    console = Console(highlight=False)
    with explained():
        module = _bench("rates")
        result = module.bench_rates(module.QUICK if quick else module.FULL, database, console)
    write_result(result, json)
    doc.parent.mkdir(parents=True, exist_ok=True)
    doc.write_text(module.rates_document(result), encoding="utf-8")
    console.print(f"Wrote {doc}.")
    _warn_if(quick, console)


@bench_app.command("report")
def bench_report(
    ingest_file: Annotated[Path, typer.Option("--ingest", help="The result of `assay bench ingest`.")],
    queue_file: Annotated[Path, typer.Option("--queue", help="The result of `assay bench queue`.")],
    scoring_file: Annotated[Path, typer.Option("--scoring", help="The result of `assay bench scoring`.")],
    doc: Annotated[Path, typer.Option(help="The file to write.")] = Path("docs/performance.md"),
) -> None:
    """Writes the results, and what follows from them, as a document."""
    with explained():
        text = _bench("report").document(
            read_result(IngestResult, ingest_file),
            read_result(QueueResult, queue_file),
            read_result(ScoringResult, scoring_file),
        )
    doc.write_text(text, encoding="utf-8")
    typer.echo(f"Wrote {doc}.")
