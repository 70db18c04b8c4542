"""A pretrained Hugging Face model in torch: where it runs, in which type, and loaded so that nothing of it is made up."""

from dataclasses import dataclass
from typing import Any

import torch
import transformers

from models.backends.hub import Checkpoint
from models.types import ModelError


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """What is wanted of a checkpoint."""

    loader: Any  # an AutoModel class of transformers
    called: str  # as people call it, with its article
    trained: str  # what a checkpoint that lacks weights was not trained to do
    instead: str  # what to choose then


def choose_device() -> tuple[str, torch.dtype]:
    """A GPU in half precision if there is one, else the processor in float32, which without AMX is the faster there."""
    if not torch.cuda.is_available():
        return "cpu", torch.float32
    return "cuda", torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def load_pretrained(found: Checkpoint, dtype: torch.dtype, kind: Kind) -> Any:
    """The model, ready to infer. Raises ModelError, also where weights that the file lacks would be made up."""
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    try:
        model, report = kind.loader.from_pretrained(
            found.folder,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:  # whatever the libraries raise, the reader needs to know which model it was
        raise ModelError(
            f"{found.name} could not be loaded as {kind.called}; code that comes with a model is never run ({error})"
        ) from error
    lacking = sorted([*report["missing_keys"], *(str(key) for key in report["mismatched_keys"])])
    if lacking:
        raise ModelError(
            f"the weights of {found.name} lack {', '.join(lacking[:3])}: it was not trained to {kind.trained}; choose "
            f"{kind.instead}"
        )
    return model.eval()
