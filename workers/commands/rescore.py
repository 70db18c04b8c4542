"""`assay rescore`: old samples by the scorer of now, through the workers; and how the two scorers differ."""

import time
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from service.core.clock import utc_now
from service.core.db import Database, require_current
from service.core.keys import DEFAULT_TENANT
from service.core.offset import Offset, offset
from service.core.rate_query import RateQuery, read_confidence, read_stretch
from service.core.store.both import read_both, read_fingerprints
from service.core.store.rescoring import count_rescores, request_rescores
from workers.commands.entry import explained, logged_settings, opened_database

AT_ONCE = 1_000
LOOK_EVERY_S = 1.0
SHOWN = 8  # characters of a fingerprint
SEVERAL = 2


def rescore(
    *,
    start: Annotated[str, typer.Option("--from", help="Of samples received from then on; ISO 8601 with zone.")],
    to: Annotated[str | None, typer.Option(help="Until then; now if absent.")] = None,
    tenant: Annotated[str, typer.Option(help="Whose samples.")] = DEFAULT_TENANT,
    confidence: Annotated[str, typer.Option(help="Of the offset's interval.")] = "0.95",
    wait: Annotated[bool, typer.Option(help="Wait until the workers are through, and tell the offset.")] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask for nothing; tell the offset of what there is.")
    ] = False,
) -> None:
    """Has the workers score old samples again with their scorer of now, so that periods can be compared.

    Old scores stay; the new ones are a series of their own. New samples go first. What has no text any more is left out.
    """
    console = Console(highlight=False)
    with explained(), opened_database(logged_settings()) as database:
        require_current(database)
        level = read_confidence(confidence)
        stretch = read_stretch(RateQuery(tenant=tenant, start=start, to=to), utc_now())
        if not dry_run:
            asked = _request(database, tenant, stretch.start, stretch.end)
            console.print(f"Asked for {asked:,} samples to be scored again.")
            if wait and asked:
                _follow(database, tenant, console)
        _show(database, tenant, (stretch.start, stretch.end), level, console)


def _request(database: Database, tenant: str, start: datetime, end: datetime) -> int:
    asked, after = 0, 0
    while True:
        with database.write() as connection:
            found, last = request_rescores(connection, tenant, start, end, utc_now(), after, AT_ONCE)
        asked += found
        if found < AT_ONCE:
            return asked
        after = last


def _follow(database: Database, tenant: str, console: Console) -> None:
    def left() -> int:
        with database.read() as connection:
            return count_rescores(connection, tenant)

    total = left()
    columns = (TextColumn("scored again"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)
        while now_left := left():
            progress.update(task, completed=max(0, total - now_left))
            time.sleep(LOOK_EVERY_S)


def _show(
    database: Database, tenant: str, between: tuple[datetime, datetime], confidence: float, console: Console
) -> None:
    with database.read() as connection:
        names = read_fingerprints(connection, tenant, *between)
        if len(names) < SEVERAL:
            console.print("All of this time was scored by one scorer: there is no offset to tell.")
            return
        newest = names[-1]
        found = [
            (name, offset(read_both(connection, tenant, *between, name, newest), confidence)) for name in names[:-1]
        ]
    for name, told in found:
        console.print(_sentence(name, newest, told, confidence), soft_wrap=True)


def _sentence(old: str, new: str, told: Offset | None, confidence: float) -> str:
    if told is None:
        return f"{old[:SHOWN]} and {new[:SHOWN]} have scored no sample in common."
    change = told.change
    return (
        f"Of {told.samples:,} samples that both scored, {old[:SHOWN]} flags {told.rate_first:.1%} and {new[:SHOWN]} "
        f"{told.rate_second:.1%}: {100 * change.value:+.2g} points, {100 * confidence:.6g}% interval "
        f"{100 * change.low:+.2g} to {100 * change.high:+.2g}."
    )
