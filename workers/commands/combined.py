"""`assay calibrate --combined` and `--labels`: one calibrated score of all scorers', fitted to labels."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.load import load_scorer
from service.core.clock import utc_now
from service.core.combination import save_combination
from service.core.config import ScorerKind
from service.core.db import require_current
from service.core.duration import parse_duration
from service.core.errors import StartRefusedError
from service.core.store.combining import read_labelled_samples
from service.core.store.rates import Stretch
from workers.combining.drawn import gather
from workers.combining.evaluation import evaluate
from workers.combining.examples import Example
from workers.combining.golden import read_golden, score_golden
from workers.combining.plot import svg_of
from workers.combining.report import report
from workers.commands.entry import logged_settings, opened_database
from workers.offline.source import Source
from workers.scorer import scorer_config


def combine_golden(path: str, label_field: str, output: Path, plot: Path | None, console: Console) -> None:
    """Fits to labelled rows of a file, scored now by the NLI scorer that the settings name."""
    settings = logged_settings()
    if settings.scorer is ScorerKind.FAKE:
        raise StartRefusedError("The fake scorer has nothing to combine.", next_step="Set ASSAY_SCORER=nli.")
    rows = read_golden(Source(path, None, settings, frozenset()), label_field, settings)
    scorer = load_scorer(scorer_config(settings))
    bar = Progress(
        TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True
    )
    with bar:
        task = bar.add_task("scoring", total=len(rows))
        examples = score_golden(rows, scorer, settings, lambda done: bar.update(task, completed=done))
    _fit(examples, utc_now(), output, plot, console)


def combine_labels(
    window: str, tenant: str, output: Path, plot: Path | None, console: Console, *, with_picked: bool
) -> None:
    """Fits to the labels in the database, with the scores and reviews that the samples have."""
    now = utc_now()
    length = parse_duration(window, "window")
    with opened_database(logged_settings()) as database:
        require_current(database)
        stretch = Stretch(tenant=tenant, start=now - length, end=now, width_s=int(length.total_seconds()), group_by=())
        with database.read() as connection:
            labelled = read_labelled_samples(connection, stretch)
    found = gather(labelled, with_picked=with_picked)
    if found.picked and with_picked:
        console.print(
            f"{found.picked:,} of the labelled responses were chosen by no draw: every response counts once, and the figures "
            "are of these responses, not of the traffic."
        )
    elif found.picked:
        console.print(
            f"{found.picked:,} labelled responses that no draw chose are left out; --picked takes them as well."
        )
    if found.other_scorer:
        console.print(
            f"{found.other_scorer:,} labelled responses were scored by another NLI scorer; `assay rescore` scores them anew."
        )
    _fit(found.examples, now, output, plot, console)


def _fit(examples: Sequence[Example], now: datetime, output: Path, plot: Path | None, console: Console) -> None:
    found = evaluate(examples, now)
    save_combination(found.combination, output)
    console.print(report(found), markup=False)
    if plot is not None:
        plot.write_text(svg_of(found.before, found.after), encoding="utf-8")
        console.print(f"Wrote {plot}.")
    console.print(
        f'Wrote {output}, fit {found.combination.digest}. Put `combination = "{output.resolve()}"` into the policy file, '
        "before its first table."
    )
