"""Baselines: records of runs that later runs are held against, by a name beside the code, a file, or a stored run's id."""

from pathlib import Path

from pydantic import ValidationError

from service.core.config import Settings
from service.core.db import Database, require_current
from service.core.errors import SchemaMismatchError, StartRefusedError
from service.core.golden.record import RunRecord
from service.core.store.golden import read_record
from workers.sqlite_file import sqlite_file

FOLDER = Path("golden_baselines")  # to be committed: who reviews a change of it sees what was accepted
DEFAULT_NAME = "main"
STORED = "run:"  # before the id of a run in the database


def baseline_file(folder: Path, set_name: str, name: str) -> Path:
    """Where the baseline of that name lies."""
    return folder / f"{set_name}.{name}.json"


def find_run(text: str, folder: Path, set_name: str, settings: Settings, tenant: str) -> RunRecord:
    """A run by a file, `run:ID` or, of a set, the name of a baseline. Raises StartRefusedError, GoldenRunUnknownError."""
    if text.startswith(STORED):
        return _stored(text.removeprefix(STORED), settings, tenant)
    paths = [baseline_file(folder, set_name, text)] if set_name else []  # a name means it, whatever else is called so
    for path in (*paths, Path(text)):
        if path.is_file():
            return read_file(path)
    if not set_name:
        raise StartRefusedError(f"There is no file {text[:200]!r}.", next_step="Name the file of a run, or run:ID.")
    raise StartRefusedError(
        f"There is no baseline {text[:200]!r}: no such file, and no {baseline_file(folder, set_name, text)}.",
        next_step=f"Make one from a run that you accept: assay golden baseline {set_name} --name NAME.",
    )


def read_file(path: Path) -> RunRecord:
    """A record's file. Raises StartRefusedError."""
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StartRefusedError(f"{path} cannot be read: {error.strerror}.", next_step="Check the path.") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise StartRefusedError(
            f"{path} is no record of a golden run: {field or 'the file'}: {first['msg']}.",
            next_step="Name the --json file of `assay golden run`.",
        ) from None


def _stored(run_id: str, settings: Settings, tenant: str) -> RunRecord:
    file = sqlite_file(settings)
    if file is not None and not file.exists():
        raise StartRefusedError(f"There is no database {file}.", next_step="Correct ASSAY_DATABASE_URL.")
    database = Database(settings.database_url.get_secret_value())
    try:
        require_current(database)
        with database.read() as connection:
            return read_record(connection, tenant, run_id)
    finally:
        database.close()


def database_is_there(settings: Settings) -> bool:
    """Whether there is a database of this version; one that is missing is not made. Raises StoreUnavailableError."""
    file = sqlite_file(settings)
    if file is not None and not file.exists():
        return False
    database = Database(settings.database_url.get_secret_value())
    try:
        require_current(database)
    except SchemaMismatchError:
        return False
    finally:
        database.close()
    return True
