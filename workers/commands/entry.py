"""What every command begins with: settings, a database, and errors told as sentences."""

import contextlib
from collections.abc import Iterator

import typer

from models.types import ModelError
from service.core.config import Settings, read_settings
from service.core.db import Database
from service.core.errors import AssayError, QueryInvalidError, StoreUnavailableError
from service.core.log import configure_logging
from workers.progress import EXIT_REFUSED

# What an API answers tells a program what to send; on a command line there is nothing to send again.
STEPS: dict[type[AssayError], str] = {
    StoreUnavailableError: "Look at ASSAY_DATABASE_URL and at the database that it names, then start again.",
    QueryInvalidError: "Correct the option; --help lists them.",
}


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Prints an error of ours as a sentence, without a traceback, and exits with status 2."""
    try:
        yield
    except AssayError as error:
        step = next((step for kind, step in STEPS.items() if isinstance(error, kind)), error.next_step)
        about = f"{error.field}: " if isinstance(error, QueryInvalidError) and error.field else ""
        typer.echo(f"assay: {about}{error.detail}\n  {step}", err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    except ModelError as error:
        typer.echo(f"assay: the scorer cannot be loaded: {error}", err=True)
        raise typer.Exit(EXIT_REFUSED) from None


def logged_settings() -> Settings:
    """The settings, with this process's log lines set up by them."""
    settings = read_settings()
    configure_logging(settings)
    return settings


@contextlib.contextmanager
def opened_database(settings: Settings) -> Iterator[Database]:
    """The database of the settings, closed at the end."""
    with contextlib.closing(Database(settings.database_url.get_secret_value())) as database:
        yield database
