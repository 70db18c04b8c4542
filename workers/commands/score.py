"""`assay score`: scores a file without a sidecar, a queue or a database."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.load import load_scorer
from service.core.errors import StartRefusedError
from workers.commands.entry import explained, logged_settings
from workers.offline.output import STDOUT
from workers.offline.progress import watching
from workers.offline.run import Job, Result, run
from workers.offline.shape import Fields
from workers.offline.source import STDIN, Format, Source
from workers.offline.summary import summary
from workers.scorer import scorer_config

EXIT_SOME_FAILED = 1
EXIT_INTERRUPTED = 130


def score(  # noqa: PLR0913 - one argument an option
    file: Annotated[str, typer.Argument(help="JSON Lines, CSV or Parquet, also as .gz; `-` is standard input.")],
    *,
    out: Annotated[str, typer.Option("--out", "-o", help="JSON Lines; `-` is standard output.")] = STDOUT,
    chosen: Annotated[Format | None, typer.Option("--format", help="Of FILE; else by its name.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print claims and evidence of the first 100.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Score all anew and overwrite OUT.")] = False,
    question_field: Annotated[str | None, typer.Option(help="Field that is the question.")] = None,
    context_field: Annotated[list[str] | None, typer.Option(help="Field of contexts; repeat for several.")] = None,
    response_field: Annotated[str | None, typer.Option(help="Field that is the response.")] = None,
    label_field: Annotated[str | None, typer.Option(help="Field of labels to compare with.")] = None,
) -> None:
    """Scores each row of FILE: {id?, question?, contexts, response, ...} in, a row as of GET /score/{id} out.

    Interrupted, the same command goes on where it was. Exit status: 0 if every row ended scored or not applicable,
    1 if some are errors or unscored or no row has a field that was named, 2 if refused, 130 if interrupted.
    """
    fields = Fields(
        question=question_field, contexts=tuple(context_field or ()), response=response_field, label=label_field
    )
    try:
        with explained():
            result = _score(file, out, chosen, fields, explain=explain, restart=restart)
    except KeyboardInterrupt:
        _say_how_to_go_on(file, out)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:  # the reader of standard output has enough
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if result.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


def _score(file: str, out: str, chosen: Format | None, fields: Fields, *, explain: bool, restart: bool) -> Result:
    settings = logged_settings()
    source = Source(file, chosen, settings, frozenset(fields.contexts))
    if file != STDIN and out != STDOUT and Path(out).exists() and Path(file).samefile(out):
        raise StartRefusedError("The output is the input itself.", next_step="Give another -o.")
    scorer = load_scorer(scorer_config(settings))
    told = Console(stderr=True, highlight=False)
    explained_to = Console(stderr=out == STDOUT, highlight=False) if explain else None
    started = time.monotonic()
    with watching(told, explained_to) as watcher:
        result = run(Job(source=source, fields=fields, out=out, restart=restart), scorer, settings, watcher)
    typer.echo(summary(result, fingerprint=scorer.fingerprint, seconds=time.monotonic() - started), err=True)
    return result


def _say_how_to_go_on(file: str, out: str) -> None:
    can = STDIN not in {file, out}
    more = "Whole rows are kept; the same command goes on from there." if can else "It cannot be taken up again."
    typer.echo(f"assay: Interrupted. {more}", err=True)
