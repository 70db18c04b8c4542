"""`assay golden import`, `add`, `lint`, `quarantine` and `schema`: how items get into golden sets, and what is wrong with them."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from service.core.clock import utc_now
from service.core.config import Settings
from service.core.db import require_current
from service.core.errors import StartRefusedError
from service.core.golden.item import GoldenItem, item_schema
from service.core.golden.sets import read_quarantine
from service.core.keys import DEFAULT_TENANT
from service.core.rate_query import RateQuery, read_stretch
from service.core.visible import visible
from workers.commands.entry import explained, logged_settings, opened_database
from workers.commands.shown import show_lines, show_rows
from workers.golden.adding import Added, Standing, add_items, items_file, write_whole
from workers.golden.adding_labelled import MOST, Labelled, Wanted, read_labelled_items
from workers.golden.importing import Imported, import_rows
from workers.golden.importing_layouts import Format, Named, layout_of
from workers.golden.importing_rows import read_rows
from workers.golden.linting import Linted, lint
from workers.golden.quarantine import add_entry, entry_of, quarantine_file, remove_entry
from workers.golden.wording import counted

EXIT_FOUND = 1  # something was refused, or is wrong with the set
MAX_NAME_CHARS = 60
MAX_SENTENCE_CHARS = 500
MAX_CATEGORY_CHARS = 100
SetName = Annotated[str, typer.Argument(metavar="SET", help="A folder with items.jsonl, or a file of items.")]
Category = Annotated[str, typer.Option(help="Of the new items.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to `assay golden`."""
    app.command("import")(golden_import)
    app.command("add")(golden_add)
    app.command("lint")(golden_lint)
    app.command("quarantine")(golden_quarantine)
    app.command("schema")(golden_schema)


def golden_import(  # noqa: PLR0913 - one argument an option
    file: Annotated[str, typer.Argument(help="JSON, JSON Lines, CSV or Parquet; `-` is standard input.")],
    golden: SetName,
    *,
    chosen: Annotated[Format, typer.Option("--format", help="Whose data set FILE is.")] = Format.COLUMNS,
    question: Annotated[str | None, typer.Option("--question-column", help="Field that is the question.")] = None,
    contexts: Annotated[
        list[str] | None, typer.Option("--context-column", help="Field of contexts; repeat for several.")
    ] = None,
    response: Annotated[str | None, typer.Option("--response-column", help="Field that is the response.")] = None,
    label: Annotated[
        str | None, typer.Option("--label-column", help="Field with supported, not supported, ...; or `hallucinated`.")
    ] = None,
    own_id: Annotated[str | None, typer.Option("--id-column", help="Field that is the id.")] = None,
    category_field: Annotated[str | None, typer.Option("--category-column", help="Field that is the category.")] = None,
    delimiter: Annotated[
        str | None, typer.Option("--context-delimiter", help="Between the contexts of one cell of CSV.")
    ] = None,
    category: Category = "imported",
) -> None:
    """Imports a data set of RAGAS or DeepEval, or a table, into SET, which is made if it is not there.

    What has no label stays without one. Exit status: 0 if every row is in the set, 1 if some were refused, 2 if refused.
    """
    named = Named(
        question=question,
        contexts=tuple(contexts or ()),
        response=response,
        label=label,
        id=own_id,
        category=category_field,
        delimiter=delimiter,
    )
    with explained():
        _require_word(category)
        items_file(golden)  # refused before a large file is read
        found = _imported(file, chosen, named, logged_settings(), category)
        done = add_items(golden, found.items)
    if not _show_import(found, done, Console(highlight=False)):
        raise typer.Exit(EXIT_FOUND)


def _imported(file: str, chosen: Format, named: Named, settings: Settings, category: str) -> Imported:
    layout = layout_of(chosen, named)
    rows = list(read_rows(file, settings, frozenset(layout.contexts)))
    have = {name for row in rows if isinstance(row.document, dict) for name in row.document}
    for name in named.columns:
        if rows and name not in have:
            there = ", ".join(visible(each, MAX_NAME_CHARS) for each in sorted(have)[:20])
            raise StartRefusedError(
                f"No row has a field {visible(name, MAX_NAME_CHARS)}.", next_step=f"Name one of these: {there}."
            )
    return import_rows(rows, layout, name=Path(file).name, category=category)


def _show_import(found: Imported, done: Added, console: Console) -> bool:
    """Prints what became of rows; says whether all are in the set."""
    refused = [(each.place, each.field, each.sentence) for each in found.refused]
    refused += [(found.places[each.item.id], *why) for each, why in _standing(done)]
    if refused:
        show_rows(console, ("row", "field", "refused"), [tuple(map(_text, row)) for row in refused])
    show_lines(console, f"{counted(len(done.added), 'item')} added to {done.path}.")
    repeated = len(found.repeated) + len(done.there)
    if repeated:
        show_lines(console, f"There already, and not added twice: {repeated:,}.")
    if refused:
        show_lines(console, f"Refused: {len(refused):,} of {counted(_rows(found), 'row')}.")
    unlabelled = sum(item.hallucinated is None for item in done.added)
    if unlabelled:
        show_lines(console, f"Without a label, so of use for applications alone: {unlabelled:,}.")
    if found.ignored:
        show_lines(console, f"Ignored fields: {', '.join(_text(name) for name in found.ignored)}.")
    return not refused


def _rows(found: Imported) -> int:
    return len(found.items) + len(found.repeated) + len(found.refused)


def _standing(done: Added) -> list[tuple[Standing, tuple[str, str]]]:
    told = [
        (each, ("label", f"The same texts are there as {each.other}, with another label or none."))
        for each in done.otherwise
    ]
    return told + [(each, ("id", f"The id {each.other} is there, with other texts.")) for each in done.taken]


def golden_add(  # noqa: PLR0913 - one argument an option
    golden: SetName,
    *,
    tenant: Annotated[str, typer.Option(help="Whose samples.")] = DEFAULT_TENANT,
    start: Annotated[str | None, typer.Option("--from", help="Received from then on; ISO 8601 with zone.")] = None,
    to: Annotated[str | None, typer.Option(help="Until then; now if absent.")] = None,
    window: Annotated[str | None, typer.Option(help="Received no longer ago: 24h, 7d, 30d.")] = None,
    ids: Annotated[list[str] | None, typer.Option("--id", help="This sample; repeat for several.")] = None,
    labelled_by: Annotated[
        list[str] | None, typer.Option("--labelled-by", help="Only this annotator's labels; repeat for several.")
    ] = None,
    category: Category = "production",
) -> None:
    """Adds stored samples that people labelled: today's mistake is tomorrow's item.

    Samples whose text is gone, whose labels do not decide or whose annotators contradict each other are left out, and said.
    Exit status: 0, or 2 if refused.
    """
    if ids and (start or to or window):
        raise typer.BadParameter("give --id, or a time by --from or --window", param_hint="--id")
    if not (ids or start or window):
        raise typer.BadParameter("give --from, --window or --id", param_hint="--window")
    with explained(), opened_database(logged_settings()) as database:
        _require_word(category)
        items_file(golden)
        wanted = Wanted(tenant=tenant, ids=tuple(ids or ()), annotators=tuple(labelled_by or ()), category=category)
        if not ids:
            stretch = read_stretch(RateQuery(tenant=tenant, start=start, to=to, window=window), utc_now())
            wanted = Wanted(
                tenant=tenant,
                start=stretch.start,
                end=stretch.end,
                annotators=wanted.annotators,
                category=category,
            )
        require_current(database)
        with database.read() as connection:
            found = read_labelled_items(connection, wanted)
        done = add_items(golden, found.items)
    _show_added(found, done, Console(highlight=False))


def _show_added(found: Labelled, done: Added, console: Console) -> None:
    left = [(each.sample_id, each.sentence) for each in found.left_out]
    left += [(_sample(each.item), why) for each, (_, why) in _standing(done)]
    if left:
        show_rows(console, ("sample", "left out"), [tuple(map(_text, row)) for row in left])
    show_lines(console, f"{counted(len(done.added), 'item')} added to {done.path}.")
    if done.there:
        show_lines(console, f"There already, and not added twice: {len(done.there):,}.")
    if left:
        show_lines(console, f"Left out: {len(left):,}.")
    if found.more:
        show_lines(
            console, f"There are more than {MOST:,} labelled samples: these are the oldest. Go on with a later --from."
        )
    if done.added:
        show_lines(console, "The file now holds texts of users. Retention and removal of samples do not reach it.")


def _sample(item: GoldenItem) -> str:
    return item.source.removeprefix("sample:")


def golden_lint(
    golden: Annotated[str, typer.Argument(metavar="SET", help="core, probes, a folder, or a file of items.")],
) -> None:
    """Looks for what is wrong with a set: ids and items twice, labels that contradict, broken spans, imbalance, size.

    Exit status: 0 without errors, whatever the warnings; 1 with errors; 2 if refused.
    """
    with explained():
        found = lint(golden, utc_now().date())
    _show_lint(found, Console(highlight=False))
    if found.errors:
        raise typer.Exit(EXIT_FOUND)


def _show_lint(found: Linted, console: Console) -> None:
    rows = [(each.severity.value, each.item or "the set", each.field, each.sentence) for each in found.findings]
    if rows:
        show_rows(console, ("finding", "item", "field", "what"), [tuple(map(_text, row)) for row in rows])
    warnings = len(found.findings) - found.errors
    told = f"{counted(found.errors, 'error')}, {counted(warnings, 'warning')}" if rows else "nothing is wrong"
    show_lines(console, f"{counted(found.items, 'item')} of {found.path}: {told}.")


def golden_quarantine(
    golden: SetName,
    item: Annotated[str | None, typer.Argument(help="The id of an item; without one, all entries are listed.")] = None,
    *,
    until: Annotated[str | None, typer.Option(help="The day on which it counts again: 2026-12-31.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; others read it.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="End it now.")] = False,
) -> None:
    """Has an item count for nothing until a day, ends that, or lists what is in quarantine."""
    console, today = Console(highlight=False), utc_now().date()
    with explained():
        if item is None:
            entries = read_quarantine(quarantine_file(golden))
            rows = [
                (each.id, str(each.until), "over" if each.until <= today else "", _text(each.reason))
                for each in entries
            ]
            if rows:
                show_rows(console, ("item", "until", "state", "reason"), rows)
            else:
                show_lines(console, "Nothing is in quarantine.")
            return
        if remove:
            remove_entry(golden, item)
            show_lines(console, f"{item} counts again.")
            return
        if until is None or reason is None:
            raise typer.BadParameter("give --until and --reason, or --remove", param_hint="--until")
        wanted = entry_of(item, until, reason)
        had = add_entry(golden, wanted, today)
    show_lines(
        console, f"{item} counts for nothing until {wanted.until}{', in place of what stood there' if had else ''}."
    )


def golden_schema(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write it there; else it is printed.")] = None,
) -> None:
    """Prints the JSON Schema of one line of items.jsonl."""
    text = json.dumps(item_schema(), indent=2) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    with explained():
        write_whole(out, text.encode())
    show_lines(Console(highlight=False), f"Written to {out}.")


def _require_word(category: str) -> None:
    if len(category) > MAX_CATEGORY_CHARS:
        raise StartRefusedError(
            f"A category has at most {MAX_CATEGORY_CHARS} characters.", next_step="Shorten --category."
        )


def _text(value: str) -> str:
    return visible(value, MAX_SENTENCE_CHARS)
