"""How commands show rows: as a table, or where the terminal is too narrow for one as a paragraph for each row."""

import json
from collections.abc import Sequence

import typer
from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDEST = 1_000  # to ask how wide the table would be
Cell = str | Text


def show_rows(console: Console, columns: Sequence[str], rows: Sequence[Sequence[Cell]], title: str = "") -> None:
    """Prints rows without columns that are empty in all of them; cells are text, not markup.

    In a paragraph the first column is the heading.
    """
    if title:
        console.print(Text(title, style="italic"), soft_wrap=True)
    kept = [place for place in range(len(columns)) if any(_text(row[place]).plain for row in rows)]
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for place in kept:
        table.add_column(columns[place])
    for row in rows:
        table.add_row(*(_text(row[place]) for place in kept))
    wanted = console.measure(table, options=console.options.update(max_width=WIDEST)).maximum
    if wanted <= console.width:
        console.print(table)
        return
    for row in rows:
        _paragraph(console, [(columns[place], _text(row[place])) for place in kept])
    console.print()


def _paragraph(console: Console, named: Sequence[tuple[str, Text]]) -> None:
    (_, head), *rest = named
    width = max((len(name) for name, _ in rest), default=0)
    console.print(Text("\n").append_text(Text(head.plain, style="bold")), soft_wrap=True)
    for name, cell in rest:
        if cell.plain:
            console.print(Text(f"  {name:<{width}}  ").append_text(cell), soft_wrap=True)


def _text(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def show_lines(console: Console, *lines: str) -> None:
    """Prints each line as it is, wrapped by the terminal alone."""
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def echo_json(answer: BaseModel) -> None:
    """Prints an answer of the API as JSON of ASCII alone: nothing in it steers a terminal."""
    typer.echo(json.dumps(json.loads(answer.model_dump_json())))
