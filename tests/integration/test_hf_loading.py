"""Loading any Hugging Face model: what is refused and why, where it is found, and what its fingerprint follows."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from models.calibrate import Calibration, save_calibration
from models.load import ScorerConfig, load_model, load_scorer
from models.types import ModelError, Scorer
from tests.checkpoints import NLI, edit_json, save_checkpoint

COMMITS = ("1" * 40, "2" * 40)
REMOTE_CODE = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of three labels; not to be changed."""
    return save_checkpoint(tmp_path_factory.mktemp("saved"), "bert")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(saved, tmp_path / "tiny"))


@pytest.fixture
def hub_cache(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, without a network: tests/tiny at two commits, the second the newest."""
    cache = tmp_path / "hub"
    repository = cache / "models--tests--tiny"
    for commit in COMMITS:
        shutil.copytree(saved, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMITS[1])
    (repository / "refs" / "v1").write_text(COMMITS[0])
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return cache


def load(model: Path | str, **changes: object) -> Scorer:
    return load_scorer(ScorerConfig(**{"model": str(model), "threshold": "balanced", **changes}))  # type: ignore[arg-type]


def test_pickled_weights_are_refused(folder: Path) -> None:
    """Weights that could run code are not read; the error says how to convert them."""
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(ModelError, match=r"has no model\.safetensors: only safetensors are read.*save_pretrained"):
        load(folder)


def test_a_missing_shard_is_named(folder: Path) -> None:
    """Weights in several files are all needed."""
    index = '{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}'
    (folder / "model.safetensors.index.json").write_text(index)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    with pytest.raises(ModelError, match="has no model-00002-of-00002"):
        load(folder)


def test_code_of_a_known_kind_of_model_is_not_run(folder: Path) -> None:
    """A configuration that points to code is read by the library's own class; the code stays where it is."""
    (folder / "modeling.py").write_text(REMOTE_CODE)
    edit_json(folder / "config.json", auto_map={"AutoModelForSequenceClassification": "modeling.Evil"})
    edit_json(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["modeling.Evil", "modeling.Evil"]})
    assert load(folder).name == "nli"
    assert not (folder / "ran").exists()


def test_code_of_an_unknown_kind_of_model_is_refused(folder: Path) -> None:
    """A model that is nothing without its own code is refused, and the code not run."""
    (folder / "modeling.py").write_text(REMOTE_CODE)
    edit_json(
        folder / "config.json",
        model_type="evil",
        auto_map={"AutoConfig": "modeling.Evil", "AutoModelForSequenceClassification": "modeling.Evil"},
    )
    with pytest.raises(ModelError, match="could not be loaded"):
        load(folder)
    assert not (folder / "ran").exists()


def test_a_head_is_never_made_up(folder: Path) -> None:
    """A base model without a trained head is refused rather than given a random one."""
    config = transformers.BertConfig.from_pretrained(folder)
    transformers.BertModel(config).save_pretrained(folder)
    edit_json(folder / "config.json", id2label=dict(enumerate(NLI)))
    with pytest.raises(ModelError, match=r"lack classifier\.bias, .* fine-tuned for NLI"):
        load(folder)


def test_an_adapter_is_refused(folder: Path) -> None:
    """Weights on top of other weights are no model by themselves."""
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="merge it"):
        load(folder)


def test_labels_that_do_not_exclude_each_other(folder: Path) -> None:
    """A head whose labels can all hold has no class probabilities."""
    edit_json(folder / "config.json", problem_type="multi_label_classification")
    with pytest.raises(ModelError, match="do not exclude each other"):
        load(folder)


def test_unnamed_labels_can_be_named(tmp_path: Path) -> None:
    """A model whose labels say nothing is refused until the setting names them."""
    folder = save_checkpoint(tmp_path, "bert", ("LABEL_0", "LABEL_1", "LABEL_2"))
    with pytest.raises(ModelError, match="set ASSAY_NLI_LABELS"):
        load(folder)
    assert load(folder, labels=NLI).name == "nli"
    with pytest.raises(ModelError, match="3 numbers a pair, its labels are 2"):
        load(folder, labels=NLI[:2])


def test_no_tokenizer(folder: Path) -> None:
    """A folder without a tokenizer is refused by what is missing."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(ModelError, match=r"tokenizer of tiny.*tokenizer\.json"):
        load(folder)


@pytest.mark.parametrize("model", ["/no/such/folder", "./nowhere", "~/nowhere", "a/b/c"])
def test_no_folder(model: str) -> None:
    """What can only be a folder is not looked up on the hub."""
    with pytest.raises(ModelError, match=r"there is no folder .*ASSAY_NLI_MODEL"):
        load(model)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    """A folder without a configuration is refused, and one with a revision too."""
    with pytest.raises(ModelError, match=r"no config\.json"):
        load(tmp_path)
    with pytest.raises(ModelError, match="unset ASSAY_NLI_REVISION"):
        load(tmp_path, revision="main")


def test_without_network_the_error_says_what_to_do(hub_cache: Path) -> None:
    """A path, a cache or a mirror: whoever is offline is told all three."""
    with pytest.raises(ModelError, match="could not be had") as caught:
        load("tests/another")
    for way in ("ASSAY_NLI_MODEL to a folder", "HF_HOME", "HF_HUB_OFFLINE=1", "HF_ENDPOINT"):
        assert way in str(caught.value)


def test_a_name_resolves_to_a_commit(hub_cache: Path) -> None:
    """The commit that was loaded is in the attributes and in the fingerprint, however it was named."""
    newest, tag, commit = (load("tests/tiny", revision=revision) for revision in ("", "v1", COMMITS[1]))
    assert [dict(one.attributes)["revision"] for one in (newest, tag, commit)] == [COMMITS[1], COMMITS[0], COMMITS[1]]
    assert newest.fingerprint == commit.fingerprint != tag.fingerprint


def test_fingerprint_is_the_same_elsewhere(saved: Path, folder: Path) -> None:
    """A copy of a folder, loaded with other threads, is the same scorer."""
    assert load(folder, threads=1).fingerprint == load(saved).fingerprint
    attributes = {"backend", "torch", "transformers", "device", "dtype", "model", "revision"}
    assert set(load(folder).attributes) == attributes


def _change_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"] += 0.01
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _change_tokenizer(folder: Path) -> None:
    edit_json(folder / "tokenizer_config.json", do_lower_case=False)


def _change_labels(folder: Path) -> None:
    edit_json(folder / "config.json", id2label=dict(enumerate(reversed(NLI))))


def _change_length(folder: Path) -> None:
    edit_json(folder / "tokenizer_config.json", model_max_length=100)


def _change_activation(folder: Path) -> None:
    edit_json(folder / "config.json", hidden_act="relu")


@pytest.mark.parametrize(
    "change", [_change_weights, _change_tokenizer, _change_labels, _change_length, _change_activation]
)
def test_fingerprint_follows_what_changes_scores(saved: Path, folder: Path, change: Callable[[Path], None]) -> None:
    """Weights, tokenizer, order of labels, length and configuration each make another scorer."""
    change(folder)
    assert load(folder).fingerprint != load(saved).fingerprint


def test_fingerprint_follows_the_labels_setting(saved: Path) -> None:
    """Labels named by the setting make another scorer; the same as the model's own make the same."""
    named = [load(saved, labels=labels).fingerprint for labels in ((), NLI, tuple(reversed(NLI)))]
    assert named[0] == named[1] != named[2]


def test_strict_is_not_known_without_calibration() -> None:
    """The default threshold of a model that nobody calibrated is refused at once, with the ways out."""
    with pytest.raises(ModelError, match=r"ASSAY_THRESHOLD to balanced.*assay calibrate.*ASSAY_NLI_CALIBRATION"):
        load_scorer(ScorerConfig(model="tests/not-even-looked-for"))


def test_calibration_belongs_to_its_model(saved: Path, folder: Path, tmp_path: Path) -> None:
    """A calibration makes `strict` known for the model it was made for, and is refused by every other."""
    model = load_model(ScorerConfig(model=str(saved)))
    path = tmp_path / "calibration.json"
    save_calibration(Calibration(slope=2.0, intercept=0.1, strict=0.9), path, model.digest)
    calibrated = load(saved, calibration=path, threshold="strict")
    assert calibrated.fingerprint != load(saved, threshold=0.9).fingerprint
    _change_weights(folder)
    with pytest.raises(ModelError, match="made for another model"):
        load(folder, calibration=path)


def test_the_bundled_model_has_no_revision() -> None:
    """Settings of another model without that model are a mistake, and said to be one."""
    with pytest.raises(ModelError, match="need ASSAY_NLI_MODEL"):
        load_scorer(ScorerConfig(labels=NLI))


def test_without_the_extra_the_error_names_it() -> None:
    """Where torch is not installed the error says what to install, before anything is fetched."""
    program = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from models.load import ScorerConfig, load_scorer\n"
        "load_scorer(ScorerConfig(model='tests/tiny', threshold='balanced'))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "torch is not installed: pip install 'assay-llm[hf]'" in done.stderr
