"""The causal language model in torch: any Hugging Face model that is one and has a chat template, on a GPU if there is one."""

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from models.backends.causal import Generated, PromptTooLongError, Said
from models.backends.causal_chat import ChatEncoder, read_chat
from models.backends.causal_decode import Decoder, Prompt, Reply
from models.backends.hub import Checkpoint, digest, weight_files
from models.backends.pretrained import Kind, choose_device, load_pretrained
from models.types import ModelError, NotFiniteError

# Raise with any change to how replies come about: it is part of the digest.
_RULES = "1"

_CAUSAL = Kind(
    loader=transformers.AutoModelForCausalLM,
    called="a causal language model",
    trained="write text",
    instead="an instruction-tuned causal language model",
)
_CPU_CACHE_BYTES = 1 << 30  # of keys and values, all rows together
_CUDA_CACHE_SHARE = 0.5  # of the memory that is free once the model is loaded
_MOST_ROWS = {"cpu": 16, "cuda": 64}
_CHUNK_TOKENS = {"cpu": 1_024, "cuda": 16_384}
_LENGTH_UNKNOWN = 2_048  # tokens, where neither model nor tokenizer states how many it reads
_LONGEST = 1 << 24  # tokenizers state numbers far above this where they know none


@dataclass(frozen=True, kw_only=True, slots=True)
class _Greeting:
    """What a model is asked when it is loaded."""

    role: str = "user"
    content: str = "Hello."


class TorchCausal:
    """A causal language model in memory; see `models.backends.causal.CausalModel`."""

    def __init__(self, model: Any, chat: ChatEncoder, attributes: Mapping[str, str], weights: str = "") -> None:
        """Of a loaded model, where it is, in evaluation mode; says two tokens to see whether it can.

        `weights` is a digest of weights and configuration. Raises ModelError for a model that cannot be run so.
        """
        self._chat = chat
        self._attributes = {**attributes, "role_marks": chat.role_marks}
        ends = _ends(model, chat)
        kind = model.device.type
        self._decoder = Decoder(model, ends, _CHUNK_TOKENS[kind])
        self._most_rows = _MOST_ROWS[kind]
        self._max_length = _max_length(model, chat)
        described = [_RULES, weights, chat.digest, sorted(ends), self._max_length]
        self._digest = hashlib.sha256(json.dumps(described).encode()).hexdigest()
        self._cached_tokens = max(1, _cache_bytes(model) // _bytes_per_token(model))
        tried = self.generate([[_Greeting()]], max_output_tokens=2, temperature=0.0, seed=None, until=lambda: False)
        for each in tried:
            if isinstance(each, ModelError):
                raise each

    @property
    def attributes(self) -> Mapping[str, str]:
        """Runtime, versions, device, type of the weights, the model by name, and what sets messages apart."""
        return self._attributes

    @property
    def digest(self) -> str:
        """SHA-256 of weights, configuration, tokenizer, chat template and rules; not of device and type of the weights."""
        return self._digest

    @property
    def max_length(self) -> int:
        """Tokens of prompt and reply together."""
        return self._max_length

    def generate(
        self,
        conversations: Sequence[Sequence[Said]],
        *,
        max_output_tokens: int,
        temperature: float,
        seed: int | Sequence[int | None] | None,
        until: Callable[[], bool],
    ) -> list[Generated | ModelError]:
        """What the model says next in each conversation, in order; see `CausalModel.generate`."""
        if max_output_tokens < 1 or not 0 <= temperature < float("inf"):
            raise ValueError("a reply has at least one token, and a temperature is 0 or more")
        seeds = list(seed) if isinstance(seed, Sequence) else [seed] * len(conversations)
        found: dict[int, Generated | ModelError] = {}
        prompts: dict[int, Prompt] = {}
        for index, (conversation, own) in enumerate(zip(conversations, seeds, strict=True)):
            try:
                prompts[index] = self._prompt(conversation, own, max_output_tokens)
            except ModelError as error:
                found[index] = error
        for group in self._groups(prompts, max_output_tokens):
            batch = [prompts[index] for index in group]
            try:
                replies = self._decoder.run(batch, max_output_tokens, temperature, until)
            except Exception as error:  # the runtime's boundary
                raise ModelError(f"the model could not be run: {error}") from error
            found.update(zip(group, map(self._told, batch, replies), strict=True))
        return [found[index] for index in range(len(conversations))]

    def _prompt(self, conversation: Sequence[Said], seed: int | None, limit: int) -> Prompt:
        """The conversation with a stream of its own, of seed and prompt: no two prompts of a seed are drawn alike."""
        ids = self._chat.encode(conversation)
        if len(ids) + limit > self._max_length:
            raise PromptTooLongError(
                f"the prompt has {len(ids)} tokens, and {limit} are kept for the reply: the model reads {self._max_length}"
            )
        drawn = random.SystemRandom() if seed is None else random.Random(f"{seed} {ids}")  # noqa: S311 - no secret
        return Prompt(ids=ids, random=drawn)

    def _groups(self, prompts: Mapping[int, Prompt], limit: int) -> Iterator[list[int]]:
        """Prompts of like length together, the longest first, as many as memory holds."""
        group: list[int] = []
        width = 0
        for index in sorted(prompts, key=lambda each: -len(prompts[each].ids)):
            if group and (len(group) == self._most_rows or (len(group) + 1) * width > self._cached_tokens):
                yield group
                group = []
            width = width if group else len(prompts[index].ids) + limit
            group.append(index)
        if group:
            yield group

    def _told(self, prompt: Prompt, reply: Reply) -> Generated | ModelError:
        if not reply.finite:
            return NotFiniteError("the model answered NaN or infinity")
        return Generated(
            text=self._chat.decode(reply.ids[:-1] if reply.ended else reply.ids),
            input_tokens=len(prompt.ids),
            output_tokens=len(reply.ids),
            likelihood=reply.total / len(reply.ids) if reply.ids else None,
            finished=reply.ended,
        )


def load_torch(found: Checkpoint, threads: int) -> TorchCausal:
    """The checkpoint's model, warm and ready. `threads` 0: as many as torch takes. Raises ModelError."""
    if threads:
        torch.set_num_threads(threads)
    chat = read_chat(found)  # small, so that what is refused is refused at once
    kind, dtype = choose_device()
    model = _load(found, dtype).to(kind)
    return TorchCausal(
        model,
        chat,
        {
            "backend": "torch",
            "torch": str(torch.__version__),
            "transformers": transformers.__version__,
            "device": torch.cuda.get_device_name() if kind == "cuda" else "cpu",
            "dtype": str(dtype).removeprefix("torch."),
            "model": found.name,
            "revision": found.revision,
        },
        digest(found.folder / "config.json", *weight_files(found)),
    )


def _load(found: Checkpoint, dtype: torch.dtype) -> Any:
    """The model, ready to infer. Raises ModelError, also for one whose replies would follow from their company."""
    model = load_pretrained(found, dtype, _CAUSAL)
    if getattr(model, "_is_stateful", False):
        raise ModelError(
            f"{found.name} keeps a state beside keys and values, which padding would change, so that replies would follow "
            "from their company: choose a model of attention alone"
        )
    return model


def _ends(model: Any, chat: ChatEncoder) -> frozenset[int]:
    """The tokens that end a reply: what the model's generation settings say, and the tokenizer."""
    stated = getattr(model.generation_config, "eos_token_id", None)
    ends = {chat.end, *(stated if isinstance(stated, list) else [stated])} - {None}
    if not ends:
        raise ModelError(
            "neither the model nor its tokenizer says what token ends a reply (eos_token_id): choose another"
        )
    return frozenset(int(end) for end in ends if end is not None)


def _max_length(model: Any, chat: ChatEncoder) -> int:
    stated = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    known = [length for length in (stated, chat.longest) if isinstance(length, int) and 0 < length < _LONGEST]
    return min(known, default=_LENGTH_UNKNOWN)


def _bytes_per_token(model: Any) -> int:
    """What the keys and values of one token take, one of each in every layer. More than so where layers share them."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", None) or 1  # a model that has none is refused when it is tried
    kept = getattr(config, "num_key_value_heads", None) or heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return int(2 * config.num_hidden_layers * kept * width * model.dtype.itemsize)


def _cache_bytes(model: Any) -> int:
    if model.device.type == "cpu":
        return _CPU_CACHE_BYTES
    return int(torch.cuda.mem_get_info(model.device)[0] * _CUDA_CACHE_SHARE)
