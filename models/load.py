"""The factory: the one place that puts a scorer together, its backend chosen by name."""

import hashlib
import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from models.calibrate import UNCALIBRATED, Calibration, Threshold, load_calibration
from models.labels import head_of, read_names
from models.limits import Limits
from models.types import ModelError, NliBackend, Scorer

if TYPE_CHECKING:
    from models.tokens import Encoder  # stands on the tokenizers, which a sidecar does not have

BUNDLED = Path(__file__).parent / "bundled"
_BUNDLED_LANGUAGES = ("en",)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScorerConfig:
    """Which scorer to load, and how."""

    kind: Literal["nli", "fake"] = "nli"
    folder: Path = BUNDLED  # model.xml, model.bin, tokenizer.json, config.json and calibration.json
    model: str = ""  # a Hugging Face model instead of `folder`: name on the hub, or folder
    revision: str = ""  # of `model` on the hub: a commit, tag or branch; empty for the newest
    labels: tuple[str, ...] = ()  # what the outputs of `model` mean, where its own configuration does not say
    calibration: Path | None = None  # in place of the folder's own, or of none
    threshold: Threshold = "strict"  # the score from which a response is flagged
    languages: tuple[str, ...] | None = None  # ISO 639-1 codes of what the model reads, empty: any; None: its own
    max_pairs: int = Limits().max_pairs  # (window, claim) pairs that one item may need
    cache: int = 0  # pairs whose answers are remembered
    threads: int = 0  # of the processor; 0: one for each physical core
    exhaustive: bool = False  # read every window, for comparison: the same answers, many times slower


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model that is loaded and warm, its tokenizer, and what identifies them."""

    backend: NliBackend
    encoder: "Encoder"
    weights_digest: str  # of all but the tokenizer that changes what the backend answers
    max_length: int  # tokens of the longest pair
    languages: tuple[str, ...]  # that it reads; empty where nobody said
    digest: str  # of weights, configuration, labels, tokenizer and rules: what a calibration is made for
    calibration: Path | None  # the one that came with it


def load_scorer(config: ScorerConfig | None = None) -> Scorer:
    """The scorer that `config` describes (the bundled NLI model if not given), warm and ready.

    Raises ModelError when its libraries are not installed, its files are missing or the threshold is none.
    """
    chosen = config or ScorerConfig()
    if chosen.kind == "fake":
        return _fake(chosen)
    if chosen.kind == "nli":
        if chosen.model and not chosen.calibration:
            _module("models.backends.hub", "hf").require_folder(chosen.model)
            UNCALIBRATED.threshold(chosen.threshold)  # refused now rather than after a long download
        model = load_model(chosen)
        path = chosen.calibration or model.calibration
        return make_nli(chosen, model, load_calibration(path, model.digest) if path else UNCALIBRATED)
    raise ModelError(f"no scorer {chosen.kind!r}: choose 'nli' or 'fake'")


def load_model(config: ScorerConfig) -> Model:
    """The model that `config` names. Raises ModelError."""
    return _checkpoint(config) if config.model else _bundled(config)


def make_nli(config: ScorerConfig, model: Model, calibration: Calibration) -> Scorer:
    """The NLI scorer of a loaded model. Raises ModelError for a threshold that is none or that nobody knows."""
    nli = _module("models.nli", "worker")
    limits = Limits()
    parts = nli.NliParts(
        backend=model.backend,
        encoder=model.encoder,
        calibration=calibration,
        weights_digest=model.weights_digest,
        limits=Limits(max_length=min(limits.max_length, model.max_length), max_pairs=config.max_pairs),
        threshold=config.threshold,
        languages=model.languages if config.languages is None else config.languages,
        cache=config.cache,
        exhaustive=config.exhaustive,
    )
    scorer: Scorer = nli.NliScorer(parts)
    return scorer


def _bundled(config: ScorerConfig) -> Model:
    backend, tokens = _module("models.backends.openvino", "worker"), _module("models.tokens", "worker")
    if config.labels or config.revision:
        raise ModelError("ASSAY_NLI_LABELS and ASSAY_NLI_REVISION need ASSAY_NLI_MODEL: the bundled model has its own")
    try:
        weights = _digest(config.folder / "model.xml", config.folder / "model.bin")
    except OSError as error:
        raise ModelError(f"{error.filename} is missing: models.training.export writes it") from error
    encoder = tokens.WordPieceEncoder(config.folder / "tokenizer.json")
    return Model(
        backend=backend.OpenvinoBackend(config.folder, config.threads),
        encoder=encoder,
        weights_digest=weights,
        max_length=Limits().max_length,
        languages=_BUNDLED_LANGUAGES,
        digest=_described(weights=weights, tokenizer=encoder.digest, rules=_rules()),
        calibration=config.folder / "calibration.json",
    )


def _checkpoint(config: ScorerConfig) -> Model:
    # All of them first: what is not installed is said before anything is downloaded.
    names = ("models.backends.hub", "models.backends.pair_tokens", "models.backends.torch")
    hub, tokens, runtime = (_module(name, "hf") for name in names)
    found = hub.find_checkpoint(config.model, config.revision)
    head = head_of(config.labels or read_names(found.folder / "config.json"))
    encoder = tokens.PairEncoder(found)
    backend = runtime.TorchBackend(found, head, encoder, config.threads)
    weights = _described(
        files=hub.digest(found.folder / "config.json", *hub.weight_files(found)), labels=list(head.meanings)
    )
    return Model(
        backend=backend,
        encoder=encoder,
        weights_digest=_described(weights=weights, revision=found.revision),
        max_length=backend.max_length,
        languages=(),
        digest=_described(weights=weights, tokenizer=encoder.digest, rules=_rules()),
        calibration=None,
    )


def _rules() -> str:
    version: str = _module("models.nli", "worker").rules_version()
    return version


def _fake(config: ScorerConfig) -> Scorer:
    scorer: Scorer = _module("models.fake", "worker").FakeScorer(config.threshold)
    return scorer


def _module(name: str, extra: str) -> ModuleType:
    """A module of ours that stands on a model library, imported only once a scorer is asked for."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ModelError(f"{error.name} is not installed: pip install 'assay-llm[{extra}]'") from error


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _described(**parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
