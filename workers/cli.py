"""The command line, `assay`."""

import logging
import signal
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.core.clock import utc_now
from service.core.combination import load_combination
from service.core.config import Settings
from service.core.db import head_revision, require_current, upgrade
from service.core.keys import DEFAULT_TENANT, TENANT_PATTERN, Scope, make_key, require_valid_key
from service.core.policy import read_policy
from service.core.store.keys import add_key, all_keys, revoke_key
from workers.commands.database import db_status
from workers.commands.entry import explained as _explained
from workers.commands.entry import logged_settings as _settings
from workers.commands.entry import opened_database as _database
from workers.commands.key_file import ensure_key, read_key
from workers.commands.later import LaterGroup
from workers.groups import run_worker
from workers.progress import EXIT_REFUSED
from workers.up import UpOptions, check_port, up

app = typer.Typer(
    cls=LaterGroup, no_args_is_help=True, add_completion=False, help="How often does our LLM make things up?"
)
keys_app = typer.Typer(no_args_is_help=True, help="API keys.")
db_app = typer.Typer(no_args_is_help=True, help="The database's schema.")
app.add_typer(keys_app, name="keys")
app.add_typer(db_app, name="db")


def _show_version(asked: bool) -> None:  # noqa: FBT001 - as typer calls it
    if asked:
        typer.echo(f"assay {version('assay-llm')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    asked: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    del asked


@app.command("up")
def up_command(
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the demo's summary.")] = False,
    demo: Annotated[bool, typer.Option(help="Replay the demo traffic, sampled at 100%.")] = True,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
) -> None:
    """Runs everything on this machine: embedded Redis, SQLite, sidecar, worker, demo traffic."""
    with _explained():
        up(_settings(), UpOptions(once=once, demo=demo, workers=workers), Console(highlight=False))


@app.command()
def serve() -> None:
    """Runs the sidecar."""
    with _explained():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the sidecar reloads on it, it must not end the process
        settings = _settings()
        policy = read_policy(settings.policy_file)
        policy.privacy.require_key(given=settings.digest_key is not None)
        if policy.combination is not None:
            load_combination(policy.combination)
        check_port(settings)
        _check_start(settings)
        # Here alone: only the sidecar needs a web framework, and every other command starts the sooner.
        import uvicorn  # noqa: PLC0415

        from service.connection import connection_limits, limited  # noqa: PLC0415

        config = uvicorn.Config(
            "service.app:from_environment",
            factory=True,
            http=limited(connection_limits(settings)),
            ws="none",
            host=settings.host.strip("[]"),
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
        )
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        uvicorn.Server(config).run()


def _check_start(settings: Settings) -> None:
    """Refuses with a sentence what the sidecar would refuse with a traceback."""
    with _database(settings) as database:
        require_current(database)
        if settings.keys_required:
            with database.read() as connection:
                require_valid_key(all_keys(connection), settings.host)


@app.command()
def worker() -> None:
    """Runs a worker on all cores of this machine, in several processes where there are many."""
    with _explained():
        status = run_worker(_settings())
    raise typer.Exit(status)


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Brings the database's schema to what this version needs."""
    with _explained(), _database(_settings()) as database:
        upgrade(database)
    typer.echo(f"The database has schema {head_revision()}.")


@keys_app.command("create")
def keys_create(
    scope: Annotated[list[Scope], typer.Option(help="What the key may do; repeat for several.")],
    tenant: Annotated[str, typer.Option(help="Whose data it reaches.")] = DEFAULT_TENANT,
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Makes an API key and shows it once."""
    if not TENANT_PATTERN.fullmatch(tenant):
        raise typer.BadParameter("use 1 to 64 letters, digits, and _ . -", param_hint="--tenant")
    key = make_key(tenant=tenant, scopes=frozenset(scope), note=note[:200], now=utc_now())
    with _explained(), _database(_settings()) as database:
        require_current(database)
        with database.write() as connection:
            add_key(connection, key.stored)
    typer.echo("Keep this key; it is not shown again.", err=True)
    typer.echo(key.text)


@keys_app.command("ensure")
def keys_ensure(
    file: Annotated[Path, typer.Option(help="A file that holds one key; it is read, never written.")],
    scope: Annotated[list[Scope], typer.Option(help="What the key may do; repeat for several.")],
    tenant: Annotated[str, typer.Option(help="Whose data it reaches.")] = DEFAULT_TENANT,
) -> None:
    """Stores the API key that a file holds, once; for deployments that keep their keys as secrets."""
    if not TENANT_PATTERN.fullmatch(tenant):
        raise typer.BadParameter("use 1 to 64 letters, digits, and _ . -", param_hint="--tenant")
    with _explained():
        wanted = read_key(file, tenant=tenant, scopes=frozenset(scope))
        with _database(_settings()) as database:
            require_current(database)
            with database.write() as connection:
                done = ensure_key(connection, wanted)
    typer.echo(done)


@keys_app.command("list")
def keys_list() -> None:
    """Lists the API keys, without their secrets."""
    with _explained(), _database(_settings()) as database:
        require_current(database)
        with database.read() as connection:
            held = all_keys(connection)
    table = Table("id", "tenant", "scopes", "made", "revoked", "note")
    for key in held:
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M} UTC" if key.revoked_at else "no"
        made = f"{key.created_at:%Y-%m-%d %H:%M} UTC"
        table.add_row(key.id, key.tenant, ", ".join(sorted(key.scopes)), made, revoked, key.note)
    Console(highlight=False).print(table)


@keys_app.command("revoke")
def keys_revoke(key_id: Annotated[str, typer.Argument(help="The id that `assay keys list` shows.")]) -> None:
    """Revokes an API key; a sidecar stops taking it within five seconds."""
    with _explained(), _database(_settings()) as database:
        require_current(database)
        with database.write() as connection:
            revoked = revoke_key(connection, key_id, utc_now())
    if not revoked:
        typer.echo(f"assay: There is no valid key {key_id!r}.\n  `assay keys list` shows all.", err=True)
        raise typer.Exit(EXIT_REFUSED)
    typer.echo(f"Revoked {key_id}.")


db_app.command("status")(db_status)

if __name__ == "__main__":
    app()
