"""The causal language model as others see it: what it is given, what comes back, and how it is loaded.

Standard library only: torch and transformers are imported when a model is loaded.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from models.types import ModelError


class Said(Protocol):
    """One message of a conversation."""

    @property
    def role(self) -> str:
        """`system`, `user` or `assistant`."""

    @property
    def content(self) -> str:
        """What is said: text, whatever it spells."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """What the model said to one conversation."""

    text: str
    input_tokens: int  # of the whole prompt, the chat template's included
    output_tokens: int  # as generated, the one that ends the reply included
    likelihood: float | None  # mean natural logarithm of their probabilities at temperature 1, <= 0; None: no tokens
    finished: bool  # whether the model ended it; False: cut at the limit or by `until`


class PromptTooLongError(ModelError):
    """A conversation leaves no room for the reply in what the model reads."""


class CausalModel(Protocol):
    """A causal language model in memory, for one thread at a time."""

    @property
    def attributes(self) -> Mapping[str, str]:
        """What does not change the replies by design: runtime, versions, device, type of the weights; and the model by name.

        `role_marks` is `tokens` where the template sets messages apart by control tokens, which no text can spell, and
        `text` where it does so in words that a text can hold too.
        """

    @property
    def digest(self) -> str:
        """SHA-256 of weights, configuration, tokenizer, chat template and of the rules of decoding."""

    @property
    def max_length(self) -> int:
        """Tokens of prompt and reply together."""

    def generate(
        self,
        conversations: Sequence[Sequence[Said]],
        *,
        max_output_tokens: int,
        temperature: float,
        seed: int | Sequence[int | None] | None,
        until: Callable[[], bool],
    ) -> list[Generated | ModelError]:
        """What the model says next in each conversation, in order.

        In the place of a conversation that got no reply stands why, and the others have theirs: PromptTooLongError,
        NotFiniteError where the model answered NaN or infinity, and another ModelError for roles that the chat template
        refuses. A text is read without the white space around it.

        Args:
            conversations: each at least one message; none is an empty list. They are read together as memory allows.
            max_output_tokens: of each reply, at least 1.
            temperature: 0 takes the most probable token each time; above, tokens are drawn from the model's own
                distribution at that temperature, without top-k, top-p or penalties.
            seed: of all, or one for each; None: drawn. What is drawn follows from seed and conversation alone, so that
                the same conversation with the same seed gives the same reply, in whatever company (up to rounding).
            until: asked before each step and after each token; from the first True on, nothing more is computed, and
                what was said so far is returned with `finished` False.

        Raises:
            ModelError: the runtime failed.
            ValueError: `max_output_tokens` or `temperature` is out of range.
        """


def load_causal(model: str, revision: str, threads: int) -> CausalModel:
    """The causal model of that hub name or folder, warm and ready; safetensors alone, never code that comes with it.

    Args:
        model: a name on the Hugging Face hub, or a folder.
        revision: a commit, tag or branch of the hub; empty for the newest, and for a folder.
        threads: of the processor; 0: as many as torch takes.

    Raises:
        ModelError: its libraries are not installed, its files are missing, it has no chat template, or cannot be run.
    """
    try:  # what is not installed is said before anything is downloaded
        hub = importlib.import_module("models.backends.hub")
        runtime = importlib.import_module("models.backends.causal_torch")
    except ModuleNotFoundError as error:
        raise ModelError(f"{error.name} is not installed: pip install 'assay-llm[hf]'") from error
    try:
        found = hub.find_checkpoint(model, revision)
    except ModelError as error:
        raise ModelError(_renamed(str(error))) from error
    loaded: CausalModel = runtime.load_torch(found, threads)
    return loaded


def _renamed(message: str) -> str:
    """The hub's words with the names that a judge's model has in the policy, rather than those of the NLI model."""
    for setting, field in (("ASSAY_NLI_MODEL", "`local`"), ("ASSAY_NLI_REVISION", "`revision`")):
        message = message.replace(setting, f"{field} of [judge]")
    return message
