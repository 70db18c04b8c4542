"""What the tests of golden items share: files as other tools write them, items, and the commands."""

import json
from pathlib import Path
from typing import Any

import structlog
import typer
from click.testing import Result
from typer.testing import CliRunner

from service.core.config import Settings
from service.core.golden.item import GoldenItem
from workers.commands.golden_items import register
from workers.golden.importing import Imported, import_rows
from workers.golden.importing_layouts import Format, Named, layout_of
from workers.golden.importing_rows import read_rows

POLICY = "Unused kettles can be returned within 30 days. Used ones cannot. Repairs take 60 days."
CONTEXT = {"id": "policy", "text": POLICY}
GOOD, BAD = "Unused kettles can be returned within 30 days.", "Unused kettles can be returned within 60 days."


def imported(path: Path, chosen: Format, *, category: str = "imported", **named: Any) -> Imported:
    """What a file becomes."""
    layout = layout_of(chosen, Named(**named))
    rows = read_rows(str(path), Settings(), frozenset(layout.contexts))
    return import_rows(rows, layout, name=path.name, category=category)


def refused(found: Imported) -> list[tuple[str, str]]:
    """Places and fields of what was refused."""
    return [(each.place, each.field) for each in found.refused]


def item(name: str = "a", **changes: Any) -> GoldenItem:
    """A valid item."""
    values: dict[str, Any] = {
        "id": name,
        "question": f"Can I return a kettle, asks {name}?",
        "contexts": [CONTEXT],
        "response": GOOD,
        "hallucinated": False,
        "category": "returns",
    }
    return GoldenItem.model_validate(values | changes)


def write_items(path: Path, *items: GoldenItem) -> Path:
    """A file of items, as anybody might write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each.model_dump(mode="json")) + "\n" for each in items), encoding="utf-8")
    return path


def golden(*arguments: str, columns: int = 200, **environment: str) -> Result:
    """Runs `assay golden ...`; what it sets up for its log lines is undone."""
    app = typer.Typer()
    register(app)
    before = structlog.get_config()
    try:
        done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": str(columns), **environment})
    finally:
        structlog.configure(**before)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    assert "\x1b" not in done.output
    return done
