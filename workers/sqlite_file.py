"""The file of a SQLite database, which connecting would make where it is missing."""

from pathlib import Path

from service.core.config import Settings

SQLITE = "sqlite:///"


def sqlite_file(settings: Settings) -> Path | None:
    """The file of a SQLite database; None for another."""
    url = settings.database_url.get_secret_value()
    return Path(url.removeprefix(SQLITE).partition("?")[0]) if url.startswith(SQLITE) else None
