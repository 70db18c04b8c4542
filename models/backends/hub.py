"""The checkpoint: a Hugging Face model as files in one folder, from the hub, its cache or a path. Nothing is run."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download

from models.types import ModelError

# What a model and its tokenizer are made of; never code, never pickles, no other runtime's copies in sub-folders.
_WANTED = ("*.json", "*.jinja", "*.safetensors", "*.txt", "*.model")
_UNWANTED = ("*/*",)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """Where a model's files are, and what they are called."""

    folder: Path
    name: str  # of the folder or on the hub
    revision: str  # the commit on the hub; empty for a folder


def find_checkpoint(model: str, revision: str) -> Checkpoint:
    """The checkpoint of that hub name or folder, downloaded if need be. `revision`: a commit, tag or branch of the hub.

    Raises ModelError for a folder that is not there, a name the hub does not know, weights that are no safetensors, and
    where the hub cannot be reached and its cache does not hold the model.
    """
    require_folder(model)
    folder = Path(model).expanduser()
    if folder.is_dir():
        if revision:
            raise ModelError(f"{model} is a folder, which has no revisions: unset ASSAY_NLI_REVISION")
        found = Checkpoint(folder=folder, name=folder.resolve().name, revision="")
    else:
        found = _from_hub(model, revision)
    _require_plain(found)
    return found


def require_folder(model: str) -> None:
    """Raises ModelError for what can only be a folder, and is none."""
    looks_like_one = model.startswith((".", "/", "~")) or model.count("/") > 1
    if looks_like_one and not Path(model).expanduser().is_dir():
        raise ModelError(f"there is no folder {model}: correct ASSAY_NLI_MODEL")


def weight_files(checkpoint: Checkpoint) -> tuple[Path, ...]:
    """The files of the weights, in order of their names. Raises ModelError when there are none, or not all of them."""
    index = checkpoint.folder / "model.safetensors.index.json"
    names = {"model.safetensors"}
    if index.is_file() and not (checkpoint.folder / "model.safetensors").is_file():
        try:
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, AttributeError) as error:
            raise ModelError(f"{index} is no index of weights ({error!r}): fetch the model again") from error
    files = tuple(checkpoint.folder / name for name in sorted(names))
    for file in files:
        if not file.is_file():
            raise ModelError(
                f"{checkpoint.name} has no {file.name}: only safetensors are read, since other formats can run code; "
                "convert it with transformers (`from_pretrained`, then `save_pretrained`) where you trust it, and set "
                "ASSAY_NLI_MODEL to the new folder"
            )
    return files


def digest(*files: Path) -> str:
    """SHA-256 over names and contents of the files."""
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            total.update(f"{file.name} {hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def _from_hub(name: str, revision: str) -> Checkpoint:
    try:
        folder = snapshot_download(
            name, revision=revision or None, allow_patterns=list(_WANTED), ignore_patterns=list(_UNWANTED)
        )
    except Exception as error:  # whatever the hub's client raises, the reader needs to know what to do
        at = f"{name} at revision {revision}" if revision else name
        raise ModelError(
            f"{at} could not be had from the Hugging Face hub ({_first_line(error)}). Check the name; a private model "
            "needs HF_TOKEN. Without a network: set ASSAY_NLI_MODEL to a folder with the model, or set HF_HOME to a "
            "cache that holds it and HF_HUB_OFFLINE=1, or set HF_ENDPOINT to a mirror"
        ) from error
    commit = Path(folder).name
    if not _COMMIT.fullmatch(commit):
        raise ModelError(f"{name}: the hub's cache names no commit for {folder}: update huggingface_hub")
    return Checkpoint(folder=Path(folder), name=name, revision=commit)


def _require_plain(checkpoint: Checkpoint) -> None:
    """Refuses what would load other weights than those the folder shows."""
    if (checkpoint.folder / "adapter_config.json").exists():
        raise ModelError(
            f"{checkpoint.name} is an adapter: merge it into its base model (peft: `merge_and_unload`), save that, and "
            "set ASSAY_NLI_MODEL to the folder"
        )
    if not (checkpoint.folder / "config.json").is_file():
        raise ModelError(f"{checkpoint.name} has no config.json: it is no Hugging Face model")
    weight_files(checkpoint)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
