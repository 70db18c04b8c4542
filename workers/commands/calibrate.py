"""`assay calibrate`: the operating points of the model that the settings name, or one score of all scorers, by labels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.calibrate import PLAIN, save_calibration
from models.load import load_model, make_nli
from models.training.calibrate import Measured, choose, marked, measure, table
from models.training.rows import Row, set_name
from models.types import Scorer
from service.core.config import ScorerKind, Settings
from service.core.errors import PayloadInvalidError, StartRefusedError
from service.core.keys import DEFAULT_TENANT
from workers.commands.combined import combine_golden, combine_labels
from workers.commands.entry import explained, logged_settings
from workers.offline.agreement import read_label
from workers.offline.scoring import item_of
from workers.offline.shape import Fields, Shaper
from workers.offline.source import Source
from workers.scorer import scorer_config

# Of each label, in each half: `strict` asks for 95% of the supported, which fewer rows cannot tell.
LEAST_ROWS = 20
ADVISED_ROWS = 200
CALIBRATION, COMBINATION = Path("calibration.json"), Path("combination.json")


def calibrate(  # noqa: PLR0913 - one argument an option
    rows: Annotated[
        str | None, typer.Argument(help="JSON Lines, CSV or Parquet {contexts, response, label}, also as .gz.")
    ] = None,
    *,
    label_field: Annotated[str, typer.Option(help="Field that says supported or unsupported.")] = "label",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write; calibration.json or combination.json.")
    ] = None,
    combined: Annotated[
        bool, typer.Option("--combined", help="Fit one score of all scorers to ROWS instead of choosing thresholds.")
    ] = False,
    by_labels: Annotated[bool, typer.Option("--labels", help="The same, to the labels in the database.")] = False,
    window: Annotated[str, typer.Option(help="With --labels: of samples received in it.")] = "30d",
    tenant: Annotated[str, typer.Option(help="With --labels: whose samples.")] = DEFAULT_TENANT,
    picked: Annotated[
        bool, typer.Option("--picked", help="With --labels: also of samples that no draw chose for labelling.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="With --combined or --labels: reliability as SVG.")] = None,
) -> None:
    """Chooses the balanced and the strict threshold of ASSAY_NLI_MODEL on labelled rows of your own.

    Half of the documents choose, the other half gives the figures that are printed. With --combined or --labels it fits
    one calibrated score of all scorers instead, and prints what it is worth in cross-validation.
    """
    console = Console(highlight=False, soft_wrap=True)
    with explained():
        _require_one_source(rows, combined=combined, by_labels=by_labels, picked=picked, plot=plot)
        if by_labels:
            combine_labels(window, tenant, output or COMBINATION, plot, console, with_picked=picked)
        elif combined:
            combine_golden(rows or "", label_field, output or COMBINATION, plot, console)
        else:
            _calibrate(rows or "", label_field, output or CALIBRATION, console)


def _require_one_source(rows: str | None, *, combined: bool, by_labels: bool, picked: bool, plot: Path | None) -> None:
    if by_labels and (rows is not None or combined):
        raise StartRefusedError(
            "Labels in the database and rows of a file are two sources.", next_step="Give ROWS or --labels, not both."
        )
    if not by_labels and rows is None:
        raise StartRefusedError("There is nothing to calibrate on.", next_step="Give ROWS, or --labels.")
    if picked and not by_labels:
        raise StartRefusedError("--picked is about labels in the database.", next_step="Add --labels, or leave it out.")
    if plot is not None and not (combined or by_labels):
        raise StartRefusedError("--plot is of a combined score.", next_step="Add --combined, or leave it out.")


def _calibrate(path: str, label_field: str, output: Path, console: Console) -> None:
    settings = logged_settings()
    if settings.scorer is ScorerKind.FAKE:
        raise StartRefusedError("The fake scorer has nothing to calibrate.", next_step="Set ASSAY_SCORER=nli.")
    rows = _read(path, label_field, settings)
    config = replace(scorer_config(settings), threshold="balanced", calibration=None)
    model = load_model(config)
    measured = _measure(make_nli(config, model, PLAIN), set_name(Path(path)), rows, console)
    calibration = choose([measured.choosing])
    save_calibration(calibration, output, model.digest)
    console.print(table([measured], calibration).rsplit("\n", 1)[0])  # the mean of one set says nothing
    choosing = marked(measured.choosing)
    if min(len(choosing.good), len(choosing.bad)) < ADVISED_ROWS:
        console.print(
            f"These are few rows: from {ADVISED_ROWS} of each label in each half on, the points are steadier."
        )
    console.print(f"Wrote {output}. Set ASSAY_NLI_CALIBRATION={output.resolve()}, with the same model and labels.")


def _read(path: str, label_field: str, settings: Settings) -> list[Row]:
    shaper = Shaper(Fields(label=label_field), settings)
    rows: list[Row] = []
    for read in map(shaper.shape, Source(path, None, settings, frozenset()).rows()):
        if isinstance(read.content, PayloadInvalidError):
            raise StartRefusedError(f"Row {read.line} cannot be used: {read.content.detail}", next_step="Mend the row.")
        unsupported = read_label(read.label)
        if unsupported is None:
            raise StartRefusedError(
                f"Row {read.line} has no label in the field {label_field!r}.",
                next_step="Label it supported or unsupported, or name another field with --label-field.",
            )
        rows.append(Row(item=item_of(read.content), supported=not unsupported))
    return rows


def _measure(scorer: Scorer, name: str, rows: Sequence[Row], console: Console) -> Measured:
    bar = Progress(
        TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True
    )
    try:
        with bar:
            task = bar.add_task("scoring", total=len(rows))
            measured = measure(scorer, name, rows, lambda done: bar.update(task, completed=done))
    except ValueError as error:
        raise _too_few(str(error)) from error
    halves = (marked(measured.choosing), marked(measured.reporting))
    least = min(len(scores) for half in halves for scores in (half.good, half.bad))
    if least < LEAST_ROWS:
        raise _too_few(f"One half of the documents has {least} rows of one label")
    return measured


def _too_few(found: str) -> StartRefusedError:
    return StartRefusedError(
        f"Too few rows were scored. {found}.",
        next_step=f"Give at least {LEAST_ROWS} supported and {LEAST_ROWS} unsupported rows for each half of the "
        "documents, some 100 in all, from many documents.",
    )
