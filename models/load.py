"""The factory: the one place that puts a scorer together, its backend chosen by name."""

import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

from models.calibrate import Calibration, Threshold, load_calibration
from models.pairs import Limits
from models.types import ModelError, Scorer

BUNDLED = Path(__file__).parent / "bundled"


@dataclass(frozen=True, kw_only=True, slots=True)
class ScorerConfig:
    """Which scorer to load, and how."""

    kind: Literal["nli", "fake"] = "nli"
    folder: Path = BUNDLED  # model.xml, model.bin, tokenizer.json, config.json and calibration.json
    threshold: Threshold = "strict"  # the score from which a response is flagged
    max_pairs: int = 1024  # (window, claim) pairs that one item may cost
    threads: int = 0  # of the processor; 0 is all cores


def load_scorer(config: ScorerConfig | None = None) -> Scorer:
    """The scorer that `config` describes (the bundled NLI model if not given), warm and ready.

    Raises ModelError when its libraries are not installed, its files are missing or the threshold is none.
    """
    chosen = config or ScorerConfig()
    if chosen.kind == "fake":
        return _fake(chosen)
    if chosen.kind == "nli":
        return load_nli(chosen, load_calibration(chosen.folder / "calibration.json"))
    raise ModelError(f"no scorer {chosen.kind!r}: choose 'nli' or 'fake'")


def load_nli(config: ScorerConfig, calibration: Calibration) -> Scorer:
    """The NLI scorer of `config.folder`, with a calibration other than the folder's where calibrating needs one."""
    nli, backend, tokens = _module("models.nli"), _module("models.backends.openvino"), _module("models.tokens")
    parts = nli.NliParts(
        backend=backend.OpenvinoBackend(config.folder, config.threads),
        encoder=tokens.WordPieceEncoder(config.folder / "tokenizer.json"),
        calibration=calibration,
        weights_digest=_digest(config.folder / "model.xml", config.folder / "model.bin"),
        limits=Limits(max_pairs=config.max_pairs),
        threshold=config.threshold,
    )
    scorer: Scorer = nli.NliScorer(parts)
    return scorer


def _fake(config: ScorerConfig) -> Scorer:
    scorer: Scorer = _module("models.fake").FakeScorer(config.threshold)
    return scorer


def _module(name: str) -> ModuleType:
    """A module of ours that stands on a model library, imported only once a scorer is asked for."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ModelError(f"{error.name} is not installed: pip install 'assay-llm[worker]'") from error


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
