"""`assay calibrate`: the operating points of the model that the settings name, chosen on labelled rows."""

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
from workers.commands.entry import explained, logged_settings
from workers.offline.agreement import read_label
from workers.offline.scoring import item_of
from workers.offline.shape import Fields, Shaper
from workers.offline.source import Source
from workers.scorer import scorer_config

# Of each label, in each half: `strict` asks for 95% of the supported, which fewer rows cannot tell.
LEAST_ROWS = 20
ADVISED_ROWS = 200


def calibrate(
    rows: Annotated[str, typer.Argument(help="JSON Lines, CSV or Parquet {contexts, response, label}, also as .gz.")],
    *,
    label_field: Annotated[str, typer.Option(help="Field that says supported or unsupported.")] = "label",
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write.")] = Path("calibration.json"),
) -> None:
    """Chooses the balanced and the strict threshold of ASSAY_NLI_MODEL on labelled rows of your own.

    Half of the documents choose, the other half gives the figures that are printed.
    """
    with explained():
        _calibrate(rows, label_field, output, Console(highlight=False, soft_wrap=True))


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
