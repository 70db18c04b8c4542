"""The factory: by name, with errors that say what to do."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from models.load import ScorerConfig, load_scorer
from models.types import ModelError


def test_fake_by_name() -> None:
    """`fake` needs no model."""
    assert load_scorer(ScorerConfig(kind="fake")).name == "fake"


def test_unknown_kind() -> None:
    """A kind that is none is refused with those there are."""
    with pytest.raises(ModelError, match="choose 'nli' or 'fake'"):
        load_scorer(ScorerConfig(kind="oracle"))


def test_missing_folder(tmp_path: Path) -> None:
    """A folder without a model says what is missing and what makes it."""
    with pytest.raises(ModelError, match=r"model\.xml.* is missing: models\.training\.export writes it"):
        load_scorer(ScorerConfig(folder=tmp_path))


def test_missing_checkpoint_comes_before_its_threshold() -> None:
    """Nobody is told to calibrate a model that is not there."""
    with pytest.raises(ModelError, match="there is no folder /nope"):
        load_scorer(ScorerConfig(model="/nope"))


def test_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the worker's libraries the error says how to install them."""

    def absent(name: str) -> ModuleType:
        raise ModuleNotFoundError(name, name="sentencex")

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ModelError, match=r"sentencex is not installed: pip install 'assay-llm\[worker\]'"):
        load_scorer(ScorerConfig(kind="fake"))
