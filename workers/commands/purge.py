"""`assay purge`: removal by hand."""

from typing import Annotated

import typer

from service.core.clock import utc_now
from service.core.db import Database, require_current
from service.core.duration import parse_duration
from service.core.purge import purge as purge_batches
from service.core.store.comments import count_due_comments
from service.core.store.removal import By, Depth, Removal, Removed, count_due, next_tenant
from workers.commands.entry import explained, logged_settings, opened_database


def purge(  # noqa: PLR0913 - one argument an option
    *,
    older_than: Annotated[str | None, typer.Option(help="Received longer ago than this: 30d, 24h.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's; else every tenant's.")] = None,
    session: Annotated[str | None, typer.Option(help="Only of this session_id.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Whatever its age and session.")] = False,
    texts_only: Annotated[
        bool, typer.Option("--texts-only/--rows", help="Texts alone, or also ids and metadata.")
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Removes texts of samples, or with --rows all that names anyone. Scores and rates stay."""
    if everything is (older_than is not None or session is not None):
        raise typer.BadParameter("give --older-than, --session or both; or --all and neither")
    depth = Depth.TEXTS if texts_only else Depth.ROWS
    with explained(), opened_database(logged_settings()) as database:
        require_current(database)
        moment = utc_now() - parse_duration(older_than, "--older-than") if older_than else None
        removals = [
            Removal(tenant=name, depth=depth, by=By.REQUEST, session_id=session, before=moment)
            for name in ([tenant] if tenant is not None else _tenants(database))
        ]
        due = sum((_count(database, removal) for removal in removals), Removed())
        said = sum(_count_comments(database, removal) for removal in removals)
        typer.echo(_sentence("Would remove" if dry_run else "To remove", due, depth))
        if said:
            what = "comments of labels, and end users' feedback" if depth is Depth.ROWS else "comments"
            typer.echo(f"With it go {what}: {said:,}.")
        if dry_run or not (due.samples or said):
            return
        if not yes:
            typer.confirm("This cannot be undone. Remove them?", abort=True)
        done = sum((batch for removal in removals for batch in purge_batches(database, removal)), Removed())
        folded = database.fold_log()
    typer.echo(_sentence("Removed", done, depth))
    if not folded:
        typer.echo("The write-ahead log is in use and may still hold some text; a later purge or restart empties it.")


def _tenants(database: Database) -> list[str]:
    names: list[str] = []
    with database.read() as connection:
        while (name := next_tenant(connection, names[-1] if names else "")) is not None:
            names.append(name)
    return names


def _count(database: Database, removal: Removal) -> Removed:
    with database.read() as connection:
        return count_due(connection, removal)


def _count_comments(database: Database, removal: Removal) -> int:
    with database.read() as connection:
        return count_due_comments(connection, removal)


def _sentence(verb: str, removed: Removed, depth: Depth) -> str:
    what = f"the texts of {removed.texts:,} samples"
    if depth is Depth.ROWS:
        what = f"ids, metadata and texts of {removed.samples:,} samples ({removed.texts:,} still had texts or digests)"
    ended = f"; {removed.ended:,} of them are pending and become unscored(erased)" if removed.ended else ""
    return f"{verb} {what}{ended}."
