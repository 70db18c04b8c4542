"""Tiny causal language models with random weights, tokenizers trained on the spot and chat templates, saved as by users."""

import string
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import tokenizers
import torch
import transformers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, trainers

CONTEXT = 192  # tokens that the models read

_CORPUS = [
    "The shop opens at nine and closes at five, except on Sundays.",
    "system user assistant: kettles can be returned within 30 days of delivery; is that so?",
    "Paris is the capital of France. Lyon is another city in France! INST /INST s /s im_start im_end think",
    '{"claim": 1, "verdict": "supported", "quote": "It snowed in Tokyo."} <| |> [ ] < > / _',
] * 20
_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
# As of models that know no system, with their marks around what is said.
_INST = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% elif message.role == 'user' %}"
    "[INST] {{ message.content }} [/INST]{% else %} {{ message.content }}</s>{% endif %}{% endfor %}"
)
Family = Literal["chatml", "inst", "legacy"]
FAMILIES: tuple[Family, ...] = ("chatml", "inst", "legacy")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One message."""

    role: str
    content: str


def talk(*contents: str) -> list[Line]:
    """A conversation that begins with the system, then user and assistant in turn."""
    roles = ["system", *["user", "assistant"] * len(contents)]
    return [Line(role=role, content=content) for role, content in zip(roles, contents, strict=False)]


def save_chat_model(folder: Path, family: Family = "chatml", **config: Any) -> Path:
    """A model of that family, the same weights every time; its folder."""
    tokenizer = chat_tokenizer(family)
    tokenizer.save_pretrained(folder)
    chat_model(tokenizer, family, **config).save_pretrained(folder)
    return folder


def chat_tokenizer(family: Family) -> Any:
    """A tokenizer with a chat template: byte-level BPE, SentencePiece's Unigram, or BPE with SentencePiece's blanks of old."""
    trained = tokenizers.Tokenizer.from_str(_trained(family))
    marks = {"eos_token": "<|im_end|>"} if family == "chatml" else {"eos_token": "</s>", "bos_token": "<s>"}
    unknown = {} if family == "chatml" else {"unk_token": "<unk>"}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=trained,
        chat_template=_CHATML if family == "chatml" else _INST,
        model_max_length=CONTEXT,
        **marks,
        **unknown,
    )


@cache
def _trained(family: Family) -> str:
    return _FAMILIES[family]().to_str()


def chat_model(tokenizer: Any, family: Family = "chatml", **config: Any) -> Any:
    """The model for it: a Llama, or a GPT-2 with places for tokens that it learnt."""
    torch.manual_seed(1)
    common = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    if family == "inst":
        settings = transformers.GPT2Config(
            n_embd=32, n_layer=2, n_head=2, n_positions=CONTEXT, initializer_range=0.4, **common, **config
        )
        return transformers.GPT2LMHeadModel(settings).eval()
    settings = transformers.LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.4,
        **common,
        **config,
    )
    return transformers.LlamaForCausalLM(settings).eval()


def _chatml() -> tokenizers.Tokenizer:
    trained = tokenizers.Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    trained.train_from_iterator(
        _CORPUS,
        trainers.BpeTrainer(
            vocab_size=400,
            show_progress=False,
            special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    # Controls that the tokenizer does not call special, and a run of blanks, which is no control.
    trained.add_tokens([AddedToken(each, normalized=False) for each in ("<think>", "</think>", "    ")])
    return trained


def _inst() -> tokenizers.Tokenizer:
    """The control tokens are pieces of its vocabulary too, and more probable ones than their letters."""
    special = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]
    letters = sorted(
        {letter for text in _CORPUS for letter in text.replace(" ", "▁")} | set(string.printable[:95]) - {" "}
    )
    words = sorted({f"▁{word}" for text in _CORPUS for word in text.split() if len(word) > 1})
    scores = [
        *((each, 0.0) for each in special),
        *((each, -8.0) for each in letters),
        *((each, -4.0) for each in words),
    ]
    trained = tokenizers.Tokenizer(models.Unigram(scores, unk_id=0, byte_fallback=False))
    trained.add_special_tokens(special)
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    trained.decoder = decoders.Metaspace(prepend_scheme="first")
    return trained


def _legacy() -> tokenizers.Tokenizer:
    """As Llama 2: a blank before all that follows a control token, and `[INST]` in letters."""
    trained = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))  # noqa: S106
    trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    trained.train_from_iterator(
        _CORPUS, trainers.BpeTrainer(vocab_size=300, show_progress=False, special_tokens=["<unk>", "<s>", "</s>"])
    )
    return trained


_FAMILIES = {"chatml": _chatml, "inst": _inst, "legacy": _legacy}
