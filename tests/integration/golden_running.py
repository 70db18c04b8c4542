"""What the tests of `assay golden run` share: a set of kettles, a bot that is asked about them, the commands."""

import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from service.core.golden.item import GoldenItem
from service.core.golden.record import RunRecord
from tests.integration.commanded import Run, group_command
from tests.unit.workers.golden_support import write_items
from workers.commands.golden import golden_app

TARGET = "kettle_bot:answer"
COUNT = 40  # of each label: with a margin of 15 points nothing changed is no worse
LENIENT = {"ASSAY_THRESHOLD": "0.9"}  # a scorer that flags none of these items
# Of its words 9 of 11 are in no context: the fake scorer gives 0.82, and flags from 0.75 on unless it is told otherwise.
MADE_UP = "Kettle {} explodes loudly every single monday morning near sleepy dogs."
BOT = f"""
import time
from pathlib import Path

HERE = Path(__file__).parent


def answer(question, contexts):
    with (HERE / "calls").open("a") as calls:
        calls.write(question + "\\n")
    number = int(question.split()[-1].rstrip("?"))
    return contexts[0] if number >= int((HERE / "wrong").read_text()) else {MADE_UP!r}.format(number)
"""


def kettle(number: int, *, hallucinated: bool, **changes: Any) -> GoldenItem:
    """One item; those of one number ask the same of the same context, as a minimal pair does."""
    text = f"Kettle {number} can be returned within 30 days."
    values = {
        "id": f"{'bad' if hallucinated else 'ok'}-{number}",
        "question": f"What about kettle {number}?",
        "contexts": [{"id": "policy", "text": text}],
        "response": MADE_UP.format(number) if hallucinated else text,
        "hallucinated": hallucinated,
        "category": "returns",
    }
    return GoldenItem.model_validate(values | changes)


def kettles(count: int = COUNT) -> list[GoldenItem]:
    """So many supported and as many hallucinated ones."""
    return [kettle(number, hallucinated=label) for number in range(count) for label in (False, True)]


@dataclass(frozen=True, kw_only=True)
class Golden:
    """A working directory with a set, and the commands in it.

    Its bot makes up what it says of the first kettles, as many as the file `wrong` says.
    """

    folder: Path
    command: Run

    def run(self, *arguments: str, code: int = 0, **environment: str | None) -> Any:
        """`assay golden run`, which ends with that status."""
        return self(*("run", *arguments), code=code, **environment)

    def __call__(self, *arguments: str, code: int = 0, **environment: str | None) -> Any:
        done = self.command(*arguments, **environment)
        assert done.exit_code == code, done.output
        return done

    def add_set(self, name: str, items: Sequence[GoldenItem] | None = None) -> None:
        """A folder with items."""
        write_items(self.folder / name / "items.jsonl", *(kettles() if items is None else items))

    def record(self, path: str = ".assay/golden/mine.scorer.json") -> RunRecord:
        """What a run wrote."""
        return RunRecord.model_validate_json((self.folder / path).read_bytes())

    def wrong(self, number: int) -> None:
        """From now on."""
        (self.folder / "wrong").write_text(str(number))

    @property
    def calls(self) -> list[str]:
        """Questions that the bot was asked, since last asked for."""
        path = self.folder / "calls"
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return found


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Golden:
    """The set `mine` in an empty working directory, without a database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.delitem(sys.modules, "kettle_bot", raising=False)  # of another test
    importlib.invalidate_caches()
    return golden_in(tmp_path)


def golden_in(folder: Path) -> Golden:
    """A folder with the set, the bot and no database."""
    (folder / "kettle_bot.py").write_text(BOT, encoding="utf-8")
    made = Golden(folder=folder, command=group_command("golden", _alone(), **environment_of(folder)))
    made.add_set("mine")
    made.wrong(0)
    return made


def _alone() -> typer.Typer:
    app = typer.Typer()
    app.add_typer(golden_app, name="golden")
    app.callback()(lambda: None)
    return app


def environment_of(folder: Path) -> dict[str, str]:
    """Of a command that is quick, with a database that is not there."""
    return {"ASSAY_SCORER": "fake", "ASSAY_DATABASE_URL": f"sqlite:///{folder}/none.db"}


def flat(text: str) -> str:
    """On one line."""
    return " ".join(text.split())


def lines_of(path: Path) -> list[Any]:
    """The whole lines of a JSON Lines file; none where there is no file."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
