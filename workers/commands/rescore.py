"""`assay rescore`: old samples by the scorer of now, through the workers; and how the two scorers differ."""

import math
import time
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from models.load import load_scorer
from service.core.clock import utc_now
from service.core.db import Database, require_current
from service.core.keys import DEFAULT_TENANT
from service.core.offset import Offset, offset
from service.core.rate_query import RateQuery, read_confidence, read_stretch
from service.core.store.both import read_both, read_fingerprints
from service.core.store.rescoring import Wanted, count_rescores, request_rescores, withdraw_others
from workers.commands.entry import explained, logged_settings, opened_database
from workers.scorer import scorer_config

AT_ONCE = 1_000
LOOK_EVERY_S = 1.0
WONDER_AFTER_S = 60.0  # without any sample done
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

    The scorer is the one that this command's own settings name: the workers must have the same. Old scores stay; the new
    ones are a series of their own. New samples go first. What has no text any more is left out, and what this scorer has
    scored.
    """
    console = Console(highlight=False)
    settings = logged_settings()
    with explained(), opened_database(settings) as database:
        require_current(database)
        level = read_confidence(confidence)
        stretch = read_stretch(RateQuery(tenant=tenant, start=start, to=to), utc_now())
        if not dry_run:
            scorer = load_scorer(scorer_config(settings))
            wanted = Wanted(tenant=tenant, start=stretch.start, end=stretch.end, fingerprint=scorer.fingerprint)
            asked = _request(database, wanted, console)
            by = f"{scorer.name} {scorer.fingerprint[:SHOWN]}"
            if asked:
                console.print(f"Asked for {asked:,} samples to be scored again, by {by}.")
            else:
                console.print(f"Nothing to score again: what still has its text of this time, {by} has scored.")
            if wait and asked:
                _follow(database, wanted, console)
        _show(database, tenant, (stretch.start, stretch.end), level, console)


def _request(database: Database, wanted: Wanted, console: Console) -> int:
    with database.write() as connection:
        withdrawn = withdraw_others(connection, wanted.tenant, wanted.fingerprint)
    if withdrawn:
        console.print(f"Withdrew {withdrawn:,} earlier requests, for another scorer.")
    asked, after = 0, 0
    while True:
        with database.write() as connection:
            found, last = request_rescores(connection, wanted, utc_now(), after, AT_ONCE)
        asked += found
        if found < AT_ONCE:
            return asked
        after = last


def _follow(database: Database, wanted: Wanted, console: Console) -> None:
    def left() -> int:
        with database.read() as connection:
            return count_rescores(connection, wanted.tenant, wanted.fingerprint)

    total = last = left()
    moved = time.monotonic()
    columns = (TextColumn("scored again"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)
        while now_left := left():
            progress.update(task, completed=max(0, total - now_left))
            if now_left != last:
                last, moved = now_left, time.monotonic()
            elif time.monotonic() - moved > WONDER_AFTER_S:
                console.print(
                    f"No sample was done for {WONDER_AFTER_S:.0f} seconds. Is a worker running, and with the scorer that "
                    "this command's settings name? The requests wait; `assay doctor` looks at the workers.",
                    soft_wrap=True,
                )
                moved = math.inf
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
