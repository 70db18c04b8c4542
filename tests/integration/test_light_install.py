"""A machine with the sidecar's own requirements alone: whatever needs no model works, the rest says what to install."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.doctor.machine import EXTRAS

# Every library of a model or a table, as if it were not installed.
HIDDEN = sorted({module for extra in ("worker", "hf", "embedded", "tables") for module in EXTRAS[extra]})
HIDING = f"""
import sys
from importlib.abc import MetaPathFinder

class Hidden(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HIDDEN!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""
ASSAY = HIDING + "from workers.cli import app\napp(sys.argv[1:])\n"


def assay(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs a command on a database of that folder."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    environment = plain | {"ASSAY_DATABASE_URL": f"sqlite:///{folder / 'assay.db'}"}
    command = [sys.executable, "-c", ASSAY, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_what_needs_no_model_works(tmp_path: Path) -> None:
    """What Compose runs in the sidecar's image: the schema, then keys; and what its operator asks."""
    for arguments in (["--help"], ["db", "upgrade"], ["db", "status"], ["keys", "list"], ["rate"], ["bench", "--help"]):
        told = assay(tmp_path, *arguments)
        assert (arguments, told.returncode, told.stderr) == (arguments, 0, "")


def test_the_sidecar_needs_no_model(tmp_path: Path) -> None:
    """Its application can be imported."""
    command = [sys.executable, "-c", HIDING + "import service.app"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.parametrize("scorer", ["nli", "fake"])
def test_what_needs_one_says_so(tmp_path: Path, scorer: str) -> None:
    """A sentence with the extra to install, not a traceback."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"contexts": ["a"], "response": "b"}) + "\n", encoding="utf-8")
    code = f"import os\nos.environ['ASSAY_SCORER'] = {scorer!r}\n" + ASSAY
    command = [sys.executable, "-c", code, "score", str(rows)]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 2
    assert "is not installed: pip install 'assay-llm[worker]'" in told.stderr
    assert "Traceback" not in told.stderr
