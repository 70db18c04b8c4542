"""Loading a causal model: what is refused and why, and what its digest follows."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from models.backends.causal import load_causal
from models.types import ModelError
from tests.chat_checkpoints import save_chat_model
from tests.checkpoints import edit_json

REMOTE_CODE = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama with a chat template; not to be changed."""
    return save_chat_model(tmp_path_factory.mktemp("saved"))


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(saved, tmp_path / "tiny"))


def test_what_is_known_of_a_model(saved: Path) -> None:
    """Its attributes name runtime, device and model; nothing of them is in the digest but the model itself."""
    model = load_causal(str(saved), "", 0)
    known = model.attributes
    assert {key: known[key] for key in ("backend", "device", "dtype", "model", "revision", "role_marks")} == {
        "backend": "torch",
        "device": "cpu",
        "dtype": "float32",
        "model": saved.name,
        "revision": "",
        "role_marks": "tokens",
    }
    assert known["torch"] == str(torch.__version__)


def test_the_digest_follows_what_changes_replies(saved: Path, folder: Path) -> None:
    """The same files give the same digest; other weights, another template or another end token give another."""
    digests = [load_causal(str(each), "", 0).digest for each in (saved, folder)]
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|im_end|>", "<|im_end|> "))
    digests.append(load_causal(str(folder), "", 0).digest)
    edit_json(folder / "generation_config.json", eos_token_id=[2, 3])
    digests.append(load_causal(str(folder), "", 0).digest)
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"][0, 0] += 1
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    digests.append(load_causal(str(folder), "", 0).digest)
    assert [digests.index(each) for each in digests] == [0, 0, 2, 3, 4]


def test_pickled_weights_are_refused(folder: Path) -> None:
    """Weights that could run code are not read, and the error names the judge's own fields."""
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(ModelError, match=r"only safetensors are read.*set `local` of \[judge\] to the new folder"):
        load_causal(str(folder), "", 0)


@pytest.mark.parametrize("revision", ["", "main"])
def test_a_folder_that_is_not_there(tmp_path: Path, revision: str) -> None:
    """What can only be a folder is never looked for on the hub."""
    with pytest.raises(ModelError, match=r"there is no folder .*correct `local` of \[judge\]"):
        load_causal(str(tmp_path / "none"), revision, 0)


def test_a_folder_has_no_revisions(saved: Path) -> None:
    """A revision of a folder is refused rather than ignored."""
    with pytest.raises(ModelError, match=r"unset `revision` of \[judge\]"):
        load_causal(str(saved), "main", 0)


def test_no_chat_template(folder: Path) -> None:
    """A base model without a template is refused with what to do."""
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="has no chat template"):
        load_causal(str(folder), "", 0)


def test_code_of_an_unknown_kind_of_model_is_refused(folder: Path) -> None:
    """A model that is nothing without its own code is refused, and the code not run."""
    (folder / "modeling.py").write_text(REMOTE_CODE)
    edit_json(
        folder / "config.json",
        model_type="evil",
        auto_map={"AutoConfig": "modeling.Evil", "AutoModelForCausalLM": "modeling.Evil"},
    )
    with pytest.raises(ModelError, match="could not be loaded as a causal language model"):
        load_causal(str(folder), "", 0)
    assert not (folder / "ran").exists()


def test_a_template_reaches_no_code(folder: Path) -> None:
    """A chat template runs in the library's sandbox: one that reaches for Python's inside is refused."""
    (folder / "chat_template.jinja").write_text("{{ messages.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(ModelError, match="SecurityError"):
        load_causal(str(folder), "", 0)


def test_weights_are_never_made_up(folder: Path) -> None:
    """A model without a head that writes is refused rather than given a random one."""
    config = transformers.LlamaConfig.from_pretrained(folder)
    transformers.LlamaModel(config).save_pretrained(folder)
    with pytest.raises(ModelError, match=r"lack lm_head\.weight"):
        load_causal(str(folder), "", 0)


def test_a_model_without_an_end_is_refused(folder: Path) -> None:
    """A model of which nobody knows when it has finished would always run to the limit."""
    for file in ("config.json", "generation_config.json", "tokenizer_config.json"):
        edit_json(folder / file, eos_token_id=None, eos_token=None)
    with pytest.raises(ModelError, match="what token ends a reply"):
        load_causal(str(folder), "", 0)


def test_a_recurrent_model_is_refused(folder: Path) -> None:
    """A recurrent model is refused when it is loaded, not at the first sample."""
    config = transformers.MambaConfig(
        vocab_size=transformers.LlamaConfig.from_pretrained(folder).vocab_size,
        hidden_size=16,
        state_size=4,
        num_hidden_layers=1,
        eos_token_id=2,
    )
    transformers.MambaForCausalLM(config).save_pretrained(folder)
    with pytest.raises(ModelError, match="padding would change"):
        load_causal(str(folder), "", 0)


def test_without_its_libraries_it_says_so() -> None:
    """The module stands on no library; a model that is asked for without them names the extra to install."""
    program = (
        "import sys\n"
        "from models.backends.causal import load_causal\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
        "sys.modules['transformers'] = sys.modules['torch'] = None\n"
        "try:\n    load_causal('nobody/nothing', '', 0)\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.startswith("ModelError ")
    assert told.stdout.endswith("is not installed: pip install 'assay-llm[hf]'\n")
