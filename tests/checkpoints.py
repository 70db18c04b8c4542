"""Tiny Hugging Face models with random weights and tokenizers trained on the spot, saved as their users save them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sentencepiece
import tokenizers
import torch
import transformers
from tokenizers import models, normalizers, pre_tokenizers, trainers

NLI = ("entailment", "neutral", "contradiction")
FAMILIES = ("bert", "distilbert", "roberta", "deberta")
POSITIONS = 128

_CORPUS = [
    "The shop opens at nine and closes at five, except on Sundays.",
    "Kettles can be returned within 30 days of delivery; the café is on the second floor.",
    "Paris is the capital of France. Lyon is another city in France!",
    "The tower was built in 1889 by Eiffel (324 metres), and it isn't for sale.",
    "It snowed in Tokyo, where nobody had expected unreasonable weather.",
] * 20
_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "initializer_range": 0.3,
}


def save_checkpoint(folder: Path, family: str, labels: Sequence[str] = NLI, **config: Any) -> Path:
    """A model of that family with these labels, the same weights every time; its folder."""
    torch.manual_seed(len(labels))
    tokenizer, model = _FAMILIES[family]({"id2label": dict(enumerate(labels)), **_SIZES, **config})
    tokenizer.save_pretrained(folder)
    model.eval().save_pretrained(folder)
    return folder


def keep_sentencepiece_only(folder: Path) -> None:
    """Leaves a DeBERTa checkpoint with the tokenizer's form of old: spm.model and no tokenizer.json."""
    special = {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
    ids = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}
    with (folder / "spm.model").open("wb") as model:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(_CORPUS), model_writer=model, vocab_size=90, minloglevel=2, **special, **ids
        )
    (folder / "tokenizer.json").unlink()


def edit_json(path: Path, **changes: Any) -> None:
    """Sets top-level values of a JSON file."""
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, **changes}))


def _bert(config: dict[str, Any]) -> tuple[Any, Any]:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trained = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106 - a token of another kind
    trained.normalizer = normalizers.BertNormalizer()
    trained.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trained.train_from_iterator(_CORPUS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special))
    tokenizer = transformers.BertTokenizer(vocab=trained.get_vocab(), model_max_length=POSITIONS)
    settings = transformers.BertConfig(vocab_size=len(tokenizer), max_position_embeddings=POSITIONS, **config)
    return tokenizer, transformers.BertForSequenceClassification(settings)


def _distilbert(config: dict[str, Any]) -> tuple[Any, Any]:
    """Beside a tokenizer that makes token types, which this model does not take."""
    tokenizer, _ = _bert(config)
    settings = transformers.DistilBertConfig(
        vocab_size=len(tokenizer), max_position_embeddings=POSITIONS, hidden_dim=64, seq_classif_dropout=0, **config
    )
    return tokenizer, transformers.DistilBertForSequenceClassification(settings)


def _roberta(config: dict[str, Any]) -> tuple[Any, Any]:
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained = tokenizers.Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trained.train_from_iterator(
        _CORPUS, trainers.BpeTrainer(vocab_size=500, special_tokens=special, initial_alphabet=alphabet)
    )
    learnt = json.loads(trained.to_str())["model"]
    merges = [tuple(merge) for merge in learnt["merges"]]
    tokenizer = transformers.RobertaTokenizer(vocab=learnt["vocab"], merges=merges)
    settings = transformers.RobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=POSITIONS + 2, type_vocab_size=1, **config
    )
    return tokenizer, transformers.RobertaForSequenceClassification(settings)


def _deberta(config: dict[str, Any]) -> tuple[Any, Any]:
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    trained = tokenizers.Tokenizer(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token="[UNK]")  # noqa: S106
    trained.train_from_iterator(_CORPUS, trainer)
    vocab = [(piece, score) for piece, score in json.loads(trained.to_str())["model"]["vocab"]]
    tokenizer = transformers.DebertaV2Tokenizer(vocab=vocab, model_max_length=POSITIONS)
    settings = transformers.DebertaV2Config(
        vocab_size=len(tokenizer),
        max_position_embeddings=POSITIONS,
        type_vocab_size=0,
        relative_attention=True,
        position_biased_input=False,
        pos_att_type=["p2c", "c2p"],
        position_buckets=32,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        **config,
    )
    return tokenizer, transformers.DebertaV2ForSequenceClassification(settings)


_FAMILIES = {"bert": _bert, "distilbert": _distilbert, "roberta": _roberta, "deberta": _deberta}
