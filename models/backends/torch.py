"""The torch backend: any Hugging Face sequence classification model, on a GPU if there is one."""

import inspect
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import transformers

from models.backends.hub import Checkpoint
from models.backends.matrix import make_matrix
from models.backends.pair_tokens import PairEncoder
from models.backends.pretrained import Kind, choose_device, load_pretrained
from models.batching import PADDED_LENGTHS, Batch, make_batches
from models.labels import Head
from models.tokens import pack
from models.types import EncodedPair, ModelError, Probability

_CLASSIFIER = Kind(
    loader=transformers.AutoModelForSequenceClassification,
    called="a sequence classification model",
    trained="classify pairs",
    instead="a model fine-tuned for NLI",
)
# Padded tokens that one inference holds: on a processor few, so that large models too report progress often.
_BATCH_TOKENS = {"cpu": 1024, "cuda": 65_536}
_GROUP = {"cpu": 0, "cuda": 16}
# Batches whose answers are not yet fetched: a GPU reads one while the next is made.
_AHEAD = {"cpu": 0, "cuda": 3}


class _Answer:
    """Logits on their way from where the model is, one row per pair."""

    def __init__(self, logits: torch.Tensor) -> None:
        """Asks for them at once: on a GPU a copy that is asked for later waits for all that was started since."""
        self._values = logits.float().to("cpu", non_blocking=True)
        self._copied = torch.cuda.Event() if logits.is_cuda else None
        if self._copied is not None:
            self._copied.record()

    def rows(self) -> list[list[float]]:
        """Waits for them. Raises ModelError for what went wrong meanwhile."""
        try:
            if self._copied is not None:
                self._copied.synchronize()
            rows: list[list[float]] = self._values.tolist()
        except Exception as error:  # where a GPU tells what went wrong
            raise ModelError(f"the model could not be run: {error}") from error
        return rows


class TorchBackend:
    """Reads pairs with a checkpoint: its safetensors and config.json, never code of its own.

    A pair's padded length follows from the pair alone, so that the company it is read in moves its probabilities by no
    more than rounding.
    """

    def __init__(self, checkpoint: Checkpoint, head: Head, encoder: PairEncoder, threads: int) -> None:
        """Loads the model and reads one pair of the greatest length. `threads` 0 means all cores. Raises ModelError."""
        if threads:
            torch.set_num_threads(threads)
        self._head = head
        self._device, self._dtype = choose_device()
        self._model = _load(checkpoint, self._dtype).to(self._device)
        self._pad_id = encoder.pad_id
        # Some tokenizers make types that their model does not take.
        taken = inspect.signature(self._model.forward).parameters
        self._types = "token_type_ids" in encoder.input_names and "token_type_ids" in taken
        self._max_length = min(encoder.longest, _positions(self._model), PADDED_LENGTHS[-1])
        self._attributes = {
            "backend": "torch",
            "torch": str(torch.__version__),
            "transformers": transformers.__version__,
            "device": torch.cuda.get_device_name() if self._device == "cuda" else "cpu",
            "dtype": self.dtype,
            "model": checkpoint.name,
            "revision": checkpoint.revision,
        }
        self.predict([_longest_pair(encoder, self._max_length)], lambda: None)

    @property
    def attributes(self) -> Mapping[str, str]:
        """Runtime, versions, device, and the model by name."""
        return self._attributes

    @property
    def group(self) -> int:
        """All on a processor; on a GPU as many as keep it busy while the next are prepared."""
        return _GROUP[self._device]

    @property
    def dtype(self) -> str:
        """The type of the weights while they run: `float32`, `bfloat16` or `float16`."""
        return str(self._dtype).removeprefix("torch.")

    @property
    def max_length(self) -> int:
        """Tokens of the longest pair that the model reads."""
        return self._max_length

    def predict(self, pairs: Sequence[EncodedPair], progress: Callable[[], None]) -> list[Probability]:
        """One probability per pair, in order; calls `progress` after each batch.

        Raises NotFiniteError for NaN or infinity, ModelError for any other failure of the runtime.
        """
        found: dict[int, Probability] = {}
        started: deque[tuple[Batch, _Answer]] = deque()

        def fetch() -> None:
            batch, answer = started.popleft()
            for index, row in zip(batch.indices, answer.rows(), strict=True):
                found[index] = self._head.probability(row)
            progress()

        for batch in make_batches([pair.length for pair in pairs], _BATCH_TOKENS[self._device]):
            started.append((batch, self._start([pairs[index] for index in batch.indices], batch.padded_length)))
            if len(started) > _AHEAD[self._device]:
                fetch()
        while started:
            fetch()
        return [found[index] for index in range(len(pairs))]

    def _start(self, pairs: Sequence[EncodedPair], length: int) -> _Answer:
        """What the model makes of the pairs; on a GPU it is still at it."""
        # Room beyond the longest pair is what a model of few positions may not have.
        matrix = make_matrix(pairs, min(length, self._max_length), self._pad_id)
        inputs = {"input_ids": matrix.input_ids, "attention_mask": matrix.attention_mask}
        if self._types:
            inputs["token_type_ids"] = matrix.token_type_ids
        try:
            with torch.inference_mode():
                logits = self._model(
                    **{name: self._move(torch.from_numpy(array)) for name, array in inputs.items()}
                ).logits
            return _Answer(logits)
        except Exception as error:  # the runtime's boundary
            raise ModelError(f"the model could not be run: {error}") from error

    def _move(self, values: torch.Tensor) -> torch.Tensor:
        """The values where the model is, without waiting for what the GPU is doing."""
        return values if self._device == "cpu" else values.pin_memory().to(self._device, non_blocking=True)


def _load(checkpoint: Checkpoint, dtype: torch.dtype) -> Any:
    """The model, ready to infer. Raises ModelError, also for labels that do not exclude each other."""
    model = load_pretrained(checkpoint, dtype, _CLASSIFIER)
    if model.config.problem_type == "multi_label_classification" and model.config.num_labels > 1:
        raise ModelError(f"{checkpoint.name} has labels that do not exclude each other: choose a model of classes")
    return model


def _positions(model: Any) -> int:
    """Tokens for which the model has positions. RoBERTa and its kin keep the first ones for padding."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            return int(module.num_embeddings) - (0 if module.padding_idx is None else module.padding_idx + 1)
    stated = getattr(model.config, "max_position_embeddings", None)
    return stated if isinstance(stated, int) and stated > 0 else PADDED_LENGTHS[-1]


def _longest_pair(encoder: PairEncoder, length: int) -> EncodedPair:
    word = pack(list(encoder.encode("one").ids)[:1])
    room = length - encoder.join(word, word).length
    return encoder.join(word * (1 + room), word)
